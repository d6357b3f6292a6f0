"""The rounding rules against exact arithmetic: fractions and Python's integers, with float32 rounded by hand."""

import math
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.graph import rounding

ACCUMULATORS = st.integers(-(2**31), 2**31 - 1)
SCALES = st.floats(2.0**-12, 4.0, width=32).map(np.float32)
CODES = st.integers(-128, 127)


def f32(value: Fraction) -> Fraction:
    """The float32 nearest to an exact value, halves to the even mantissa; no subnormals."""
    if value == 0:
        return value
    exponent = math.floor(math.log2(abs(value)))
    exponent += (abs(value) >= Fraction(2) ** (exponent + 1)) - (abs(value) < Fraction(2) ** exponent)
    unit = Fraction(2) ** (exponent - 23)
    return round(value / unit) * unit  # Python's round takes halves to even


def exact(value: np.float32) -> Fraction:
    return Fraction(float(value))


def limited(code: int, low: int = -128, high: int = 127) -> int:
    return max(low, min(high, code))


def test_f32_by_hand_is_numpy_s():
    draw = np.random.default_rng(0)
    for numerator, denominator in draw.integers(1, 1 << 40, (2000, 2)).tolist():
        assert f32(Fraction(numerator, denominator)) == exact(np.float32(numerator / denominator)) or abs(numerator) > 1 << 53


@given(SCALES, SCALES, SCALES)
def test_multiplier_rounds_the_product_and_then_the_quotient(x, w, y):
    found = rounding.multiplier_f32(np.array([x]), np.array([w]), np.array([y]))
    assert exact(found[0]) == f32(f32(exact(x) * exact(w)) / exact(y))


@given(st.lists(ACCUMULATORS, min_size=1, max_size=30), st.floats(2.0**-30, 255, width=32), CODES, CODES, CODES)
def test_requantise_f32(accumulators, multiplier, zero_point, one, other):
    low, high = sorted((one, other))
    found = rounding.requantise_f32(np.array(accumulators, np.float64), np.array([multiplier], np.float32), zero_point, (low, high))
    expected = [limited(round(f32(f32(Fraction(acc)) * Fraction(multiplier))) + zero_point, low, high) for acc in accumulators]
    assert found.dtype == np.int8 and found.tolist() == expected


def test_requantise_f32_takes_halves_to_the_even_code():
    found = rounding.requantise_f32(np.array([-5, -3, -1, 1, 3, 5], np.float32), np.array([0.5], np.float32), 0, (-128, 127))
    assert found.tolist() == [-2, -2, 0, 0, 2, 2]


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=30), st.integers(1, 30), CODES)
def test_requantise_single_rounds_halves_up(accumulators, shift, zero_point):
    found = rounding.requantise_single(np.array(accumulators, np.int64), shift, zero_point)
    assert found.tolist() == [limited(math.floor(Fraction(acc, 1 << shift) + Fraction(1, 2)) + zero_point) for acc in accumulators]


@given(SCALES, SCALES, SCALES)
def test_add_multipliers_are_the_ratios_in_21_bits(x, y, z):
    multiplier_x, multiplier_y, shift = rounding.add_multipliers(x, y, z)
    ratios = [f32(exact(scale) / exact(z)) for scale in (x, y)]
    assert 1 << 20 <= max(multiplier_x, multiplier_y) <= 1 << 21
    assert [multiplier_x, multiplier_y] == [round(ratio * Fraction(2) ** shift) for ratio in ratios]


@given(SCALES, SCALES)
def test_requantise_multiplier_keeps_eight_bits(x, y):
    assert rounding.requantise_multiplier(x, y) == round(256 * f32(exact(x) / exact(y)))


@given(st.lists(CODES, min_size=1, max_size=40), SCALES, CODES, SCALES, CODES)
def test_mean_f32(codes, scale_x, zero_point_x, scale_y, zero_point_y):
    n = len(codes)
    multiplier = f32(f32(exact(scale_x) / exact(scale_y)) * f32(Fraction(1, n)))
    offset = f32(zero_point_y - f32(n * zero_point_x * multiplier))
    expected = limited(round(f32(f32(sum(codes) * multiplier) + offset)))
    assert rounding.mean_f32(np.array([sum(codes)]), n, scale_x, zero_point_x, scale_y, zero_point_y).tolist() == [expected]


@given(st.lists(CODES, min_size=1, max_size=16))
def test_average_rounds_halves_away_from_zero(codes):
    mean = Fraction(sum(codes), len(codes))
    expected = int(math.copysign(math.floor(abs(mean) + Fraction(1, 2)), mean))
    assert rounding.average_half_away(np.array([sum(codes)], np.int32), np.array([len(codes)], np.int32)).tolist() == [expected]


@given(SCALES, CODES)
def test_logistic_is_within_its_float32_of_the_true_one(scale, zero_point):
    getcontext().prec = 40
    found = rounding.logistic_codes(scale, zero_point)
    assert found.shape == (256,) and found.dtype == np.int8
    for code in range(-128, 128, 5):
        true = Decimal(256) / (1 + (-Decimal(float(scale)) * (code - zero_point)).exp()) - 128
        assert abs(Decimal(int(found[code + 128])) - min(true, Decimal(127))) <= Decimal("0.5001")
    assert np.all(np.diff(found.astype(int)) >= 0)
