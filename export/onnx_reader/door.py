"""The door for ONNX files: bytes to a plain list of nodes and constants, everything that is not one whole, self-contained, ordered graph refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.errors import InputError
from edge_runtime.files import read_bytes

LARGEST_FILE = 256 << 20  # bytes; an int8 network for an instrument holds a few megabytes at most
OLDEST_OPSET, NEWEST_OPSET = 11, 25  # the operators of these are read by their own rules; a newer one may mean something else by the same name
CONSTANT_TYPES = {TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.INT64}


class Refused(Exception):
    """A node that the reader cannot turn into integers: the reason and the remedy, without the file, which the caller knows.

    `node`: set where the node found guilty is another than the one being read.
    """

    node: "Node | None" = None


@dataclass(frozen=True)
class Node:
    """One ONNX operator. Inputs left out are ""; attributes are Python values (int, float, str, lists of them, arrays)."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def integer(self, name: str, default: int) -> int:
        """An integer attribute; Refused where it is something else."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise Refused(f"attribute {name} must be an integer; export the model again")
        return value

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """A list of integers; Refused where it is something else."""
        value = self.attributes.get(name, default)
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, int) for item in value):
            raise Refused(f"attribute {name} must be a list of integers; export the model again")
        return tuple(value)

    def number(self, name: str, default: float) -> float:
        """A float attribute; Refused where it is something else."""
        value = self.attributes.get(name, default)
        if not isinstance(value, (int, float)):
            raise Refused(f"attribute {name} must be a number; export the model again")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """A string attribute; Refused where it is something else."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise Refused(f"attribute {name} must be a string; export the model again")
        return value


