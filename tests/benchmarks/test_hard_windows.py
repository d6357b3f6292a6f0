import numpy as np
import pytest

from benchmarks.hard_windows import _EDGE, KINDS, Hard, hard_windows
from train.instruments.mmia.sources import BLUE, LIGHTNING, UV, Pulse


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_windows_of_its_class_and_the_same_again(kind):
    windows = hard_windows(kind, 3, 1)
    assert windows.counts.shape == (3, 3, 1040) and windows.counts.dtype == np.uint16 and windows.label in (LIGHTNING, BLUE, UV)
    assert (windows.snr >= 5).all() and (windows.snr <= KINDS[kind].largest_snr).all()
    assert np.array_equal(windows.counts, hard_windows(kind, 3, 1).counts)
    assert not np.array_equal(windows.counts, hard_windows(kind, 3, 2).counts)


@pytest.mark.parametrize("edge", [True, False])
def test_a_cut_pulse_peaks_at_the_windows_end_and_another_anywhere(monkeypatch, edge):
    pulse = Pulse(LIGHTNING, 0.04, (60.0, 0.0, 60.0), 1e-4, 2e-4)
    monkeypatch.setitem(KINDS, "one", Hard("one pulse", LIGHTNING, lambda rng: [pulse], edge=edge))
    counts = hard_windows("one", 40, 3).counts.sum(axis=1)
    place = np.array([np.convolve(row, np.ones(9), "same").argmax() for row in counts])
    at_an_end = (place < _EDGE + 15) | (place > 1039 - _EDGE - 15)
    assert at_an_end.all() if edge else at_an_end.mean() < 0.3


def test_a_scene_without_the_kinds_own_light_is_drawn_again(monkeypatch):
    own, other = (Pulse(light, 0.04, (60.0, 0.0, 60.0), 1e-4, 2e-4) for light in (LIGHTNING, BLUE))
    monkeypatch.setitem(KINDS, "rare", Hard("now and then", LIGHTNING, lambda rng: [own, other] if rng.random() < 0.3 else [other]))
    assert (hard_windows("rare", 10, 3).snr >= 5).all()


def test_twilight_is_brighter_than_a_moonless_sky():
    dark, light = (np.median(hard_windows(kind, 4, 1).counts, axis=(0, 2)) for kind in ("moonless", "twilight"))
    assert (light > dark).all() and light[1] >= 6
