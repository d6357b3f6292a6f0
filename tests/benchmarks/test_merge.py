import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.arm.models import models
from benchmarks.cli import BENCH, GATES, MERGE, REPORT
from benchmarks.gates import judge
from benchmarks.results import Record, Results, Spread, read_results, write_results
from edge_runtime.cli import run_verb
from export.write_tflite import tflite_bytes

VERBS = {verb.name: verb for verb in (GATES, MERGE, REPORT)}


def pixie(capsys, *words):
    status = run_verb("pixie", VERBS, [str(word) for word in words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def of(cpu, factor=1.0, how="measured", **environment):
    """What a bench of one model leaves on a machine: a table of several columns, one of a single column, and facts of the file."""
    def record(name, value, unit="µs", on=f"{cpu}, Python 3.11, litert 2.3.0, 1 thread"):
        return Record(name, value, unit, how, on, Spread(value * 0.9, value * 1.1, "95 %"), 200, 1, "made up")

    records = (record("latency_of.m.litert.hot.p50", 10 * factor), record("latency_of.m.litert.paced.p50", 30 * factor),
               record("operators_of.m.litert.0", 4 * factor), Record("sizes_of.m.flash", 1234, "bytes", "measured", "the file", source="file system"),
               Record("layers_of.m.0.macs", 256, "count", "measured", "the file", source="made up"))
    tables = {"latency_of_m": {"columns": ["engine", "hot p50", "paced p50"], "rows": [
                  {"name": "litert", "cells": ["latency_of.m.litert.hot.p50", "latency_of.m.litert.paced.p50"]}]},
              "operators_of_m_litert": {"columns": ["operator", "time"], "rows": [{"name": "0 CONV_2D", "cells": ["operators_of.m.litert.0"]}]},
              "sizes_of_m": {"columns": ["whole file", "value"], "rows": [{"name": "file (flash)", "cells": ["sizes_of.m.flash"]}]},
              "layers_of_m": {"columns": ["operator", "MACs"], "rows": [{"name": "0 CONV_2D", "cells": ["layers_of.m.0.macs"]}]}}
    figures = {"tables": tables, "notes": [f"a note of {cpu}"], "models": [{"slug": "m", "name": "m.tflite", "words": "1,234 bytes"}]}
    return Results("demo", 1, "2026-01-01T00:00:00+00:00", {"cpu": cpu, "cores": 4, **environment}, records, (), figures, "model")


@pytest.fixture
def files(tmp_path):
    host, pi = tmp_path / "host.json", tmp_path / "pi.json"
    write_results(of("AMD EPYC"), host)
    write_results(of("Cortex-A72", 4, "emulated", profile="raspberry-pi-4b"), pi)
    return host, pi


def merged(capsys, *paths):
    out = paths[0].parent / "both.json"
    assert pixie(capsys, "merge", *paths, "--out", out)[0] == 0
    return out, read_results(out)


def test_the_first_file_keeps_its_ids_and_the_other_stands_beside(files, capsys):
    _, both = merged(capsys, *files)
    own, other = both.record("latency_of.m.litert.hot.p50"), both.record("latency_of.m.litert.hot.p50@raspberry-pi-4b")
    assert (own.value, own.how, other.value, other.how) == (10, "measured", 40, "emulated") and "Cortex-A72" in other.on
    assert len(both.records) == 5 + 3  # what is true of the file is there once


def test_tables_get_a_row_or_a_column_for_each_machine(files, capsys):
    _, both = merged(capsys, *files)
    tables = both.figures["tables"]
    assert [row["name"] for row in tables["latency_of_m"]["rows"]] == ["litert, AMD EPYC", "litert, raspberry-pi-4b"]
    assert tables["latency_of_m"]["rows"][1]["cells"] == ["latency_of.m.litert.hot.p50@raspberry-pi-4b", "latency_of.m.litert.paced.p50@raspberry-pi-4b"]
    assert tables["operators_of_m_litert"]["columns"] == ["operator", "AMD EPYC", "raspberry-pi-4b"]
    assert tables["operators_of_m_litert"]["rows"] == [{"name": "0 CONV_2D", "cells": ["operators_of.m.litert.0", "operators_of.m.litert.0@raspberry-pi-4b"]}]
    assert tables["sizes_of_m"]["rows"] == [{"name": "file (flash)", "cells": ["sizes_of.m.flash"]}]
    assert all(both.record(cell) for table in tables.values() for row in table["rows"] for cell in row["cells"] if cell)


def test_three_machines_and_a_model_that_one_has_alone(files, capsys, tmp_path):
    third = of("Cortex-A53", 9)
    alone = Record("latency_of.k.litert.hot.p50", 7.0, "µs", "measured", "Cortex-A53")
    table = {"columns": ["engine", "hot p50", "paced p50"], "rows": [{"name": "litert", "cells": [alone.id, None]}]}
    write_results(replace(third, records=(*third.records, alone), figures={
        **third.figures, "tables": {**third.figures["tables"], "latency_of_k": table},
        "models": [*third.figures["models"], {"slug": "k", "name": "k.tflite", "words": ""}]}), tmp_path / "third.json")
    _, both = merged(capsys, *files, tmp_path / "third.json")
    assert both.figures["tables"]["operators_of_m_litert"]["columns"] == ["operator", "AMD EPYC", "raspberry-pi-4b", "Cortex-A53"]
    assert both.figures["tables"]["latency_of_k"]["rows"] == [{"name": "litert, Cortex-A53", "cells": ["latency_of.k.litert.hot.p50@cortex-a53", None]}]
    assert {model["slug"] for model in both.figures["models"]} == {"m", "k"}


def test_the_whole_is_shown_by_report_and_claims_nothing(files, capsys):
    out, both = merged(capsys, *files)
    page = out.with_suffix(".html")
    assert pixie(capsys, "report", out, "--out", page)[0] == 0
    text = page.read_text()
    assert "What model files cost on these machines" in text and "litert, raspberry-pi-4b" in text and "emulated" in text
    assert "raspberry-pi-4b: cores" in text and "AMD EPYC: a note of AMD EPYC" in text
    assert pixie(capsys, "gates", out)[:2] == (0, "") and both.environment["machines"] == "AMD EPYC, raspberry-pi-4b"


def test_gates_are_those_of_the_first_file(results, capsys, tmp_path):
    """A whole run on this machine, and a board that measured some of it: what is claimed is claimed of the run."""
    board = replace(results, environment={"cpu": "Cortex-A72"}, gates=(), records=tuple(
        replace(record, on="Cortex-A72", value=record.value * 4) for record in results.with_prefix("latency.")), figures={
        "tables": {"latency": results.figures["tables"]["latency"]}})
    for name, one in (("host", results), ("board", board)):
        write_results(one, tmp_path / f"{name}.json")
    out, both = merged(capsys, tmp_path / "host.json", tmp_path / "board.json")
    assert both.gates == results.gates == judge(results.records) and pixie(capsys, "gates", out)[0] == 0
    assert len(both.figures["tables"]["latency"]["rows"]) == 2 * len(results.figures["tables"]["latency"]["rows"])
    assert pixie(capsys, "report", out, "--out", tmp_path / "r.html")[0] == 0 and "Cortex-A72" in (tmp_path / "r.html").read_text()


def changed(path, **fields):
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


@pytest.mark.parametrize(("fields", "reason"), [
    ({"schema_version": 2}, "this Pixie reads up to 1; use a newer Pixie"), ({"task": "mmia"}, "merge results of one command"),
    ({"environment": {"cpu": "amd epyc"}}, "like a file before it"), ({"environment": {}}, "the machine has no name"),
    ({"environment": {"cpu": "x", "machines": "x, y"}}, "merged already"), ({"records": [{"id": 3}]}, r"records\[0\].id"),
    ({"figures": {"tables": {"latency_of_m": {"rows": [{}]}}}}, "figures: are malformed"), ({"figures": {"models": [3]}}, "figures: are malformed"),
])
def test_what_cannot_be_merged_is_refused(files, capsys, fields, reason):
    host, pi = files
    changed(pi, **fields)
    status, out, err = pixie(capsys, "merge", host, pi, "--out", host.parent / "both.json")
    assert (status, out, err.count("\n")) == (2, "", 1) and not (host.parent / "both.json").exists()
    import re

    assert re.search(reason, err)


def test_one_file_is_nothing_to_merge(files, capsys):
    assert pixie(capsys, "merge", files[0], "--out", files[0].parent / "both.json")[0] == 2


def test_a_result_made_under_emulation_stands_beside_this_machines_with_the_profiles_prediction(tmp_path, capsys):
    """emulated/cortex-a72.json is what `pixie bench` left as an aarch64 process under QEMU (emulated/make.sh): a board's result in all but its times."""
    emulated = Path(__file__).parent / "emulated" / "cortex-a72.json"
    model, host = tmp_path / "encoder.tflite", tmp_path / "host.json"
    model.write_bytes(tflite_bytes(models()["encoder"]))
    assert run_verb("pixie", {"bench": BENCH}, ["bench", str(model), "--engine", "litert", "--mlperf-tiny", "--out", str(host)]) == 0
    out, both = merged(capsys, host, emulated)
    board, predicted = both.record("latency_of.encoder_tflite.litert.hot.p50@raspberry-pi-4b"), both.record("predicted_of.encoder_tflite@raspberry-pi-4b")
    assert (board.how, predicted.how) == ("emulated", "modelled") and "Cortex-A72, emulated" in board.on
    row = both.figures["tables"]["predicted_of_encoder_tflite"]["rows"][0]
    assert row["cells"][0] == board.id and row["cells"][-1] == predicted.id
    assert both.record("sizes_of.encoder_tflite.flash").value == model.stat().st_size  # of the file: said once
    assert pixie(capsys, "report", out, "--out", tmp_path / "both.html")[0] == 0
    assert "Beside the profile" in (tmp_path / "both.html").read_text()
