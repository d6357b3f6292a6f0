import json

import numpy as np
import pytest

from edge_runtime.cli import run_verb
from edge_runtime.counts import read_counts
from edge_runtime.frames import read_npz_frames
from train.instruments.minieuso import read_root
from train.instruments.minieuso.scene import Scene
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


@pytest.mark.parametrize("suffix", ["root", "npz"])
def test_frames_of_a_focal_surface_with_their_truth(suffix, tmp_path, capsys):
    path = tmp_path / f"night.{suffix}"
    assert pixie("minieuso", path, "--session", 9, "--frames", 200, "--seed", 5, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    scene = Scene(9, 200, 5)
    read = list((read_root if suffix == "root" else read_npz_frames)(path))
    assert np.array_equal(np.concatenate([s.sums for s in read]), scene.sums()) and len(read) == 1
    assert abs(read[0].utc_start_ns * 1e-9 - scene.frame_time_unix[0]) < 1e-5
    with np.load(tmp_path / "night.labels.npz", allow_pickle=False) as labels:
        assert sorted(labels["kind"]) == sorted(kind for kind, number in document["sources"].items() for _ in range(number))
        level = np.zeros((200, 48, 48), np.float32)
        np.add.at(level, (labels["frame"], labels["row"], labels["column"]), labels["level"])
        assert level.sum() == pytest.approx(sum(light.level.sum() for light in scene.lights), rel=1e-4) and level.any()


@pytest.mark.parametrize(("words", "reason"), [
    (("timepix", "x.fits"), "minieuso"), (("minieuso", "x.fits", "--session", 5), "suffix"), (("minieuso", "x.root"), "--session"),
    (("minieuso", "x.root", "--session", 10), "--session"), (("minieuso", "x.root", "--session", 5, "--scene", "quiet"), "--session"),
    (("mmia", "x.fits", "--session", 5), "--scene"), (("minieuso", "x.root", "--session", 5, "--frames", 80_000), "--frames"),
])  # fmt: skip
def test_what_the_instrument_does_not_have_is_refused(words, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    frames = () if "--frames" in words else ("--frames", 2)
    assert pixie(*words, *frames, "--seed", 1) == 2
    captured = capsys.readouterr()
    assert reason in captured.err and captured.err.count("\n") == 1 and not list(tmp_path.iterdir())
