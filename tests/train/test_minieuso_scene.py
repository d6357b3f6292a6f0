"""The simulator of sessions against what is known of recordings: each bound is a published or derived number, none was fitted to the recorded frame."""

import numpy as np
import pytest
from scipy import stats

from train.instruments.minieuso import ground
from train.instruments.minieuso import scene as scenes
from train.instruments.minieuso.configuration import DEFAULT, SESSIONS
from train.instruments.minieuso.constants import DRIFT_FRAMES, FRAME_TIME, METEOR_KM
from train.instruments.minieuso.ground import Ground
from train.instruments.minieuso.optics import EDGES, SIDE, pixel_shares
from train.instruments.minieuso.scene import FILE_FRAMES, LOST_FRAMES, Scene
from train.instruments.minieuso.sources import Sources

MOONLESS = [session.number for session in SESSIONS.values() if session.moonlight == 0]


@pytest.fixture(scope="module")
def quiet():
    return Scene(5, 256, 1, meteors=0)


@pytest.fixture(scope="module")
def sources():
    return Sources(SESSIONS[5], 20_000, np.random.default_rng(2), DEFAULT)


def test_nine_sessions_as_in_the_study():
    assert sorted(SESSIONS) == [5, 6, 7, 8, 9, 11, 12, 13, 14]


def test_the_same_arguments_give_the_same_bytes_in_any_order():
    a, b = Scene(9, 300, 4), Scene(9, 300, 4)
    assert np.array_equal(a.sums()[128:256], b.block(128)) and np.array_equal(a.block(256), b.sums()[256:])
    assert not np.array_equal(a.block(0), Scene(9, 300, 5).block(0)) and not np.array_equal(a.block(0), Scene(7, 300, 4).block(0))
    assert np.array_equal(a.gain, Scene(9, 300, 5).gain)  # one instrument, one session, one voltage


@pytest.mark.parametrize("session", MOONLESS)
def test_the_moonless_background_is_0_55_to_0_75_counts(session):
    scene = Scene(session, 2, 3, meteors=0)
    assert 0.5 < np.median(scene.sums()[0]) / 16_384 < 0.8


def test_noise_of_a_frame_is_poisson(quiet):
    sums = quiet.sums().astype(float)
    live = ~quiet.dead
    difference = np.diff(sums, axis=0)[:, live] / np.sqrt(2)
    fano = difference.var(axis=0) / sums[:, live].mean(axis=0)
    assert np.median(fano) == pytest.approx(1, abs=0.03)
    assert np.median(difference.std(axis=0)) / 16_384 == pytest.approx(0.0063, abs=0.0005)


def test_counts_of_a_large_mean_are_distributed_as_poisson():
    drawn = scenes._counts(np.full(400_000, 0.2), np.random.default_rng(0)).astype(float)
    mean = 0.2 * np.exp(-0.2 * 0.002) * 16_384
    assert drawn.mean() == pytest.approx(mean, abs=0.4) and drawn.var() == pytest.approx(mean, rel=0.01)
    assert stats.skew(drawn) == pytest.approx(mean**-0.5, abs=4 * np.sqrt(6 / drawn.size))
    for tail in (1e-4, 1e-3, 0.999, 0.9999):
        assert np.quantile(drawn, tail) == pytest.approx(stats.poisson.ppf(tail, mean), abs=6)


def test_pile_up_is_paralysable_with_184_counts_at_most():
    level = np.array([0.0, 0.6, 100.0, 500.0, 2000.0])
    seen = scenes._counts(level, np.random.default_rng(0)) / 16_384
    assert seen[0] == 0 and seen == pytest.approx(level * np.exp(-0.002 * level), abs=0.3) and seen.argmax() == 3 and seen[3] == pytest.approx(184, abs=0.3)


def test_dead_pixels_and_steps_between_tubes(quiet):
    assert (quiet.sums()[:, quiet.dead] == 0).all() and (quiet.sums()[:, ~quiet.dead] > 0).all()
    assert 8 <= np.mean([Scene(session, 1, 0).dead.sum() for session in SESSIONS]) <= 16  # about 12
    tubes = quiet.flat.reshape(6, 8, 6, 8).mean(axis=(1, 3))
    within = quiet.flat.reshape(6, 8, 6, 8).std(axis=(1, 3)) / tubes
    assert 0.02 < tubes.std() < 0.08 and 0.005 < np.median(within) < 0.04 and quiet.flat.mean() == pytest.approx(1, abs=1e-4)


def test_the_ground_moves_by_one_pixel_in_21_frames():
    sky = Ground(SESSIONS[9], 100, np.random.default_rng(0), DEFAULT)
    early, late = sky.level(10, 11)[0], sky.level(10 + DRIFT_FRAMES, 11 + DRIFT_FRAMES)[0]
    for tube in range(6):
        rows = slice(8 * tube, 8 * tube + 7)
        assert np.array_equal(early[rows], late[8 * tube + 1:8 * tube + 8])
    assert np.array_equal(sky.level(0, 100)[30:40], sky.level(30, 40)) and early.std() > 0.01


