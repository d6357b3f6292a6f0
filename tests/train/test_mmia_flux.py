import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from train.instruments.mmia.constants import DEAD_TIME, FLUX_PER_COUNT, SAMPLE_TIME
from train.instruments.mmia.flux import count_limit, counts_to_flux, flux_to_counts

CHANNELS = (0, 1, 2)


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_possible_count_survives_float32(channel):
    counts = np.arange(count_limit(channel) + 1, dtype=np.uint16)
    flux = counts_to_flux(counts, channel).astype(np.float32)
    assert np.array_equal(flux_to_counts(flux, channel), counts)


@given(st.sampled_from(CHANNELS).flatmap(lambda c: st.tuples(st.just(c), arrays(np.uint16, st.integers(0, 300), elements=st.integers(0, count_limit(c))))))
def test_any_series_of_counts_survives_float32(drawn):
    channel, counts = drawn
    assert np.array_equal(flux_to_counts(counts_to_flux(counts, channel).astype(">f4"), channel), counts)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_limit_is_the_last_count_before_the_counter_is_always_blind(channel):
    limit = count_limit(channel)
    assert limit * DEAD_TIME[channel] < SAMPLE_TIME <= (limit + 1) * DEAD_TIME[channel]
    with pytest.raises(ValueError, match="at most"):
        counts_to_flux(np.array([limit + 1]), channel)


def test_flux_of_one_count_by_hand():
    # 0.341 / (1 - 11 ns / 10 us)
    assert counts_to_flux(np.array([1]), 2)[0] == pytest.approx(0.341 / 0.9989, rel=1e-12)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 0.1, 0.8, 1.25, 10.0])  # larger ones: test_mmia_level1
@pytest.mark.parametrize("channel", CHANNELS)
def test_another_unit_is_refused(channel, factor):
    counts = np.random.default_rng(0).poisson(2.0, 8320)
    with pytest.raises(ValueError, match="uW/m2"):
        flux_to_counts(counts_to_flux(counts, channel) * factor, channel)


def test_smoothed_flux_is_refused():
    flux = counts_to_flux(np.random.default_rng(0).poisson(2.0, 8320), 0)
    with pytest.raises(ValueError, match="smoothed"):
        flux_to_counts((flux[1:] + flux[:-1]) / 2, 0)


@pytest.mark.parametrize(("value", "reason"), [(np.nan, "NaN"), (np.inf, "infinity"), (-0.341, "negative"), (1e9, "dead time"), (0.17, "whole counts")])
def test_one_bad_sample_is_enough(value, reason):
    flux = counts_to_flux(np.zeros(8320, int), 2)
    flux[5000] = value
    with pytest.raises(ValueError, match=reason):
        flux_to_counts(flux, 2)


@pytest.mark.parametrize("error", [-0.006, 0.006])
def test_the_published_uncertainty_of_the_constants_changes_no_count_up_to_60(error):
    counts = np.arange(61)
    for channel in CHANNELS:
        flux = FLUX_PER_COUNT[channel] * (1 + error) * counts / (1 - counts * DEAD_TIME[channel] / SAMPLE_TIME)
        assert np.array_equal(flux_to_counts(flux, channel), counts)
