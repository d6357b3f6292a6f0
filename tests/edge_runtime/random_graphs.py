"""Random graphs of one operator each, and windows for them, drawn so that ties, saturation and every attribute occur."""

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_runtime.graph import Graph, Operator, Tensor, check_graph

WHOLE = (-128, 127)


def tensor(name: str, shape: tuple[int, ...], scale: Any, zero_point: int = 0, codes: Any = None, dtype: str = "int8", axis: int | None = None) -> Tensor:
    return Tensor(name, tuple(shape), dtype, np.atleast_1d(np.asarray(scale, np.float32)), zero_point, axis, codes)


def graph(tensors: list[Tensor], operators: list[Operator], inputs: tuple[str, ...] = ("x",), outputs: tuple[str, ...] = ("y",)) -> Graph:
    made = Graph({tensor.name: tensor for tensor in tensors}, tuple(operators), inputs, outputs)
    check_graph(made, "random graph")
    return made


def random_graph(kind: str, seed: int) -> Graph:
    return _MAKERS[kind](np.random.default_rng([seed, *kind.encode()]))


def windows(graph: Graph, count: int, seed: int) -> list[np.ndarray]:
    """Codes int8 [count, ...] for each input: random ones, the zero point, both extremes, and steps of one code about the zero point."""
    draw = np.random.default_rng(seed)
    result = []
    for name in graph.inputs:
        x = graph.tensors[name]
        codes = draw.integers(-128, 128, (count, *x.shape[1:])).astype(np.int8)
        codes[0], codes[1], codes[2] = x.zero_point, -128, 127
        codes[3] = np.clip(x.zero_point + draw.integers(-1, 2, x.shape[1:]), -128, 127)
        result.append(codes)
    return result


def _code(draw: np.random.Generator) -> int:
    return int(draw.choice([-128, 127, 0, *draw.integers(-128, 128, 3)]))


def _scale(draw: np.random.Generator) -> np.float32:
    """A scale as training gives it, or a power of two, which makes ties."""
    return np.float32(2.0 ** draw.integers(-7, 2)) if draw.random() < 0.5 else np.float32(10 ** draw.uniform(-3, 0))


def _clamp(draw: np.random.Generator, zero_point: int) -> tuple[int, int]:
    low, high = sorted(int(code) for code in draw.integers(-128, 128, 2))
    return [WHOLE, (zero_point, 127), (low, high)][draw.integers(3)]


