"""A run of the pixel network becomes a bundle that flies: its numbers are those of training, its settings those of its calibration."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from edge_runtime import engines
from edge_runtime.bundle import check_graph, open_pixels, read_golden, verify
from edge_runtime.errors import InputError
from edge_runtime.pixel_stream import PixelFlagger
from edge_runtime.pixels import FOCAL_PIXELS, WINDOW_FRAMES, PixelCodes
from edge_runtime.tracking import TrackRules
from export.pixel_manifest import extreme_inputs, golden_inputs
from export.write_bundle import write_bundle
from tests.pixel_bundle_for_tests import scene
from tests.train.test_pixel_training import system, trained, windows
from train import run_folder
from train.pixels.training import Frozen

RULES = TrackRules(threshold=77, alone=300)


def seal(folder, **changed):
    """Write calibration.json as training does, but for what is `changed`, and the checksums."""
    scale = Frozen(system(run_folder.read_arrays(folder / "quantised.npz"))).scale
    document = {"schema_version": 1, "thresholds": {"flag": 21}, "tracks": {**RULES.to_document(), "magnitude_zero": 1.25}, "split": "calibration",
                "sessions": [7, 13], "learned": [5, 6, 8, 9, 11], "seed": 5, "logit_scale": scale, **changed}
    (folder / "calibration.json").write_text(json.dumps(document))
    run_folder.write_checksums(folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixel_manifest") / "run"
    trained(folder)
    seal(folder)
    return folder


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return write_bundle(run, tmp_path_factory.mktemp("bundle") / "bundle")


def test_the_bundle_opens_with_the_settings_of_its_calibration(run, folder):
    bundle = open_pixels(folder)
    check_graph(bundle)
    settings = bundle.settings
    assert (settings.codes, settings.flag, settings.rules, settings.magnitude_zero) == (PixelCodes(), 21, RULES, 1.25)
    assert bundle.input.shape == (1, 1, FOCAL_PIXELS, WINDOW_FRAMES) and bundle.seed == 5
    told = json.loads((folder / "manifest.json").read_text())["thresholds"]["calibration"]
    assert (told["sessions"], told["learned"]) == ([7, 13], [5, 6, 8, 9, 11])
    assert told["sha256"] == hashlib.sha256((run / "calibration.json").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["reference", "litert"])
def test_engines_give_the_golden_codes_and_those_of_the_trained_network(run, folder, name):
    if name == "litert":
        pytest.importorskip("ai_edge_litert")
    bundle, engine = open_pixels(folder), engines.load(name, folder)
    assert verify(bundle, engine).identical
    frozen, rng = Frozen(system(run_folder.read_arrays(run / "quantised.npz"))), np.random.default_rng(1)
    assert bundle.outputs[0].scale == frozen.scale
    shape = FOCAL_PIXELS, WINDOW_FRAMES
    for codes in (rng.integers(-128, 128, shape).astype(np.int8), np.rint(rng.normal(0, 8, shape)).astype(np.int8), windows(3, FOCAL_PIXELS).codes):
        (found,) = engine.run(codes[None, None])
        assert np.array_equal(found.ravel(), frozen.logit_codes(codes)) and len(np.unique(found)) > 20


def test_what_flies_is_small(folder):
    assert sum((folder / name).stat().st_size for name in ("model.tflite", "manifest.json")) <= 12_000


def test_it_flags(folder):
    bundle = open_pixels(folder)
    flagger = PixelFlagger(bundle.settings, engines.load("reference", folder))
    sums = scene(90, meteors=((50, 20, 30),))
    flags = [flagger.judge(frame, np.zeros((48, 48), bool)) for frame in sums]
    seen = set(np.concatenate([one.pixel for one in flags]).tolist())
    assert {row * 48 + 30 for row in range(20, 24)} <= seen


def test_the_same_run_gives_the_same_bytes(run, folder, tmp_path):
    again = write_bundle(run, tmp_path / "again")
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in again.iterdir()) and "ground" not in names  # nothing stays behind
    assert all((folder / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_golden_inputs_are_a_scene_and_the_extremes(folder):
    inputs, (logits,) = read_golden(open_pixels(folder))
    assert np.array_equal(inputs, golden_inputs(5)) and len(inputs) == 2
    assert np.array_equal(inputs[1:], extreme_inputs(5)) and not np.array_equal(golden_inputs(6)[0], inputs[0])
    assert 2 < inputs[0].astype(float).std() < 10 and len(np.unique(inputs[1])) == 256
    assert (inputs[1, 0, :2] == [[-128], [127]]).all() and len(np.unique(logits[0])) > 5


WRONG = [
    ({"logit_scale": 0.3}, r"logit_scale: is 0\.3, the network's is"), ({"logit_scale": None}, "logit_scale: is None"), ({"thresholds": {}}, "thresholds: "),
    ({"thresholds": {"flag": True}}, "thresholds: "), ({"thresholds": {"flag": 3.0}}, "thresholds: "), ({"tracks": None}, "thresholds: or tracks"),
    ({"tracks": RULES.to_document()}, "thresholds: or tracks"), ({"tracks": {**RULES.to_document(), "magnitude_zero": 1.0, "wait": 0}}, r"tracks\.wait: is 0"),
    ({"tracks": {"magnitude_zero": 1.0}}, r"tracks\.reach_pixels: is None")]


@pytest.mark.parametrize(("changed", "text"), WRONG)
def test_a_calibration_that_does_not_fit_is_refused_and_nothing_written(run, tmp_path, changed, text):
    other = shutil.copytree(run, tmp_path / "run")
    seal(other, **changed)
    with pytest.raises(InputError, match=rf"calibration\.json: {text}"):
        write_bundle(other, tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_damaged_run_is_refused(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "run")
    (other / "calibration.json").write_text((other / "calibration.json").read_text().replace("21", "22"))
    with pytest.raises(InputError, match=r"calibration\.json: SHA-256: differs"):
        write_bundle(other, tmp_path / "bundle")
