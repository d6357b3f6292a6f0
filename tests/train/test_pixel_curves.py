import numpy as np
import pytest

from train.instruments.minieuso.scene import FILE_FRAMES, Scene
from train.pixels import curves as module
from train.pixels.curves import KINDS, LONGEST, SIGNAL_SNR, curves


@pytest.fixture(scope="module")
def some():
    return curves(7, 40, 300, 3)


def test_as_many_as_asked_for_meteors_first_and_always_the_same(some):
    assert some.wide.shape == (340, 2 * LONGEST) and some.wide.dtype == np.uint32
    assert some.meteor[:40].all() and not some.meteor[40:].any()
    again = curves(7, 40, 300, 3)
    assert all(np.array_equal(getattr(some, name), getattr(again, name)) for name in vars(some))
    assert not np.array_equal(some.wide, curves(7, 40, 300, 4).wide)


def test_meteors_are_bright_enough_and_known_by_number(some):
    assert (some.snr[:40] >= SIGNAL_SNR).all() and (some.snr[40:] == 0).all()
    assert (some.kind[:40] == KINDS.index("meteor")).all() and (some.kind[40:] != KINDS.index("meteor")).all()
    assert (some.source[:40] >= 0).all() and (some.source[40:] == -1).all() and len(np.unique(some.source[:40])) > 10


def test_the_centre_of_a_meteors_curve_stands_out(some):
    best = some.snr > 20
    excess = some.wide[best, LONGEST] - np.median(some.wide[best], axis=1)
    assert best.sum() >= 5 and (excess > 3 * np.sqrt(np.median(some.wide[best], axis=1))).mean() > 0.9


def test_half_of_the_others_are_disturbed(some):
    assert (some.kind[40:] > 0).mean() == pytest.approx(0.5, abs=0.1)


def test_no_meteor_is_near_a_curve_without_one(monkeypatch):
    places = []
    kept = module._other_places
    monkeypatch.setattr(module, "_other_places", lambda scene, *rest: places.append((scene, *kept(scene, *rest))) or places[-1][1:])
    curves(5, 0, 200, 8)
    scene, pixel, centre = places[0]
    light = np.zeros((FILE_FRAMES, 2304), np.float32)
    for source in scene.lights:
        if source.kind == "meteor":
            np.add.at(light, (source.frame, source.pixel), source.level)
    seen = np.array([light[c - LONGEST:c + LONGEST, p].sum() for p, c in zip(pixel, centre, strict=True)])
    assert len(seen) == 200 and seen.max() < 0.05 and not scene.dead.ravel()[pixel].any()
    assert isinstance(scene, Scene) and light.sum() > 10


@pytest.mark.parametrize("length", [2, 8, 48, 64])
def test_every_length_is_cut_about_the_same_centre(some, length):
    anywhere, centred = some.counts(length), some.counts(length, centred=True)
    assert anywhere.shape == centred.shape == (340, length)
    assert np.array_equal(centred[:, length // 2], some.wide[:, LONGEST])
    at = (some.place * length).astype(int)
    assert np.array_equal(anywhere[np.arange(340), at], some.wide[:, LONGEST]) and len(np.unique(at[:40])) > min(length, 12) / 2
    assert np.array_equal(anywhere[40:], centred[40:])


@pytest.mark.parametrize("length", [1, 65])
def test_other_lengths_are_refused(some, length):
    with pytest.raises(ValueError, match="2 to 64"):
        some.counts(length)
