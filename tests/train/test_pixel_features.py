import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from train.pixels.features import FEATURES, five_features, scaled

COUNTS = arrays(np.uint32, st.tuples(st.integers(1, 4), st.integers(8, 64)), elements=st.integers(0, 4_194_303))


@given(COUNTS)
def test_a_scaled_curve_runs_from_0_to_1_and_keeps_its_order(counts):
    found = scaled(counts)
    assert found.dtype == np.float32 and found.min() >= 0 and found.max() <= 1
    for row, curve in zip(found, counts, strict=True):
        flat = curve.min() == curve.max()
        assert (row == 0).all() if flat else (row[curve.argmax()] == 1 and row[curve.argmin()] == 0)
        assert (np.diff(row[np.argsort(curve, kind="stable")]) >= 0).all()


@given(COUNTS, st.integers(2, 5), st.integers(0, 1000))
def test_features_do_not_know_level_and_gain(counts, gain, level):
    a, b = five_features(counts), five_features((counts.astype(np.uint64) * gain + level).astype(np.uint64))
    assert a.shape == (len(counts), len(FEATURES)) and np.isfinite(a).all()
    assert np.allclose(a, b, atol=2e-3) or len(np.unique(np.diff(counts.astype(int), axis=1))) < counts.size  # equal peaks may change places


def test_two_bumps_are_found_with_their_places_and_heights():
    t = np.arange(48)
    curve = 10_000 + 4000 * np.exp(-0.5 * ((t - 12) / 2) ** 2) + 2000 * np.exp(-0.5 * ((t - 36) / 2) ** 2)
    [[peak, second, place, second_place, variance]] = five_features(np.rint(curve)[None].astype(np.uint32))
    assert (place * 48, second_place * 48) == (12, 36) and peak > second > 0.5
    smooth = np.convolve((curve - curve.mean()) / curve.std(), np.ones(5) / 5, "same")
    assert abs(peak - smooth[12]) < 0.01 and abs(second - smooth[36]) < 0.01 and abs(variance - smooth.var()) < 0.02


def test_smoothing_takes_the_variance_of_noise_and_leaves_that_of_a_pulse():
    rng = np.random.default_rng(0)
    noise = rng.poisson(10_000, (200, 48))
    pulse = rng.poisson(10_000 + 900 * np.exp(-0.5 * ((np.arange(48) - 20) / 4) ** 2), (200, 48))
    quiet, lit = (five_features(counts.astype(np.uint32)).mean(axis=0) for counts in (noise, pulse))
    assert quiet[4] < 0.3 < 0.6 < lit[4] and lit[0] > 2 * quiet[0]


def test_a_flat_curve_and_a_single_ramp():
    flat, ramp = five_features(np.array([[7] * 48, range(48)], np.uint32))
    assert flat[4] == 0 and flat[0] == 0 and ramp[1] == 0 and ramp[3] == 0 and ramp[2] > 0.9
