import numpy as np
import pytest

from train.hard_scenes import _EDGE, KINDS, hard_windows
from train.instruments.mmia.sources import BLUE, LIGHTNING, UV


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_windows_of_its_class_and_the_same_again(kind):
    windows = hard_windows(kind, 3, 1)
    assert windows.counts.shape == (3, 3, 1040) and windows.counts.dtype == np.uint16 and windows.label in (LIGHTNING, BLUE, UV)
    assert (windows.snr >= 5).all() and (windows.snr <= KINDS[kind].largest_snr).all()
    assert np.array_equal(windows.counts, hard_windows(kind, 3, 1).counts)
    assert not np.array_equal(windows.counts, hard_windows(kind, 3, 2).counts)


def test_a_cut_pulse_is_brightest_at_the_windows_end():
    windows = hard_windows("edge_lightning", 40, 3)
    bright = windows.counts[windows.snr > 30].sum(axis=1)
    assert len(bright) >= 2
    smooth = np.array([np.convolve(row, np.ones(15), "same") for row in bright])
    place = smooth.argmax(axis=1)
    assert np.mean((place < 3 * _EDGE) | (place > 1039 - 3 * _EDGE)) > 0.6


def test_twilight_is_brighter_than_a_moonless_sky():
    dark, light = (np.median(hard_windows(kind, 4, 1).counts, axis=(0, 2)) for kind in ("moonless", "twilight"))
    assert (light > dark).all() and light[1] >= 6
