"""How accumulators become codes, one function for each rule. Each was compared with its runtime code for code, ties and extremes included.

M = s_x s_w / s_y is the ratio of scales; rint rounds halves to the even neighbour. Every rule saturates: wrapping would turn bright into dark.
The kernel set `xnnpack` (LiteRT's default) computes most operators in float32, so the order of the float32 operations is part of the rule.
TFLite's own kernels hold M in 31 bits and round twice, see `Q31`. ONNX Runtime computes reals and quantises those.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int8 = NDArray[np.int8]
Int64 = NDArray[np.int64]

# How many neighbours along the last axis the vector instructions of a rule take at once; 0: scalar code takes one after the other.
LANES = {"requantise_double": 0, "requantise_double_up": 1, "requantise_double_up_8": 8, "requantise_double_up_16": 16,
         "mean_double": 0, "mean_biased": 0, "mean_biased_up_16": 16}  # fmt: skip


def multiplier_f32(scale_x: NDArray[np.float32], scale_w: NDArray[np.float32], scale_y: NDArray[np.float32]) -> NDArray[np.float32]:
    """M float32 [1] or [channels]: the product rounded to float32 first, then the quotient."""
    return np.asarray(np.float32(scale_x) * np.float32(scale_w) / np.float32(scale_y), np.float32)


def requantise_f32(accumulators: NDArray[Any], multiplier: NDArray[np.float32], zero_point: int, clamp: tuple[int, int]) -> Int8:
    """rint(float32(acc) * M) + zero_point, for accumulators [..., c] that hold integers in any dtype; float32 is overwritten."""
    product = accumulators.astype(np.float32, copy=False)
    np.multiply(product, multiplier, out=product)
    np.rint(product, out=product)
    return saturate(np.add(product, np.float32(zero_point), out=product), clamp)


@dataclass(frozen=True)
class Q31:
    """Ratios M as TFLite's own kernels hold them: M = multiplier * 2^-shift, int64 [c] or [1] for the last axis, 2^30 <= multiplier < 2^31.

    `away`: bool [c], where the second rounding takes halves away from zero, as gemmlowp did and TFLite's scalar code does; elsewhere it takes
    them up, as ruy and TFLite's vector instructions do.
    """

    multiplier: Int64
    shift: Int64
    away: NDArray[np.bool_]


def q31(ratio: NDArray[np.float64], rule: str, count: int = 1) -> Q31:
    """M float64 [c] or [1] in 31 bits, TFLite's QuantizeMultiplier; `count` numbers lie along the last axis, those that fill no vector are scalar."""
    mantissa, exponent = np.frexp(ratio)
    multiplier = np.floor(mantissa * 2.0**31 + 0.5).astype(np.int64)
    carry = multiplier >> 31  # a mantissa just below 1 rounds up to it
    lanes = LANES[rule]
    return Q31(multiplier >> carry, 31 - exponent - carry, np.arange(count) >= (count // lanes * lanes if lanes else 0))


def scale_double(accumulators: NDArray[Any], ratio: Q31) -> Int64:
    """acc * M, rounded to an integer twice, for accumulators [..., c] that hold integers in any dtype.

    First (acc * multiplier + 2^30) >> 31, halves up, then >> (shift - 31); a shift below 31 moves the accumulator left before.
    """
    left, right = np.maximum(31 - ratio.shift, 0), np.maximum(ratio.shift - 31, 0)
    high = ((accumulators.astype(np.int64) << left) * ratio.multiplier + (1 << 30)) >> 31
    high += ((1 << right) >> 1) - (ratio.away & (right > 0) & (high < 0))
    return np.asarray(high >> right)


def requantise_double(accumulators: NDArray[Any], ratio: Q31, zero_point: int, clamp: tuple[int, int] = (-128, 127)) -> Int8:
    """acc * M rounded twice, plus zero_point."""
    return saturate(scale_double(accumulators, ratio) + zero_point, clamp)


def requantise_f64(accumulators: NDArray[Any], ratio: NDArray[np.float64], zero_point: int, clamp: tuple[int, int]) -> Int8:
    """float64(acc) * M rounded once, halves away from zero, plus zero_point, for accumulators [..., c]: LiteRT's reference dense layer."""
    product = accumulators * ratio
    whole = np.trunc(product)
    whole += np.copysign(np.abs(product - whole) >= 0.5, product)
    return saturate(whole + zero_point, clamp)


def quantise_f32(reals: NDArray[np.float32], scale: np.float32, zero_point: int, clamp: tuple[int, int] = (-128, 127)) -> Int8:
    """rint(real / scale) + zero_point in float32: ONNX's QuantizeLinear."""
    return saturate(np.rint(reals / scale) + np.float32(zero_point), clamp)


def saturate(codes: NDArray[Any], clamp: tuple[int, int] = (-128, 127)) -> Int8:
    """Integral values of any dtype (overwritten) limited to [low, high], as int8."""
    return np.clip(codes, clamp[0], clamp[1], out=codes).astype(np.int8)


def add_multipliers(scale_x: np.float32, scale_y: np.float32, scale_z: np.float32) -> tuple[int, int, int]:
    """(multiplier of x, multiplier of y, shift) of x + y = z: the greater of s_x / s_z and s_y / s_z gets 21 bits, both share its shift."""
    ratios = (float(scale_x / scale_z), float(scale_y / scale_z))
    shift = 21 - int(np.frexp(max(ratios))[1])
    return round(ratios[0] * 2.0**shift), round(ratios[1] * 2.0**shift), shift


def add_ratios(scale_x: np.float32, scale_y: np.float32, scale_z: np.float32) -> tuple[Q31, Q31, Q31]:
    """M of x, of y and of their sum in x + y = z as TFLite's own kernels add: both, 20 bits finer, on twice the greater scale, then on that of z."""
    twice = 2 * max(float(scale_x), float(scale_y))
    ratios = float(scale_x) / twice, float(scale_y) / twice, twice / (float(scale_z) * 2.0**20)
    x, y, z = (q31(np.array([ratio]), "requantise_double") for ratio in ratios)
    return x, y, z


def requantise_single(accumulators: NDArray[np.int64], shift: int, zero_point: int, clamp: tuple[int, int] = (-128, 127)) -> Int8:
    """(acc + 2^(shift - 1)) >> shift, plus zero_point: rounded once, half up, for products [...] with their multipliers; overwritten."""
    accumulators += 1 << (shift - 1)
    accumulators >>= shift
    accumulators += zero_point
    return saturate(accumulators, clamp)


def requantise_multiplier(scale_x: np.float32, scale_y: np.float32) -> int:
    """s_x / s_y in 8 fractional bits, halves to even: all that XNNPACK keeps of the ratio when it moves codes to another scale."""
    return int(np.rint(np.float32(256) * (scale_x / scale_y)))


def mean_f32(sums: NDArray[Any], count: int, scale_x: np.float32, zero_point_x: int, scale_y: np.float32, zero_point_y: int) -> Int8:
    """rint(float32(sum) M + (zero_point_y - float32(count zero_point_x) M)), M = (s_x / s_y) (1 / count): one rint for both.

    `sums`: integers [...] of `count` codes each, the zero point not yet subtracted.
    """
    multiplier = np.float32(scale_x / scale_y) * (np.float32(1) / np.float32(count))
    offset = np.float32(zero_point_y) - np.float32(count * zero_point_x) * multiplier
    return saturate(np.rint(sums.astype(np.float32) * multiplier + offset))


def mean_double(sums: NDArray[Any], count: int, scale_x: np.float32, zero_point_x: int, scale_y: np.float32, zero_point_y: int) -> Int8:
    """`requantise_double` of sums [...] as in `mean_f32`, by s_x / s_y in 31 bits with the count divided out in integers."""
    ratio = q31(np.array([float(scale_x) / float(scale_y)]), "mean_double")
    bits = min(count.bit_length() - 1, 62 - int(ratio.shift[0]))
    ratio = replace(ratio, multiplier=(ratio.multiplier << bits) // count, shift=ratio.shift + bits)
    return requantise_double(sums - count * zero_point_x, ratio, zero_point_y)


def mean_biased(
    sums: NDArray[Any], count: int, scale_x: np.float32, zero_point_x: int, scale_y: np.float32, zero_point_y: int, rule: str = "mean_biased"
) -> Int8:
    """The same by s_x / (count s_y), the zero point of x brought to the scale of y and rounded on its own, halves away from zero.

    `rule`: a name of `LANES`, for sums [..., c].
    """
    moved = np.float32(zero_point_x) * scale_x / scale_y
    bias = zero_point_y - int(moved + np.copysign(np.float32(0.5), moved))
    return requantise_double(sums, q31(np.array([scale_x / (np.float32(count) * scale_y)], np.float64), rule, sums.shape[-1]), bias)


def mean_quantised(sums: NDArray[Any], count: int, scale_x: np.float32, zero_point_x: int, scale_y: np.float32, zero_point_y: int) -> Int8:
    """`quantise_f32` of the real mean, for sums and scales whose products are exact in float32."""
    reals = (sums - count * zero_point_x).astype(np.float32) * scale_x
    return quantise_f32(reals / np.float32(count), scale_y, zero_point_y)


def average_half_away(sums: NDArray[np.int32], counts: NDArray[np.int32]) -> Int8:
    """sum / count of codes, halves away from zero: TFLite's own kernel, in integers."""
    return saturate(np.sign(sums) * ((np.abs(sums) + counts // 2) // counts))


def logistic_codes(scale_x: np.float32, zero_point_x: int) -> Int8:
    """The 256 output codes int8, scale 1/256 and zero point -128, of the input codes -128 .. 127.

    x in float32, e^x / (1 + e^x) in float64, back to float32, and the zero point added before rint.
    """
    x = np.clip((np.arange(-128, 128) - zero_point_x).astype(np.float32) * scale_x, -100, 100).astype(np.float64)
    y = (np.exp(x) / (1 + np.exp(x))).astype(np.float32)
    return saturate(np.rint(y * np.float32(256) + np.float32(-128)))
