"""The steps from an ONNX graph to the network that a kernel would see: each gives the nodes anew, the first to the last in the order of this file."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import inf

from ..onnx_reader.door import Node
from .kinds import ACTIVATIONS, ELEMENTWISE, FUSING, REDUCTIONS
from .names import Names, Quantisation, bounds_of, channel_rows, dequantised, is_dense

_CHANNELS_FIRST = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization",
                   "InstanceNormalization", "Resize", "Upsample", "DepthToSpace", "SpaceToDepth", "LRN"}  # fmt: skip
_ANY_LAYOUT = {*ELEMENTWISE, *REDUCTIONS, *_CHANNELS_FIRST, "Clip", "LeakyRelu", "Cast", "Concat", "Split", "Slice", "Pad", "Softmax", "LogSoftmax", "Sum",
               "Tile", "Expand"}  # fmt: skip
_MOVES = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "MaxPool", "GlobalMaxPool", "Slice", "Split", "Pad", "Resize", "Upsample", "Concat",
          "DepthToSpace", "SpaceToDepth", "Expand", "Tile", "Gather", "Relu", "Clip"}  # codes go through, or are limited, on the scale they have
# What TFLite's kernels give, whatever the file asks for: "TensorFlow Lite 8-bit quantization specification".
_FIXED = {"Sigmoid": Quantisation((1 / 256,), (-128,)), "Softmax": Quantisation((1 / 256,), (-128,)), "Tanh": Quantisation((1 / 128,), (0,))}


def moved_down(names: Names) -> list[Node]:
    """Constants computed, Identity and Dropout gone, DequantizeLinear noted in `real` and moved past what only moves codes."""
    nodes = []
    for node in names.nodes:
        names.place = f"node {node.name} ({node.kind})"
        node = replace(node, inputs=tuple(names.known_as(name) for name in node.inputs))
        if node.kind in ("Identity", "Dropout"):
            names.equate(node.outputs[0], node.inputs[0])
            continue
        if node.kind == "DequantizeLinear" and node.inputs[0] in names.quantised:
            names.real[node.outputs[0]] = node.inputs[0]
            continue
        data = names.data(node)
        scales = {names.quantised[names.real[name]] for name in data if name in names.real}
        if node.kind in _MOVES and len(scales) == 1 and all(name in names.real for name in data) and (len(node.outputs) == 1 or node.kind == "Split"):
            (quantisation,) = scales
            if len(quantisation.scale) > 1 and node.kind == "Transpose":
                permutation = node.integers("perm", tuple(reversed(range(len(names.shape(node.inputs[0]))))))
                quantisation = replace(quantisation, axis=permutation.index(quantisation.axis))
            if len(quantisation.scale) == 1 or node.kind == "Transpose":
                codes = tuple(names.declare(f"{name}:codes", name, names.dtypes[names.real[data[0]]], quantisation) for name in node.outputs)
                names.real |= dict(zip(node.outputs, codes, strict=True))
                node = replace(node, inputs=tuple(names.real.get(name, name) for name in node.inputs), outputs=codes)
        if not names.compute(node):
            nodes.append(node)
    return nodes


def joined(names: Names) -> list[Node]:
    """Relu, Relu6 and the like in the layer or sum before them; a constant row that is added to a product is its bias."""
    uses, nodes = _uses(names), list[Node]()
    places: dict[str, int] = {}
    for node in names.nodes:
        second = node.kind == "Add" and node.inputs[0] not in places  # a bias may stand first
        after = replace(node, inputs=node.inputs[::-1]) if second else node
        place = places.get(after.inputs[0], -1) if after.inputs else -1
        joined = _join(names, nodes[place], after) if place >= 0 and uses[after.inputs[0]] == 1 else None
        if joined:
            nodes[place] = joined
        else:
            place = len(nodes)
            nodes.append(node)
        places |= dict.fromkeys(node.outputs, place)
    return nodes


def _join(names: Names, before: Node, node: Node) -> Node | None:
    """The two nodes as one, None where they are none."""
    dense = before.kind in ("Gemm", "MatMul") and is_dense(names, before)
    if "activation" in before.attributes or not (dense or before.kind in ("Conv", "ConvTranspose", *FUSING)):
        return None
    if node.kind in ("Relu", "Clip"):
        activation = ACTIVATIONS.get(bounds_of(names, node) or (inf, inf))
        return replace(before, outputs=node.outputs, attributes={**before.attributes, "activation": activation}) if activation else None
    if (node.kind, before.kind) == ("BatchNormalization", "Conv"):
        return _normalised(names, before, node)
    row, weights = (names.constants.get(names.codes_of(taker.inputs[1])) if len(taker.inputs) > 1 else None for taker in (node, before))
    if (node.kind, before.kind) == ("Add", "MatMul") and len(before.inputs) == 2 and row is not None and weights is not None \
            and row.shape == weights.shape[1:]:
        return replace(before, inputs=(*before.inputs, node.inputs[1]), outputs=node.outputs)
    return None


def _normalised(names: Names, before: Node, node: Node) -> Node | None:
    """A convolution whose weights and bias do what the BatchNormalization behind it does."""
    rows, given = channel_rows(names, node), [names.constants[name] for name in before.inputs[1:] if name in names.constants]
    if rows is None or len(given) < len(before.inputs) - 1 or given[0].dtype.kind != "f" or not names.afford(given[0].size):
        return None
    (weights, *bias), (factor, offset) = given, rows
    made = f"{node.outputs[0]}:weights", f"{node.outputs[0]}:bias"
    names.add_constant(made[0], (weights * factor.reshape(-1, *(1,) * (weights.ndim - 1))).astype(weights.dtype))
    names.add_constant(made[1], (offset + factor * (bias[0] if bias else 0)).astype(weights.dtype))
    return replace(before, inputs=(before.inputs[0], *made), outputs=node.outputs)


def moved_up(names: Names) -> list[Node]:
    """QuantizeLinear moved up past what only moves codes and nothing else reads."""
    uses, nodes = _uses(names), list[Node]()
    moves = {name for node in names.nodes if node.kind in _MOVES and len(node.outputs) == 1 for name in node.outputs if uses[name] == 1}
    waiting: dict[str, Node] = {}  # real value -> the QuantizeLinear on its way up
    for node in reversed(names.nodes):
        above = [node]
        if node.outputs[0] in waiting:
            down = waiting.pop(node.outputs[0])
            quantisation, dtype = names.quantised[down.outputs[0]], names.dtypes[down.outputs[0]]
            codes = {name: names.declare(f"{name}:codes", name, dtype, quantisation) for name in dict.fromkeys(names.data(node))}
            nodes.append(replace(node, inputs=tuple(codes.get(name, name) for name in node.inputs), outputs=down.outputs))
            above = [replace(down, inputs=(name, *down.inputs[1:]), outputs=(taken,)) for name, taken in codes.items()]
        for node in above:
            quantisation_of = names.quantised.get(node.outputs[0]) if node.kind == "QuantizeLinear" else None
            if quantisation_of and len(quantisation_of.scale) == 1 and node.inputs[0] in moves:
                waiting[node.inputs[0]] = node
            elif node.kind != "QuantizeLinear" or not names.compute(node):
                nodes.append(node)
    return nodes[::-1]


def on_codes(names: Names) -> list[Node]:
    """Operators between DequantizeLinear and QuantizeLinear on codes; for the others the two stand where they are needed."""
    uses, nodes = _uses(names), list[Node]()
    quantisers = {node.inputs[0]: node for node in names.nodes if node.kind == "QuantizeLinear" and node.outputs[0] in names.quantised
                  and uses[node.inputs[0]] == 1}  # fmt: skip
    done: set[str] = set()

    def real(name: str) -> str:
        codes = names.codes_of(name)
        if codes in names.constants and codes != name and name not in names.constants:
            names.add_constant(name, dequantised(names, codes))
        elif name in names.real and name not in names.constants and name not in done:
            done.add(name)
            nodes.append(Node(name, "DequantizeLinear", (codes,), (name,), {}))
        return name

    for node in names.nodes:
        data, wanted = names.data(node), [quantisers.get(name) for name in node.outputs]
        if node.outputs[0] in done:  # a QuantizeLinear whose operator gives the codes itself
            continue
        if node.kind == "QuantizeLinear" and node.inputs[0] in names.real:
            codes = names.codes_of(node.inputs[0])
            if names.quantised[codes] == names.quantised.get(node.outputs[0]):
                names.equate(node.outputs[0], codes)
            else:
                nodes.append(replace(node, inputs=(codes,)))
        elif data and all(name in names.real for name in data) and all(wanted) and node.kind not in ("If", "Loop", "Scan"):
            outputs = tuple(down.outputs[0] for down in wanted if down)
            done.update(outputs)
            nodes.extend(_integer(names, node, outputs))
        else:
            inputs = tuple(map(names.codes_of if node.kind == "Shape" else real, node.inputs))
            nodes.append(replace(node, inputs=inputs))
    for name in names.outputs:
        real(names.known_as(name))
    return nodes


def _integer(names: Names, node: Node, outputs: tuple[str, ...]) -> Iterator[Node]:
    """The node on codes; where TFLite's kernel gives another scale than the file asks for, a QuantizeLinear behind it."""
    inputs, attributes = tuple(map(names.codes_of, node.inputs)), node.attributes
    wanted = names.quantised[outputs[0]]
    given = names.quantised[inputs[0]] if node.kind == "AveragePool" else _FIXED.get(node.kind, wanted)
    if attributes.get("activation") == "RELU" and wanted.zero_point == (-128,):
        attributes = {**attributes, "activation": "NONE"}  # the lowest code is 0: saturation does it
    if given == wanted:
        yield replace(node, inputs=inputs, outputs=outputs, attributes=attributes)
    else:
        between = names.declare(f"{outputs[0]}:given", outputs[0], "int8", given)
        yield replace(node, inputs=inputs, outputs=(between,), attributes=attributes)
        yield Node(f"{node.name}:scale", "QuantizeLinear", (between,), outputs, {})


