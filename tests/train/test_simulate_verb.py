import json

import numpy as np
import pytest

from edge_runtime.cli import run_verb
from edge_runtime.counts import read_counts
from train.instruments.mmia import read_fits
from train.instruments.mmia.scene import simulate
from train.simulate_verb import SIMULATE


def pixie(*words):
    return run_verb("pixie", {"simulate": SIMULATE}, ["simulate", *map(str, words)])


def test_fits_with_its_truth(tmp_path, capsys):
    path = tmp_path / "storm.fits"
    assert pixie("mmia", path, "--frames", 5, "--seed", 9, "--scene", "elve", "--json") == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["labels"] == str(tmp_path / "storm.labels.npz") and document["frames"] == 5 and captured.err == ""
    scene = simulate("elve", 5, 9)
    assert np.array_equal(np.concatenate([s.counts for s in read_fits(path)], axis=1), scene.counts)
    with np.load(tmp_path / "storm.labels.npz", allow_pickle=False) as labels:
        for name in ("rate", "background", "light", "hit", "frame_utc_ns", "frame"):
            assert np.array_equal(labels[name], getattr(scene, name)) and labels[name].dtype == getattr(scene, name).dtype
        assert (str(labels["scene"]), str(labels["hit_regime"]), int(str(labels["seed"]))) == ("elve", scene.hit_regime, 9)


def test_npz_is_read_as_counts(tmp_path):
    path = tmp_path / "storm.npz"
    assert pixie("mmia", path, "--frames", 2, "--seed", 0) == 0
    scene = simulate("mix", 2, 0)
    stretches = list(read_counts(path))
    assert np.array_equal(np.concatenate([s.counts for s in stretches], axis=1), scene.counts)
    assert stretches[0].utc_start_ns == scene.frame_utc_ns[0]


@pytest.mark.parametrize("suffix", ["fits", "npz"])
def test_same_seed_same_bytes(suffix, tmp_path):
    for name in "ab":
        assert pixie("mmia", tmp_path / f"{name}.{suffix}", "--frames", 3, "--seed", 4) == 0
    assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
    assert (tmp_path / "a.labels.npz").read_bytes() == (tmp_path / "b.labels.npz").read_bytes()


@pytest.mark.parametrize(("name", "options", "reason"), [
    ("x.npy", [], "suffix"), ("x", [], "suffix"), ("no/x.fits", [], "does not exist"), ("x.fits", ["--frames", 0], "--frames"),
    ("x.fits", ["--frames", 5000], "--frames"), ("x.fits", ["--seed", -1], "--seed"), ("x.fits", ["--scene", "storm"], "--scene"),
    ("x.fits", ["--frames", "many"], "--frames"), ("folder.fits", [], "folder"),
])  # fmt: skip
def test_bad_usage_is_one_line_and_writes_nothing(name, options, reason, tmp_path, capsys):
    (tmp_path / "folder.fits").mkdir()
    before = sorted(p.name for p in tmp_path.iterdir())
    assert pixie("mmia", tmp_path / name, "--frames", 2, "--seed", 1, *options) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and captured.err.startswith("pixie: ") and reason in captured.err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_another_instrument_is_refused(tmp_path, capsys):
    assert pixie("minieuso", tmp_path / "x.fits", "--frames", 2, "--seed", 1) == 2
    assert "mmia" in capsys.readouterr().err