def test_a_light_that_drifts_is_a_bell_shaped_pulse_of_about_25_frames():
    dark = Ground(SESSIONS[5], 400, np.random.default_rng(1), DEFAULT)
    before = dark.level(0, 400)
    ground._add_point(dark._map, 30.5, 20.5, 1.0, DEFAULT.psf_pixels)
    pulse = (dark.level(0, 400) - before)[:, :, 18]  # column 20 of the focal surface is 18 without its gaps
    curve = pulse[:, np.argmin(np.abs(pulse.argmax(axis=0) - 200) + 400 * (pulse.max(axis=0) < 0.4))]  # of a pixel that it crosses in the middle
    assert curve.max() == pytest.approx(0.5, abs=0.15)
    assert 20 <= (curve > curve.max() / 2).sum() <= 30
    assert np.diff(curve)[:curve.argmax()].min() > -1e-6 and np.diff(curve)[curve.argmax():].max() < 1e-6


def test_light_is_shared_among_pixels_and_lost_in_the_gaps():
    inside, gap = pixel_shares(np.array([3.5, 8.5]), 0.45)
    assert inside.sum() == pytest.approx(1, abs=1e-6) and inside.argmax() == 3
    assert gap.sum() < 0.35 and gap[7] == pytest.approx(gap[8]) and EDGES[-1] + 1 == SIDE == 53


def test_a_meteor_has_the_light_the_way_and_the_length_of_its_kind(sources):
    drawn = [sources.meteor(magnitude=4.0) for _ in range(400)]
    drawn = [light for light in drawn if light.frame.size and np.ptp(light.frame) > 2]
    best, widths, crossings = [], [], []
    for light in drawn:
        per_frame = np.bincount(light.frame - light.frame.min(), light.level)
        best.append(per_frame.max())
        widths.append(len(np.unique(light.pixel[light.level > 0.02])))
        crossings.append(np.hypot(*light.track[2:]))
    assert 0.17 < np.quantile(best, 0.9) <= 0.23 * 1.01  # 9 * 10^(-0.4 M) counts at the maximum; some of it falls into gaps
    assert 3 <= np.median(widths) <= 12
    speeds = np.array([light.speed_km_s for light in drawn])
    assert speeds.min() >= 11 and speeds.max() <= 72
    assert max(crossings) <= (72 + 7.7) * FRAME_TIME / METEOR_KM
    lengths = [np.ptp(light.frame) + 1 for light in drawn]
    assert 8 <= np.median(lengths) <= 40  # the published example: 32 frames


def test_magnitudes_follow_the_population_index(sources):
    magnitude = np.array([light.magnitude for light in (sources.meteor() for _ in range(2000))])
    assert magnitude.min() >= -2 and magnitude.max() <= 7
    assert (magnitude < 6).mean() == pytest.approx(1 / DEFAULT.population_index, abs=0.04)


def test_every_confuser_occurs_with_its_own_face():
    scene = Scene(9, 20_000, 1)
    found = {kind: [light for light in scene.lights if light.kind == kind] for kind in ("flasher", "satellite", "lightning", "meteor")}
    assert all(found.values())
    pixels = {kind: np.median([len(np.unique(light.pixel)) for light in lights]) for kind, lights in found.items()}
    assert pixels["lightning"] > 100 > pixels["satellite"]  # large and short, against small and long
    assert np.median([len(np.unique(light.frame)) for light in found["lightning"]]) <= 12
    rows = [light.pixel // 48 for light in found["flasher"]]
    assert np.median([np.ptp(row) for row in rows]) > 20  # it drifts through


def test_files_leave_gaps_and_time_goes_on():
    scene = Scene(12, FILE_FRAMES + 10, 2)
    steps = np.diff(scene.frame_time_unix) / FRAME_TIME
    assert steps[FILE_FRAMES - 1] == pytest.approx(1 + LOST_FRAMES) and np.delete(steps, FILE_FRAMES - 1) == pytest.approx(1, abs=1e-4)
    assert all(light.frame.max() < scene.frames for light in scene.lights)


def test_a_voltage_step_dims_one_unit(monkeypatch):
    monkeypatch.setattr(scenes, "_voltage_steps", lambda frames, rng, c: [scenes.VoltageStep(50, 90, 4, 0.1)])
    sums = Scene(8, 128, 0, meteors=0).sums().astype(float)
    ratio = np.median(sums[60:80], axis=0) / np.maximum(np.median(sums[:40], axis=0), 1)
    assert np.median(ratio[16:32, 16:32]) == pytest.approx(0.1, abs=0.01) and np.median(ratio[:16]) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("session", "frames"), [(10, 5), (5, 0), (5, 80_000)])
def test_arguments_out_of_range(session, frames):
    with pytest.raises(ValueError, match=r"session 10|frames"):
        Scene(session, frames, 0)
