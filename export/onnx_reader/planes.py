"""Operators over the plane or along axes that keep the codes' scale: pools, Pad, Resize and Concat."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from .builder import Builder
from .door import Node, Refused
from .layout import Shape, canonical_axis
from .linear import Window, as_plane, check_image, lengths_of
from .values import Activation, Clamp, Parameter, Pending, Quantisation, Real, Value, constant, whole_numbers


def max_pool(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """MaxPool: the greatest code, so exact on the scale of its input."""
    source = builder.pending(operands[0], node.inputs[0])
    if any(node.outputs[1:]) or node.integer("storage_order", 0):
        raise Refused("gives indices, which no kernel on board does; use the pooled values only")
    kernel, window = _pool_window(node, source.shape)

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        taken = builder.canonical(source.computed(quantisation, clamp, f"{name}:pooled"))
        output = builder.tensor(name, (1, *as_plane(window.lengths), source.shape[1]), quantisation)
        builder.add("max_pool_2d", [taken], output, kernel=as_plane(kernel), stride=as_plane(window.stride), padding=window.padding)
        return Activation(output, (1, source.shape[1], *window.lengths))

    return Pending((1, source.shape[1], *window.lengths), emit, native=source.native)


def average_pool(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """AveragePool. On the scale of its input it is the kernel of that name (halves away from zero, where ONNX rounds halves to even).

    On another scale it becomes a convolution with weights of one, whose accumulator is the exact sum and is rounded once, as in ONNX.
    """
    x = builder.real(operands[0], node.inputs[0])
    kernel, window = _pool_window(node, x.shape)
    counted = bool(node.integer("count_include_pad", 0)) or not any(window.padding)
    if node.integer("ceil_mode", 0) and any(window.padding):
        raise Refused("has ceil_mode with padding, whose divisor differs between runtimes; use ceil_mode=False")
    channels = x.shape[1]
    shape = (1, *as_plane(window.lengths), channels)

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        source = builder.canonical(x.activation)
        if quantisation == x.quantisation:
            pooled = builder.tensor(name, shape, quantisation)
            padding = window.padding
            if counted and any(padding):
                source, padding = _padded(builder, source, padding), (0, 0, 0, 0)
            builder.add("average_pool_2d", [source], pooled, kernel=as_plane(kernel), stride=as_plane(window.stride), padding=padding)
            return builder.clamped(Activation(pooled, (1, channels, *window.lengths)), clamp, f"{name}:clamped")
        if not counted:
            raise Refused("changes the scale and leaves padding out of the mean; give its result the scale of its input, or count_include_pad=1")
        pooled = builder.tensor(name, shape, quantisation)
        ones = Parameter(f"{node.outputs[0]}:ones", np.ones((channels, *as_plane(kernel), 1), np.int8), np.array([1 / prod(kernel)], np.float32), None, 0)
        weights = builder.parameter(ones.name, ones.codes, ones.scales)
        bias = builder.parameter(f"{ones.name}:no_bias", np.zeros(channels, np.int32), x.quantisation.scale * ones.scales)
        builder.add("conv_2d", [source, weights, bias], pooled, stride=as_plane(window.stride), dilation=(1, 1), padding=window.padding,
                    groups=channels, clamp=clamp)
        return Activation(pooled, (1, channels, *window.lengths))

    return Pending((1, channels, *window.lengths), emit)


def global_average_pool(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """GlobalAveragePool: the mean over the plane, straight to the scale of the result."""
    x = builder.real(operands[0], node.inputs[0])
    spatial = check_image(x.shape)
    shape = (1, x.shape[1], *(1,) * spatial)

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        source = builder.canonical(x.activation)
        output = builder.tensor(name, (1, 1, 1, x.shape[1]), quantisation)
        builder.add("mean", [source], output)
        return builder.clamped(Activation(output, shape), clamp, f"{name}:clamped")

    return Pending(shape, emit)


def pad(node: Node, operands: list[Value | None], builder: Builder) -> Real:
    """Pad with the real 0, which is the zero point's code."""
    x = builder.real(operands[0], node.inputs[0])
    rank = len(x.shape)
    if node.text("mode", "constant") != "constant":
        raise Refused(f"has mode {node.text('mode', 'constant')}; only padding with 0 is read")
    if len(operands) > 2 and operands[2] is not None:
        fill = operands[2].codes - operands[2].zero_point if isinstance(operands[2], Parameter) else constant(operands[2], "the padding value")
        if np.any(fill != 0):
            raise Refused("pads with another value than 0; pad with 0")
    pads = whole_numbers(operands[1] if len(operands) > 1 else None, "pads")
    axes = whole_numbers(operands[3], "axes") if len(operands) > 3 and operands[3] is not None else tuple(range(rank))
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes) or min(pads, default=0) < 0:
        raise Refused(f"has pads {list(pads)}, must be two numbers from 0 for each axis; export the model again")
    amounts = {axis % rank if -rank <= axis < rank else rank: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    if rank in amounts or any(amounts.get(0, (0, 0))):
        raise Refused("pads the batch or an axis that does not exist; export the model again")
    shape = tuple(length + sum(amounts.get(axis, (0, 0))) for axis, length in enumerate(x.shape))
    source = builder.canonical(x.activation)
    before, after = [0] * len(builder.shape(source)), [0] * len(builder.shape(source))
    for axis, amount in amounts.items():
        before[canonical_axis(axis, rank)], after[canonical_axis(axis, rank)] = amount
    output = builder.tensor(node.outputs[0], tuple(map(sum, zip(builder.shape(source), before, after, strict=True))), x.quantisation)
    builder.add("pad", [source], output, before=tuple(before), after=tuple(after))
    return Real(Activation(output, shape), x.quantisation)


def resize(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """Nearest Resize by whole factors; Refused unless each output sample takes input sample (place // factor) by ONNX's own coordinate rule."""
    source = builder.pending(operands[0], node.inputs[0])
    spatial = check_image(source.shape)
    if node.text("mode", "nearest") != "nearest":
        raise Refused(f"has mode {node.text('mode', 'nearest')}; only nearest is read")
    if "axes" in node.attributes or node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Refused("has axes or keep_aspect_ratio_policy; export it with scales for all axes")
    if len(operands) > 3 and operands[3] is not None:
        sizes = np.array(whole_numbers(operands[3], "sizes"), float)
        scales = sizes / source.shape if sizes.size == len(source.shape) else sizes
    else:
        scales = constant(operands[2] if len(operands) > 2 else None, "scales").reshape(-1).astype(float)
    whole = scales.size == len(source.shape) and np.array_equal(scales, np.rint(scales)) and np.all((scales >= 1) & (scales < 1 << 16))
    if not whole or np.any(scales[:2] != 1):
        raise Refused(f"has scales {scales.tolist()}; whole factors over the spatial axes are read")
    factors = tuple(int(scale) for scale in scales[2:])
    for length, factor in zip(source.shape[2:], factors, strict=True):
        if not np.array_equal(_nearest(node, length, factor), np.arange(length * factor) // factor):
            raise Refused("does not repeat each sample; use coordinate_transformation_mode asymmetric with nearest_mode floor")
    lengths = tuple(length * factor for length, factor in zip(source.shape[2:], factors, strict=True))
    channels = source.shape[1]
    plane = as_plane(factors) if spatial == 2 else (1, factors[0])

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        taken = builder.canonical(source.computed(quantisation, clamp, f"{name}:small"))
        output = builder.tensor(name, (1, *as_plane(lengths), channels), quantisation)
        builder.add("resize_nearest", [taken], output, factors=plane)
        return Activation(output, (1, channels, *lengths))

    return Pending((1, channels, *lengths), emit, native=source.native)


def concat(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """Concat: each part is brought to the scale of the whole first. Rows of features are joined in the order in which they lie."""
    parts = [builder.pending(value, name) for value, name in zip(operands, node.inputs, strict=True)]
    rank = len(parts[0].shape)
    axis = node.integer("axis", 1)
    place = canonical_axis(axis, rank) if rank in (2, 3, 4) else 0
    axis %= rank
    if axis == 0 or not place or any(part.shape[:axis] != parts[0].shape[:axis] or part.shape[axis + 1 :] != parts[0].shape[axis + 1 :] for part in parts):
        raise Refused(f"joins shapes {[list(part.shape) for part in parts]} along axis {axis}; equal shapes of two to four axes, not along the batch, are read")
    shape: Shape = (*parts[0].shape[:axis], sum(part.shape[axis] for part in parts), *parts[0].shape[axis + 1 :])

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        taken = [part.computed(quantisation, clamp, f"{name}:part{index}") for index, part in enumerate(parts)]
        if len(taken) == 1:
            return taken[0]
        order = None
        if rank == 2:
            starts = np.cumsum([0, *(part.shape[1] for part in taken[:-1])])
            order = np.concatenate([builder.order(part) + start for part, start in zip(taken, starts, strict=True)])
            tensors = [builder.reshaped(part.tensor, part.shape) for part in taken]
        else:
            tensors = [builder.canonical(part) for part in taken]
        lengths = list(builder.shape(tensors[0]))
        lengths[place] = shape[axis]
        output = builder.tensor(name, tuple(lengths), quantisation)
        builder.add("concatenation", tensors, output, axis=place)
        return Activation(output, shape, order)

    native = parts[0].native if all(part.native == parts[0].native for part in parts) else None
    return Pending(shape, emit, native=native)


def _pool_window(node: Node, shape: Shape) -> tuple[Shape, Window]:
    spatial = check_image(shape)
    kernel = lengths_of(node, "kernel_shape", spatial, 0, 1)
    if any(length != 1 for length in node.integers("dilations", (1,) * spatial)):
        raise Refused("has dilation, which no pool on board takes; use dilation=1")
    return kernel, Window.read(node, kernel, shape[2:])


def _padded(builder: Builder, source: str, padding: tuple[int, int, int, int]) -> str:
    top, bottom, left, right = padding
    _, height, width, channels = builder.shape(source)
    output = builder.tensor(f"{source}:padded", (1, height + top + bottom, width + left + right, channels), builder.quantisation(source))
    builder.add("pad", [source], output, before=(0, top, left, 0), after=(0, bottom, right, 0))
    return output


def _nearest(node: Node, length: int, factor: int) -> NDArray[np.float64]:
    """Input sample [length * factor] that each output sample takes: ONNX, Resize, coordinate_transformation_mode and nearest_mode."""
    place = np.arange(length * factor, dtype=np.float64)
    coordinate: NDArray[np.float64]
    sample: NDArray[np.float64]
    match node.text("coordinate_transformation_mode", "half_pixel"):
        case "asymmetric":
            coordinate = place / factor
        case "half_pixel" | "half_pixel_symmetric":
            coordinate = (place + 0.5) / factor - 0.5
        case "pytorch_half_pixel":
            coordinate = (place + 0.5) / factor - 0.5 if length * factor > 1 else np.zeros(1)
        case "align_corners":
            coordinate = place * (length - 1) / max(length * factor - 1, 1)
        case other:
            raise Refused(f"has coordinate_transformation_mode {other}; use asymmetric")
    match node.text("nearest_mode", "round_prefer_floor"):
        case "floor":
            sample = np.floor(coordinate)
        case "ceil":
            sample = np.ceil(coordinate)
        case "round_prefer_floor":
            sample = np.ceil(coordinate - 0.5)
        case "round_prefer_ceil":
            sample = np.floor(coordinate + 0.5)
        case other:
            raise Refused(f"has nearest_mode {other}; use floor")
    return np.minimum(np.maximum(sample, 0), length - 1)
