"""How accumulators become codes, one function for each rule. Each was compared with LiteRT code for code, ties and extremes included.

The kernel set `xnnpack` (LiteRT's default) computes most operators in float32, so the order of the float32 operations is part of the rule.
M = s_x s_w / s_y is the ratio of scales; rint rounds halves to the even neighbour. Every rule saturates: wrapping would turn bright into dark.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int8 = NDArray[np.int8]


def multiplier_f32(scale_x: NDArray[np.float32], scale_w: NDArray[np.float32], scale_y: NDArray[np.float32]) -> NDArray[np.float32]:
    """M float32 [1] or [channels]: the product rounded to float32 first, then the quotient."""
    return np.asarray(np.float32(scale_x) * np.float32(scale_w) / np.float32(scale_y), np.float32)


def requantise_f32(accumulators: NDArray[Any], multiplier: NDArray[np.float32], zero_point: int, clamp: tuple[int, int]) -> Int8:
    """rint(float32(acc) * M) + zero_point, for accumulators [..., c] that hold integers in any dtype; float32 is overwritten."""
    product = accumulators.astype(np.float32, copy=False)
    np.multiply(product, multiplier, out=product)
    np.rint(product, out=product)
    return saturate(np.add(product, np.float32(zero_point), out=product), clamp)


def saturate(codes: NDArray[Any], clamp: tuple[int, int] = (-128, 127)) -> Int8:
    """Integral values of any dtype (overwritten) limited to [low, high], as int8."""
    return np.clip(codes, clamp[0], clamp[1], out=codes).astype(np.int8)


def add_multipliers(scale_x: np.float32, scale_y: np.float32, scale_z: np.float32) -> tuple[int, int, int]:
    """(multiplier of x, multiplier of y, shift) of x + y = z: the greater of s_x / s_z and s_y / s_z gets 21 bits, both share its shift."""
    ratios = (float(scale_x / scale_z), float(scale_y / scale_z))
    shift = 21 - int(np.frexp(max(ratios))[1])
    return round(ratios[0] * 2.0**shift), round(ratios[1] * 2.0**shift), shift


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
