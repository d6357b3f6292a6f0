"""What each kind of operator computes: one function a kind, which prepares an operator once and gives the step that runs it on codes.

NumPy has no fast integer matrix product: products of int8 codes are summed by BLAS in float32 where every partial sum stays below 2^24,
else in float64 (below 2^53), so each sum is the exact integer whatever the order of summation.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from . import rounding
from .structure import Operator, Tensor

Int8 = NDArray[np.int8]
Step = Callable[..., Int8]


def _quantisation(tensor: Tensor) -> tuple[np.float32, int]:
    return np.float32(tensor.scale[0]), tensor.zero_point


def _exact_dtype(x: Tensor, weights: Tensor, bias: Tensor) -> type[np.floating[Any]]:
    """float32 where no sum of products with any part of the bias can reach 2^24, else float64."""
    assert weights.codes is not None and bias.codes is not None
    depth = np.abs(weights.codes.astype(np.int64)).reshape(len(weights.codes), -1).sum(1)
    if np.max(depth * (128 + abs(x.zero_point)) + np.abs(bias.codes.astype(np.int64))) < 1 << 24:
        return np.float32
    return np.float64


def _requantiser(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Callable[[NDArray[Any]], Int8]:
    """How accumulators [..., o], integers in any dtype, become codes int8; float32 is overwritten."""
    x, weights, _ = (tensors[name] for name in operator.inputs)
    y = tensors[operator.outputs[0]]
    end = {"zero_point": y.zero_point, "clamp": operator.attributes["clamp"]}
    if rule == "requantise_f32":
        return partial(rounding.requantise_f32, multiplier=rounding.multiplier_f32(x.scale, weights.scale, y.scale), **end)
    if rule == "quantise_f32":
        to_real = x.scale * weights.scale
        return lambda sums: rounding.quantise_f32(sums.astype(np.float32) * to_real, y.scale[0], **end)
    product = x.scale.astype(np.float64) * weights.scale
    if rule == "requantise_f64":
        return partial(rounding.requantise_f64, ratio=product / y.scale, **end)
    if operator.kind == "fully_connected" and weights.scale.size == 1:
        product = (x.scale * weights.scale).astype(np.float64)  # TFLite's GetQuantizedConvolutionMultipler: the product in float32
    return partial(rounding.requantise_double, ratio=rounding.q31(product / y.scale, rule, weights.shape[0]), **end)


def _convolution(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    x, weights, bias = (tensors[name] for name in operator.inputs)
    y = tensors[operator.outputs[0]]
    assert weights.codes is not None and bias.codes is not None
    o, kh, kw, depth = weights.shape
    groups = operator.attributes["groups"]
    (sy, sx), (dy, dx) = operator.attributes["stride"], operator.attributes["dilation"]
    top, bottom, left, right = operator.attributes["padding"]
    _, h, w, c = x.shape
    _, out_h, out_w, _ = y.shape
    exact = _exact_dtype(x, weights, bias)
    kernels = weights.codes.reshape(groups, o // groups, kh * kw * depth).transpose(0, 2, 1)
    kernels = np.ascontiguousarray(kernels, exact)  # [groups, kh kw depth, o / groups]
    biases = bias.codes.astype(exact)
    zero_point = exact(x.zero_point)
    requantise = _requantiser(operator, tensors, rule)

    def step(codes: Int8, *_: object) -> Int8:
        n = len(codes)
        padded = np.zeros((n, h + top + bottom, w + left + right, c), exact)  # the zero point less itself
        np.subtract(codes, zero_point, out=padded[:, top : top + h, left : left + w], dtype=exact)
        sn, sh, sw, sc = padded.strides
        patches = as_strided(
            padded, (groups, n, out_h, out_w, kh, kw, depth), (sc * depth, sn, sh * sy, sw * sx, sh * dy, sw * dx, sc), writeable=False
        )
        rows = np.ascontiguousarray(patches).reshape(groups, n * out_h * out_w, kh * kw * depth)  # a view of rows that overlap would miss BLAS
        sums = rows @ kernels
        sums = sums.transpose(1, 0, 2).reshape(n * out_h * out_w, o)  # a copy only where there are groups
        sums += biases
        return requantise(sums).reshape(n, out_h, out_w, o)

    return step


def _transposed_convolution(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    x, weights, bias = (tensors[name] for name in operator.inputs)
    y = tensors[operator.outputs[0]]
    assert weights.codes is not None and bias.codes is not None
    o, kh, kw, c = weights.shape
    sy, sx = operator.attributes["stride"]
    top, _, left, _ = operator.attributes["padding"]
    _, h, w, _ = x.shape
    _, out_h, out_w, _ = y.shape
    exact = _exact_dtype(x, weights, bias)
    kernels = np.ascontiguousarray(weights.codes.transpose(3, 1, 2, 0).reshape(c, kh * kw * o).astype(exact))
    biases = bias.codes.astype(exact)
    requantise = _requantiser(operator, tensors, rule)
    full_h, full_w = max((h - 1) * sy + kh, top + out_h), max((w - 1) * sx + kw, left + out_w)

    def step(codes: Int8, *_: object) -> Int8:
        n = len(codes)
        parts = (np.subtract(codes, exact(x.zero_point), dtype=exact).reshape(-1, c) @ kernels).reshape(n, h, w, kh, kw, o)
        full = np.zeros((n, full_h, full_w, o), exact)
        for ky in range(kh):
            for kx in range(kw):
                full[:, ky : ky + (h - 1) * sy + 1 : sy, kx : kx + (w - 1) * sx + 1 : sx] += parts[:, :, :, ky, kx]
        sums = full[:, top : top + out_h, left : left + out_w] + biases
        return requantise(sums)

    return step


def _fully_connected(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    x, weights, bias = (tensors[name] for name in operator.inputs)
    assert weights.codes is not None and bias.codes is not None
    exact = _exact_dtype(x, weights, bias)
    kernel = np.ascontiguousarray(weights.codes.T.astype(exact))
    biases = bias.codes.astype(exact)
    requantise = _requantiser(operator, tensors, rule)

    def step(codes: Int8, *_: object) -> Int8:
        sums = np.subtract(codes, exact(x.zero_point), dtype=exact) @ kernel
        sums += biases
        return requantise(sums)

    return step


def _add(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    x, y = (tensors[name] for name in operator.inputs)
    z = tensors[operator.outputs[0]]
    clamp = operator.attributes["clamp"]
    if rule == "quantise_f32":
        return lambda codes_x, codes_y: rounding.quantise_f32(_reals(x, codes_x) + _reals(y, codes_y), z.scale[0], z.zero_point, clamp)
    if rule == "requantise_double":
        ratio_x, ratio_y, ratio_z = rounding.add_ratios(x.scale[0], y.scale[0], z.scale[0])

        def step_double(codes_x: Int8, codes_y: Int8) -> Int8:
            finer_x, finer_y = (np.subtract(codes, tensor.zero_point, dtype=np.int64) << 20 for codes, tensor in ((codes_x, x), (codes_y, y)))
            sums = rounding.scale_double(finer_x, ratio_x) + rounding.scale_double(finer_y, ratio_y)
            return rounding.requantise_double(sums, ratio_z, z.zero_point, clamp)

        return step_double
    multiplier_x, multiplier_y, shift = rounding.add_multipliers(x.scale[0], y.scale[0], z.scale[0])
    offset = -x.zero_point * multiplier_x - y.zero_point * multiplier_y

    def step(codes_x: Int8, codes_y: Int8) -> Int8:
        sums = np.multiply(codes_x, multiplier_x, dtype=np.int64) + np.multiply(codes_y, multiplier_y, dtype=np.int64)
        sums += offset
        return rounding.requantise_single(sums, shift, z.zero_point, clamp)

    return step


def _reals(x: Tensor, codes: Int8) -> NDArray[np.float32]:
    """ONNX's DequantizeLinear of codes int8: float32 of the same shape."""
    return np.asarray((codes.astype(np.float32) - np.float32(x.zero_point)) * x.scale[0])


