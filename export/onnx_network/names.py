"""ONNX names and what is known of them: shapes, types, constants, quantisation. What only the standard and the file decide is here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from edge_runtime.errors import InputError

from ..onnx_reader.door import Node, Refused

LARGE = 4096  # elements of an initialiser that no shape is computed from: inference is spared the weights
_ROUNDS = 32  # of inferring shapes and computing with them
_STANDARD = ("", "ai.onnx")
Shape = tuple[int | None, ...]
# QOperator form: the plain operator, places of its operands (each followed by scale and zero point), of the result's scale, of the bias.
_QLINEAR: Mapping[str, tuple[str, slice, int, int]] = {
    "QLinearConv": ("Conv", slice(0, 6, 3), 6, 8), "QLinearMatMul": ("MatMul", slice(0, 6, 3), 6, -1), "QGemm": ("Gemm", slice(0, 6, 3), 7, 6),
    "QLinearAdd": ("Add", slice(0, 6, 3), 6, -1), "QLinearMul": ("Mul", slice(0, 6, 3), 6, -1), "QLinearConcat": ("Concat", slice(2, None, 3), 0, -1),
    **{f"QLinear{kind}": (kind, slice(0, 3, 3), 3, -1) for kind in ("AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid", "Softmax")},
}  # fmt: skip
_TO_INT32 = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}  # of codes, weights and their zero points
_CONTRIB = {*_QLINEAR, *_TO_INT32, "QuantizeLinear", "DequantizeLinear"}  # meant by these names in com.microsoft too
_STEERED = {"Clip", "Pad", "Resize", "Upsample"}  # float inputs after the first are no data
# Constants are computed by these: results are no larger than the inputs together, or than the shape they have in common.
_SHRINKING = {"Cast", "Clip", "Concat", "DequantizeLinear", "Flatten", "Neg", "QuantizeLinear", "Reciprocal", "ReduceProd", "Reshape", "Slice", "Sqrt",
              "Squeeze", "Transpose", "Unsqueeze"}  # fmt: skip
_BROADCASTING = {"Add", "And", "Div", "Equal", "Greater", "Less", "Max", "Min", "Mod", "Mul", "Or", "Pow", "Sub", "Where"}


@dataclass(frozen=True)
class Quantisation:
    """real = scale * (int8 code - zero_point); `axis`: of the ONNX tensor, where there are several."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0


