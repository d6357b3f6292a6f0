"""Thresholds from nights without a meteor, and whose a track is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import InputError
from edge_runtime.frames import FRAME_TIME_NS, FrameStretch
from edge_runtime.pixel_stream import PixelFlagger, PixelSettings
from edge_runtime.pixels import WINDOW_FRAMES, PixelCodes, stretch_codes
from edge_runtime.tracking import Place, Track, TrackRules
from tests.pixel_bundle_for_tests import scene
from tests.train.test_pixel_training import configuration, trained
from train import run_folder
from train.configuration import PixelThresholdConfiguration
from train.instruments.minieuso.scene import FILE_FRAMES, LOST_FRAMES, Scene
from train.instruments.minieuso.sources import Light
from train.pixels import calibration as module
from train.pixels.calibration import NIGHT_FRAMES, TorchEngine, calibration, night, told, track_threshold
from train.pixels.matching import NEAR_FRAMES, found_by, is_of

MASKED = np.zeros((48, 48), bool)


@given(st.lists(st.integers(-50, 50)), st.integers(0, 8))
def test_a_track_threshold_is_the_lowest_that_so_many_are_above(scores, allowed):
    threshold = track_threshold(scores, allowed)
    assert threshold >= 0 and sum(score > threshold for score in scores) <= allowed
    assert threshold == 0 or sum(score > threshold - 1 for score in scores) > allowed


@pytest.fixture(scope="module")
def dark():
    """A night a little longer than a file, and its scene."""
    scenes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Scene", lambda *arguments, **named: scenes.append(Scene(*arguments, **named)) or scenes[-1])
        stretches = list(night(9, FILE_FRAMES + 60, 3, 1))
    [made] = scenes
    return made, stretches


def test_a_night_comes_in_files_with_a_gap_between_them(dark):
    made, (one, other) = dark
    assert (len(one.sums), len(other.sums), one.frame, other.frame) == (FILE_FRAMES, 60, 0, FILE_FRAMES)
    assert other.utc_start_ns - one.utc_start_ns == pytest.approx((FILE_FRAMES + LOST_FRAMES) * FRAME_TIME_NS, abs=1000)
    assert made.dead.any() and (one.masked == made.dead).all() and (other.masked == made.dead).all()
    assert np.array_equal(other.sums, made.sums()[FILE_FRAMES:]) and not one.sums[:, made.dead].any()


def test_a_night_has_no_meteor_but_all_else(dark):
    made, _ = dark
    assert "lightning" in {light.kind for light in made.lights} and not any(light.kind == "meteor" for light in made.lights)
    assert made.session.number == 9 and any(light.kind == "meteor" for light in Scene(9, made.frames, made.seed).lights)


def test_a_night_is_the_same_again_and_another_by_number_session_and_seed():
    nights = [next(night(*which)).sums for which in ((9, 70, 3, 1), (9, 70, 3, 1), (9, 70, 3, 2), (9, 70, 4, 1), (5, 70, 3, 1))]
    assert np.array_equal(nights[0], nights[1]) and not any(np.array_equal(nights[0], other) for other in nights[2:])


def light(first=100, frames=20, pixels=(500, 501, 502, 503)):
    """A light that goes on from pixel to pixel."""
    pixel = np.resize(np.repeat(pixels, frames // len(pixels)), frames)
    return Light("meteor", np.arange(first, first + frames, dtype=np.int32), pixel.astype(np.int16), np.ones(frames, np.float32), 3.0, 30.0)


def track(start, end, pixels, score=50):
    return Track(start, end, tuple(divmod(pixel, 48) for pixel in pixels), 0.0, 0.0, 0.1, 0.1, 0.1, score, 0.1, Place(0.0, 0.0, 0.0))


@pytest.mark.parametrize(("start", "end", "pixels", "expected"), [
    (100, 120, (501, 502, 600), True), (110, 112, (503, 500), True), (100, 120, (501, 600, 601), False), (100, 120, (600, 601), False),
    (80, 100 - NEAR_FRAMES, (501, 502), False), (80, 101 - NEAR_FRAMES, (501, 502), True),  # ends are half-open
    (119 + NEAR_FRAMES, 140, (501, 502), True), (120 + NEAR_FRAMES, 140, (501, 502), False)])
def test_a_track_is_a_lights_by_pixels_that_they_share_and_by_time(start, end, pixels, expected):
    assert is_of(track(start, end, pixels), light()) is expected


def test_of_several_tracks_the_best_is_a_lights_own():
    weak, strong, elsewhere = track(100, 110, (500, 501), 40), track(110, 120, (502, 503), 60), track(100, 120, (900, 901), 99)
    lights = [light(), light(500), light(100, 20, (900, 901))]
    assert found_by([weak, strong, elsewhere], lights) == [strong, None, elsewhere] and found_by([], lights) == [None] * 3


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixel_calibration") / "run"
    trained(folder)
    return folder


def stand_in(session, number):
    """A short night: number 1 holds what looks like meteors, more of them in session 13."""
    meteors = ((60, 20, 30), (70, 5, 6), (55, 33, 41), (66, 33, 10))[:session // 3] if number else ()
    sums = scene(120, 10 * session + number, meteors)
    return FrameStretch(sums, np.broadcast_to(MASKED, sums.shape), None, 0)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "night", lambda session, frames, seed, number: iter([stand_in(session, number)]))
    monkeypatch.setattr(module, "_magnitudes", lambda *arguments: (1.3, 4, 9))


@pytest.mark.parametrize("false_flags", [1e-4, 1e-2])
def test_the_threshold_of_a_pixel_is_the_lowest_that_flags_no_more_than_wanted(run, quick, false_flags):
    settings = replace(configuration(), threshold=PixelThresholdConfiguration(false_flags, 1.0))
    found, engine, logits = calibration(settings, run), TorchEngine(settings, run_folder.read_arrays(run / "quantised.npz")), []
    for session in (7, 13):
        codes, _ = stretch_codes(PixelCodes(), stand_in(session, 0))
        logits += [engine.run(codes[k - WINDOW_FRAMES:k].T[None, None])[0] for k in range(WINDOW_FRAMES, len(codes) + 1)]
    logits, flag = np.array(logits), found["thresholds"]["flag"]
    assert logits.shape == (2 * 73, 1, 1, 2304, 1) and (logits > flag).mean() <= false_flags < (logits > flag - 1).mean()
    assert found["achieved"]["pixel_windows"] == logits.size and found["achieved"]["false_flag_share"] == (logits > flag).mean()
    assert found["logit_scale"] == engine.scale


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_the_threshold_of_tracks_lets_so_many_pass_of_the_nights_looked_at(run, quick, allowed):
    settings = configuration()
    nights = 2 * settings.data.calibration_frames / NIGHT_FRAMES
    settings = replace(settings, threshold=PixelThresholdConfiguration(1e-4, (allowed + 0.5) / nights))
    found = calibration(settings, run)
    engine, rules = TorchEngine(settings, run_folder.read_arrays(run / "quantised.npz")), TrackRules(threshold=-1000)
    flagger = PixelFlagger(PixelSettings(PixelCodes(), found["thresholds"]["flag"], rules, 0.0), engine)
    scores = [one.track.score for session in (7, 13) for one in flagger.flag([stand_in(session, 1)])]
    threshold = found["tracks"]["threshold"]
    assert len(scores) >= 5 and threshold == sorted(scores)[-1 - allowed] > 0
    assert found["achieved"]["false_tracks"] == sum(score > threshold for score in scores) and found["achieved"]["nights"] == nights
    assert TrackRules.from_document(found["tracks"]) == TrackRules(threshold=threshold) and found["tracks"]["magnitude_zero"] == 1.3
    assert (found["sessions"], found["learned"], found["split"]) == ([7, 13], [5, 6, 8, 9, 11], "calibration")
    assert "4 of 9 meteors" in told(found) and f"track threshold {threshold}" in told(found)


def test_a_network_that_finds_no_meteor_is_told_to_train_longer(run, monkeypatch):
    monkeypatch.setattr(module, "night", lambda session, frames, seed, number: iter([stand_in(session, 0)]))
    monkeypatch.setattr(module, "recorded", lambda scene: iter([]))
    with pytest.raises(InputError, match=r"training\.trunk_epochs: leave a network that finds no meteor"):
        calibration(configuration(), run)
