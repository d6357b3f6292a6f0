import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.instruments.mmia.flux import counts_to_flux
from train.slices2020 import LARGEST_FLUX, _cut, report_input, slice_set


@given(st.integers(1, 400), st.integers(1, 60))
def test_slices_are_cut_as_the_loader_cuts_them(length, samples):
    values = np.arange(3 * length).reshape(3, length)
    expected, current, previous = [], 0, 0
    while current < length - samples:  # the loader's own loop
        current += samples
        expected.append(values[:, previous:current])
        previous = current
    found = _cut(values, samples, "slices")
    assert found.shape == (len(expected), 3, samples) and all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("length", [3, 8, 12])
def test_whole_events_are_padded_with_zeros_or_cut_off(length):
    (found,) = _cut(np.ones((3, length), np.uint16), 8, "padded")
    assert found.shape == (3, 8) and found.sum() == 3 * min(length, 8) and not found[:, length:].any()


def test_the_input_is_flux_over_210_end_to_end_and_reversed_channel_by_channel():
    counts = np.random.default_rng(1).poisson(2.0, (2, 3, 10)).astype(np.uint16)
    counts[0, 2, 3] = 60_000  # more than the dead time allows: as much as it allows
    forward, backward = report_input(counts, "forward"), report_input(counts, "reversed")
    assert forward.shape == backward.shape == (2, 1, 30) and forward.dtype == np.float32
    for channel in range(3):
        own = forward[:, 0, 10 * channel:10 * channel + 10]
        assert np.array_equal(backward[:, 0, 10 * channel:10 * channel + 10], own[:, ::-1])
        expected = np.clip(counts_to_flux(counts[1, channel], channel) / LARGEST_FLUX, 1e-6, 0.99999)
        assert own[1] == pytest.approx(expected)
    assert forward.max() == pytest.approx(0.99999) and forward.min() == pytest.approx(1e-6)


def test_the_same_arguments_give_the_same_slices_and_splits_share_none():
    first, again = (slice_set("train", 40, 5_000, "slices", 3, 1, truth=True) for _ in range(2))
    assert first.counts.shape == first.rate.shape == (40, 3, 5_000) and first.counts.dtype == np.uint16
    assert np.array_equal(first.counts, again.counts) and np.array_equal(first.event, again.event)
    assert (np.diff(first.event) >= 0).all() and len(set(first.event.tolist())) > 1
    other = slice_set("test", 40, 5_000, "slices", 3, 1)
    assert not np.array_equal(first.counts, other.counts) and other.rate.shape == (0, 3, 5_000)
    counts, rate = first.counts[:, 1], first.rate[:, 1]  # UV: no particle hits there
    assert counts.mean() == pytest.approx(rate.mean(), rel=0.01)