class Names:
    """What is known of the names of one graph; `place`: what is being read, for refusals. The steps below give `nodes` anew and add to the rest.

    `constants`: arrays as the file has them. `quantised`: codes and their quantisation. `real`: real values and the codes that they are made of.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.place = path, "graph"
        self.nodes: list[Node] = []
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.shapes: dict[str, Shape] = {}
        self.dtypes: dict[str, str] = {}
        self.constants: dict[str, NDArray[Any]] = {}
        self.quantised: dict[str, Quantisation] = {}
        self.real: dict[str, str] = {}
        self._same: dict[str, str] = {}
        self._budget = 4 * size + (1 << 20)  # elements
        self._opset = 1

    def read(self, model: onnx.ModelProto) -> None:
        """Take in a model, whose large constants are taken out of it: neither the checker nor the inference of shapes needs them."""
        graph = model.graph
        declared, small = {value.name for value in graph.input}, []
        self._refuse_what_lies_elsewhere(graph)
        for tensor in graph.initializer:
            self.add_constant(tensor.name, self._array(f"initializer {tensor.name}", tensor))
            if self.constants[tensor.name].size <= LARGE:
                small.append(tensor)
            elif tensor.name not in declared:
                graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        del graph.initializer[:]
        graph.initializer.extend(small)
        model.ir_version = max(model.ir_version, 4)  # before, every constant had to be an input too, which not everybody kept to
        shapeless = [value.type.tensor_type for value in graph.output if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape")]
        for tensor_type in shapeless:  # the standard asks for shapes of the outputs, which not every writer gives and inference may find
            tensor_type.shape.SetInParent()
        try:
            onnx.checker.check_model(model)
        except (onnx.checker.ValidationError, ValueError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(self.path, "graph", f"does not keep to the ONNX standard: {reason}; export it again") from error
        for tensor_type in shapeless:
            tensor_type.ClearField("shape")
        self._opset = next((entry.version for entry in model.opset_import if entry.domain in _STANDARD), 1)
        self.inputs = [value.name for value in graph.input if value.name not in self.constants]
        self.outputs = [value.name for value in graph.output]
        for index, proto in enumerate(graph.node):
            if proto.op_type == "Constant":
                next(self._node(index, proto), None)
            elif proto.op_type in _QLINEAR:
                self._plain(proto, *_QLINEAR[proto.op_type])
            elif proto.op_type in _CONTRIB:
                proto.domain = ""
        for _ in range(_ROUNDS):
            self._infer(model)
            left = [proto for index, proto in enumerate(graph.node) if not self._found(index, proto, graph)]
            if len(left) == len(graph.node):
                break
            del graph.node[:]
            graph.node.extend(left)
        self.nodes = [node for index, proto in enumerate(graph.node) for node in self._node(index, proto)]

    def _infer(self, model: onnx.ModelProto) -> None:
        """Learn the shapes and types that ONNX infers."""
        try:
            graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except (onnx.shape_inference.InferenceError, RuntimeError) as error:
            raise InputError(self.path, "graph", f"has shapes that do not fit together: {str(error).strip().splitlines()[0]}; export it again") from error
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.name not in self.constants:
                tensor = value.type.tensor_type
                self.dtypes[value.name] = _dtype(tensor.elem_type)
                if tensor.HasField("shape"):
                    self.shapes[value.name] = tuple(length.dim_value if length.WhichOneof("value") == "dim_value" and length.dim_value >= 0 else None
                                                    for length in tensor.shape.dim)  # fmt: skip

    def _found(self, index: int, proto: onnx.NodeProto, graph: onnx.GraphProto) -> bool:
        """Whether a node gives a small constant, which shapes may depend on: it is one of the graph's then."""
        quantises = proto.op_type.endswith("quantizeLinear") or proto.op_type == "QuantizeLinear"
        if quantises or (proto.op_type != "Shape" and not all(name in self.constants for name in proto.input if name)):
            return False
        node = next(self._node(index, proto), None)
        if node is None or not self.compute(node) or self.constants[node.outputs[0]].size > LARGE:
            return False
        graph.initializer.append(numpy_helper.from_array(self.constants[node.outputs[0]], node.outputs[0]))
        return True

    def known_as(self, name: str) -> str:
        """The name that this one is another word for."""
        while name in self._same:
            name = self._same[name]
        return name

    def equate(self, name: str, other: str) -> None:
        """Let `name` be another word for `other`."""
        self._same[name] = other

    def declare(self, name: str, like: str, dtype: str, quantisation: Quantisation) -> str:
        """A new name (changed where it is taken) for codes of the shape of the value `like`."""
        while name in self.dtypes:
            name += "'"
        self.shapes[name], self.dtypes[name], self.quantised[name] = self.shape(like), dtype, quantisation
        return name

    def codes_of(self, name: str) -> str:
        """The codes of a real value, the value itself where there are none."""
        return self.known_as(self.real.get(name, name))

    def data(self, node: Node) -> list[str]:
        """The float inputs of a node that it works on; a constant float bias is none."""
        names = node.inputs[:1] if node.kind in _STEERED else node.inputs[:2] if node.kind in ("Conv", "ConvTranspose", "Gemm", "MatMul") else node.inputs
        return [name for name in names if name and self.dtypes.get(name, "float").startswith(("float", "bfloat"))]

    def shape(self, name: str) -> Shape:
        """Shape of an ONNX name; [None] where not even its rank is known."""
        return self.shapes.get(name, (None,))

    def compute(self, node: Node) -> bool:
        """Compute a node of constants if that is cheap; what it gives is a constant then."""
        from onnx.reference import ReferenceEvaluator

        if node.kind == "Shape" and None not in self.shape(node.inputs[0]):
            self.add_constant(node.outputs[0], np.array(self.shape(node.inputs[0]), np.int64)[node.attributes.get("start", 0) : node.attributes.get("end")])
            return True
        if node.kind == "ConstantOfShape" and node.inputs[0] in self.constants:  # a view of one element, whatever the shape
            self.add_constant(node.outputs[0], np.broadcast_to(node.attributes.get("value", np.zeros(1, np.float32)), self.constants[node.inputs[0]]))
            return True
        given = {name: self.constants.get(name) for name in node.inputs if name}
        arrays = [array for array in given.values() if array is not None]
        if not arrays or len(arrays) < len(given) or node.kind not in (*_SHRINKING, *_BROADCASTING, "Gather") or len(node.outputs) > 1:
            return False
        try:
            elements = prod(np.broadcast_shapes(*(array.shape for array in arrays))) if node.kind in _BROADCASTING else sum(array.size for array in arrays)
            if not self.afford(prod(array.size for array in arrays) if node.kind == "Gather" else elements):
                return False
            proto = helper.make_node(node.kind, node.inputs, node.outputs, **node.attributes)
            results: Any = ReferenceEvaluator(proto, opsets={"": self._opset}).run(None, given)
            self.add_constant(node.outputs[0], np.asarray(results[0]))
        except Exception:  # each of ONNX's own operators raises as it likes; what cannot be computed stays an operator
            return False
        return True

    def afford(self, elements: int) -> bool:
        """Whether so many elements of constants may still be computed: a small file is no large network."""
        affordable = elements <= self._budget
        self._budget -= elements if affordable else 0
        return affordable

    def add_constant(self, name: str, array: NDArray[Any]) -> None:
        """Note a constant; integers of fewer than 8 bits are held in bytes."""
        self.shapes[name], self.dtypes[name] = array.shape, "string" if array.dtype.kind in "OSU" else array.dtype.name
        if array.dtype.name in ("int4", "uint4", "int2", "uint2"):
            array = array.astype(np.uint8 if array.dtype.name.startswith("u") else np.int8)
        self.constants[name] = array

    def _refuse_what_lies_elsewhere(self, graph: onnx.GraphProto) -> None:
        for inner in (graph, *nested(graph)):
            if inner.sparse_initializer:
                raise InputError(self.path, "sparse_initializer", "sparse weights are not read; store them dense")
            for tensor in (*inner.initializer, *(tensor for node in inner.node for item in node.attribute for tensor in (item.t, *item.tensors))):
                if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
                    raise InputError(self.path, f"initializer {tensor.name}", "keeps its values in another file; save the model in one file "
                                     "(onnx.save without save_as_external_data)")

    def _array(self, field: str, tensor: onnx.TensorProto) -> NDArray[Any]:
        try:
            if min(tensor.dims, default=0) < 0:
                raise ValueError
            return numpy_helper.to_array(tensor)
        except (ValueError, TypeError, MemoryError, OverflowError, KeyError, IndexError) as error:
            raise InputError(self.path, field, "does not hold as many values as its shape says; the file is damaged, export it again") from error

    def _node(self, index: int, proto: onnx.NodeProto) -> Iterator[Node]:
        """The node with plain attributes, its quantisation noted; none of a constant."""
        self.place = f"node {proto.name or f'#{index}'} ({proto.op_type})"
        inputs = list(proto.input)
        attributes: dict[str, Any] = {}
        for item in proto.attribute:
            if item.type == AttributeProto.TENSOR:
                attributes[item.name] = self._array(self.place, item.t)
            elif item.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
                bodies = [body for graph in (item.g, *item.graphs) for body in (graph, *nested(graph))]
                read = (name for body in bodies for node in body.node for name in node.input)
                inputs += [name for name in dict.fromkeys(read) if name in self.shapes]  # what a body takes from around it
            else:
                value = helper.get_attribute_value(item)
                attributes[item.name] = value.decode(errors="replace") if isinstance(value, bytes) else value
        kind = proto.op_type if proto.domain in _STANDARD else f"{proto.domain}.{proto.op_type}"
        node = Node(proto.name or f"#{index}", kind, tuple(inputs), tuple(proto.output), attributes)
        if node.kind == "Constant":
            ((kind, value),) = attributes.items()
            self.add_constant(node.outputs[0], np.asarray(value, {"value_float": np.float32, "value_floats": np.float32}.get(kind)))
        elif node.kind in _TO_INT32:
            yield replace(node, kind=_TO_INT32[node.kind], inputs=node.inputs[:2])
        else:
            if node.kind in ("QuantizeLinear", "DequantizeLinear"):
                self._quantise(node.inputs[0] if node.kind == "DequantizeLinear" else node.outputs[0], inputs, 1, node.integer("axis", 1))
            yield node

    def _plain(self, proto: onnx.NodeProto, kind: str, operands: slice, scale_at: int, bias_at: int) -> None:
        """Make the plain operator of one in QOperator form, whose shapes ONNX can infer; note its quantisation."""
        inputs = list(proto.input)
        axis = 0 if kind == "Conv" or any(item.name == "transB" and item.i for item in proto.attribute) else -1
        places = range(*operands.indices(len(inputs)))
        for place in places:
            self._quantise(inputs[place], inputs, place + 1, axis)
        self._quantise(proto.output[0], inputs, scale_at, 0)
        names = [inputs[place] for place in places]
        if 0 < bias_at < len(inputs) and inputs[bias_at]:
            names.append(inputs[bias_at])
            x, weights = (self.quantised.get(name) for name in names[:2])
            if x and weights:
                scale = np.array(x.scale, np.float32) * np.array(weights.scale, np.float32)
                self.quantised[names[2]] = Quantisation(tuple(scale.tolist()), (0,) * scale.size)
        proto.op_type, proto.domain = kind, ""
        del proto.input[:]
        proto.input.extend(names)

    def _quantise(self, name: str, inputs: Sequence[str], place: int, axis: int) -> None:
        """Note the quantisation of the codes `name`, whose scale is input `place` and zero point the next; one that is computed or in blocks is none."""
        scale, zero_point = (self.constants.get(item) if item else None for item in (*inputs, "", "")[place : place + 2])
        given, shape = (*inputs, "")[place + 1], self.shape(name)
        if scale is None or (given and zero_point is None) or scale.ndim > 1 or not scale.size or not self.afford(scale.size):
            return
        if scale.size > 1 and not (-len(shape) <= axis < len(shape) and shape[axis] == scale.size):
            return
        if zero_point is None:  # ONNX: of the type of the codes, uint8 where a QuantizeLinear gives them
            zero_point = np.zeros(1, np.uint8 if self.dtypes.get(name, "uint8") == "uint8" else np.int8)
        shift = 128 if (self.dtypes[given] if given else zero_point.dtype.name) == "uint8" else 0
        shifted = np.broadcast_to(zero_point.reshape(-1).astype(np.int64) - shift, scale.size)
        self.quantised[name] = Quantisation(tuple(map(float, scale.reshape(-1))), tuple(map(int, shifted)), axis % len(shape) if scale.size > 1 else 0)