def needed(names: Names) -> list[Node]:
    """Only the nodes that an output needs, each input by one name."""
    wanted, kept = {names.known_as(name) for name in names.outputs}, []
    for node in reversed(names.nodes):
        if wanted.intersection(node.outputs):
            node = replace(node, inputs=tuple(map(names.known_as, node.inputs)))
            wanted.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _uses(names: Names) -> Counter[str]:
    return Counter([*(name for node in names.nodes for name in node.inputs), *map(names.known_as, names.outputs)])


def channels_first(names: Names) -> set[str]:
    """Activations that lie channels-last in TFLite: what convolutions and the like work on and what is joined to it element by element.

    So does what is left of 4-D, unless a Transpose, a MatMul or what TFLite does not have tells that its axes are others.
    """
    group: dict[str, str] = {}

    def find(name: str) -> str:
        while group.setdefault(name, name) != name:
            group[name] = name = group[group[name]]
        return name

    seeds, barred = set[str](), set[str]()
    for node in names.nodes:
        rank = len(names.shape(node.outputs[0]))
        ends = [name for name in (*node.inputs, *node.outputs) if name and name not in names.constants and len(names.shape(name)) == rank]
        if node.kind in _CHANNELS_FIRST and rank > 2:
            seeds.update(name for name in (node.inputs[0], node.outputs[0]) if name in ends)
        if node.kind not in (*_ANY_LAYOUT, "Reshape", "Flatten", "Squeeze", "Unsqueeze"):
            barred.update(ends)
        if node.kind in ("Squeeze", "Unsqueeze", "Reshape"):  # a series as a plane of height 1, or back
            series, plane = sorted((names.shape(name) for name in (node.inputs[0], node.outputs[0])), key=len)
            ends = [node.inputs[0], node.outputs[0]] if len(series) == 3 and plane == (*series[:2], 1, series[2]) else []
        if node.kind in (*_ANY_LAYOUT, "Squeeze", "Unsqueeze", "Reshape"):
            for name in ends[1:]:
                group[find(name)] = find(ends[0])
    first, other = {find(name) for name in seeds}, {find(name) for name in barred}
    found = {name for name in (*names.shapes, *names.dtypes) if name not in names.constants and len(names.shape(name)) > 2}
    return {name for name in found if find(name) in first or (len(names.shape(name)) == 4 and find(name) not in other)}
