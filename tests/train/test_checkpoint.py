"""The checkpoint's door: what an interrupted run leaves is taken, and nothing else, without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest

from edge_runtime.errors import InputError
from tests.run_for_tests import make_run, write_checkpoint
from train import run_folder
from train.checkpoint import CHECKPOINT, PHASES, read_checkpoint, trunk_shapes
from train.configuration import Configuration, ModelConfiguration, TrainingConfiguration

SETTINGS = Configuration(training=TrainingConfiguration(trunk_epochs=2, tail_epochs=2))


@pytest.fixture
def folder(tmp_path):
    return make_run(tmp_path / "run", SETTINGS)


@pytest.mark.parametrize("phase", range(3))
def test_the_checkpoint_of_every_phase_is_read(folder, phase):
    write_checkpoint(folder, SETTINGS, phase, 2)
    found = read_checkpoint(folder, SETTINGS)
    assert (found.phase, found.epoch, found.history) == (phase, 2, [{}])
    assert set(found.parts) == {"system", "optimiser", *PHASES[:phase]}


def test_a_run_without_a_finished_epoch_has_none(folder):
    (folder / CHECKPOINT).unlink()
    assert read_checkpoint(folder, SETTINGS) is None


def test_a_dangling_link_is_not_taken_for_none(folder):
    (folder / CHECKPOINT).unlink()
    (folder / CHECKPOINT).symlink_to("nothing")
    with pytest.raises(InputError, match="link"):
        read_checkpoint(folder, SETTINGS)


@pytest.mark.parametrize("configuration", [
    Configuration(model=ModelConfiguration(latent=17), training=SETTINGS.training),
    Configuration(model=ModelConfiguration(observation="gaussian"), training=SETTINGS.training),
])
def test_a_checkpoint_of_another_configuration_is_refused(folder, configuration):
    with pytest.raises(InputError, match="system/"):
        read_checkpoint(folder, configuration)


@pytest.mark.parametrize(("field", "value"), [
    ("phase", 3), ("phase", -1), ("phase", 1.0), ("phase", True), ("epoch", 0), ("epoch", 3), ("epoch", "1"), ("epoch", None),
    ("history", {}), ("history", [1]),
])
def test_a_place_that_cannot_be_is_refused(folder, field, value):
    arrays = run_folder.read_arrays(folder / CHECKPOINT)
    place = {"phase": 1, "epoch": 1, "history": []} | {field: value}
    arrays["place"] = np.frombuffer(json.dumps(place).encode(), np.uint8)
    run_folder.write_arrays(folder / CHECKPOINT, arrays)
    with pytest.raises(InputError, match=f"place.{field}"):
        read_checkpoint(folder, SETTINGS)


@pytest.mark.parametrize(("name", "values"), [
    ("place", None), ("place", np.zeros(3, np.float32)), ("place", np.frombuffer(b"{", np.uint8)), ("place", np.frombuffer(b"[]", np.uint8)),
    ("optimiser/step", None), ("optimiser/step", np.ones(3, np.float32)), ("optimiser/exp_avg", np.zeros(0, np.float32)),
    ("stranger", np.zeros(1, np.float32)), ("float_twin/encoder.mean.0.bias", np.zeros(16, np.float32)),
    ("system/encoder.mean.0.bias", np.zeros(16, np.float64)), ("trunk/encoder.mean.0.bias", None),
])
def test_an_array_missing_strange_or_of_another_form_is_named(folder, name, values):
    arrays = run_folder.read_arrays(folder / CHECKPOINT)
    arrays.pop(name, None)
    run_folder.write_arrays(folder / CHECKPOINT, arrays if values is None else arrays | {name: values})
    with pytest.raises(InputError, match=name):
        read_checkpoint(folder, SETTINGS)


@pytest.mark.parametrize("observation", ["poisson", "beta"])
def test_the_trunk_has_these_shapes(observation):
    photometers = pytest.importorskip("train.photometers")
    from edge_runtime.preprocess import anscombe_tables

    model = ModelConfiguration(observation=observation)
    arrays = photometers.PhotometerSystem(Configuration(model=model), "trunk", anscombe_tables()).arrays()
    assert {name: value.shape for name, value in arrays.items()} == trunk_shapes(model)


def test_the_door_needs_no_torch():
    code = "import sys, train.checkpoint; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
