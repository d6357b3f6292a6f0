"""Any QCDQ or QDQ ONNX file into the integer graph, int8 and uint8: the operators of `ONNX_OPERATORS`; everything else is refused with node and remedy.

ONNX describes the network in floats between QuantizeLinear and DequantizeLinear; the graph in integers. Both give the same codes but for what
the kernels on board round otherwise, each time by one code at most: a real result within float32 rounding of a half, as the order of a float32
sum decides; halves of an average pool (away from zero; ONNX: to the even neighbour); codes moved to another scale (XNNPACK keeps 8 fractional
bits of the ratio); a sigmoid on another scale than 1/256 (rounded twice). `export.parity` counts them.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from edge_runtime.errors import InputError
from edge_runtime.graph.checks import check_graph
from edge_runtime.graph.structure import Graph

from .onnx_reader import linear, planes, pointwise, quantisation, views
from .onnx_reader.builder import Builder
from .onnx_reader.door import Model, Node, Refused, open_model
from .onnx_reader.layout import Shape
from .onnx_reader.values import Activation, Clamp, Codes, Constant, Pending, Quantisation, Value

Handler = Callable[[Node, list[Value | None], Builder], Value]

ONNX_OPERATORS: Mapping[str, Handler] = {
    "Add": pointwise.add,
    "AveragePool": planes.average_pool,
    "Clip": pointwise.clip,
    "Concat": planes.concat,
    "Conv": linear.conv,
    "ConvTranspose": linear.conv_transpose,
    "DequantizeLinear": quantisation.dequantise,
    "Flatten": views.flatten,
    "Gemm": linear.gemm,
    "GlobalAveragePool": planes.global_average_pool,
    "Identity": views.identity,
    "MatMul": linear.matmul,
    "MaxPool": planes.max_pool,
    "Pad": planes.pad,
    "QuantizeLinear": quantisation.quantise,
    "Relu": pointwise.relu,
    "Reshape": views.reshape,
    "Resize": planes.resize,
    "Shape": views.shape_of,
    "Sigmoid": pointwise.sigmoid,
    "Squeeze": views.squeeze,
    "Transpose": views.transpose,
    "Unsqueeze": views.unsqueeze,
}


def read_onnx(path: str | Path) -> Graph:
    """The integer graph of a QCDQ or QDQ file; inputs and outputs keep their ONNX names and order, parameters the names of their initialisers.

    InputError("FILE: node NAME (OpType): reason; remedy") for everything that is not exactly expressible.
    """
    path = Path(path)
    model = open_model(path)
    builder = Builder(tuple(model.inputs), model.outputs, _kept(model))
    values: dict[str, Value] = {name: Constant(name, array) for name, array in model.constants.items()}
    values |= {name: _given(name, shape, builder) for name, shape in model.inputs.items()}
    for node in model.nodes:
        try:
            values[node.outputs[0]] = _read(node, [values.get(name) if name else None for name in node.inputs], builder)
        except Refused as refusal:
            guilty = refusal.node or node
            raise InputError(path, f"node {guilty.name} ({guilty.kind})", str(refusal)) from refusal
    return _finished(path, model, values, builder)


def _read(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    if node.kind == "Constant":
        if "value" not in node.attributes:
            raise Refused("holds no tensor; export with constants as tensors")
        return Constant(node.outputs[0], node.attributes["value"])
    if node.kind in views.SHAPE_ARITHMETIC and isinstance(operands[0] if operands else None, Constant):
        return views.shape_arithmetic(node, operands)
    handler = ONNX_OPERATORS.get(node.kind)
    if handler is None:
        raise Refused(f"is no operator that the kernels on board run in int8; replace it by these or end the network before it: {', '.join(ONNX_OPERATORS)}")
    if not operands:
        raise Refused("has no input; export the model again")
    value = handler(node, operands, builder)
    return _signed(value, node) if isinstance(value, Pending) else value


def _signed(pending: Pending, node: Node) -> Pending:
    """The same result; what is refused when a later QuantizeLinear computes it names the node that asked for it."""

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        try:
            return pending.emit(quantisation, clamp, name)
        except Refused as refusal:
            refusal.node = refusal.node or node
            raise

    return replace(pending, emit=emit, done=pending.done)


def _given(name: str, shape: Shape, builder: Builder) -> Pending:
    def emit(quantisation: Quantisation, clamp: Clamp, output: str) -> Activation:
        return builder.clamped(builder.given(name, shape, quantisation), clamp, output)

    return Pending(shape, emit)


def _finished(path: Path, model: Model, values: Mapping[str, Value], builder: Builder) -> Graph:
    used = {name for node in model.nodes for name in node.inputs}
    for name in model.inputs:
        if name not in used:
            raise InputError(path, f"input {name}", "is read by no operator; remove it before exporting")
    outputs = {}
    for name in model.outputs:
        value = values[name]
        try:
            if isinstance(value, Codes):
                raise Refused("gives codes; let it give real values by a DequantizeLinear at its end")
            outputs[name] = builder.canonical(builder.real(value, name).activation)
        except Refused as refusal:
            field = f"node {refusal.node.name} ({refusal.node.kind})" if refusal.node else f"output {name}"
            raise InputError(path, field, str(refusal)) from refusal
    try:
        graph = builder.finish(outputs)
    except Refused as refusal:
        raise InputError(path, "graph.output", str(refusal)) from refusal
    check_graph(graph, path)
    return graph


def _kept(model: Model) -> frozenset[str]:
    """Names from which an output follows element by element: their order is the output's."""
    names = set(model.outputs)
    for node in reversed(model.nodes):
        if node.outputs[0] in names and node.kind in ("DequantizeLinear", "QuantizeLinear", "Clip", "Relu", "Sigmoid", "Identity"):
            names.update(node.inputs)
    return frozenset(names)


