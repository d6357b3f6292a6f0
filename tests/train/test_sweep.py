import json

import pytest

from edge_runtime.errors import InputError
from train.configuration import configuration_from_document
from train.sweep import EVENT_SAMPLES, FRAMES_OF_EVENT, MARKER, begin, points, read_points
from train.train_verb import TRAIN
from train.windows import window_set

from .tiny import SETTINGS, configuration, finished

BASE = configuration()


def test_each_point_differs_from_the_base_in_its_subject_alone():
    found = points(configuration_from_document({}, "test"))
    assert found["base"] == configuration_from_document({}, "test")
    assert [found[f"latent-{size}"].model.latent for size in (4, 8, 32, 50)] == [4, 8, 32, 50] and "latent-16" not in found  # 16 is the base
    for name, point in found.items():
        document, base = point.to_document(), found["base"].to_document()
        changed = {f"{part}.{field}" for part in ("model", "training", "data") for field in base[part] if document[part][field] != base[part][field]}
        allowed = {"latent": {"model.latent"}, "width": {"model.channels", "model.decoder_channels"}, "beta": {"training.beta"},
                   "warm": {"training.warm_up_epochs"}, "observation": {"model.observation"}, "base": set(),
                   "window": {"model.samples", "model.channels", "model.kernels", "model.decoder_channels", "model.strides", "data.train_scenes",
                              "data.calibration_scenes", "training.batch"}}
        assert changed <= allowed[name.partition("-")[0]] and (changed or name == "base"), name


def test_every_point_passes_the_door_and_sees_about_as_many_samples():
    base = configuration_from_document({}, "test")
    for name, point in points(base).items():
        assert configuration_from_document(point.to_document(), name) == point
        windows = 1 if point.model.samples == EVENT_SAMPLES else 4
        frames = FRAMES_OF_EVENT * 8320 if windows == 1 else point.model.samples
        assert point.data.train_scenes * windows * frames == pytest.approx(base.data.train_scenes * 4 * 1040, rel=0.02), name


def test_a_sweep_goes_on_and_refuses_another(tmp_path):
    begin(tmp_path / "s", BASE, ("latent",))
    assert list(begin(tmp_path / "s", BASE, ("latent",))) == list(points(BASE, ("latent",)))
    with pytest.raises(InputError, match="another sweep"):
        begin(tmp_path / "s", BASE, ("beta",))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(InputError, match="no sweep"):
        begin(tmp_path / "full", BASE, ("beta",))


def test_an_unfinished_sweep_and_names_that_are_paths_are_refused(tmp_path):
    begin(tmp_path / "s", BASE, ("beta",))
    finished(tmp_path / "s" / "base")
    with pytest.raises(InputError, match="not finished"):
        read_points(tmp_path / "s")
    for names in (["base", "../x"], [], "base", None):
        (tmp_path / "s" / MARKER).write_text(json.dumps({"points": names}))
        with pytest.raises(InputError, match="points"):
            read_points(tmp_path / "s")


def test_the_report_network_has_no_sweep(tmp_path):
    import argparse

    parser = argparse.ArgumentParser()
    TRAIN.add_arguments(parser)
    with pytest.raises(InputError, match="--sweep"):
        TRAIN.run(parser.parse_args(["mmia", "--sweep", "--out", str(tmp_path / "s"), "--config", "cvae2020"]))
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("samples", [520, 2080])
def test_windows_of_other_lengths_are_tiles_of_the_same_frames(samples):
    windows, usual = (window_set("test", 16, 5, samples=length) for length in (samples, 1040))
    assert windows.counts.shape == (64, 3, samples) and windows.rate.shape == windows.counts.shape
    assert abs(windows.counts.mean() / usual.counts.mean() - 1) < 0.5


def test_a_window_longer_than_a_frame_is_a_whole_event_with_zeros_behind():
    windows = window_set("test", 16, 5, samples=EVENT_SAMPLES)
    assert windows.counts.shape == (16, 3, EVENT_SAMPLES) and windows.scene.tolist() == list(range(16))
    lengths = (windows.rate[:, 0] > 0).sum(axis=1)
    assert set(lengths % 8320) == {0} and lengths.max() == EVENT_SAMPLES > lengths.min() > 8320
    for counts, length in zip(windows.counts, lengths, strict=True):
        assert not counts[:, length:].any() and counts[:, :length].any(axis=1).all()
    with pytest.raises(InputError, match=r"model\.samples"):
        configuration_from_document({**SETTINGS, "model": {**SETTINGS["model"], "samples": 1600}}, "test")
