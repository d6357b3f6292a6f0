"""The simulator held against the study and a recorded frame: each check can fail."""

import numpy as np
import pytest

import train.pixels.study
from benchmarks.environment import on
from benchmarks.pixel_study import simulator, study
from benchmarks.results import Record, Stage
from edge_runtime.errors import InputError
from edge_runtime.frames import FRAME_GTU
from train.instruments.minieuso.scene import Scene


def checks(raw: float = 0.78, features: float = 0.94) -> Stage:
    return Stage(tuple(Record(f"pixels.simulator.{name}", value, "AUC", "measured", on(), None, 9, 1, "") for name, value in
                       (("raw", raw), ("features", features))))


def failed(checks: Stage, recorded=None) -> float | None:
    return simulator(checks, recorded).records[-1].value


def supplied(folder, means: np.ndarray):
    (folder / "minieuso_d3_frame").mkdir()
    np.savez(folder / "minieuso_d3_frame" / "minieuso_d3_frame0.npz", counts_per_gtu=means)
    return folder


@pytest.mark.parametrize(("raw", "features", "fail"), [(0.78, 0.94, 0), (0.86, 0.94, 1), (0.78, 0.92, 1), (0.85, 0.93, 2)])
def test_checks_of_the_study(raw, features, fail):
    assert failed(checks(raw, features)) == fail


def test_full_results_do_not_rest_on_a_study_at_demo_scale(tmp_path, monkeypatch):
    table = type("Table", (), {"experiment": type("Experiment", (), {"name": "classical"}), "key": {"scale": "demo", "seed": 1}})
    monkeypatch.setattr(train.pixels.study, "kept_tables", lambda folder: [table])
    with pytest.raises(InputError, match=r"classical\.json: scale: is demo"):
        study(tmp_path, "full")


def test_without_the_study_nothing_is_claimed():
    assert failed(Stage(())) is None


def test_a_frame_of_the_simulator_passes_its_own_check(tmp_path):
    assert failed(checks(), supplied(tmp_path, Scene(6, 1, 0).sums()[0] / FRAME_GTU)) == 0


@pytest.mark.parametrize("change", ["brighter", "noisier", "dead", "stepped"])
def test_another_frame_does_not(tmp_path, change):
    means = Scene(6, 1, 0).sums()[0] / FRAME_GTU
    if change == "brighter":
        means = means * 4
    elif change == "noisier":
        means = means * np.random.default_rng(1).normal(1, 0.1, means.shape).clip(0.5, 2)
    elif change == "dead":
        means[20:24, :6] = 0
    else:
        means[:24] *= 2
    assert failed(checks(), supplied(tmp_path, means)) >= 1
