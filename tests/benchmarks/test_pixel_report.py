import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.report.pixel_words import first_paragraph
from benchmarks.report.render import render
from benchmarks.results import Gate, Record, Results, Spread, read_results, write_results
from edge_runtime.errors import InputError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FIGURES = ["confusers", "focal", "latency", "light_curves", "pixel_roc", "track_efficiency"]
SECTIONS = ["gates", "meteors", "pixels", "study", "board", "parity", "environment", "records"]
SESSIONS = (5, 6, 7, 8, 9, 11, 12, 13, 14)
METHODS = ("int8 network", "float twin", "k-nearest neighbours, both", "running median")
TABLES = {"pixels": "pixels.int8_vs_classical", "operating_points": "pixels.recall_1e4.int8", "tracks": "tracks.limit.int8", "frame_time": "pixels.frame_ms",
          "latency": "latency.litert.paced.p50", "claim": "pixels.claim_10x", "files": "pixels.flight_bytes", "parity": "parity.flips",
          "recorded": "recorded.frames", "refusals": "input.refused", "runtime": "runtime.realtime"}


def record(name, value, unit, spread=None):
    return Record(name, value, unit, "measured", "a made-up processor", spread and Spread(*spread, "95 %, made-up bootstrap by session"), 9, 1, "this test")


RECORDS = (
    record("pixels.int8_vs_classical", 0.0061, "AUC", (0.0012, 0.011)), record("pixels.int8_vs_classical.recall", 0.052, "share", (0.01, 0.09)),
    record("pixels.recall_1e4.int8", 0.713, "share", (0.69, 0.74)), record("pixels.recall_1e5.int8", 0.641, "share"),
    record("tracks.limit.int8", 4.6, "mag", (4.4, 4.8)), record("tracks.limit.running_median", 3.9, "mag"), record("tracks.limit.flight_rule", None, "mag"),
    record("pixels.frame_ms", 3.21, "ms"), record("pixels.flight_bytes", 23_456, "bytes"), record("pixels.claim_10x", 12.7, "x", (12.1, 13.4)),
    record("latency.litert.paced.p50", 41.5, "µs"), record("parity.flips", 0, "count"), record("recorded.frames", None, "count"),
    record("input.refused", 80, "count"), record("runtime.realtime", 12.5, "times real time"),
    *(record(f"study.{session}", 0.95 + session / 1000, "AUC") for session in SESSIONS),
)


def focal(rng):
    level = np.abs(rng.normal(0.004, 0.006, (48, 48)))
    pixels = [[12 + step, 9 + round(1.4 * step)] for step in range(13)]
    for row, column in pixels:
        level[row, column] += 0.06 + 0.3 * np.exp(-((row - 18) / 4) ** 2)
    masked = np.zeros((48, 48), bool)
    masked[40:, :8] = True
    return {"level": [[None if bad else round(value, 4) for value, bad in zip(*pair, strict=True)] for pair in zip(level.tolist(), masked, strict=True)],
            "pixels": pixels, "line": [[11.7, 8.6], [24.3, 26.1]], "true_line": [[10.0, 6.4], [26.0, 28.7]], "title": "session 11, frame 1,204",
            "magnitude": 2.8, "speed_km_s": 43.2, "direction_deg": 61.0}


def light_curve(rng, place):
    counts = rng.normal(1.1, 0.02, 60) + 0.25 * np.exp(-((np.arange(60) - 20 - 3 * place) / 2.5) ** 2)
    score = [None if frame < 8 else int(value) for frame, value in enumerate(np.clip((counts - 1.15) * 400, -128, 127))]
    flagged = [frame for frame, value in enumerate(score) if value is not None and value > 30]
    return {"row": 12 + place, "column": 9 + place, "counts": counts.round(3).tolist(), "flagged": flagged, "first_frame": 1184, "score": score}


