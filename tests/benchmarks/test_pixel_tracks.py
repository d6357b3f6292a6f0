"""Tracks on nights: the same frames for all methods, limits and efficiencies from rows made by hand, a long run that goes on where it was cut off."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import pixel_tracks as module
from benchmarks.pixel_tracks import LOWEST, MAGNITUDES, NAMES, Nights, Watch, false_scores, limiting_magnitude, meteors, tracks
from benchmarks.statistics import wilson
from edge_runtime import engines
from edge_runtime.bundle import open_pixels
from edge_runtime.frames import FrameStretch
from edge_runtime.masking import Masker
from edge_runtime.pixel_stream import PixelFlagger
from edge_runtime.recurrence import LoneTracker
from edge_runtime.tracking import TrackRules
from tests.pixel_bundle_for_tests import MAGNITUDE_ZERO, make_bundle, scene
from train.instruments.minieuso.configuration import SESSIONS
from train.pixels.calibration import NIGHT_FRAMES, night
from train.pixels.stream_rivals import SCORE_STEPS, Level2Rule, RunningMedian

pytest.importorskip("ai_edge_litert")
WIDE = TrackRules(threshold=60, largest_residual=2.0, slowest=0.06)  # that short scenes have tracks


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("pixel_tracks") / "bundle", flag=6, rules=WIDE)


def test_false_scores_are_those_of_each_method_alone(tmp_path):
    bundle = make_bundle(tmp_path / "bundle", flag=4, rules=WIDE)  # so low that a dark night has tracks
    found = false_scores(bundle, 9, 400, 3, 1)
    opened = open_pixels(bundle)
    rules = replace(opened.settings.rules, threshold=LOWEST)
    flagger = PixelFlagger(replace(opened.settings, rules=rules), engines.load("reference", bundle))
    assert list(found) == list(NAMES)
    assert found["int8"] == [one.track.score for one in flagger.flag(night(9, 400, 3, 1))] != []
    for name, rule, least in (("median_4", RunningMedian(4), 4 * SCORE_STEPS), ("level2_102", Level2Rule(1.02), -1)):
        tracker, masker, scores = LoneTracker(rules), Masker(), []
        [stretch] = night(9, 400, 3, 1)
        for frame, sums in enumerate(stretch.sums):
            flags = rule.frame(sums, masker.frame(sums, stretch.masked[frame]))
            above = flags.score > least
            scores += [one.score for one in tracker.push(frame, np.full(above.sum(), frame), flags.pixel[above], flags.score[above], flags.excess[above])]
        assert found[name] == scores + [one.score for one in tracker.finish()]
    assert found["median_4"] and found["median_5"] and found["level2_102"]


def test_no_method_remembers_what_was_before_a_gap(bundle):
    sums = scene(270, meteors=((148, 20, 30),))
    masked = np.zeros(sums.shape, bool)
    whole, cut = ([FrameStretch(sums[a:b], masked[a:b], None, a) for a, b in pairwise(bounds)] for bounds in ((0, 270), (0, 146, 270)))
    watch = Watch(bundle)
    assert all(len(found) == 1 for found in watch.tracks(whole).values())
    assert not any(watch.tracks(cut).values())  # too little history for any


def test_meteors_are_looked_for_in_the_tracks_of_every_method(bundle, monkeypatch):
    monkeypatch.setattr(module, "FILE_FRAMES", 640)
    rows = meteors(bundle, 14, 3, 0)
    assert 18 <= len(rows) <= module.SCENE_METEORS and {row["magnitude"] for row in rows} == set(MAGNITUDES)
    assert all(list(row["scores"]) == list(NAMES) and row["speed"] > 0 for row in rows)
    assert all((row["scores"]["int8"] is None) == (row["told_speed"] is None) == (row["told_excess"] is None) for row in rows)
    seen = {m: [row["scores"]["int8"] is not None for row in rows if row["magnitude"] == m] for m in MAGNITUDES}
    assert np.mean(seen[2] + seen[3]) > 0.5 > np.mean(seen[6] + seen[7])
    bright = [row for row in rows if row["magnitude"] <= 3 and row["told_speed"] is not None]
    assert np.median([abs(row["told_speed"] / row["speed"] - 1) for row in bright]) < 0.3
    json.dumps(rows, allow_nan=False)  # they are kept as JSON


@pytest.mark.parametrize(("efficiency", "limit"), [
    ([1, 1, 1, 1, 1, 1], 7.0), ([1, 1, 1, 1, 1, 0.5], 7.0), ([0.4, 0.3, 0, 0, 0, 0], None), ([1, 1, 0.75, 0.25, 0, 0], 4.5), ([0.5, 0.1, 0, 0, 0, 0], 2.0),
    ([0.9, 0.1, 0, 0, 0, 0], 2.5), ([1, 0.2, 0.6, 0.2, 0, 0], 4.25)])
def test_the_limiting_magnitude_is_the_faintest_found_by_half(efficiency, limit):
    assert limiting_magnitude(efficiency) == (None if limit is None else pytest.approx(limit))


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_at_the_limit_the_efficiency_is_a_half_and_nowhere_fainter_more(efficiency):
    limit = limiting_magnitude(efficiency)
    if limit is None:
        assert max(efficiency) < 0.5
    else:
        assert np.interp(limit, MAGNITUDES, efficiency) == pytest.approx(0.5, abs=1e-6) or limit == MAGNITUDES[-1]
        assert all(value < 0.5 for magnitude, value in zip(MAGNITUDES, efficiency, strict=True) if magnitude > limit)


NIGHTS = Nights(calibration=2, test=3, frames=NIGHT_FRAMES, meteor_files=4)
FAINTEST = {"int8": 5, "median_4": 4, "median_5": 3, "level2_102": 4, "level2_103": 1}  # that a method finds


def row(magnitude):
    """A meteor as `meteors` tells it, found up to FAINTEST; speeds a tenth too high, magnitudes half too faint."""
    scores = {name: 100 if magnitude <= faintest else None for name, faintest in FAINTEST.items()}
    found = scores["int8"] is not None
    return {"magnitude": magnitude, "speed": 40.0, "scores": scores, "told_speed": 44.0 if found else None,
            "told_excess": 10 ** (-0.4 * (magnitude + 0.5 - MAGNITUDE_ZERO)) if found else None}


def staged(bundle, tmp_path, monkeypatch, nights=NIGHTS, per_magnitude=2):
    """`tracks` on jobs whose outcome is made by hand: nights of so many frames, rows of meteors."""
    asked = []

    def run(jobs, kept, key):
        asked.extend(jobs)
        nth = {"calibration": {name: [10, 90, 50, 70] for name in NAMES}, "test": {name: [10, 80, 95] for name in NAMES},
               "meteors": [row(m) for m in MAGNITUDES] * per_magnitude}
        return {name: nth[name.split("-")[0]] for name, *_ in jobs}

    monkeypatch.setattr(module, "run_kept", run)
    monkeypatch.setattr(module, "_sessions", lambda folder: ((7, 13), (12, 14)))
    made = tracks(bundle, tmp_path, 3, nights)
    return asked, made, {record.id: record for record in made.records}


def test_thresholds_come_from_the_calibration_nights_and_false_tracks_from_the_others(bundle, tmp_path, monkeypatch):
    asked, _, records = staged(bundle, tmp_path, monkeypatch)
    # Of 8 scores of two nights two may be above the threshold: both of 90. So it is 70, and above it are 80 and 95 of each test night.
    false = records["tracks.false_per_night.int8"]
    assert (false.value, false.spread.low, false.spread.high, false.n) == (2.0, 2.0, 2.0, 3) and "threshold 70 from 2 nights of 7, 13" in false.source
    assert [(name, arguments[1]) for name, _, arguments in asked] == [
        ("calibration-0", 7), ("calibration-1", 13), ("test-0", 12), ("test-1", 14), ("test-2", 12), *((f"meteors-{k}", (12, 14)[k % 2]) for k in range(4))]
    nights = [arguments[1:] for _, work, arguments in asked if work is false_scores]
    assert len(set(nights)) == len(nights) and {arguments[1] for arguments in nights} == {NIGHT_FRAMES}


def test_a_shorter_night_may_have_fewer_false_tracks(bundle, tmp_path, monkeypatch):
    _, _, records = staged(bundle, tmp_path, monkeypatch, replace(NIGHTS, frames=NIGHT_FRAMES // 4))
    assert "threshold 90 from" in records["tracks.limit.int8"].source and records["tracks.false_per_night.int8"].value == 1.0


def test_efficiencies_and_limits_are_those_of_the_rows(bundle, tmp_path, monkeypatch):
    _, made, records = staged(bundle, tmp_path, monkeypatch)
    for name, faintest in FAINTEST.items():
        for m in MAGNITUDES:
            record = records[f"tracks.efficiency.{name}.m{m}"]
            assert (record.value, record.n) == (float(m <= faintest), 8) and (record.spread.low, record.spread.high) == wilson(8 * (m <= faintest), 8)
        assert records[f"tracks.limit.{name}"].value == (None if faintest == 1 else faintest + 0.5)
    assert records["tracks.speed_error"].value == pytest.approx(0.1) and records["tracks.magnitude_error"].value == pytest.approx(0.5)
    assert records["tracks.speed_error"].n == 8 * 4
    [curve] = [curve for curve in made.figures["track_efficiency"]["curves"] if curve["name"] == NAMES["median_4"]]
    assert curve["efficiency"] == [1, 1, 1, 0, 0, 0] and curve["limit"] == 4.5 and curve["n"] == [8] * 6
    table = made.figures["tables"]["tracks"]
    for line in table["rows"]:
        assert len(line["cells"]) == len(table["columns"]) - 1 and all(cell is None or cell in records for cell in line["cells"])


def test_at_equal_rates_every_method_has_its_threshold_from_the_test_nights(bundle, tmp_path, monkeypatch):
    _, made, records = staged(bundle, tmp_path, monkeypatch)
    # Scores of three nights: 95, 80 and 10 of each. One a night passes above 80, two above 10; a half, the first of nine, above 95.
    thresholds = [records[f"tracks.limit_at.{rate}.int8"].source.split("threshold ")[1].split()[0] for rate in ("0.5", "1", "2", "3")]
    assert thresholds == ["95", "80", "10", "0"]
    assert records["tracks.limit_at.1.median_4"].value == 4.5 and records["tracks.limit_at.1.level2_103"].value is None
    table = made.figures["tables"]["tracks_equal"]
    assert [len(line["cells"]) for line in table["rows"]] == [4] * 5 and all(cell in records for line in table["rows"] for cell in line["cells"])


@pytest.mark.parametrize(("test", "per_magnitude", "lead"), [(10, 125, 1.0), (9, 125, None), (10, 124, None)])
def test_the_lead_over_the_best_rival_is_told_of_enough_nights_and_meteors_only(bundle, tmp_path, monkeypatch, test, per_magnitude, lead):
    _, _, records = staged(bundle, tmp_path, monkeypatch, replace(NIGHTS, test=test), per_magnitude)
    assert records["tracks.efficiency"].value == lead


def test_sessions_are_those_that_the_bundle_was_calibrated_on_and_those_it_never_saw(tmp_path):
    document = {"thresholds": {"calibration": {"sessions": [7, 13], "learned": [5, 6, 8]}}}
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    assert module._sessions(tmp_path) == ((7, 13), tuple(number for number in SESSIONS if number not in (5, 6, 7, 8, 13)))
