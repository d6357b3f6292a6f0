"""Conv, ConvTranspose, Gemm and MatMul: int8 weights, int32 bias, one requantisation of the accumulator."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .builder import Builder
from .door import Node, Refused
from .layout import Shape
from .values import Activation, Clamp, Constant, Parameter, Pending, Quantisation, Real, Value


@dataclass(frozen=True)
class Weights:
    """Weights in the graph's arrangement, output channels first: codes int8 [o, ...], scales float32 [1] or [o], all with zero point 0."""

    name: str
    codes: NDArray[np.int8]
    scales: NDArray[np.float32]

    @property
    def axis(self) -> int | None:
        """The graph's channel_axis: 0, or None for one scale."""
        return 0 if self.scales.size > 1 else None


def conv(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """Conv 1-D and 2-D with groups, strides, dilations and any padding; a series becomes an image of height 1."""
    x = builder.real(operands[0], node.inputs[0])
    weights = parameter(operands[1], node.inputs[1])
    spatial = check_image(x.shape)
    if weights.codes.ndim != spatial + 2:
        raise Refused(f"has weights of {weights.codes.ndim} axes for an input of {spatial + 2}; export the model again")
    channels, groups = x.shape[1], node.integer("group", 1)
    outputs, per_group, *kernel = weights.codes.shape
    if groups < 1 or channels != per_group * groups or outputs % groups:
        raise Refused(f"has weights for {per_group} x {groups} channels, the input has {channels}; export the model again")
    window = Window.read(node, tuple(kernel), x.shape[2:])
    arranged = output_first(weights, 0, np.moveaxis(weights.codes, 1, -1))
    codes = arranged.codes.reshape(outputs, *as_plane(tuple(kernel)), per_group)  # o, kh, kw, c / groups
    arranged = Weights(arranged.name, codes, arranged.scales)
    bias = operands[2] if len(operands) > 2 else None

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        inputs = [builder.canonical(x.activation), *declared(builder, arranged, bias, x.quantisation)]
        height, width = as_plane(window.lengths)
        output = builder.tensor(name, (1, height, width, outputs), quantisation)
        builder.add("conv_2d", inputs, output, stride=as_plane(window.stride), dilation=as_plane(window.dilation), padding=window.padding,
                    groups=groups, clamp=clamp)
        return Activation(output, (1, outputs, *window.lengths))

    check_bias(arranged, bias, x.quantisation)
    return Pending((1, outputs, *window.lengths), emit)


def conv_transpose(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """ConvTranspose 1-D and 2-D, one group: the kernels on board take no others."""
    x = builder.real(operands[0], node.inputs[0])
    weights = parameter(operands[1], node.inputs[1])
    spatial = check_image(x.shape)
    if weights.codes.ndim != spatial + 2 or weights.codes.shape[0] != x.shape[1]:
        raise Refused(f"has weights of shape {list(weights.codes.shape)} for an input of shape {list(x.shape)}; export the model again")
    if node.integer("group", 1) != 1 or any(length != 1 for length in node.integers("dilations", (1,) * spatial)):
        raise Refused("has groups or dilation, which no kernel on board takes; use groups=1 and dilation=1")
    if "output_shape" in node.attributes or node.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Refused("has output_shape or auto_pad; export it with explicit pads and output_padding")
    outputs, *kernel_list = weights.codes.shape[1:]
    kernel = tuple(kernel_list)
    check_kernel(node, kernel)
    stride = lengths_of(node, "strides", spatial, 1, 1)
    extra = lengths_of(node, "output_padding", spatial, 0, 0)
    pads = lengths_of(node, "pads", 2 * spatial, 0, 0)
    if any(more >= step for more, step in zip(extra, stride, strict=True)):
        raise Refused(f"has output_padding {list(extra)}, must be below the stride {list(stride)}; make it smaller")
    begin, end = pads[:spatial], pads[spatial:]
    lengths = tuple((n - 1) * s + k - a - b + e for n, s, k, a, b, e in zip(x.shape[2:], stride, kernel, begin, end, extra, strict=True))
    arranged = output_first(weights, 1, weights.codes.transpose(1, *range(2, spatial + 2), 0))
    arranged = Weights(arranged.name, arranged.codes.reshape(outputs, *as_plane(kernel), x.shape[1]), arranged.scales)  # o, kh, kw, c
    bias = operands[2] if len(operands) > 2 else None

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        inputs = [builder.canonical(x.activation), *declared(builder, arranged, bias, x.quantisation)]
        height, width = as_plane(lengths)
        output = builder.tensor(name, (1, height, width, outputs), quantisation)
        builder.add("transpose_conv", inputs, output, stride=as_plane(stride), padding=plane_padding(begin, end),
                    output_padding=as_plane(extra, 0), clamp=clamp)
        return Activation(output, (1, outputs, *lengths))

    check_bias(arranged, bias, x.quantisation)
    return Pending((1, outputs, *lengths), emit)


def gemm(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """Gemm with constant weights and alpha = beta = 1: a dense layer."""
    if node.number("alpha", 1) != 1 or node.number("beta", 1) != 1 or node.integer("transA", 0):
        raise Refused("has alpha, beta or transA set; fold them into the weights before quantising")
    x = builder.real(operands[0], node.inputs[0])
    if len(x.shape) != 2:
        raise Refused(f"takes an input of shape {list(x.shape)}, must be [1, features]; export the model again")
    weights = parameter(operands[1], node.inputs[1])
    if weights.codes.ndim == 2 and node.integer("transB", 0):
        weights = weights.transposed((1, 0))
    return dense(x, weights, operands[2] if len(operands) > 2 else None, builder)


def matmul(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """MatMul with constant weights [c, o], over the last axis; an Add of a constant row behind it becomes its bias."""
    x = builder.real(operands[0], node.inputs[0])
    return dense(x, parameter(operands[1], node.inputs[1]), None, builder)


def dense(x: Real, weights: Parameter, bias: Value | None, builder: Builder) -> Pending:
    """x [1, ..., c] times weights [c, o] plus bias [o].

    The columns follow the order in which the features lie: channels-last, where ONNX flattened channels-first.
    """
    if weights.codes.ndim != 2 or weights.codes.shape[0] != x.shape[-1]:
        raise Refused(f"has weights of shape {list(weights.codes.shape)} for an input of shape {list(x.shape)}; export the model again")
    arranged = output_first(weights, 1, weights.codes.T)  # o, c
    outputs = arranged.codes.shape[0]
    check_bias(arranged, bias, x.quantisation)

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        if len(x.shape) == 2:
            order = builder.order(x.activation)
            source = builder.reshaped(x.activation.tensor, x.shape)
            placed = Weights(arranged.name, arranged.codes[:, order], arranged.scales)
        else:
            source = builder.arranged(x.activation, x.shape, np.arange(prod(x.shape)))
            placed = arranged
        output = builder.tensor(name, (*x.shape[:-1], outputs), quantisation)
        builder.add("fully_connected", [source, *declared(builder, placed, bias, x.quantisation)], output, clamp=clamp)
        if len(x.shape) == 2:
            builder.free(output, name)
            return Activation(output, (1, outputs))
        return Activation(output, (*x.shape[:-1], outputs), np.arange(prod(x.shape[:-1]) * outputs))

    def with_bias(value: Parameter | Constant) -> Pending:
        if bias is not None:
            raise Refused("adds a second bias; add the two before quantising")
        return dense(x, weights, value, builder)

    return Pending((*x.shape[:-1], outputs), emit, with_bias=with_bias)


@dataclass(frozen=True)
class Window:
    """How a kernel goes over the spatial axes: lengths of the result, strides, dilations, and padding (top, bottom, left, right)."""

    lengths: Shape
    stride: Shape
    dilation: Shape
    padding: tuple[int, int, int, int]

    @classmethod
    def read(cls, node: Node, kernel: Shape, lengths: Shape) -> "Window":
        """From the attributes of a Conv or a pool over an input of these spatial lengths; ceil_mode becomes padding at the end."""
        spatial = len(lengths)
        check_kernel(node, kernel)
        stride = lengths_of(node, "strides", spatial, 1, 1)
        dilation = lengths_of(node, "dilations", spatial, 1, 1)
        pads = lengths_of(node, "pads", 2 * spatial, 0, 0)
        begin, end = list(pads[:spatial]), list(pads[spatial:])
        reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
        automatic = node.text("auto_pad", "NOTSET")
        if automatic not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
            raise Refused(f"has auto_pad {automatic}; export it with explicit pads")
        given = []
        for axis in range(spatial):
            if automatic in ("SAME_UPPER", "SAME_LOWER"):
                missing = max((-(-lengths[axis] // stride[axis]) - 1) * stride[axis] + reach[axis] - lengths[axis], 0)
                small, large = missing // 2, missing - missing // 2
                begin[axis], end[axis] = (small, large) if automatic == "SAME_UPPER" else (large, small)
            steps = lengths[axis] + begin[axis] + end[axis] - reach[axis]
            count = steps // stride[axis] + 1
            if node.integer("ceil_mode", 0) and steps % stride[axis] and count * stride[axis] < lengths[axis] + begin[axis]:
                count += 1  # a last window that starts within the data or the padding before it
                end[axis] += stride[axis] - steps % stride[axis]
            if steps < 0 or (max(begin[axis], end[axis]) >= reach[axis] and node.kind != "Conv"):
                raise Refused(f"has a kernel of reach {reach[axis]} for {lengths[axis]} samples with padding {begin[axis]}, {end[axis]}; "
                              "export the model again")
            given.append(count)
        return cls(tuple(given), stride, dilation, plane_padding(tuple(begin), tuple(end)))


def parameter(value: Value | None, name: str) -> Parameter:
    """Weights: symmetric int8 constants in +-127; Refused with the remedy where they are anything else."""
    if not isinstance(value, Parameter):
        raise Refused(f"takes float or computed weights {name}; quantise them to int8 constants (weight_quant in Brevitas, quantize_static in ONNX Runtime)")
    if value.codes.dtype != np.int8 or value.zero_point:
        raise Refused(f"has weights {name} that are not symmetric int8 (zero point 0); quantise them as signed and symmetric")
    if value.codes.min(initial=0) < -127:
        raise Refused(f"has the weight code -128 in {name}, kernels take -127 to 127; quantise with the narrow range")
    return value


def output_first(weights: Parameter, axis: int, codes: NDArray[Any]) -> Weights:
    """Weights whose output channels have moved from `axis` to the front in `codes`; equal scales become one."""
    if weights.axis not in (None, axis) and weights.scales.size > 1:
        raise Refused(f"has weight scales along axis {weights.axis}, output channels lie along axis {axis}; quantise per output channel or per tensor")
    scales = weights.scales
    if np.all(scales == scales[0]):
        scales = scales[:1]
    return Weights(weights.name, np.ascontiguousarray(codes), scales)


def accumulator_scales(weights: Weights, quantisation: Quantisation) -> NDArray[np.float32]:
    """Scale of the accumulator and so of the bias, s_x s_w: the float32 product, rounded to float32."""
    scales: NDArray[np.float32] = quantisation.scale * weights.scales
    if np.any(scales < np.finfo(np.float32).tiny) or not np.all(np.isfinite(scales)):
        raise Refused("has an accumulator scale (input scale * weight scale) outside of float32; calibrate again")
    return scales


def bias_codes(weights: Weights, bias: Value | None, quantisation: Quantisation) -> NDArray[np.int32]:
    """int32 codes [o] of the bias on the accumulator's grid; Refused where it does not lie there exactly or could make the accumulator overflow."""
    outputs = weights.codes.shape[0]
    grid = np.broadcast_to(accumulator_scales(weights, quantisation), outputs)
    remedy = "quantise the bias to int32 with scale = input scale * weight scale (Brevitas: bias_quant=Int32Bias)"
    match bias:
        case None:
            codes: NDArray[Any] = np.zeros(outputs, np.int64)
        case Parameter():
            if bias.codes.dtype != np.int32 or bias.zero_point or bias.codes.size not in (1, outputs):
                raise Refused(f"has a bias {bias.name} that is no row of int32 with zero point 0; {remedy}")
            codes = np.broadcast_to(bias.codes.reshape(-1), outputs).astype(np.int64)
            scales = np.broadcast_to(bias.scales, outputs)
            # One float32 step between the file's scale and the product is no matter as long as every code stays the same.
            if not np.array_equal(np.rint(codes * (scales.astype(np.float64) / grid)), codes) or np.any(np.abs(scales / grid - 1) > 1e-6):
                raise Refused(f"has a bias {bias.name} on another scale than input scale * weight scale; {remedy}")
        case Constant():
            if bias.array.dtype != np.float32 or bias.array.size not in (1, outputs):
                raise Refused(f"has a bias {bias.name} that is no row of {outputs} numbers; {remedy}")
            real = np.broadcast_to(bias.array.reshape(-1), outputs)
            rounded = np.rint(real.astype(np.float64) / grid)
            if not np.array_equal((rounded.astype(np.float32) * grid).astype(np.float32), real):
                raise Refused(f"has a float bias {bias.name} off the grid of the accumulator; {remedy}")
            codes = rounded
        case _:
            raise Refused(f"has a bias that is computed; {remedy}")
    zero_point = quantisation.zero_point
    depth = np.abs(weights.codes.astype(np.int64)).reshape(outputs, -1).sum(axis=1)
    if np.any(depth * max(127 - zero_point, zero_point + 128) + np.abs(codes) > np.iinfo(np.int32).max):
        raise Refused("can overflow its int32 accumulator with these weights and bias; use fewer inputs per output or a smaller bias")
    return codes.astype(np.int32)


def check_bias(weights: Weights, bias: Value | None, quantisation: Quantisation) -> None:
    """Refuse a bad bias where it stands, not where its layer is quantised."""
    bias_codes(weights, bias, quantisation)


def declared(builder: Builder, weights: Weights, bias: Value | None, quantisation: Quantisation) -> list[str]:
    """Declare weights and bias; their names are those of the file, so that parity can be checked by name."""
    codes = bias_codes(weights, bias, quantisation)
    name = bias.name if isinstance(bias, (Parameter, Constant)) else f"{weights.name}:no_bias"
    return [builder.parameter(weights.name, weights.codes, weights.scales, weights.axis),
            builder.parameter(name, codes, accumulator_scales(weights, quantisation), weights.axis)]


def check_image(shape: Shape) -> int:
    """Number of spatial axes of [1, c, l] or [1, c, h, w]; Refused for any other shape."""
    if len(shape) not in (3, 4):
        raise Refused(f"takes an input of shape {list(shape)}; series [1, c, l] and images [1, c, h, w] are read")
    return len(shape) - 2


def check_kernel(node: Node, kernel: Shape) -> None:
    """Refuse a kernel_shape that is not the one of the weights."""
    if node.integers("kernel_shape", kernel) != kernel:
        raise Refused(f"has kernel_shape {list(node.integers('kernel_shape', kernel))} beside weights of {list(kernel)}; export the model again")


def lengths_of(node: Node, name: str, count: int, default: int, least: int) -> Shape:
    """An attribute of `count` lengths, each at least `least`; Refused otherwise."""
    lengths = node.integers(name, (default,) * count)
    if len(lengths) != count or min(lengths) < least or max(lengths) > 1 << 16:
        raise Refused(f"has {name} {list(lengths)}, must be {count} numbers from {least}; export the model again")
    return lengths


def as_plane(lengths: Shape, first: int = 1) -> tuple[int, int]:
    """Lengths over (h, w); a series lies along w, and `first` is what stands for its missing height."""
    return (lengths[0], lengths[1]) if len(lengths) == 2 else (first, lengths[0])


def plane_padding(begin: Shape, end: Shape) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) from ONNX's begins and ends."""
    (top, left), (bottom, right) = as_plane(begin, 0), as_plane(end, 0)
    return (top, bottom, left, right)