def _pair(draw: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    return int(draw.integers(low, high + 1)), int(draw.integers(low, high + 1))


def _plane(draw: np.random.Generator) -> tuple[int, int]:
    return (1, int(draw.integers(8, 40))) if draw.random() < 0.5 else _pair(draw, 5, 12)


def _parameters(draw: np.random.Generator, shape: tuple[int, ...], x: Tensor, depth: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, bias and an output without a shape yet, scaled so that outputs fill the codes and some saturate."""
    o = shape[0]
    codes = draw.integers(-127, 128, shape).astype(np.int8)
    if draw.random() < 0.3:
        codes = np.sign(codes)  # few values: many ties
    per_channel = draw.random() < 0.5
    scale = np.array([_scale(draw) for _ in range(o)], np.float32) if per_channel else np.array([_scale(draw)], np.float32)
    spread = 100 * np.sqrt(depth * np.mean(codes.astype(float) ** 2)) + 1
    bias = np.rint(draw.normal(0, spread / 2, o)).astype(np.int32)
    if draw.random() < 0.1:
        bias[0] = 2_000_000_000  # beyond the integers that float32 holds exactly
    reach = float(np.max(x.scale * scale)) * spread
    wanted = np.float32(reach / 60)
    out = np.float32(2.0 ** np.round(np.log2(wanted))) if draw.random() < 0.5 else wanted
    axis = 0 if per_channel else None
    return (tensor("w", shape, scale, 0, codes, axis=axis), tensor("b", (o,), x.scale * scale, 0, bias, "int32", axis), tensor("y", (1,), out, _code(draw)))


def _shaped(y: Tensor, shape: tuple[int, ...]) -> Tensor:
    return Tensor(y.name, shape, y.dtype, y.scale, y.zero_point)


def _convolution(draw: np.random.Generator) -> Graph:
    h, w = _plane(draw)
    groups = int(draw.choice([1, 1, 2, 4]))
    depth = 1 if groups == 4 and draw.random() < 0.7 else int(draw.integers(1, 4))
    o = groups * int(draw.integers(1, 4))
    kh, kw = (1 if h == 1 else int(draw.integers(1, 4))), int(draw.integers(1, 6))
    stride, dilation = _pair(draw, 1, 3), _pair(draw, 1, 2) if draw.random() < 0.4 else (1, 1)
    if h == 1:
        stride, dilation = (1, stride[1]), (1, dilation[1])
    vertical = (0, 0) if h == 1 else _pair(draw, 0, 2)
    padding = (*vertical, *_pair(draw, 0, 3)) if draw.random() < 0.7 else (0, 0, 0, 0)
    if w + padding[2] + padding[3] < (kw - 1) * dilation[1] + 1 or h + padding[0] + padding[1] < (kh - 1) * dilation[0] + 1:
        kh, kw, dilation = 1, 2, (1, 1)
    x = tensor("x", (1, h, w, groups * depth), _scale(draw), _code(draw))
    weights, bias, y = _parameters(draw, (o, kh, kw, depth), x, kh * kw * depth)
    out = [(length + before + after - (k - 1) * d - 1) // s + 1
           for length, before, after, k, d, s in zip((h, w), padding[::2], padding[1::2], (kh, kw), dilation, stride, strict=True)]
    attributes = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups, "clamp": _clamp(draw, y.zero_point)}
    return graph([x, weights, bias, _shaped(y, (1, *out, o))], [Operator("conv_2d", ("x", "w", "b"), ("y",), attributes)])


def _transposed_convolution(draw: np.random.Generator) -> Graph:
    h, w = _plane(draw)
    o, c = _pair(draw, 1, 4)
    stride = (1, int(draw.integers(1, 4))) if h == 1 else _pair(draw, 1, 3)
    kernel = (1, int(draw.integers(1, 6))) if h == 1 else _pair(draw, 1, 4)
    extra = tuple(int(draw.integers(0, s)) if draw.random() < 0.5 else 0 for s in stride)
    padding = tuple(int(draw.integers(0, kernel[axis])) if draw.random() < 0.7 else 0 for axis in (0, 0, 1, 1))
    out = [(length - 1) * s + k - before - after + e
           for length, s, k, before, after, e in zip((h, w), stride, kernel, padding[::2], padding[1::2], extra, strict=True)]
    if min(out) < 1:
        return _transposed_convolution(draw)
    x = tensor("x", (1, h, w, c), _scale(draw), _code(draw))
    weights, bias, y = _parameters(draw, (o, *kernel, c), x, c)
    attributes = {"stride": stride, "padding": padding, "output_padding": extra, "clamp": _clamp(draw, y.zero_point)}
    return graph([x, weights, bias, _shaped(y, (1, *out, o))], [Operator("transpose_conv", ("x", "w", "b"), ("y",), attributes)])


def _fully_connected(draw: np.random.Generator) -> Graph:
    o, c = _pair(draw, 1, 70)
    lead = [(1,), (1, 5), (1, 2, 3)][draw.integers(3)]
    x = tensor("x", (*lead, c), _scale(draw), _code(draw))
    weights, bias, y = _parameters(draw, (o, c), x, c)
    return graph([x, weights, bias, _shaped(y, (*lead, o))], [Operator("fully_connected", ("x", "w", "b"), ("y",), {"clamp": _clamp(draw, y.zero_point)})])


def _add(draw: np.random.Generator) -> Graph:
    shape = [(1, 33), (1, 1, 20, 5), (1, 3, 4, 7)][draw.integers(3)]
    scales = [np.float32(s) for s in ([2.0 ** draw.integers(-4, 4) for _ in range(3)] if draw.random() < 0.5 else 10 ** draw.uniform(-1, 1, 3))]
    constant = draw.integers(-128, 128, shape).astype(np.int8) if draw.random() < 0.3 else None
    zero_point = _code(draw)
    tensors = [tensor("x", shape, scales[0], _code(draw)), tensor("x2", shape, scales[1], _code(draw), constant), tensor("y", shape, scales[2], zero_point)]
    return graph(tensors, [Operator("add", ("x", "x2"), ("y",), {"clamp": _clamp(draw, zero_point)})], ("x",) if constant is not None else ("x", "x2"))


def _concatenation(draw: np.random.Generator) -> Graph:
    axis = int(draw.integers(1, 4))
    shapes = [[1, 3, 6, 4] for _ in range(draw.integers(2, 5))]
    for shape in shapes:
        shape[axis] = int(draw.integers(1, 6))
    whole = list(shapes[0])
    whole[axis] = sum(shape[axis] for shape in shapes)
    names = tuple(f"x{index}" for index in range(len(shapes)))
    quantisation = (_scale(draw), _code(draw))
    tensors = [tensor(name, tuple(shape), *quantisation) for name, shape in zip(names, shapes, strict=True)]
    return graph([*tensors, tensor("y", tuple(whole), *quantisation)], [Operator("concatenation", names, ("y",), {"axis": axis})], names)


def _moved(kind: str, shape: tuple[int, ...], out: tuple[int, ...], attributes: dict[str, Any], draw: np.random.Generator) -> Graph:
    """An operator that keeps the quantisation."""
    quantisation = (_scale(draw), _code(draw))
    return graph([tensor("x", shape, *quantisation), tensor("y", out, *quantisation)], [Operator(kind, ("x",), ("y",), attributes)])


def _reshape(draw: np.random.Generator) -> Graph:
    return _moved("reshape", (1, 2, 12, 5), [(1, 120), (1, 1, 24, 5), (1, 2, 3, 4, 5)][draw.integers(3)], {}, draw)


def _transpose(draw: np.random.Generator) -> Graph:
    rank = int(draw.integers(2, 6))
    permutation = (0, *(int(axis) for axis in 1 + draw.permutation(rank - 1)))
    shape = (1, *(int(length) for length in draw.integers(1, 6, rank - 1)))
    return _moved("transpose", shape, tuple(shape[axis] for axis in permutation), {"permutation": permutation}, draw)


def _pool(kind: str) -> Callable[[np.random.Generator], Graph]:
    def make(draw: np.random.Generator) -> Graph:
        h, w = _plane(draw)
        kernel = (1, int(draw.integers(1, 5))) if h == 1 else _pair(draw, 1, 4)
        stride = (1, int(draw.integers(1, 4))) if h == 1 else _pair(draw, 1, 3)
        padding = tuple(int(draw.integers(0, kernel[axis])) for axis in (0, 0, 1, 1)) if kind == "max_pool_2d" and draw.random() < 0.5 else (0, 0, 0, 0)
        if draw.random() < 0.4:
            total = [max((-(-length // s) - 1) * s + k - length, 0) for length, s, k in zip((h, w), stride, kernel, strict=True)]
            padding = (total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2)
        out = [(length + before + after - k) // s + 1
               for length, before, after, k, s in zip((h, w), padding[::2], padding[1::2], kernel, stride, strict=True)]
        return _moved(kind, (1, h, w, 5), (1, *out, 5), {"kernel": kernel, "stride": stride, "padding": padding}, draw)

    return make


def _pad(draw: np.random.Generator) -> Graph:
    shape = [(1, 9), (1, 3, 5), (1, 2, 7, 3)][draw.integers(3)]
    before, after = ((0, *(int(n) for n in draw.integers(0, 4, len(shape) - 1))) for _ in range(2))
    out = tuple(b + length + a for b, length, a in zip(before, shape, after, strict=True))
    return _moved("pad", shape, out, {"before": before, "after": after}, draw)


def _resize(draw: np.random.Generator) -> Graph:
    (h, w), (fy, fx) = _plane(draw), _pair(draw, 1, 11)
    return _moved("resize_nearest", (1, h, w, 3), (1, h * fy, w * fx, 3), {"factors": (fy, fx)}, draw)


def _clamp_alone(draw: np.random.Generator) -> Graph:
    x = tensor("x", (1, 1, 256, 3), _scale(draw), _code(draw))
    return graph([x, _shaped(Tensor("y", x.shape, "int8", x.scale, x.zero_point), x.shape)],
                 [Operator("clamp", ("x",), ("y",), {"clamp": _clamp(draw, x.zero_point)})])


def _mean(draw: np.random.Generator) -> Graph:
    h, w = [(1, int(draw.integers(1, 70))), (1, 520), (8, 8), _pair(draw, 1, 9)][draw.integers(4)]
    scale = _scale(draw)
    out = np.float32(scale * draw.choice([1, 0.5, 2, 0.25, 3 / 7, draw.uniform(0.05, 2)]))
    shape = [(1, 6), (1, 1, 1, 6)][draw.integers(2)]
    return graph([tensor("x", (1, h, w, 6), scale, _code(draw)), tensor("y", shape, out, _code(draw))], [Operator("mean", ("x",), ("y",), {})])


def _logistic(draw: np.random.Generator) -> Graph:
    shape = (1, 1, 256, 2)
    return graph([tensor("x", shape, 10 ** draw.uniform(-3, 0.5), _code(draw)), tensor("y", shape, 1 / 256, -128)], [Operator("logistic", ("x",), ("y",), {})])


def _requantise(draw: np.random.Generator) -> Graph:
    shape = (1, 1, 256, 2)
    ratio = np.float32(2.0 ** draw.integers(-8, 7) if draw.random() < 0.4 else 2 ** draw.uniform(-7.9, 6.9))
    scale = _scale(draw)
    return graph([tensor("x", shape, scale * ratio, _code(draw)), tensor("y", shape, scale, _code(draw))], [Operator("requantise", ("x",), ("y",), {})])


_MAKERS: dict[str, Callable[[np.random.Generator], Graph]] = {
    "conv_2d": _convolution, "transpose_conv": _transposed_convolution, "fully_connected": _fully_connected, "add": _add,
    "concatenation": _concatenation, "reshape": _reshape, "transpose": _transpose, "max_pool_2d": _pool("max_pool_2d"),
    "average_pool_2d": _pool("average_pool_2d"), "mean": _mean, "pad": _pad, "resize_nearest": _resize, "logistic": _logistic,
    "clamp": _clamp_alone, "requantise": _requantise,
}  # fmt: skip