def made_up_figures():
    rng = np.random.default_rng(2)
    fpr = np.r_[0, np.logspace(-5.5, 0, 60)]
    levels = [0, 5, 50, 95, 99, 100]
    curves = [{"name": name, "fpr": fpr.tolist(), "recall": np.clip(1 - (0.3 + 0.1 * place) * (1 - fpr**0.3), 0, 1).tolist(), "auc": 0.993 - 0.01 * place}
              for place, name in enumerate(METHODS)]
    found = 1 / (1 + np.exp(2 * (np.arange(2, 8) - 4.6)))
    efficiency = [{"name": name, "n": [40] * 6, "limit": None if place == 3 else 4.6 - 0.3 * place,
                   **{key: np.clip(found - 0.1 * place + off, 0, 1).tolist() for key, off in (("efficiency", 0), ("low", -0.1), ("high", 0.1))}}
                  for place, name in enumerate(METHODS)]
    kinds = ["quiet", "ground", "flasher", "satellite", "lightning", "elve"]
    return {
        "focal": focal(rng), "light_curves": [light_curve(rng, place) for place in range(8)],
        "pixel_roc": {"curves": curves, "windows": 400_000, "note": "Windows of all nine sessions, each scored while left out."},
        "track_efficiency": {"magnitudes": [2, 3, 4, 5, 6, 7], "curves": efficiency},
        "confusers": {"kinds": kinds, "rows": [{"name": name, "counts": rng.poisson([3, 12, 30, 4, 9, 0]).tolist()} for name in METHODS],
                      "windows": [350_000, 30_000, 9_000, 4_000, 5_000, 2_000], "note": "At a false-positive rate of 1e-4."},
        "latency": {"levels": levels, "engines": {"litert": {"hot": [30, 31, 35, 40, 50, 90], "paced": [35, 36, 41.5, 50, 60, 99], "first_call": [400.0]}}},
        "tables": {**{name: {"columns": ["what", "value"], "rows": [{"name": "int8 network", "cells": [cell]}]} for name, cell in TABLES.items()},
                   "tracks": {"columns": ["method", "half found to"], "rows": [{"name": name, "cells": [f"tracks.limit.{name}"]}
                                                                              for name in ("int8", "running_median", "flight_rule")]},
                   "study_classical": {"title": "Classical classifiers on curves", "columns": ["method", *map(str, SESSIONS)], "units": False,
                                       "rows": [{"name": "XGBoost", "cells": [f"study.{session}" for session in SESSIONS]}]},
                   "study_window": {"title": "Length of the curve", "columns": ["N", *map(str, SESSIONS)], "units": False,
                                    "rows": [{"name": "48", "cells": [f"study.{session}" for session in SESSIONS]}]}},
        "best_classical": "k-nearest neighbours, both", "rival_names": {"running_median": "running median"}, "notes": ["Nothing here was measured."]}


@pytest.fixture(scope="module")
def results():
    gates = (Gate("parity.flips", 0, "==", 0, True), Gate("recorded.quiet", None, "==", 0, None))
    return Results("demo", 1, "2026-01-01T00:00:00+00:00", {"cpu": "a made-up processor"}, RECORDS, gates, made_up_figures(), "minieuso")


