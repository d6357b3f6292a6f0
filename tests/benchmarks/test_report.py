import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from benchmarks.gates import judge
from benchmarks.report import report2020_figures
from benchmarks.report.render import render
from benchmarks.report.words import first_paragraph
from benchmarks.results import Record, Spread, read_results, write_results
from edge_runtime.errors import InputError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FIGURES = ["figure-roc", "figure-confusion", "figure-efficiency", "figure-latency", "figure-latents", "figure-uv_curve", "figure-observed",
           "figure-observed_inner", "figure-tsne", "figure-features",
           *(f"figure-window{place}" for place in range(5))]
MEASURE = """<script>window.addEventListener("load", () => { for (const figure of document.querySelectorAll("figure")) {
  const box = figure.querySelector("svg").getBoundingClientRect(), paths = figure.querySelectorAll("svg path, svg use").length;
  figure.dataset.drawn = [Math.round(box.width), Math.round(box.height), paths].join(" "); }
  document.documentElement.dataset.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth; });</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory, results):
    path = tmp_path_factory.mktemp("report") / "results.json"
    write_results(results, path)
    return render(read_results(path), path)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes


def test_it_needs_nothing_from_outside(page):
    parsed = Tags()
    parsed.feed(page)
    assert not {"script", "iframe", "object", "embed"} & set(parsed.tags)
    outside = {value for name, value in parsed.attributes if name in ("src", "href", "srcset", "xlink:href") and not value.startswith(("#", "data:"))}
    assert not outside
    addresses = set(re.findall(r"https?://[^\s\"'<>)]*", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in page and not re.search(r"url\((?!#)", page)
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]


def test_ids_are_its_own_and_every_reference_has_its_target(page):
    parsed = Tags()
    parsed.feed(page)
    ids = [value for name, value in parsed.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    wanted = {value[1:] for name, value in parsed.attributes if name in ("href", "xlink:href") and value.startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page))
    wanted |= {value for name, value in parsed.attributes if name == "aria-labelledby"}
    assert wanted <= set(ids)


def test_every_figure_has_words_for_those_who_cannot_see_it(page):
    titles = re.findall(r"<svg[^>]*role=\"img\"[^>]*><title id=\"[^\"]+\">([^<]{30,})</title>", page)
    assert len(titles) == len(FIGURES)


def test_the_same_results_give_the_same_bytes(page, results, tmp_path):
    assert render(results, tmp_path) == page


def test_the_first_paragraph_says_who_wins(results):
    assert "reaches an AUC of 0.9991" in first_paragraph(results) and "boxcar 32, clipped" in first_paragraph(results)
    beaten = tuple(replace(record, value=0.95) if record.id == "detection.auc_quiet" else record for record in results.records)
    told = first_paragraph(replace(results, records=beaten))
    assert told.startswith("The network does not beat the best simple rival")
    assert "0.9500" in told and "0.9982" in told and "0.913" in told


def test_a_lead_within_its_interval_is_no_lead(results):
    close = Record("detection.auc_quiet_over_best_rival", 0.0009, "AUC", "measured", "here", Spread(-0.0002, 0.002, "95 %"))
    assert first_paragraph(replace(results, records=(*results.records, close))).startswith("The network does not beat")


def test_without_flagging_the_first_paragraph_says_so(results):
    assert "not measured" in first_paragraph(replace(results, records=()))


def test_a_report_of_nothing_is_still_a_page(results, tmp_path):
    empty = render(replace(results, records=(), gates=(), figures={}), tmp_path)
    assert empty.count("Not measured in this run.") >= 10 and "<svg" not in empty


def test_the_sections_stand_in_their_order_each_with_its_link(page):
    sections = ["gates", "flagging", "windows", "figures2020", "board", "bytes", "parity", "environment", "records"]
    assert re.findall(r'<section id="([^"]+)">', page) == sections
    assert re.findall(r'<a href="#([^"]+)">', page) == sections
    assert "<title>Pixie report: MMIA photometers</title>" in page and "Mini-EUSO" not in page
    assert re.findall(r"<h3>([^<]+)</h3>", page) == ["Rivals on the same windows", "Float twin, post-training int8, label-free scores", "Hard scenes",
                                                     "Streams",
                                                     "Edges, UV, tiling", "A score for the model", "The 2020 report",
                                                     "Do neighbours share their class?", "Memory and throughput",
                                                     "Files", "Recorded slices"]


def test_the_2020_reports_figures_have_a_section_only_where_there_are_data(results, tmp_path):
    assert "figures2020" not in render(replace(results, figures={"efficiency": results.figures["efficiency"]}), tmp_path)
    embedded = render(replace(results, figures={name: results.figures[name] for name in ("tsne", "features")}), tmp_path)
    assert '<section id="figures2020">' in embedded and '<figure id="figure-tsne">' in embedded and '<figure id="figure-observed' not in embedded


def test_without_a_run_of_the_2020_reports_network_ours_stands_alone(results, page, tmp_path):
    alone = [{name: data for name, data in one.items() if name != "report"} for one in results.figures["observed"]["slices"]]
    drawn = render(replace(results, figures={"observed": {**results.figures["observed"], "slices": alone}}), tmp_path)
    beside, own = "the 2020 report's network</text>", "our int8 network</text>"
    assert page.count(beside) == page.count(own) == 2 and drawn.count(beside) == 0 and drawn.count(own) == 2


def test_the_edges_are_in_one_figure_and_not_in_the_other(results):
    slices = [{**one, "report": [[9e3 * (place < 25 or place >= 475) + 1 for place in range(500)]] * 3} for one in results.figures["observed"]["slices"]]
    drawn = report2020_figures.draw({"observed": {**results.figures["observed"], "slices": slices}})
    ticks = {name: [int(tick) for tick in re.findall(r">(\d+)</text>", svg)] for name, svg in drawn.items()}
    assert max(ticks["observed"]) > 5_000 > 100 > max(ticks["observed_inner"])


def test_the_feature_map_keeps_the_places_of_its_cells(results):
    values = np.zeros((10, 4))
    values[3, 2] = 5.0
    data = {"classes": list("abcde"), "label": np.repeat(np.arange(5), 2).tolist(), "values": values.tolist()}
    paths = re.findall(r'<g id="features-patch_\d+">\s*<path d="([^"]*)"', str(report2020_figures.draw({"features": data})["features"]))
    # the whole figure, the map, its one cell that is not 0
    _, axes, cell = (np.array(re.findall(r"[ML] ([0-9.]+) ([0-9.]+)", path), float)[:4] for path in paths[:3])
    low, high = axes.min(axis=0), axes.max(axis=0)
    assert (cell.min(axis=0) - low) / (high - low) == pytest.approx([2 / 4, 3 / 10], abs=1e-3)  # downwards
    assert (cell.max(axis=0) - low) / (high - low) == pytest.approx([3 / 4, 4 / 10], abs=1e-3)


def test_text_from_results_is_escaped(results, tmp_path):
    page = render(replace(results, environment={"cpu": "<script>alert(1)</script>"}), tmp_path)
    assert "<script>" not in page and "&lt;script&gt;" in page


@pytest.mark.parametrize("name", ["latency", "roc", "confusion", "efficiency", "latents", "uv_curve", "tsne", "features", "observed"])
def test_malformed_data_of_a_figure_are_refused_naming_it(results, tmp_path, name):
    path = tmp_path / "results.json"
    for broken in ([], {}, {"engines": 3, "levels": "x", "counts": [["a"]], "classes": [1], "quiet": 1, "points": 2, "snr": []}):
        with pytest.raises(InputError) as refusal:
            render(replace(results, figures={name: broken}), path)
        assert f"{path}: figures.{name}" in str(refusal.value)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")
@pytest.mark.parametrize("width", [1280, 390])
def test_chromium_draws_every_figure_and_has_nothing_to_complain_about(page, tmp_path, width):
    file = tmp_path / "report.html"
    file.write_text(page.replace("</body>", MEASURE + "</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},1000",
               "--enable-logging=stderr", "--dump-dom", file.as_uri()]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    complaints = [line for line in finished.stderr.splitlines() if ":CONSOLE" in line]
    assert complaints == []
    drawn = dict(re.findall(r'<figure id="([^"]+)" data-drawn="([^"]+)"', finished.stdout))
    assert sorted(drawn) == sorted(FIGURES)
    for name, box in drawn.items():
        figure_width, height, paths = map(int, box.split())
        assert figure_width >= 250 and height >= 150 and paths >= 10, (name, box)
    overflow = re.search(r'data-overflow="(-?\d+)"', finished.stdout)
    assert overflow and int(overflow[1]) <= 0


def test_claims_about_the_autoencoder_that_do_not_hold_stand_in_the_first_paragraph(results):
    uv = replace(results.record("cvae.uv"), value=0.61, source="held-out scenes; median correlation with the true rate")
    records = tuple(uv if record.id == "cvae.uv" else record for record in results.records)
    short = replace(results, records=records, gates=judge(records))
    said = first_paragraph(short)
    assert "cvae.uv is 0.61, asked for >= 0.9 (median correlation with the true rate)" in said
    assert "Claims that do not hold" not in first_paragraph(results)
