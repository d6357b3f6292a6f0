"""A run becomes a bundle that proves itself; the same run gives the same bytes; a run that does not fit gives nothing."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import engines
from edge_runtime.bundle import FLOWN, check_graph, check_ground, open_bundle, read_golden, verify
from edge_runtime.engines.onnxruntime import OnnxEngine
from edge_runtime.errors import InputError
from edge_runtime.flagging import Thresholds, score_table
from edge_runtime.graph import read_interface
from edge_runtime.preprocess import anscombe_tables
from export.photometer_manifest import extreme_inputs, golden_inputs
from export.write_bundle import write_bundle
from tests.train import tiny
from train import evaluate, run_folder

CALIBRATION = {"schema_version": 1, "thresholds": {"flag": 10, "hits": 5, "minimum_duration": 2, "refractory": 2080}, "scenes": 60, "seed": 3}


def calibrate(run: Path, **changed: object) -> Path:
    """Give a run a calibration.json, and the checksums that fit it."""
    quantised = run_folder.read_arrays(run / "quantised.npz")
    document = {**CALIBRATION, "logit_scale": evaluate.logit_scale(tiny.configuration(), quantised), **changed}
    (run / "calibration.json").write_text(json.dumps(document))
    run_folder.write_checksums(run)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return calibrate(tiny.finished(tmp_path_factory.mktemp("run") / "run"))


@pytest.fixture(scope="module")
def folder(run) -> Path:
    return write_bundle(run, run.parent / "bundle")


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_the_bundle_opens_and_proves_itself(folder):
    bundle = open_bundle(folder)
    check_graph(bundle)
    assert check_ground(folder) == 8
    # ONNX Runtime node by node: its fused kernels saturate partial sums on some processors, which the extremes bring out.
    for engine in (engines.load("reference", folder), engines.load("litert", folder), OnnxEngine(folder, level="disable")):
        check = verify(bundle, engine)
        assert check.vectors == 22 and check.identical, engine.name


def test_it_holds_what_the_run_says(folder, run):
    bundle, document = open_bundle(folder), json.loads((folder / "manifest.json").read_text())
    assert bundle.thresholds == Thresholds(10, 5, 2, 2080) and bundle.seed == tiny.SETTINGS["seed"]
    assert document["thresholds"]["calibration"]["scenes"] == 60
    assert document["thresholds"]["calibration"]["sha256"] == hashlib.sha256((run / "calibration.json").read_bytes()).hexdigest()
    assert bundle.score == score_table(bundle.outputs[1].scale)
    assert bundle.outputs[0].shape == (1, tiny.SETTINGS["model"]["latent"])
    assert {"torch", "brevitas", "onnx", "numpy", "pixie-onboard"} <= document["versions"].keys()


def test_the_files_are_these(folder):
    ground = [f"ground/{network}/{name}" for network in ("decoder", "whole") for name in ("model.onnx", "model.tflite", "graph.json", "graph.npz")]
    assert sorted(contents(folder)) == sorted(["manifest.json", *FLOWN, "ground/manifest.json", *ground])
    assert [tensor.name for tensor in read_interface(folder / "ground" / "decoder").outputs] == ["reconstruction"]
    whole = read_interface(folder / "ground" / "whole")
    assert [tensor.name for tensor in whole.outputs] == ["posterior_mean", "posterior_log_variance", "logits", "reconstruction"]
    assert whole.outputs[3].shape == (1, 1, 1040, 3)


def test_the_decoder_takes_the_codes_that_the_encoder_gives(folder):
    given, = read_interface(folder / "ground" / "decoder").inputs
    mean = open_bundle(folder).outputs[0]
    assert (given.shape, float(given.scale[0]), given.zero_point) == (mean.shape, mean.scale, mean.zero_point)


def test_the_same_run_gives_the_same_bytes(folder, run):
    again = write_bundle(run, run.parent / "again")
    assert contents(again) == contents(folder)
    write_bundle(run, again)  # and in its own place
    assert contents(again) == contents(folder)


def test_golden_vectors_are_held_out_scenes_and_extremes(folder):
    inputs, outputs = read_golden(open_bundle(folder))
    assert np.array_equal(inputs, golden_inputs(tiny.SETTINGS["seed"])) and inputs.shape == (22, 1, 1040, 3)
    assert len({output.tobytes() for output in outputs[1]}) > 3  # they tell networks apart
    extremes = extreme_inputs(0)
    assert (extremes[0] == -128).all() and (extremes[1] == 127).all()
    assert all(len(np.unique(one)) == 256 for one in extremes[3:])
    assert np.isin(inputs[:16], anscombe_tables().codes).all()


@pytest.mark.parametrize(("changed", "text"), [
    ({"thresholds": None}, "thresholds: is missing or no object"),
    ({"thresholds": {}}, "thresholds.flag: is None"),
    ({"thresholds": {**CALIBRATION["thresholds"], "minimum_duration": 0}}, "thresholds.minimum_duration: is 0"),
    ({"logit_scale": 0.5}, "logit_scale: is 0.5, the network's is"),
])
def test_a_run_whose_calibration_does_not_fit_gives_nothing(run, tmp_path, changed, text):
    other = calibrate(Path(shutil.copytree(run, tmp_path / "run")), **changed)
    with pytest.raises(InputError, match=rf"calibration\.json: {text}"):
        write_bundle(other, tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_is_no_bundle_is_not_replaced(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match=r"holds no manifest\.json, so it is not ours to replace"):
        write_bundle(run, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]