@dataclass(frozen=True)
class Model:
    """An ONNX graph as plain data; `inputs` and `outputs` in file order, input shapes with the batch set to 1, nodes in an order in which they can run."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]


def open_model(path: Path) -> Model:
    """Read and check one ONNX file without following any path in it.

    InputError names the file and the place: not ONNX, truncated, another opset, weights in other files, unknown sizes, names that nothing gives, cycles.
    """
    try:
        proto = onnx.ModelProto.FromString(read_bytes(path, LARGEST_FILE))
    except (DecodeError, ValueError) as error:
        raise InputError(path, "file", "is no ONNX model, or is truncated; export it again") from error
    graph = proto.graph
    if not graph.node or not graph.output:
        raise InputError(path, "graph", "holds no operators or no outputs; the file is no ONNX model, or is damaged: export it again")
    _check_opset(path, proto)
    _check_contained(path, graph)
    constants = {tensor.name: _array(path, f"initializer {tensor.name}", tensor) for tensor in graph.initializer}
    inputs = {value.name: _shape(path, value) for value in graph.input if value.name not in constants}
    if not inputs:
        raise InputError(path, "graph.input", "is empty; the model must take at least one float tensor")
    nodes = tuple(_node(path, index, node) for index, node in enumerate(graph.node))
    outputs = tuple(value.name for value in graph.output)
    _check_order(path, nodes, {*constants, *inputs}, outputs)
    try:
        onnx.checker.check_model(proto)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise InputError(path, "graph", f"does not keep to the ONNX standard: {str(error).strip().splitlines()[0]}; export it again") from error
    return Model(_needed(nodes, outputs), constants, inputs, outputs)


def _check_opset(path: Path, proto: onnx.ModelProto) -> None:
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    version = versions.get("", versions.get("ai.onnx"))
    if version is None or not OLDEST_OPSET <= version <= NEWEST_OPSET:
        found = "missing" if version is None else version
        raise InputError(path, "opset_import", f"opset is {found}, {OLDEST_OPSET} to {NEWEST_OPSET} are read; export with opset_version=17 or convert it")
    if proto.functions:
        raise InputError(path, "functions", "model-local functions are not read; inline them with onnx.inliner before exporting")


def _check_contained(path: Path, graph: onnx.GraphProto) -> None:
    if graph.sparse_initializer:
        raise InputError(path, "sparse_initializer", "sparse weights are not read; store them dense")
    attributes = (attribute for node in graph.node for attribute in node.attribute)
    tensors = [*graph.initializer, *(tensor for attribute in attributes for tensor in (attribute.t, *attribute.tensors))]
    for tensor in tensors:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise InputError(path, f"initializer {tensor.name}", "keeps its values in another file; save the model in one file "
                             "(onnx.save without save_as_external_data)")


def _array(path: Path, field: str, tensor: onnx.TensorProto) -> NDArray[Any]:
    if tensor.data_type not in CONSTANT_TYPES:
        kind = TensorProto.DataType.Name(tensor.data_type) if tensor.data_type in TensorProto.DataType.values() else str(tensor.data_type)
        raise InputError(path, field, f"has type {kind}; float32, int8, uint8, int32 and int64 are read: export it with these")
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, MemoryError, OverflowError) as error:
        raise InputError(path, field, "does not hold as many values as its shape says; the file is damaged, export it again") from error


def _shape(path: Path, value: onnx.ValueInfoProto) -> tuple[int, ...]:
    field = f"input {value.name}"
    tensor = value.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT:
        raise InputError(path, field, "must be float32, quantised by a QuantizeLinear behind it; add float32 inputs when exporting")
    if not tensor.HasField("shape") or not tensor.shape.dim:
        raise InputError(path, field, "has no shape; export with a fixed input shape")
    batch, *lengths = tensor.shape.dim
    if batch.HasField("dim_value") and batch.dim_value != 1:
        raise InputError(path, field, f"has batch {batch.dim_value}; export with an example of batch 1")
    if not lengths or not all(length.HasField("dim_value") and 0 < length.dim_value < 1 << 31 for length in lengths):
        raise InputError(path, field, "has unknown or empty axes beside the batch; export with a fixed input shape")
    return (1, *(int(length.dim_value) for length in lengths))


def _node(path: Path, index: int, node: onnx.NodeProto) -> Node:
    name = node.name or f"#{index}"
    field = f"node {name} ({node.op_type})"
    if node.domain not in ("", "ai.onnx"):
        raise InputError(path, field, f"is of the domain {node.domain}; only standard ONNX operators are read: export QCDQ, or QDQ with float32 operators")
    if not node.output or not node.output[0]:
        raise InputError(path, field, "gives no output; export the model again")
    attributes: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.TENSOR:
            attributes[attribute.name] = _array(path, field, attribute.t)
            continue
        try:
            value = helper.get_attribute_value(attribute)
            attributes[attribute.name] = value.decode() if isinstance(value, bytes) else value
        except ValueError as error:
            raise InputError(path, field, f"attribute {attribute.name} cannot be read; export the model again") from error
    return Node(name, node.op_type, tuple(node.input), tuple(node.output), attributes)


def _check_order(path: Path, nodes: tuple[Node, ...], given: set[str], outputs: tuple[str, ...]) -> None:
    known, later = set(given), {name for node in nodes for name in node.outputs}
    for node in nodes:
        field = f"node {node.name} ({node.kind})"
        for name in node.inputs:
            if name and name not in known:
                reason = "comes only later: the nodes form a cycle or are out of order" if name in later else "is given by nothing"
                raise InputError(path, field, f"takes {name}, which {reason}; export the model again")
        for name in filter(None, node.outputs):
            if name in known:
                raise InputError(path, field, f"gives {name} a second time; export the model again")
            known.add(name)
    for name in outputs:
        if name not in known:
            raise InputError(path, f"output {name}", "is given by nothing; export the model again")


def _needed(nodes: tuple[Node, ...], outputs: tuple[str, ...]) -> tuple[Node, ...]:
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            wanted.update(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))


def finite_scales(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Scales of a QuantizeLinear or DequantizeLinear as float32 [k]; Refused where they are no float32, not finite or not > 0."""
    if array.dtype != np.float32 or array.ndim > 1 or not array.size:
        raise Refused(f"scale {name} must be one float32 or a row of them; quantise with one scale per tensor or per channel")
    scales = array.reshape(-1)
    if not np.all(np.isfinite(scales)) or np.any(scales < np.finfo(np.float32).tiny):
        raise Refused(f"scale {name} is {scales.min()}, must be finite and > 0; calibrate again, this layer saw no usable range")
    return scales
