"""The integer graph run in NumPy: the golden model, equal code for code to LiteRT's default kernels (the kernel set `xnnpack`).

NumPy has no fast integer matrix product: products of int8 codes are summed by BLAS in float32 where every partial sum stays below 2^24,
else in float64 (below 2^53), so each sum is the exact integer whatever the order of summation.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from . import rounding
from .structure import Graph, Operator, Tensor

Int8 = NDArray[np.int8]
Step = Callable[..., Int8]

_ELEMENTS_AT_ONCE = 1 << 18  # of the largest array in flight: a larger batch is cut so that it stays in the cache


class Executor:
    """A graph prepared once (weights in BLAS's layout, multipliers, tables) and run many times."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._steps = [(operator, _PREPARE[operator.kind](operator, graph.tensors)) for operator in graph.operators]
        self._constants = {name: tensor.codes for name, tensor in graph.tensors.items() if tensor.codes is not None}
        self._items = max(1, _ELEMENTS_AT_ONCE // max(_elements(operator, graph.tensors) for operator in graph.operators))

    def run(self, *inputs: Int8) -> tuple[Int8, ...]:
        """The outputs int8 [n, ...] of the graph for its inputs int8 [n, ...]; ValueError where number, shape or dtype is another."""
        n = self._batch(inputs)
        if n <= self._items:
            return self._run(inputs)
        parts = [self._run([codes[start : start + self._items] for codes in inputs]) for start in range(0, n, self._items)]
        return tuple(np.concatenate(output) for output in zip(*parts, strict=True))

    def _run(self, inputs: Any) -> tuple[Int8, ...]:
        values: dict[str, Any] = dict(zip(self.graph.inputs, inputs, strict=True))
        values.update(self._constants)
        for operator, step in self._steps:
            values[operator.outputs[0]] = step(*(values[name] for name in operator.inputs))
        return tuple(values[name] for name in self.graph.outputs)

    def _batch(self, inputs: tuple[Int8, ...]) -> int:
        if len(inputs) != len(self.graph.inputs):
            raise ValueError(f"the graph takes {len(self.graph.inputs)} inputs, {len(inputs)} were given")
        for name, codes in zip(self.graph.inputs, inputs, strict=True):
            shape = self.graph.tensors[name].shape
            if codes.dtype != np.int8 or codes.shape[1:] != shape[1:] or len(codes) != len(inputs[0]) or len(codes) == 0:
                raise ValueError(f"input {name} is {codes.dtype} {codes.shape}, must be int8 (n, {', '.join(map(str, shape[1:]))})")
        return len(inputs[0])


def run(graph: Graph, *inputs: Int8) -> tuple[Int8, ...]:
    """Run a graph once; for many runs keep an `Executor`."""
    return Executor(graph).run(*inputs)


def _elements(operator: Operator, tensors: Mapping[str, Tensor]) -> int:
    """Elements for one item of the largest array that an operator makes."""
    x, y = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    elements = max(prod(x.shape), prod(y.shape))
    if operator.kind == "conv_2d":
        elements = max(elements, prod(y.shape[1:3]) * prod(tensors[operator.inputs[1]].shape[1:3]) * x.shape[3])
    if operator.kind == "transpose_conv":
        elements = max(elements, prod(x.shape[1:3]) * prod(tensors[operator.inputs[1]].shape[:3]))
    return elements


def _quantisation(tensor: Tensor) -> tuple[np.float32, int]:
    return np.float32(tensor.scale[0]), tensor.zero_point


def _exact_dtype(x: Tensor, weights: Tensor, bias: Tensor) -> type[np.floating[Any]]:
    """float32 where no sum of products with any part of the bias can reach 2^24, else float64."""
    assert weights.codes is not None and bias.codes is not None
    depth = np.abs(weights.codes.astype(np.int64)).reshape(len(weights.codes), -1).sum(1)
    if np.max(depth * (128 + abs(x.zero_point)) + np.abs(bias.codes.astype(np.int64))) < 1 << 24:
        return np.float32
    return np.float64


def _convolution(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
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
    multiplier = rounding.multiplier_f32(x.scale, weights.scale, y.scale)
    zero_point = exact(x.zero_point)
    clamp = operator.attributes["clamp"]

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
        return rounding.requantise_f32(sums, multiplier, y.zero_point, clamp).reshape(n, out_h, out_w, o)

    return step


def _transposed_convolution(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
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
    multiplier = rounding.multiplier_f32(x.scale, weights.scale, y.scale)
    clamp = operator.attributes["clamp"]
    full_h, full_w = max((h - 1) * sy + kh, top + out_h), max((w - 1) * sx + kw, left + out_w)

    def step(codes: Int8, *_: object) -> Int8:
        n = len(codes)
        parts = (np.subtract(codes, exact(x.zero_point), dtype=exact).reshape(-1, c) @ kernels).reshape(n, h, w, kh, kw, o)
        full = np.zeros((n, full_h, full_w, o), exact)
        for ky in range(kh):
            for kx in range(kw):
                full[:, ky : ky + (h - 1) * sy + 1 : sy, kx : kx + (w - 1) * sx + 1 : sx] += parts[:, :, :, ky, kx]
        sums = full[:, top : top + out_h, left : left + out_w] + biases
        return rounding.requantise_f32(sums, multiplier, y.zero_point, clamp)

    return step


def _fully_connected(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    x, weights, bias = (tensors[name] for name in operator.inputs)
    y = tensors[operator.outputs[0]]
    assert weights.codes is not None and bias.codes is not None
    exact = _exact_dtype(x, weights, bias)
    kernel = np.ascontiguousarray(weights.codes.T.astype(exact))
    biases = bias.codes.astype(exact)
    multiplier = rounding.multiplier_f32(x.scale, weights.scale, y.scale)
    clamp = operator.attributes["clamp"]

    def step(codes: Int8, *_: object) -> Int8:
        sums = np.subtract(codes, exact(x.zero_point), dtype=exact) @ kernel
        sums += biases
        return rounding.requantise_f32(sums, multiplier, y.zero_point, clamp)

    return step


def _add(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    x, y = (tensors[name] for name in operator.inputs)
    z = tensors[operator.outputs[0]]
    multiplier_x, multiplier_y, shift = rounding.add_multipliers(x.scale[0], y.scale[0], z.scale[0])
    offset = -x.zero_point * multiplier_x - y.zero_point * multiplier_y
    clamp = operator.attributes["clamp"]

    def step(codes_x: Int8, codes_y: Int8) -> Int8:
        sums = np.multiply(codes_x, multiplier_x, dtype=np.int64) + np.multiply(codes_y, multiplier_y, dtype=np.int64)
        sums += offset
        return rounding.requantise_single(sums, shift, z.zero_point, clamp)

    return step


def _concatenation(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    def step(*parts: Int8) -> Int8:
        n = max(len(part) for part in parts)
        return np.concatenate([np.broadcast_to(part, (n, *part.shape[1:])) for part in parts], axis=operator.attributes["axis"])

    return step


def _reshape(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    shape = tensors[operator.outputs[0]].shape[1:]
    return lambda codes: codes.reshape(len(codes), *shape)


def _transpose(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    return lambda codes: codes.transpose(operator.attributes["permutation"])


def _taps(operator: Operator, padded: NDArray[Any], shape: tuple[int, ...]) -> list[NDArray[Any]]:
    """For each position of a pooling kernel, what it sees at every output: views [n, h', w', c] of the padded input."""
    (kh, kw), (sy, sx) = operator.attributes["kernel"], operator.attributes["stride"]
    _, out_h, out_w, _ = shape
    return [padded[:, ky : ky + (out_h - 1) * sy + 1 : sy, kx : kx + (out_w - 1) * sx + 1 : sx] for ky in range(kh) for kx in range(kw)]


def _plane_pad(operator: Operator, codes: NDArray[Any], fill: int) -> NDArray[Any]:
    top, bottom, left, right = operator.attributes["padding"]
    return np.pad(codes, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=fill)


def _max_pool(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    shape = tensors[operator.outputs[0]].shape

    def step(codes: Int8) -> Int8:
        first, *others = _taps(operator, _plane_pad(operator, codes, -128), shape)
        greatest = first.copy()
        for tap in others:
            np.maximum(greatest, tap, out=greatest)
        return greatest

    return step


def _average_pool(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    x, y = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    counts = np.sum(_taps(operator, _plane_pad(operator, np.ones((1, *x.shape[1:3], 1), np.int32), 0), y.shape), axis=0, dtype=np.int32)

    def step(codes: Int8) -> Int8:
        taps = _taps(operator, _plane_pad(operator, codes, 0), y.shape)
        return rounding.average_half_away(np.sum(taps, axis=0, dtype=np.int32), counts)

    return step


def _mean(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    x, y = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    count = x.shape[1] * x.shape[2]

    def step(codes: Int8) -> Int8:
        sums = codes.sum(axis=(1, 2), dtype=np.int64).reshape(len(codes), *y.shape[1:])
        return rounding.mean_f32(sums, count, *_quantisation(x), *_quantisation(y))

    return step


def _pad(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    zero_point = tensors[operator.inputs[0]].zero_point
    amounts = tuple(zip(operator.attributes["before"], operator.attributes["after"], strict=True))
    return lambda codes: np.pad(codes, amounts, constant_values=zero_point)


def _resize_nearest(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    fy, fx = operator.attributes["factors"]
    return lambda codes: codes.repeat(fy, axis=1).repeat(fx, axis=2)


def _logistic(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    return _table(rounding.logistic_codes(*_quantisation(tensors[operator.inputs[0]])))


def _requantise(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    x, y = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    multiplier = rounding.requantise_multiplier(x.scale[0], y.scale[0])
    return _table(rounding.requantise_single((np.arange(-128, 128) - x.zero_point) * multiplier, 8, y.zero_point))


def _table(table: Int8) -> Step:
    """One code for each of the 256 input codes -128 .. 127."""
    by_byte = np.roll(table, 128)  # the byte of code -1 is 255
    return lambda codes: by_byte[codes.view(np.uint8)]


def _clamp(operator: Operator, tensors: Mapping[str, Tensor]) -> Step:
    low, high = operator.attributes["clamp"]
    return lambda codes: np.clip(codes, low, high)


_PREPARE: dict[str, Callable[[Operator, Mapping[str, Tensor]], Step]] = {
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
