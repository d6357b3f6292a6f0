import argparse
import json
import subprocess
import sys

import numpy as np
import pytest

from edge_runtime.cli import run_verb
from train.run_folder import read_arrays, read_run
from train.train_verb import TRAIN

TINY = """
[model]
channels = [4, 4]
kernels = [5, 3]
strides = [4, 4]
latent = 3
head = 4
decoder_channels = [4, 4, 4, 4]
[training]
trunk_epochs = 1
tail_epochs = 1
threads = 1
[data]
train_scenes = 12
calibration_scenes = 48
"""


def pixie(*words):
    return run_verb("pixie", {"train": TRAIN}, ["train", *map(str, words)])


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("settings") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory, settings):
    folder = tmp_path_factory.mktemp("out") / "run"
    assert pixie("mmia", "--out", folder, "--config", settings, "--seed", 5) == 0
    return folder


def test_a_trained_run_is_whole_and_says_where_its_thresholds_come_from(run):
    found = read_run(run)
    assert found.configuration.seed == 5
    calibration = found.calibration
    assert (calibration["split"], calibration["scenes"], calibration["seed"], calibration["windows"]) == ("calibration", 48, 5, 192)
    assert set(calibration["thresholds"]) == {"flag", "hits", "minimum_duration", "refractory"}
    assert {"torch", "brevitas", "numpy", "python"} <= found.versions.keys()


def test_the_same_command_gives_the_same_weights(run, settings, tmp_path, capsys):
    assert pixie("mmia", "--out", tmp_path / "again", "--config", settings, "--seed", 5, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["thresholds"] == read_run(run).calibration["thresholds"]
    first, second = (read_arrays(folder / "quantised.npz") for folder in (run, tmp_path / "again"))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_resuming_what_is_done_changes_no_weight(run, settings):
    before = (run / "quantised.npz").read_bytes()
    assert pixie("mmia", "--out", run, "--resume") == 0
    assert pixie("mmia", "--out", run, "--config", settings, "--seed", 5, "--resume") == 0
    assert (run / "quantised.npz").read_bytes() == before


@pytest.mark.parametrize("words", [("--seed", 6, "--resume"), ("--epochs", 3, "--resume"), ("--seed", 5)])
def test_a_run_is_neither_overwritten_nor_resumed_with_other_settings(run, settings, words, capsys):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert pixie("mmia", "--out", run, "--config", settings, *words) == 2
    assert capsys.readouterr().err.startswith("pixie: ")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


@pytest.mark.parametrize("words", [("--config", "no.toml"), ("--seed", "-1"), ("--seed", "x"), ("--epochs", "1.5")])
def test_bad_words_are_refused_and_nothing_is_written(tmp_path, words, capsys):
    assert pixie("mmia", "--out", tmp_path / "run", *words) == 2
    error = capsys.readouterr().err
    assert error.startswith("pixie: ") and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_bad_settings_are_refused_before_torch_is_imported(tmp_path):
    (tmp_path / "bad.toml").write_text("[model]\nlatnet = 3\n")
    words = ["train", "mmia", "--out", str(tmp_path / "run"), "--config", str(tmp_path / "bad.toml")]
    code = ("import sys\nfrom edge_runtime.cli import run_verb\nfrom train.train_verb import TRAIN\n"
            f"status = run_verb('pixie', {{'train': TRAIN}}, {words!r})\n"
            "sys.exit(status if 'torch' not in sys.modules else 9)")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (2, f"pixie: {tmp_path / 'bad.toml'}: model.latnet: is not a setting; the nearest is model.latent\n")


def test_the_verb_has_help_with_an_example():
    parser = argparse.ArgumentParser()
    TRAIN.add_arguments(parser)
    assert "--resume" in parser.format_help() and TRAIN.example.startswith("train mmia")
