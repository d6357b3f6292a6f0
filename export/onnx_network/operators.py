"""Operators that compute, and the table of all."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from edge_runtime.graph.operators import same_padding
from hw_profiles.network import Tensor

from ..onnx_reader.door import Node
from .kinds import ACTIVATIONS, ELEMENTWISE, FUSING, REDUCTIONS
from .names import Names, bounds_of, channel_rows, is_dense
from .views import blocks, concat, gather, of_shapes, pad, part, resize, split, spread, transpose, view
from .writer import NotInTflite, Plane, Writer, plane


def written(names: Names) -> Writer:
    """All operators of the nodes."""
    writer = Writer(names)
    for node in names.nodes:
        names.place = f"node {node.name} ({node.kind})"
        try:
            _WRITERS.get(node.kind, _foreign)(writer, node)
        except NotInTflite:
            _foreign(writer, node)
    return writer


def _foreign(writer: Writer, node: Node) -> None:
    plain = {key: value for key, value in node.attributes.items() if isinstance(value, (int, float, str))}
    writer.add(f"ONNX {node.kind}", [writer.tensor(name) if name else None for name in node.inputs], node.outputs, **plain)


def _layer_options(node: Node, stride: Plane, padding: str) -> dict[str, Any]:
    return {"padding": padding, "stride_h": stride[0], "stride_w": stride[1], "fused_activation_function": node.attributes.get("activation", "NONE")}


def _over_planes(writer: Writer, node: Node) -> tuple[tuple[int, ...], Plane, Plane]:
    """Shape of the weights, strides and dilations of a convolution over one or two axes."""
    shape = tuple(length or 0 for length in writer.names.shape(node.inputs[1]))
    if len(shape) not in (3, 4) or 0 in shape or len(writer.tensor(node.inputs[0]).shape) != 4:
        raise NotInTflite
    ones = (1,) * (len(shape) - 2)
    return shape, plane(node.integers("strides", ones)), plane(node.integers("dilations", ones))


def _conv(writer: Writer, node: Node) -> None:
    shape, stride, dilation = _over_planes(writer, node)
    x, padding = writer.padded(node, plane(shape[2:]), stride, dilation)
    depthwise = node.integer("group", 1) > 1 and shape[1] == 1
    first, last = (1, 0) if depthwise else (0, 1)
    weights = writer.tensor(node.inputs[1], (first, *((None, 2) if len(shape) == 3 else (2, 3)), last))
    own = {"depth_multiplier": shape[0] // node.integer("group", 1)} if depthwise else {}
    writer.add("DEPTHWISE_CONV_2D" if depthwise else "CONV_2D", (x, weights, *map(writer.tensor, filter(None, node.inputs[2:]))), node.outputs,
               **_layer_options(node, stride, padding), dilation_h_factor=dilation[0], dilation_w_factor=dilation[1], **own)  # fmt: skip


def _conv_transpose(writer: Writer, node: Node) -> None:
    """TFLite thinks of the convolution that y would be the input of: its SAME must give x's size and cut as much before; else it is cut afterwards."""
    shape, stride, dilation = _over_planes(writer, node)
    x, y = writer.tensor(node.inputs[0]), writer.tensor(node.outputs[0])
    kernel, spatial = plane(shape[2:]), len(shape) - 2
    extra, pads = plane(node.integers("output_padding", (0,) * spatial), 0), node.integers("pads", (0,) * 2 * spatial)
    before, after = plane(pads[:spatial], 0), plane(pads[spatial:], 0)
    automatic = "output_shape" in node.attributes or node.text("auto_pad", "NOTSET").startswith("SAME")
    if node.integer("group", 1) > 1 or dilation != (1, 1) or (automatic and None in (*x.shape[1:3], *y.shape[1:3])):
        raise NotInTflite
    if automatic:
        totals = [(a - 1) * s + k + e - b for a, b, s, k, e in zip(x.shape[1:3], y.shape[1:3], stride, kernel, extra, strict=True) if a and b]
        halves = [total // 2 if node.text("auto_pad", "NOTSET") == "SAME_UPPER" else total - total // 2 for total in totals]
        before, after = (halves[0], halves[1]), (totals[0] - halves[0], totals[1] - halves[1])
    fits, full = True, list[int | None]()
    for axis, (given, made) in enumerate(zip(x.shape[1:3], y.shape[1:3], strict=True)):
        k, s = kernel[axis], stride[axis]
        if given is None or made is None:
            fits = fits and k - s == before[axis] + after[axis] - extra[axis] and (k - s) // 2 == before[axis]
            full.append(None if before[axis] + after[axis] else made)
        else:
            fits = fits and -(-made // s) == given and same_padding(made, k, s, 1)[0] == before[axis]
            full.append(max((given - 1) * s + k, before[axis] + made))
        fits = fits and s <= k  # XNNPACK refuses others, and so nobody writes them
    valid = full == list(y.shape[1:3]) and not any(before)
    whole = y if valid or fits else replace(y, name=f"{y.name}:uncut", shape=(y.shape[0], *full, y.shape[3]))
    weights = writer.tensor(node.inputs[1], (1, *((None, 2) if spatial == 1 else (2, 3)), 0))
    writer.add("TRANSPOSE_CONV", (writer.lengths(node, "shape", whole.shape), weights, x, *map(writer.tensor, filter(None, node.inputs[2:]))), [whole],
               **_layer_options(node, stride, "SAME" if fits and not valid else "VALID"))  # fmt: skip
    if whole is not y:
        writer.add("SLICE", (whole, writer.steering(node, "begin", (0, *before, 0)), writer.lengths(node, "size", y.shape)), node.outputs)


def _dense(writer: Writer, node: Node) -> None:
    x, weights = node.inputs[:2]
    if is_dense(writer.names, node):
        layout = (0, 1) if node.kind == "Gemm" and node.integer("transB", 0) else (1, 0)
        writer.add("FULLY_CONNECTED", (writer.tensor(x), writer.tensor(weights, layout), *map(writer.tensor, filter(None, node.inputs[2:]))), node.outputs,
                   fused_activation_function=node.attributes.get("activation", "NONE"), weights_format="DEFAULT",
                   keep_num_dims=len(writer.names.shape(x)) > 2)  # fmt: skip
    elif node.kind == "MatMul":
        writer.add("BATCH_MATMUL", (writer.tensor(x), writer.tensor(weights)), node.outputs, adj_x=False, adj_y=False)
    else:
        raise NotInTflite


def _elementwise(writer: Writer, node: Node) -> None:
    if node.kind in ("Max", "Min") and len(node.inputs) != 2:
        raise NotInTflite
    options = {"fused_activation_function": node.attributes.get("activation", "NONE")} if node.kind in FUSING else {}
    # The scale and zero point beside codes are in their tensor.
    inputs = node.inputs[:1] if node.kind in ("QuantizeLinear", "DequantizeLinear") else node.inputs
    writer.add(ELEMENTWISE[node.kind], [writer.beside(name, node.outputs[0]) for name in inputs], node.outputs, **options)


def _clip(writer: Writer, node: Node) -> None:
    """A Clip that joined no layer: RELU or its kin, else MAXIMUM and MINIMUM with the bounds that limit anything."""
    x, y, bounds = writer.tensor(node.inputs[0]), writer.tensor(node.outputs[0]), bounds_of(writer.names, node)
    if bounds is None:
        raise NotInTflite
    if bounds in ACTIVATIONS and not x.scale:
        writer.add(ACTIVATIONS[bounds], [x], node.outputs)
        return
    codes, no_bounds = np.array(bounds), (-inf, inf)
    if x.scale:
        given = {writer.names.dtypes[name] for name in node.inputs[1:] if name}
        shift = 128 if "uint8" in given else 0
        codes = codes - shift if given & {"int8", "uint8"} else codes / x.scale[0] + x.zero_point[0]  # codes in QCDQ, real otherwise
        codes, no_bounds = np.clip(np.rint(codes), -128, 127), (-128, 127)
    limits = [limit for limit in zip(("MAXIMUM", "MINIMUM"), codes.tolist(), no_bounds, strict=True) if limit[1] != limit[2]]
    for kind, bound, _ in limits:
        made = y if kind == limits[-1][0] else replace(y, name=f"{y.name}:{kind.lower()}")
        writer.add(kind, (x, replace(y, name=f"{made.name}:bound", shape=(), values=np.array(bound).astype(y.dtype))), [made])
        x = made
    if not limits:
        writer.stand_for(node.outputs[0], x)


def _pool(writer: Writer, node: Node) -> None:
    kernel = node.integers("kernel_shape", ())
    ones = (1,) * len(kernel)
    stride, x = plane(node.integers("strides", ones)), writer.tensor(node.inputs[0])
    if any(step != 1 for step in node.integers("dilations", ones)) or any(node.outputs[1:]) or len(x.shape) != 4:
        raise NotInTflite
    x, padding = writer.padded(node, plane(kernel), stride, (1, 1))
    writer.add("MAX_POOL_2D" if node.kind == "MaxPool" else "AVERAGE_POOL_2D", [x], node.outputs, **_layer_options(node, stride, padding),
               filter_height=plane(kernel)[0], filter_width=plane(kernel)[1])  # fmt: skip


def _global_pool(writer: Writer, node: Node) -> None:
    x = writer.tensor(node.inputs[0])
    axes = writer.steering(node, "axes", range(1, len(x.shape) - 1))
    writer.add("MEAN" if node.kind == "GlobalAveragePool" else "REDUCE_MAX", (x, axes), node.outputs, keep_dims=True)


def _reduce(writer: Writer, node: Node) -> None:
    name, keep = node.inputs[0], bool(node.integer("keepdims", 1))
    rank = len(writer.names.shape(name))
    axes = {range(rank)[axis] for axis in writer.row(node, 1, "axes") or range(rank)}
    places = {writer.axis(name, axis) for axis in axes}
    if None in writer.layout(name) and (2 in axes or not keep):  # the height of a series goes with its length
        places.add(1)
    writer.add(REDUCTIONS[node.kind], (writer.tensor(name), writer.steering(node, "axes", sorted(places))), node.outputs, keep_dims=keep)


def _batch_normalisation(writer: Writer, node: Node) -> None:
    """One that joined no convolution."""
    rows = channel_rows(writer.names, node)
    if rows is None:
        raise NotInTflite
    x, y = writer.tensor(node.inputs[0]), writer.tensor(node.outputs[0])
    factor, offset = (Tensor(f"{y.name}:{what}", row.shape, "float32", values=row) for what, row in zip(("factor", "offset"), rows, strict=True))
    product = replace(y, name=f"{y.name}:product")
    writer.add("MUL", (x, factor), [product], fused_activation_function="NONE")
    writer.add("ADD", (product, offset), [y], fused_activation_function="NONE")


def _sum(writer: Writer, node: Node) -> None:
    options = {"fused_activation_function": "NONE"} if len(node.inputs) == 2 else {}
    writer.add("ADD" if options else "ADD_N", [writer.beside(name, node.outputs[0]) for name in node.inputs], node.outputs, **options)


def _softmax(writer: Writer, node: Node) -> None:
    writer.add("SOFTMAX" if node.kind == "Softmax" else "LOG_SOFTMAX", [writer.tensor(node.inputs[0])], node.outputs,
               **({"beta": 1.0} if node.kind == "Softmax" else {}))  # fmt: skip


def _extreme(writer: Writer, node: Node) -> None:
    axis = writer.steering(node, "axis", writer.axis(node.inputs[0], node.integer("axis", 0)))
    writer.add("ARG_MAX" if node.kind == "ArgMax" else "ARG_MIN", (writer.tensor(node.inputs[0]), axis), node.outputs, output_type="INT64")


def _cast(writer: Writer, node: Node) -> None:
    x, y = writer.tensor(node.inputs[0]), writer.tensor(node.outputs[0])
    writer.add("CAST", [x], [y], in_data_type=x.dtype.upper(), out_data_type=y.dtype.upper())


def _leaky_relu(writer: Writer, node: Node) -> None:
    writer.add("LEAKY_RELU", [writer.tensor(node.inputs[0])], node.outputs, alpha=node.number("alpha", 0.01))


_WRITERS: Mapping[str, Callable[[Writer, Node], None]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise), **dict.fromkeys(REDUCTIONS, _reduce),
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), view), **dict.fromkeys(("MaxPool", "AveragePool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), _global_pool), **dict.fromkeys(("Gemm", "MatMul"), _dense),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax), **dict.fromkeys(("Resize", "Upsample"), resize),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), blocks), **dict.fromkeys(("ArgMax", "ArgMin"), _extreme),
    **dict.fromkeys(("Expand", "Tile"), spread), **dict.fromkeys(("ConstantOfShape", "Range", "Shape"), of_shapes),
    "BatchNormalization": _batch_normalisation, "Cast": _cast, "Clip": _clip, "Concat": concat, "Conv": _conv, "ConvTranspose": _conv_transpose,
    "Gather": gather, "LeakyRelu": _leaky_relu, "Pad": pad, "Slice": part, "Split": split, "Sum": _sum, "Transpose": transpose,
}  # fmt: skip