def _dtype(element: int) -> str:
    if element == TensorProto.UNDEFINED:
        return "unknown"
    return "string" if element == TensorProto.STRING else str(helper.tensor_dtype_to_np_dtype(element).name)


def nested(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The bodies of loops and branches, and theirs."""
    for node in graph.node:
        for item in node.attribute:
            for body in (*([item.g] if item.HasField("g") else []), *item.graphs):
                yield body
                yield from nested(body)


def channel_rows(names: Names, node: Node) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """What a BatchNormalization of constants multiplies each channel with and adds to it, float32 [c]; None where it is computed."""
    arrays = [names.constants.get(name) for name in node.inputs[1:5]]
    if any(array is None for array in arrays) or any(node.outputs[1:]):
        return None
    scale, offset, mean, variance = (np.asarray(array, np.float32) for array in arrays)
    factor = scale / np.sqrt(variance + np.float32(node.number("epsilon", 1e-5)))
    return factor, offset - mean * factor


def is_dense(names: Names, node: Node) -> bool:
    """Whether a Gemm or MatMul multiplies an activation with constant weights [c, o] or [o, c]."""
    x, weights = (names.codes_of(name) for name in node.inputs[:2])
    shape = names.shape(weights) if weights in names.constants and x not in names.constants else ()
    return len(shape) == 2 and 0 not in shape and not node.integer("transA", 0)


def bounds_of(names: Names, node: Node) -> tuple[float, float] | None:
    """Bounds of a Relu or Clip, None where they are computed; float32's greatest number is no bound."""
    if node.kind == "Relu":
        return 0.0, inf
    found = []
    for place, attribute, default in ((1, "min", -inf), (2, "max", inf)):
        name = node.inputs[place] if len(node.inputs) > place else ""
        if name and (name not in names.constants or names.constants[name].size != 1):
            return None
        bound = float(names.constants[name].reshape(-1)[0]) if name else node.number(attribute, default)
        found.append(bound if abs(bound) < np.finfo(np.float32).max else default)
    return found[0], found[1]


def values_of(names: Names, name: str) -> NDArray[Any]:
    """A constant, codes on the scale that `quantised` says: int8 where the file has uint8; floats that NumPy does not know as float32."""
    array = names.constants[name]
    shifted, small_float = names.dtypes[name] == "uint8" and name in names.quantised, array.dtype.kind == "V"
    if (shifted or small_float) and not names.afford(array.size):
        raise Refused(f"the constant {name} is larger than the file")
    return (array ^ 128).view(np.int8) if shifted else array.astype(np.float32) if small_float else array


def dequantised(names: Names, codes: str) -> NDArray[np.float32]:
    """The real values of constant codes."""
    quantisation, array = names.quantised[codes], values_of(names, codes)
    if not names.afford(array.size):
        raise Refused(f"the constant {codes} is larger than the file")
    shape = [-1 if axis == quantisation.axis else 1 for axis in range(array.ndim)] if len(quantisation.scale) > 1 else ()
    scale, zero_point = (np.array(row, np.float32).reshape(shape) for row in (quantisation.scale, quantisation.zero_point))
    return np.asarray((array - zero_point) * scale, np.float32)
