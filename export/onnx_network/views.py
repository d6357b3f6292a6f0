"""Operators that move elements or look at them in another way."""

import numpy as np

from hw_profiles.network import Tensor

from ..onnx_reader.door import Node, Refused
from .writer import NotInTflite, Writer


def view(writer: Writer, node: Node) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze."""
    ends = {name in writer.planes for name in (node.inputs[0], node.outputs[0])}
    _reshaped(writer, node, len(ends) == 1)


def _reshaped(writer: Writer, node: Node, in_order: bool) -> None:
    """RESHAPE; nothing where the elements lie in the same order and shape already."""
    x, y = writer.tensor(node.inputs[0]), writer.tensor(node.outputs[0])
    if in_order and x.shape == y.shape and x.shape.count(None) < 2:
        writer.stand_for(node.outputs[0], x)
    else:
        writer.add("RESHAPE", (x, writer.lengths(node, "shape", y.shape)), node.outputs)


def transpose(writer: Writer, node: Node) -> None:
    """Transpose, as it is channels-last, where often nothing is left to do; the height of a series is of no account."""
    name = node.inputs[0]
    permutation = node.integers("perm", tuple(reversed(range(len(writer.names.shape(name))))))
    source = [axis for axis in writer.layout(name) if axis is not None]
    target = [permutation[axis] for axis in writer.layout(node.outputs[0]) if axis is not None]
    if source == target:
        _reshaped(writer, node, True)
    else:
        places = writer.steering(node, "permutation", [source.index(axis) for axis in target])
        writer.add("TRANSPOSE", (writer.tensor(name), places), node.outputs)


def concat(writer: Writer, node: Node) -> None:
    """Concat; constant parts are arranged as the others."""
    inputs = [writer.beside(name, node.outputs[0]) for name in node.inputs]
    writer.add("CONCATENATION", inputs, node.outputs, axis=writer.axis(node.outputs[0], node.integer("axis", 1)), fused_activation_function="NONE")


def split(writer: Writer, node: Node) -> None:
    """Split: in equal parts or not."""
    axis = writer.axis(node.inputs[0], node.integer("axis", 0))
    lengths = [writer.tensor(name).shape[axis] for name in node.outputs]
    x, place = writer.tensor(node.inputs[0]), writer.steering(node, "axis", axis)
    if len(set(lengths)) == 1:
        writer.add("SPLIT", (place, x), node.outputs, num_splits=len(lengths))
    else:
        writer.add("SPLIT_V", (x, writer.lengths(node, "sizes", tuple(lengths)), place), node.outputs, num_splits=len(lengths))


def part(writer: Writer, node: Node) -> None:
    """Slice: SLICE where every step is 1."""
    name = node.inputs[0]
    x, y = writer.tensor(name), writer.tensor(node.outputs[0])
    starts, ends = writer.row(node, 1, "starts"), writer.row(node, 2, "ends")
    if starts is None or ends is None:
        raise Refused("has no starts or ends")
    axes = writer.row(node, 3, "axes") or list(range(len(starts)))
    begin, end, step = [0] * len(x.shape), [0 if length is None else length for length in x.shape], [1] * len(x.shape)
    for axis, first, last, stride in zip(axes, starts, ends, writer.row(node, 4, "steps") or [1] * len(axes), strict=True):
        place = writer.axis(name, axis)
        length = x.shape[place]
        if length is None:
            raise NotInTflite
        begin[place], end[place], step[place] = slice(first, last, stride).indices(length)
    if set(step) == {1}:
        size = writer.steering(node, "size", [-1 if length is None else length for length in y.shape])
        writer.add("SLICE", (x, writer.steering(node, "begin", begin), size), node.outputs)
    else:
        whole = sum(1 << place for place, length in enumerate(x.shape) if length is None or end[place] < 0)  # bits of the axes taken to their end
        rows = [writer.steering(node, what, values) for what, values in (("begin", begin), ("end", end), ("strides", step))]
        writer.add("STRIDED_SLICE", (x, *rows), node.outputs, begin_mask=0, end_mask=whole, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0)


def pad(writer: Writer, node: Node) -> None:
    """Pad by constants, with 0, another value or mirrored."""
    name, mode = node.inputs[0], node.text("mode", "constant")
    x, pads = writer.tensor(name), writer.row(node, 1, "pads") or []
    axes = writer.row(node, 3, "") or list(range(len(writer.names.shape(name))))
    if mode not in ("constant", "reflect") or len(pads) != 2 * len(axes) or min(pads) < 0:
        raise NotInTflite
    amounts = [[0, 0] for _ in x.shape]
    for index, axis in enumerate(axes):
        amounts[writer.axis(name, axis)] = [pads[index], pads[len(axes) + index]]
    paddings, fill = writer.steering(node, "paddings", amounts), node.inputs[2] if len(node.inputs) > 2 else ""
    if mode == "reflect":
        writer.add("MIRROR_PAD", (x, paddings), node.outputs, mode="REFLECT")
    elif not fill or (fill in writer.names.constants and writer.tensor(fill).elements == 1 and not writer.names.constants[fill].any()):
        writer.add("PAD", (x, paddings), node.outputs)
    else:
        writer.add("PADV2", (x, paddings, writer.tensor(fill)), node.outputs)


def resize(writer: Writer, node: Node) -> None:
    """Resize of planes, nearest or bilinear."""
    x, y, mode = writer.tensor(node.inputs[0]), writer.tensor(node.outputs[0]), node.text("mode", "nearest")
    if mode not in ("nearest", "linear") or len(x.shape) != 4 or len(y.shape) != 4:
        raise NotInTflite
    centres = node.text("coordinate_transformation_mode", "half_pixel" if node.kind == "Resize" else "asymmetric")
    writer.add("RESIZE_NEAREST_NEIGHBOR" if mode == "nearest" else "RESIZE_BILINEAR", (x, writer.lengths(node, "size", y.shape[1:3])), node.outputs,
               align_corners=centres == "align_corners", half_pixel_centers="half_pixel" in centres)  # fmt: skip


def spread(writer: Writer, node: Node) -> None:
    """Expand and Tile."""
    name, y = node.inputs[0], writer.tensor(node.outputs[0])
    if node.kind == "Expand":
        writer.add("BROADCAST_TO", (writer.beside(name, node.outputs[0]), writer.lengths(node, "shape", y.shape)), [y])
    else:
        repeats = writer.row(node, 1, "repeats") or []
        placed = [1 if axis is None else repeats[axis] for axis in writer.layout(name)]
        writer.add("TILE", (writer.tensor(name), writer.steering(node, "repeats", placed)), [y])


def of_shapes(writer: Writer, node: Node) -> None:
    """Shape, Range and ConstantOfShape that could not be computed."""
    inputs = [writer.tensor(name) for name in node.inputs]
    if node.kind == "ConstantOfShape":
        value = np.asarray(node.attributes.get("value", np.float32(0))).reshape(())
        writer.add("FILL", (*inputs, Tensor(f"{node.outputs[0]}:value", (), value.dtype.name, values=value)), node.outputs)
    else:
        writer.add(node.kind.upper(), inputs, node.outputs)


def gather(writer: Writer, node: Node) -> None:
    """Gather."""
    axis = writer.axis(node.inputs[0], node.integer("axis", 0))
    writer.add("GATHER", map(writer.tensor, node.inputs), node.outputs, axis=axis, batch_dims=0)


def blocks(writer: Writer, node: Node) -> None:
    """DepthToSpace and SpaceToDepth with the channels in TFLite's order."""
    if node.text("mode", "DCR") != "DCR":
        raise NotInTflite
    writer.add("DEPTH_TO_SPACE" if node.kind == "DepthToSpace" else "SPACE_TO_DEPTH", [writer.tensor(node.inputs[0])], node.outputs,
               block_size=node.integer("blocksize", 1))  # fmt: skip