def _concatenation(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    def step(*parts: Int8) -> Int8:
        n = max(len(part) for part in parts)
        return np.concatenate([np.broadcast_to(part, (n, *part.shape[1:])) for part in parts], axis=operator.attributes["axis"])

    return step


def _reshape(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    shape = tensors[operator.outputs[0]].shape[1:]
    return lambda codes: codes.reshape(len(codes), *shape)


def _transpose(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    return lambda codes: codes.transpose(operator.attributes["permutation"])


def _taps(operator: Operator, padded: NDArray[Any], shape: tuple[int, ...]) -> list[NDArray[Any]]:
    """For each position of a pooling kernel, what it sees at every output: views [n, h', w', c] of the padded input."""
    (kh, kw), (sy, sx) = operator.attributes["kernel"], operator.attributes["stride"]
    _, out_h, out_w, _ = shape
    return [padded[:, ky : ky + (out_h - 1) * sy + 1 : sy, kx : kx + (out_w - 1) * sx + 1 : sx] for ky in range(kh) for kx in range(kw)]


def _plane_pad(operator: Operator, codes: NDArray[Any], fill: int) -> NDArray[Any]:
    top, bottom, left, right = operator.attributes["padding"]
    return np.pad(codes, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)


def _max_pool(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    shape = tensors[operator.outputs[0]].shape

    def step(codes: Int8) -> Int8:
        first, *others = _taps(operator, _plane_pad(operator, codes, -128), shape)
        greatest = first.copy()
        for tap in others:
            np.maximum(greatest, tap, out=greatest)
        return greatest

    return step


def _average_pool(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    x, y = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    counts = np.sum(_taps(operator, _plane_pad(operator, np.ones((1, *x.shape[1:3], 1), np.int32), 0), y.shape), axis=0, dtype=np.int32)

    def step(codes: Int8) -> Int8:
        taps = _taps(operator, _plane_pad(operator, codes, 0), y.shape)
        return rounding.average_half_away(np.sum(taps, axis=0, dtype=np.int32), counts)

    return step


def _mean(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    x, y = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    count = x.shape[1] * x.shape[2]
    mean = _MEANS[rule]

    def step(codes: Int8) -> Int8:
        sums = codes.sum(axis=(1, 2), dtype=np.int64).reshape(len(codes), *y.shape[1:])
        return mean(sums, count, *_quantisation(x), *_quantisation(y))

    return step


_MEANS: dict[str, Callable[..., Int8]] = {
    "mean_f32": rounding.mean_f32,
    "mean_double": rounding.mean_double,
    "mean_biased": rounding.mean_biased,
    "mean_biased_up_16": partial(rounding.mean_biased, rule="mean_biased_up_16"),
    "quantise_f32": rounding.mean_quantised,
}


def _pad(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    zero_point = tensors[operator.inputs[0]].zero_point
    amounts = tuple(zip(operator.attributes["before"], operator.attributes["after"], strict=True))
    return lambda codes: np.pad(codes, amounts, constant_values=zero_point)


def _resize_nearest(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    fy, fx = operator.attributes["factors"]
    return lambda codes: codes.repeat(fy, axis=1).repeat(fx, axis=2)


def _logistic(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    return _table(rounding.logistic_codes(*_quantisation(tensors[operator.inputs[0]])))


def _requantise(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    x, y = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    every = np.arange(-128, 128) - x.zero_point
    if rule == "quantise_f32":
        return _table(rounding.quantise_f32(every.astype(np.float32) * x.scale[0], y.scale[0], y.zero_point))
    if rule == "requantise_single":
        return _table(rounding.requantise_single(every * rounding.requantise_multiplier(x.scale[0], y.scale[0]), 8, y.zero_point))
    ratio = rounding.q31(np.array([float(x.scale[0]) / float(y.scale[0])]), rule, prod(x.shape))

    def step(codes: Int8) -> Int8:
        centred = np.subtract(codes, x.zero_point, dtype=np.int64).reshape(len(codes), -1)  # vectors go along the whole item
        return rounding.requantise_double(centred, ratio, y.zero_point).reshape(codes.shape)

    return step


def _table(table: Int8) -> Step:
    """One code for each of the 256 input codes -128 .. 127."""
    by_byte = np.roll(table, 128)  # the byte of code -1 is 255
    return lambda codes: by_byte[codes.view(np.uint8)]


def _clamp(operator: Operator, tensors: Mapping[str, Tensor], rule: str) -> Step:
    low, high = operator.attributes["clamp"]
    return lambda codes: np.clip(codes, low, high)


PREPARE: dict[str, Callable[[Operator, Mapping[str, Tensor], str], Step]] = {
    "conv_2d": _convolution,
    "transpose_conv": _transposed_convolution,
    "fully_connected": _fully_connected,
    "add": _add,
    "concatenation": _concatenation,
    "reshape": _reshape,
    "transpose": _transpose,
    "max_pool_2d": _max_pool,
    "average_pool_2d": _average_pool,
    "mean": _mean,
    "pad": _pad,
    "resize_nearest": _resize_nearest,
    "logistic": _logistic,
    "clamp": _clamp,
    "requantise": _requantise,
}
