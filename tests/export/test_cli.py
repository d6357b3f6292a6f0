"""The verb `export` on ONNX files: five files, the proof, and nothing written for what is refused."""

import argparse
import json
from pathlib import Path

import pytest

from edge_runtime.engines import load
from edge_runtime.errors import InputError
from edge_runtime.graph import read_graph
from export.cli import EXPORT
from export.parity import random_windows
from tests.export.test_parity import autoencoder


def run(source: Path, out: Path) -> tuple[int, str, dict[str, object]]:
    parser = argparse.ArgumentParser()
    EXPORT.add_arguments(parser)
    outcome = EXPORT.run(parser.parse_args([str(source), "--out", str(out)]))
    return outcome.status, outcome.text, dict(outcome.document)


def test_an_onnx_file_becomes_five_files_that_the_engines_run(tmp_path: Path) -> None:
    source = autoencoder(tmp_path)
    status, text, document = run(source, tmp_path / "out")
    assert status == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["graph.json", "graph.npz", "model.onnx", "model.tflite", "parity.json"]
    assert (tmp_path / "out" / "model.onnx").read_bytes() == source.read_bytes()
    assert "parameters.weights: 0 of 582 differ" in text and "codes.reference.litert.mean: 0 of 1000 differ" in text
    parity = document["parity"]
    assert isinstance(parity, dict) and parity["parameters.weights"] == {"compared": 582, "differing": 0, "greatest": None}
    records = json.loads((tmp_path / "out" / "parity.json").read_text())["records"]
    assert [record["name"] for record in records] == list(parity)
    (windows,) = random_windows(read_graph(tmp_path / "out"), 1, seed=0)
    assert [codes.shape for codes in load("litert", tmp_path / "out").run(windows)] == [(1, 5), (1, 1, 12, 3)]


def test_an_older_export_is_replaced_and_another_folder_is_not(tmp_path: Path) -> None:
    source = autoencoder(tmp_path)
    assert run(source, tmp_path / "out")[0] == run(source, tmp_path / "out")[0] == 0
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep me")
    with pytest.raises(InputError, match="not ours to replace"):
        run(source, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(("name", "reason"), [("absent.onnx", "does not exist"), ("absent", "does not exist"), ("letter.txt", "neither a folder nor an .onnx")])
def test_a_source_that_is_nothing_is_refused_and_nothing_written(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("no network")
    with pytest.raises(InputError, match=reason):
        run(tmp_path / name, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