@pytest.fixture(scope="module")
def page(results, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "results.json"
    write_results(results, path)
    return render(read_results(path), path)


def drawings(page):
    """Alt text of every figure by its name."""
    return dict(re.findall(r'<title id="([^"]+)-title">([^<]+)</title>', page))


def with_records(results, **values):
    """The results with other records in the place of their namesakes; None takes one away. Dots are written __."""
    changed = {name.replace("__", "."): one for name, one in values.items()}
    return replace(results, records=tuple(changed.get(one.id, one) for one in results.records if changed.get(one.id, one) is not None))


def with_figure(results, name, **changes):
    """The results with this figure alone, so changed."""
    return replace(results, figures={name: {**results.figures[name], **changes}})


def test_the_sections_stand_in_their_order_each_with_its_link(page):
    assert re.findall(r'<section id="([^"]+)">', page) == SECTIONS
    assert re.findall(r'<a href="#([^"]+)">', page) == SECTIONS
    assert "<title>Pixie report: Mini-EUSO focal surface</title>" in page and "MMIA" not in page


def test_every_figure_says_its_result_in_words(page):
    told = drawings(page)
    assert sorted(told) == FIGURES
    assert "13 flagged pixels" in told["focal"] and "magnitude 2.8, 43 km/s towards 61°" in told["focal"]
    assert "row 12, column 9" in told["light_curves"]
    assert "int8 network: AUC 0.9930, recall 0.719 at a false-positive rate of 0.0001" in told["pixel_roc"]
    assert "int8 network finds half down to magnitude 4.6" in told["track_efficiency"]
    assert "running median finds half at no magnitude" in told["track_efficiency"]
    assert "most of them flasher" in told["confusers"]


def test_the_recall_told_at_a_rate_is_that_of_the_last_step_before_it(results, tmp_path):
    curve = {"name": "stairs", "fpr": [0, 2e-5, 9e-5, 2e-4, 1], "recall": [0.1, 0.3, 0.5, 0.9, 1], "auc": 0.9}
    told = drawings(render(with_figure(results, "pixel_roc", curves=[curve]), tmp_path))["pixel_roc"]
    assert "recall 0.500 at a false-positive rate of 0.0001, recall 0.100 at a false-positive rate of 1e-05" in told


def test_notes_titles_and_every_table_are_on_the_page(page):
    for words in ("Windows of all nine sessions", "At a false-positive rate of 1e-4.", "Classical classifiers on curves", "Length of the curve"):
        assert words in page
    assert set(re.findall(r'<table id="table-([^"]+)">', page)) == {*TABLES, "study_classical", "study_window"}
    assert "Not measured in this run." not in page


def test_a_limit_that_was_looked_for_and_is_not_there_is_not_called_unmeasured(page):
    row = re.search(r'<th scope="row">flight_rule</th>(.*?)</tr>', page)
    assert row and "at none" in row[1] and "not measured" not in row[1]
    recorded = re.search(r'<table id="table-recorded">(.*?)</table>', page, re.DOTALL)
    assert recorded and "not measured" in recorded[1]


def test_tiles_show_what_was_measured_and_nothing_else(page, results, tmp_path):
    tiles = re.search(r'<dl class="tiles">(.*?)</dl>', page, re.DOTALL)
    assert tiles and tiles[1].count("<dt>") == 6
    assert "12.70 <span class=\"unit\">×</span>" in tiles[1] and "4.6 <span class=\"unit\">mag</span>" in tiles[1]
    fewer = with_records(results, pixels__claim_10x=None, pixels__frame_ms=record("pixels.frame_ms", None, "ms"))
    bare = render(replace(fewer, figures={}), tmp_path)
    assert bare.count("<dt>") == 4


def test_what_is_missing_is_said_to_be_not_measured(results, tmp_path):
    empty = render(replace(results, records=(), gates=(), figures={}), tmp_path)
    assert "<svg" not in empty and empty.count("Not measured in this run.") == len(FIGURES) + len(TABLES) + 1  # the study once for all its tables


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_without_the_others(results, tmp_path, name):
    page = render(replace(results, figures={name: results.figures[name]}), tmp_path)
    assert list(drawings(page)) == [name] and page.count("Not measured in this run.") == len(FIGURES) - 1 + len(TABLES) + 1


def test_a_track_of_unknown_truth_is_drawn_without_it(results, tmp_path):
    page = render(with_figure(results, "focal", true_line=None, magnitude=None), tmp_path)
    assert "frame 1,204: 13 flagged pixels on a line, 43 km/s" in drawings(page)["focal"]
    focal_figure = page[page.index('<figure id="figure-focal">'):page.index('<figure id="figure-light_curves">')]
    assert "fitted" in focal_figure and "simulated" not in focal_figure


def test_curves_without_a_score_are_drawn_without_its_axis(results, tmp_path):
    curves = [{**curve, "score": [None] * 60} for curve in results.figures["light_curves"]]
    figures = {"light_curves": curves[:2]}
    page = render(replace(results, figures=figures), tmp_path)
    assert "Light curves of 2 pixels" in drawings(page)["light_curves"] and "score (right)" not in page


@pytest.mark.parametrize(("name", "change"), [
    ("focal", {"level": [[1.0] * 48] * 47}), ("focal", {"level": [["x"] * 48] * 48}), ("focal", {"pixels": [[1, 48]]}), ("focal", {"pixels": []}),
    ("focal", {"line": [[1, 2]]}), ("focal", {"speed_km_s": None}), ("focal", {"pixels": [[-1, 3]]}),
    ("pixel_roc", {"curves": [{"name": "a", "fpr": [0, 1], "recall": [1], "auc": 0.5}]}), ("pixel_roc", {"windows": "many"}), ("pixel_roc", {"windows": 0}),
    ("track_efficiency", {"magnitudes": [2]}), ("track_efficiency", {"curves": [{"name": "a"}]}), ("track_efficiency", {"curves": []}),
    ("confusers", {"windows": [1, 2]}), ("confusers", {"rows": [{"name": "a", "counts": [1]}]}), ("confusers", {"windows": [-1] * 6}),
    ("confusers", {"rows": []}),
])
def test_malformed_data_of_a_figure_are_refused_naming_it(results, tmp_path, name, change):
    path = tmp_path / "results.json"
    with pytest.raises(InputError) as refusal:
        render(with_figure(results, name, **change), path)
    assert f"{path}: figures.{name}" in str(refusal.value)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("broken", [[], {}, 3, "text"])
def test_data_of_the_wrong_kind_are_refused_naming_the_figure(results, tmp_path, name, broken):
    with pytest.raises(InputError, match=rf"figures\.{name}"):
        render(replace(results, figures={name: broken}), tmp_path)


@pytest.mark.parametrize("change", [{"flagged": [60]}, {"flagged": [-1]}, {"score": [0]}, {"counts": []}, {"first_frame": None}, {"row": None, "counts": "x"}])
def test_a_malformed_light_curve_is_refused(results, tmp_path, change):
    curves = [{**results.figures["light_curves"][0], **change}]
    with pytest.raises(InputError, match=r"figures\.light_curves"):
        render(replace(results, figures={"light_curves": curves}), tmp_path)


def test_more_curves_than_fit_are_refused(results, tmp_path):
    with pytest.raises(InputError, match=r"figures\.light_curves"):
        render(replace(results, figures={"light_curves": results.figures["light_curves"][:1] * 9}), tmp_path)


def test_the_first_paragraph_begins_with_a_win(results):
    assert first_paragraph(results) == (
        "The int8 network beats the best classical method of this run (k-nearest neighbours, both): the difference in ROC AUC is +0.0061 (+0.0012 to +0.0110; "
        "95 %, made-up bootstrap by session), in recall at a false-positive rate of 10⁻⁴ +0.0520 (+0.0100 to +0.0900; 95 %, made-up bootstrap by session). "
        "Half of the meteors become tracks down to magnitude 4.6 with the int8 network; with the best rival, running median, down to 3.9.")


AUC, RECALL = "pixels.int8_vs_classical", "pixels.int8_vs_classical.recall"


@pytest.mark.parametrize(("auc", "recall", "begins"), [
    ((-0.004, (-0.009, -0.001)), (-0.02, (-0.05, 0.01)), "does not beat RIVAL: "),
    ((0.001, (-0.001, 0.003)), (0.0, (0.0, 0.0)), "does not beat RIVAL by more than chance allows: "),
    ((0.006, (0.001, 0.011)), (0.01, (-0.02, 0.04)), "beats RIVAL in ROC AUC, but not in recall: "),
    ((-0.004, (-0.009, 0.001)), (0.05, None), "does not beat RIVAL in ROC AUC, but does in recall: "),
    ((0.006, None), (0.05, None), "beats RIVAL: "),
])
def test_the_first_paragraph_says_in_which_measure_the_network_wins(results, auc, recall, begins):
    told = first_paragraph(with_records(results, pixels__int8_vs_classical=record(AUC, auc[0], "AUC", auc[1]),
                                        pixels__int8_vs_classical__recall=record(RECALL, recall[0], "share", recall[1])))
    assert told.startswith(f"The int8 network {begins.replace('RIVAL', 'the best classical method of this run (k-nearest neighbours, both)')}")
    assert ("It has to earn its place elsewhere." in told) == (auc[0] < 0.006 and recall[0] < 0.05)


def test_the_first_paragraph_says_plainly_what_was_not_measured(results):
    nothing = replace(results, records=(), figures={})
    assert first_paragraph(nothing) == ("Whether the int8 network beats the best classical method at single pixels was not measured in this run. "
                                        "Its tracks were not measured in this run.")
    no_recall = first_paragraph(with_records(results, pixels__int8_vs_classical__recall=None))
    assert no_recall.startswith("The int8 network beats the best classical method of this run (k-nearest neighbours, both) in ROC AUC: ")
    assert "recall at a false-positive rate of 10⁻⁴ was not compared in this run." in no_recall
    alone = with_records(results, tracks__limit__running_median=None, tracks__limit__flight_rule=None)
    assert first_paragraph(alone).endswith("down to magnitude 4.6 with the int8 network; no rival's tracks were measured in this run.")


def test_the_first_paragraph_says_when_the_rival_sees_as_faint(results):
    for limit, begins in ((3.9, "down to magnitude 3.9 with"), (3.1, "down to magnitude 3.1 with"), (None, "At no magnitude do half of the meteors")):
        told = first_paragraph(with_records(results, tracks__limit__int8=record("tracks.limit.int8", limit, "mag")))
        assert begins in told and told.endswith("running median, down to 3.9. In tracks, then, the network brings no gain.")
    none = first_paragraph(with_records(results, tracks__limit__running_median=record("tracks.limit.running_median", None, "mag")))
    assert none.endswith("with the int8 network; no rival finds half at any magnitude.")


def test_names_that_cannot_be_read_are_refused(results, tmp_path):
    with pytest.raises(InputError, match="figures: is malformed"):
        render(replace(results, figures={"rival_names": ["running median"]}), tmp_path)


def test_the_page_needs_nothing_from_outside_and_its_ids_are_its_own(page):
    assert set(re.findall(r"https?://[^\s\"'<>)]*", page)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "<script" not in page and "<image" not in page and not re.search(r"url\((?!#)", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_the_same_results_give_the_same_bytes(page, results, tmp_path):
    assert render(replace(results, figures=json.loads(json.dumps(results.figures))), tmp_path) == page


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")
@pytest.mark.parametrize("width", [1280, 390])
def test_chromium_lays_the_page_out_without_sideways_scrolling(page, tmp_path, width):
    measure = ('<script>window.addEventListener("load", () => { const root = document.documentElement; '
               'root.dataset.overflow = root.scrollWidth - root.clientWidth; })</script>')
    file = tmp_path / "report.html"
    file.write_text(page.replace("</body>", measure + "</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1000",
               "--enable-logging=stderr", "--dump-dom", file.as_uri()]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert [line for line in finished.stderr.splitlines() if ":CONSOLE" in line] == []
    overflow = re.search(r'data-overflow="(-?\d+)"', finished.stdout)
    assert overflow and int(overflow[1]) <= 0
