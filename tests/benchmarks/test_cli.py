import argparse
import json
from dataclasses import replace

import pytest

from benchmarks.cli import BENCH, DEMO, GATES, MERGE, REPORT
from benchmarks.gates import claims_of
from benchmarks.results import write_results
from edge_runtime.cli import run_verb

VERBS = {verb.name: verb for verb in (BENCH, DEMO, GATES, MERGE, REPORT)}


def pixie(capsys, *words):
    status = run_verb("pixie", VERBS, [str(word) for word in words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_gates_print_one_line_each_and_the_status_says_whether_all_hold(tmp_path, results, capsys):
    path = tmp_path / "results.json"
    write_results(results, path)
    status, out, _ = pixie(capsys, "gates", path)
    assert status == 0 and len(out.splitlines()) == len(claims_of("mmia", "demo"))
    broken = tuple(replace(record, value=64_001) if record.id == "flight.bytes" else record for record in results.records)
    write_results(replace(results, records=broken), path)  # its own verdicts still say that all hold
    status, out, _ = pixie(capsys, "gates", path)
    assert status == 1 and [line.split()[0] for line in out.splitlines() if "falls short" in line] == ["flight.bytes"]


def test_a_file_that_makes_no_claim_has_no_gates(tmp_path, results, capsys):
    write_results(replace(results, gates=()), tmp_path / "sweep.json")
    assert pixie(capsys, "gates", tmp_path / "sweep.json")[:2] == (0, "")


def test_gates_as_one_json_document(tmp_path, results, capsys):
    path = tmp_path / "results.json"
    write_results(results, path)
    _, out, _ = pixie(capsys, "gates", path, "--json")
    assert set(json.loads(out)["gates"][0]) == {"id", "value", "op", "bound", "holds"}


def test_report_writes_a_page_and_nothing_else(tmp_path, results, capsys):
    path = tmp_path / "results.json"
    write_results(results, path)
    status, out, err = pixie(capsys, "report", path, "--out", tmp_path / "report.html")
    assert status == 0 and err == "" and "open it in a browser" in out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "results.json"]


@pytest.mark.parametrize("words", [
    ("report", "{}/results.json", "--out", "{}/report.pdf"), ("report", "{}/none.json", "--out", "{}/report.html"),
    ("report", "{}/broken.json", "--out", "{}/r.html"),
    ("gates", "{}/broken.json"), ("bench", "{}/none", "--out", "{}/r.json"), ("bench", "{}", "--out", "{}/r.json"),
    ("bench", "{}", "--out", "{}/r.json", "--seed", "-1"), ("bench", "--out", "{}/r.json"),
])
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, results, capsys, words):
    write_results(results, tmp_path / "results.json")
    (tmp_path / "broken.json").write_text('{"schema_version": 1, "scale": 3}')
    before = sorted(tmp_path.iterdir())
    status, out, err = pixie(capsys, *(word.format(tmp_path) for word in words))
    assert status == 2 and out == "" and err.startswith("pixie: ") and err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_every_verb_has_an_example():
    for verb in VERBS.values():
        verb.add_arguments(argparse.ArgumentParser())
        assert verb.example.startswith(verb.name)
