import numpy as np
import pytest

from train.evaluate import roc_auc
from train.instruments.minieuso.scene import Scene
from train.pixels import showers as module
from train.pixels.showers import DEFAULT, GTU_KM, KINDS, PACKET, PIXEL_KM, Showers, showers, track
from train.pixels.truth import LONGEST, SIGNAL_SNR


@pytest.fixture(scope="module")
def some():
    return showers(5, 300, 2000, 1)


def test_as_many_as_asked_for_showers_first_and_always_the_same(some):
    assert some.wide.shape == (2300, PACKET) and some.wide.dtype == np.uint32 and some.counts(48).shape == (2300, 48)
    assert some.meteor[:300].all() and not some.meteor[300:].any() and (some.source[300:] == -1).all() and len(np.unique(some.source[:300])) > 50
    assert (some.snr[:300] >= SIGNAL_SNR).all() and (some.snr[300:] == 0).all() and (some.kind[:300] == KINDS.index("shower")).all()
    again = showers(5, 300, 2000, 1)
    assert all(np.array_equal(getattr(some, name), getattr(again, name)) for name in vars(some))
    assert not np.array_equal(some.wide, showers(5, 300, 2000, 2).wide)


def test_quiet_curves_are_poisson_of_the_sky(some):
    quiet = some.wide[some.kind == KINDS.index("quiet")].astype(float)
    assert len(quiet) == 1000 and 0.5 < quiet.mean() < 0.8
    # Within each curve, of a constant rate: variance = mean.
    assert quiet.var(axis=1, ddof=1).mean() == pytest.approx(quiet.mean(), rel=0.02)


def test_no_curve_is_of_a_dead_pixel(monkeypatch):
    scenes, kept = [], module.Scene
    monkeypatch.setattr(module, "Scene", lambda *arguments, **named: scenes.append(kept(*arguments, **named)) or scenes[-1])
    found = showers(9, 20, 6000, 1)
    assert isinstance(scenes[0], Scene) and scenes[0].dead.any() and found.wide.any(axis=1).all()


def test_a_shower_is_brightest_in_the_middle_of_what_is_cut(some):
    bright = some.snr > 12
    mean = some.wide[bright].mean(axis=0)
    assert bright.sum() >= 10 and mean[LONGEST - 3:LONGEST + 4].mean() > 2 * np.r_[mean[:20], mean[-20:]].mean()


@pytest.mark.parametrize("zenith", [45.0, 80.0])
def test_tracks_move_at_the_speed_of_light_as_seen_from_above(zenith, monkeypatch):
    """Of a shower that runs away at zenith angle z the image moves c sin z / (1 + cos z)."""
    numbers = Showers(zenith=(zenith, zenith), length_km=(12.0, 12.0), psf_pixels=0.6)
    angle = np.radians(zenith)
    expected = GTU_KM / PIXEL_KM * np.sin(angle) / (1 + np.cos(angle))
    rows, columns = np.indices((48, 48)).reshape(2, -1) + np.indices((48, 48)).reshape(2, -1) // 8  # focal coordinates: a gap between tubes
    rng, speeds = np.random.default_rng(3), []
    for _ in range(300):
        light = track(rng, numbers)
        seen = light[LONGEST - 15:LONGEST + 15]
        total = seen.sum(axis=1)
        if total.min() > 0.6 * total.max():  # the way lies within the focal surface, or hardly in a gap
            centre = np.stack([(seen * rows).sum(axis=1), (seen * columns).sum(axis=1)]) / total
            speeds.append(np.hypot(*(centre[:, -1] - centre[:, 0])) / 29)
    assert len(speeds) > 10 and np.median(speeds) == pytest.approx(expected, rel=0.12)


def test_a_track_is_about_as_bright_as_its_numbers_say():
    rng = np.random.default_rng(0)
    numbers = Showers(level=(2.0, 2.0))
    totals = np.array([track(rng, numbers).sum(axis=1).max() for _ in range(200)])
    assert totals.max() < 2.01 and np.median(totals) > 1.5


@pytest.mark.parametrize(("kind", "few"), [("hit", True), ("flash", False), ("lightning", False), ("elve", False)])
def test_confusers(kind, few):
    rng = np.random.default_rng(0)
    for _ in range(50):
        light = module._CONFUSERS[kind](rng, DEFAULT)
        assert light.shape == (PACKET,) and light.min() >= 0 and light.max() > 0 and ((light > 0).sum() == 1) == few
    if kind == "lightning":
        assert (np.diff(light) > 0).all()
    assert set(module._CONFUSERS) == set(KINDS[1:-1])


def test_showers_are_told_by_their_sum_from_the_quiet_but_not_from_all(some):
    total = some.counts(48, centred=True).sum(axis=1)
    quiet = some.kind == KINDS.index("quiet")
    assert roc_auc(total[some.meteor], total[quiet]) > 0.9 > roc_auc(total[some.meteor], total[~some.meteor]) > 0.6


def test_none_at_all():
    assert showers(5, 0, 10, 1).meteor.sum() == 0
