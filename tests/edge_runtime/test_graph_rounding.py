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


RATIOS = st.floats(2.0**-30, 255, allow_subnormal=False)


@given(RATIOS)
def test_q31_is_the_ratio_in_31_bits(ratio):
    found = rounding.q31(np.array([ratio]), "requantise_double")
    multiplier, shift = int(found.multiplier[0]), int(found.shift[0])
    exact_multiplier = Fraction(ratio) * Fraction(2) ** shift
    assert 1 << 30 <= multiplier < 1 << 31 and abs(multiplier - exact_multiplier) <= Fraction(1, 2)


def test_a_mantissa_that_rounds_up_to_one_is_carried():
    found = rounding.q31(np.array([1 - 2.0**-40]), "requantise_double")
    assert (found.multiplier[0], found.shift[0]) == (1 << 30, 30)


def halves_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def halves_away(value: Fraction) -> int:
    return int(math.copysign(math.floor(abs(value) + Fraction(1, 2)), value))


@given(st.lists(st.integers(-(2**22), 2**22), min_size=20, max_size=20), RATIOS, CODES, st.sampled_from(["requantise_double", "requantise_double_up_8"]))
def test_requantise_double_rounds_twice(accumulators, ratio, zero_point, rule):
    q31 = rounding.q31(np.array([ratio]), rule, 20)
    multiplier, shift = int(q31.multiplier[0]), int(q31.shift[0])
    left, right = max(31 - shift, 0), max(shift - 31, 0)
    expected = []
    for place, acc in enumerate(accumulators):
        high = halves_up(Fraction((acc << left) * multiplier, 1 << 31))
        second = halves_up if rule.endswith("up_8") and place < 16 else halves_away  # two vectors of 8, the last four are scalar
        expected.append(limited(second(Fraction(high, 1 << right)) + zero_point))
    assert rounding.requantise_double(np.array(accumulators, np.float32), q31, zero_point).tolist() == expected


def test_the_ways_of_rounding_twice_part_at_negative_halves():
    accumulators = np.array([-6, -2, 2, 6])
    for rule, codes in (("requantise_double", [-2, -1, 1, 2]), ("requantise_double_up", [-1, 0, 1, 2])):
        assert rounding.requantise_double(accumulators, rounding.q31(np.array([0.25]), rule, 4), 0).tolist() == codes


@given(st.lists(ACCUMULATORS, min_size=1, max_size=30), st.floats(2.0**-30, 255), CODES)
def test_requantise_f64_takes_halves_away(accumulators, ratio, zero_point):
    found = rounding.requantise_f64(np.array(accumulators, np.float64), np.array([ratio]), zero_point, (-128, 127))
    assert found.tolist() == [limited(halves_away(Fraction(acc * ratio)) + zero_point) for acc in accumulators]


def test_just_below_a_half_is_no_half():
    below = np.nextafter(0.5, 0)
    assert rounding.requantise_f64(np.array([1.0, -1.0]), np.array([below]), 0, (-128, 127)).tolist() == [0, 0]


@given(st.lists(st.floats(-1000, 1000, width=32).map(np.float32), min_size=1, max_size=30), SCALES, CODES)
def test_quantise_f32(reals, scale, zero_point):
    found = rounding.quantise_f32(np.array(reals, np.float32), scale, zero_point)
    assert found.tolist() == [limited(round(f32(exact(real) / exact(scale))) + zero_point) for real in reals]


@given(st.lists(CODES, min_size=1, max_size=40), SCALES, CODES, SCALES, CODES)
def test_means_rounded_twice_are_near_the_mean(codes, scale_x, zero_point_x, scale_y, zero_point_y):
    sums, ratio = np.array([sum(codes)]), exact(scale_x) / exact(scale_y)
    true = (Fraction(sum(codes), len(codes)) - zero_point_x) * ratio + zero_point_y
    double = rounding.mean_double(sums, len(codes), scale_x, zero_point_x, scale_y, zero_point_y)
    biased = rounding.mean_biased(sums, len(codes), scale_x, zero_point_x, scale_y, zero_point_y)
    # The zero point rounded on its own costs half a code; the divided multiplier has at least 25 bits.
    assert abs(int(double[0]) - limited(halves_up(true))) <= 1 and abs(int(biased[0]) - limited(halves_up(true))) <= 1
