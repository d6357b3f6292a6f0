import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.compression import error_in_sigma
from benchmarks.transforms import COEFFICIENT_BITS, MEAN_BYTES, Components, _inverse, wavelet


def flashes(windows: int = 200, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Counts and rate [w, 3, 1040]: a step of light on a steady background."""
    rng = np.random.default_rng(seed)
    rate = np.full((windows, 3, 1040), 2.0)
    rate[:, :, 260:520] += rng.uniform(5, 30, (windows, 3, 1))
    return rng.poisson(rate).astype(np.uint16), rate


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.4, 2.0, 9.0, 80.0])
def test_the_mean_of_transformed_counts_leads_back_to_the_rate(rate):
    counts = np.random.default_rng(2).poisson(rate, 400_000)
    told = float(_inverse(np.array([np.mean(2 * np.sqrt(counts + 3 / 8))]))[0])
    assert told == pytest.approx(rate, rel=0.03, abs=0.015)


def test_a_step_needs_few_wavelets_and_the_rest_is_noise_that_is_dropped():
    counts, rate = flashes()
    errors = [np.sqrt(error_in_sigma(wavelet(counts, payload), rate).mean()) for payload in (6, 16, 40)]  # means alone, 4 and 13 coefficients
    assert errors[1] < 0.8 * errors[0] and errors[2] < 0.5 * errors[1] and errors[2] < 0.8 * np.sqrt(error_in_sigma(counts, rate).mean())


@given(st.integers(6, 40))
@settings(max_examples=10, deadline=None)
def test_a_wavelet_keeps_no_more_than_its_bytes_pay(payload):
    counts, _ = flashes(3)
    levels = np.unique(np.round(wavelet(counts, payload)[0, 0], 5)).size
    kept = 8 * (payload - 3 * MEAN_BYTES) // COEFFICIENT_BITS
    assert levels <= 3 * kept + 1  # each Haar coefficient adds three steps at most


def test_quiet_windows_are_their_mean():
    counts = np.random.default_rng(3).poisson(1.5, (20, 3, 1040)).astype(np.uint16)
    believed = wavelet(counts, 16)
    assert (np.ptp(believed, axis=2) == 0).mean() > 0.9 and believed.mean() == pytest.approx(1.5, rel=0.02)


def test_components_learn_the_shape_and_forget_the_noise():
    learned, _ = flashes(400, 1)
    counts, rate = flashes(100, 2)
    components = Components(learned, 6, 1)
    error = np.sqrt(error_in_sigma(components.believed(counts), rate).mean())
    assert error < 0.4 and components.windows == 400
    assert np.array_equal(Components(learned, 6, 1).believed(counts), components.believed(counts))
