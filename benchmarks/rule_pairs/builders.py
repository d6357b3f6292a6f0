"""Small networks of one operator, of which the pairs for the accelerators' rules are made; the tests make more of them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from hw_profiles.network import Network, Operator, Tensor

Shape = tuple[int | None, ...]
MAP = (1, 16, 16, 8)
ONE = {"scale": (0.1,), "zero_point": (0,)}


def computed(name: str, shape: Shape = MAP, dtype: str = "int8", **quantisation: Any) -> Tensor:
    """A tensor that is given or made, int8 with one scale unless said otherwise."""
    return Tensor(name, shape, dtype, **(ONE | quantisation))


def constant(name: str, shape: tuple[int, ...], dtype: str = "int8", fill: int = 0, **quantisation: Any) -> Tensor:
    """A constant, every element `fill`."""
    return Tensor(name, shape, dtype, **(ONE | quantisation), values=np.full(shape, fill, dtype))


def steering(name: str, values: Any) -> Tensor:
    """A constant int32 that steers an operator: axes, sizes, amounts."""
    array = np.asarray(values, np.int32)
    return Tensor(name, array.shape, "int32", values=array)


def open_steering(name: str, length: int) -> Tensor:
    """The same, but computed."""
    return Tensor(name, (length,), "int32")


def operator(kind: str, inputs: Iterable[Tensor | None], output: Tensor | tuple[Tensor, ...], version: int = 1, **options: Any) -> Operator:
    """An operator of any kind."""
    return Operator(kind, tuple(inputs), output if isinstance(output, tuple) else (output,), options, version)


def network(*operators: Operator, subgraphs: int = 1) -> Network:
    """The operators as a network; what none of them makes is an input, what none reads an output."""
    made = {id(tensor) for one in operators for tensor in one.outputs}
    used = {id(tensor): tensor for one in operators for tensor in one.inputs if tensor is not None}
    inputs = [tensor for key, tensor in used.items() if tensor.values is None and key not in made]
    outputs = [tensor for one in operators for tensor in one.outputs if id(tensor) not in used]
    return Network("made", operators, tuple(inputs), tuple(outputs), 0, subgraphs)


def windows(x: Shape, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: str) -> Shape:
    """Height and width of what windows over x give."""
    found = []
    for length, k, s, d in zip(x[1:3], kernel, stride, dilation, strict=True):
        found.append(None if length is None else -(-length // s) if padding == "SAME" else (length - (k - 1) * d - 1) // s + 1)
    return tuple(found)


def conv(x: Tensor | Shape = MAP, outputs: int = 8, kernel: tuple[int, int] = (3, 3), stride: tuple[int, int] = (1, 1), dilation: tuple[int, int] = (1, 1),
         padding: str = "SAME", weights: Tensor | None = None, bias: Tensor | None = None, y: Tensor | None = None, kind: str = "CONV_2D") -> Operator:
    """CONV_2D, or another kind with the same inputs."""
    x = x if isinstance(x, Tensor) else computed("x", x)
    depth = x.shape[3] or 1
    depthwise = kind == "DEPTHWISE_CONV_2D"
    outputs = depth if depthwise else outputs
    weights = weights or constant("weights", (1, *kernel, outputs) if depthwise else (outputs, *kernel, depth))
    y = y or computed("y", (x.shape[0], *windows(x.shape, kernel, stride, dilation, padding), outputs))
    options = {"depth_multiplier": 1} if depthwise else {}
    return operator(kind, (x, weights, bias or constant("bias", (outputs,), "int32")), y, 3, padding=padding, stride_h=stride[0], stride_w=stride[1],
                    dilation_h_factor=dilation[0], dilation_w_factor=dilation[1], fused_activation_function="NONE", **options)


def transpose_conv(x: Shape = (1, 1, 16, 8), kernel: tuple[int, int] = (1, 4), stride: tuple[int, int] = (1, 2), y: Shape | None = None) -> Operator:
    """TRANSPOSE_CONV to four channels."""
    y = y or (1, x[1] * stride[0], x[2] * stride[1], 4)  # type: ignore[operator]
    return operator("TRANSPOSE_CONV", (steering("shape", y), constant("weights", (4, *kernel, 8)), computed("x", x), constant("bias", (4,), "int32")),
                    computed("y", y), 3, padding="SAME", stride_h=stride[0], stride_w=stride[1], fused_activation_function="NONE")


def dense(batch: int = 1, inputs: int = 64, outputs: int = 16, weights: Tensor | None = None, bias: Tensor | None = None, dtype: str = "int8",
          weights_format: str = "DEFAULT") -> Operator:
    """FULLY_CONNECTED."""
    weights = weights or constant("weights", (outputs, inputs))
    return operator("FULLY_CONNECTED", (computed("x", (batch, inputs), dtype), weights, bias), computed("y", (batch, outputs), dtype), 4,
                    fused_activation_function="NONE", weights_format=weights_format, keep_num_dims=False)


def pool(kind: str = "MAX_POOL_2D", x: Shape = MAP, window: tuple[int, int] = (2, 2), stride: tuple[int, int] = (1, 1), padding: str = "VALID",
         activation: str = "NONE") -> Operator:
    """A pool."""
    y = (x[0], *windows(x, window, stride, (1, 1), padding), x[3])
    return operator(kind, (computed("x", x),), computed("y", y), 2, padding=padding, stride_h=stride[0], stride_w=stride[1],
                    filter_height=window[0], filter_width=window[1], fused_activation_function=activation)


def resize(kind: str, x: tuple[int, ...], size: tuple[int, int], version: int = 1, **options: bool) -> Operator:
    """A resize to (height, width)."""
    return operator(kind, (computed("x", x), steering("size", size)), computed("y", (x[0], *size, x[3])), version,
                    **({"align_corners": False, "half_pixel_centers": False} | options))


def reduction(kind: str = "MEAN", x: tuple[int, ...] = MAP, axes: tuple[int, ...] = (1, 2), dtype: str = "int8") -> Operator:
    """A reduction that keeps its axes with length 1."""
    y = tuple(1 if axis in axes or axis - len(x) in axes else length for axis, length in enumerate(x))
    return operator(kind, (computed("x", x, dtype), steering("axes", axes)), computed("y", y, dtype), 2, keep_dims=True)


def unary(kind: str = "RELU", x: Shape = MAP, dtype: str = "int8", **quantisation: Any) -> Operator:
    """An operator of one input that keeps shape and quantisation."""
    return operator(kind, (computed("x", x, dtype, **quantisation),), computed("y", x, dtype, **quantisation), 2)


def add(**of_a: Any) -> Operator:
    """ADD; `of_a` is said of the first input."""
    return operator("ADD", (computed("a", **of_a), computed("b")), computed("y"), 2, fused_activation_function="NONE")


def concatenation(second: Tensor, activation: str = "NONE") -> Operator:
    """CONCATENATION along the channels."""
    return operator("CONCATENATION", (computed("a"), second), computed("y", (1, 16, 16, 16)), 2, axis=3, fused_activation_function=activation)


def padding(amounts: Any, x: tuple[int, ...] = (1, 1, 16, 8)) -> Operator:
    """PAD by (before, after) of each axis."""
    y = tuple(length + before + after for length, (before, after) in zip(x, amounts, strict=True))
    return operator("PAD", (computed("x", x), steering("amounts", amounts)), computed("y", y), 2)


def reshape(x: Shape, y: Shape, shape: Tensor | None = None) -> Operator:
    """RESHAPE."""
    return operator("RESHAPE", (computed("x", x), shape or steering("shape", y)), computed("y", y))


def transpose(x: tuple[int, ...], order: tuple[int, ...]) -> Operator:
    """TRANSPOSE."""
    return operator("TRANSPOSE", (computed("x", x), steering("order", order)), computed("y", tuple(x[axis] for axis in order)), 2)


def strided_slice(steps: tuple[int, ...], ellipsis_mask: int = 0) -> Operator:
    """STRIDED_SLICE of the whole map."""
    y = tuple(-(-length // abs(step)) for length, step in zip(MAP, steps, strict=True))
    begin, end = [-1 if step < 0 else 0 for step in steps], [-length - 1 if step < 0 else length for length, step in zip(MAP, steps, strict=True)]
    return operator("STRIDED_SLICE", (computed("x"), steering("begin", begin), steering("end", end), steering("steps", steps)), computed("y", y), 2,
                    begin_mask=0, end_mask=0, ellipsis_mask=ellipsis_mask, new_axis_mask=0, shrink_axis_mask=0)


def softmax(x: tuple[int, ...]) -> Operator:
    """SOFTMAX over the last axis."""
    return operator("SOFTMAX", (computed("x", x),), computed("y", x, scale=(1 / 256,), zero_point=(-128,)), 2, beta=1.0)
