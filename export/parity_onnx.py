"""The quantised parameters of an ONNX file, read for `export.parity` from the initialisers alone, in the arrangement that TFLite gives them."""

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edge_runtime.files import read_bytes

_FILE_LIMIT = 256 << 20  # bytes
_PASSING = ("QuantizeLinear", "DequantizeLinear", "Clip", "Relu", "Identity")  # element by element: the order of features stays
_LAYOUT = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose")


@dataclass(frozen=True)
class Arranged:
    """Weights [o, kh, kw, c] or [o, c] int8, bias [o] int32 (float32 where the file has no integers), float32 scales [1] or [o], [0] if unsaid."""

    weights: NDArray[Any]
    bias: NDArray[Any]
    weight_scales: NDArray[np.float32]
    bias_scales: NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """One layer with weights: the name of their initialiser, and the arrangements that the file's layout nodes allow."""

    weights_name: str
    arrangements: list[Arranged]


@dataclass(frozen=True)
class Parameters:
    """`activations`: the names that a tensor may have in TFLite, scale, zero point of int8 codes, and whether TFLite must have it (inputs, outputs)."""

    layers: list[Layer]
    activations: list[tuple[tuple[str, ...], np.float32, int, bool]]


def layers_of_onnx(path: Path) -> Parameters:
    """Read the parameters of a file that `read_onnx` has accepted."""
    file = _File(onnx.shape_inference.infer_shapes(onnx.load_model_from_string(read_bytes(path, _FILE_LIMIT))))
    layers = [file.layer(node) for node in file.nodes if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")]
    return Parameters(layers, file.activations())


class _File:
    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        self.nodes = list(graph.node)
        self.maker = {name: node for node in graph.node for name in node.output}
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.constants |= {node.output[0]: numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"}
        self.inputs = [value.name for value in graph.input if value.name not in self.constants]
        self.outputs = [value.name for value in graph.output]
        self.shapes = {value.name: tuple(length.dim_value or 1 for length in value.type.tensor_type.shape.dim)
                       for value in (*graph.input, *graph.output, *graph.value_info)}  # fmt: skip

    def layer(self, node: onnx.NodeProto) -> Layer:
        """Weights and bias of one node."""
        name, codes, scales = self._parameter(node.input[1])
        bias, bias_scales = np.zeros(0, np.int32), np.zeros(0, np.float32)
        bias_name = node.input[2] if len(node.input) > 2 else self._added(node)
        if bias_name:
            _, bias, bias_scales = self._parameter(bias_name)
        attributes = _attributes(node)
        rows = [slice(None)]
        if node.op_type in ("Conv", "ConvTranspose"):
            if node.op_type == "ConvTranspose":
                codes = codes.swapaxes(0, 1)  # o, c, k...
            weights = np.moveaxis(codes, 1, -1)  # o, k..., c
            weights = weights[:, np.newaxis] if weights.ndim == 3 else weights
        else:
            weights = codes if node.op_type == "Gemm" and attributes.get("transB", 0) else codes.T  # o, c
            if len(self.shapes.get(node.input[0], (0, 0))) == 2:
                weights = weights[:, np.argsort(self._places(node.input[0]))]
                rows += self._row_orders(node)
        bias = bias.reshape(-1) if bias.size else np.zeros(len(weights), np.int32)
        if bias.size == 1:
            bias = np.broadcast_to(bias, len(weights))
        return Layer(name, [Arranged(weights[order], bias[order], _ordered(scales, order), _ordered(bias_scales, order)) for order in rows])

    def activations(self) -> list[tuple[tuple[str, ...], np.float32, int, bool]]:
        """Every QuantizeLinear of an activation."""
        known: dict[str, list[str]] = {}
        for output in self.outputs:
            name = output
            while name in self.maker and self.maker[name].op_type in (*_LAYOUT, "DequantizeLinear", "Clip", "Identity"):
                name = self.maker[name].input[0]
            known.setdefault(name, []).append(output)
        found = []
        for node in self.nodes:
            if node.op_type == "QuantizeLinear" and node.input[0] not in self.constants:
                ends = [*known.get(node.output[0], []), *(name for name in node.input[:1] if name in self.inputs)]
                zero_point = self.constants[node.input[2]] if len(node.input) > 2 else np.zeros((), np.uint8)
                shift = 128 if zero_point.dtype == np.uint8 else 0
                scale = np.float32(self.constants[node.input[1]].reshape(-1)[0])
                found.append(((node.output[0], *ends), scale, int(zero_point.reshape(-1)[0]) - shift, bool(ends)))
        return found

    def _parameter(self, name: str) -> tuple[str, NDArray[Any], NDArray[np.float32]]:
        """(initialiser, codes, scales [k]) of a constant behind DequantizeLinear, Clip and Transpose; floats without scales as they are."""
        if name in self.constants:
            return name, self.constants[name], np.zeros(0, np.float32)
        node = self.maker[name]
        origin, codes, scales = self._parameter(node.input[0])
        if node.op_type == "DequantizeLinear":
            if codes.dtype == np.uint8:
                codes = (codes.astype(np.int16) - 128).astype(np.int8)
            return origin, codes, np.asarray(self.constants[node.input[1]], np.float32).reshape(-1)
        if node.op_type == "Transpose":
            return origin, codes.transpose(_attributes(node).get("perm", tuple(reversed(range(codes.ndim))))), scales
        if node.op_type == "Clip":
            return origin, np.clip(codes, self.constants[node.input[1]], self.constants[node.input[2]]), scales
        if node.op_type == "QuantizeLinear":
            scale, zero_point = (self.constants[item].reshape(-1) for item in node.input[1:3])
            shape = [1] * codes.ndim
            shape[_attributes(node).get("axis", 1) if scale.size > 1 else 0] = scale.size
            limits = np.iinfo(zero_point.dtype)
            rounded = np.rint(codes / scale.reshape(shape)) + zero_point.reshape(shape)
            return origin, np.clip(rounded, limits.min, limits.max).astype(zero_point.dtype), scales
        return origin, codes, scales

    def _added(self, node: onnx.NodeProto) -> str:
        """The constant row that an Add right behind a MatMul adds."""
        for other in self.nodes:
            if other.op_type == "Add" and node.output[0] in other.input:
                name = other.input[1] if other.input[0] == node.output[0] else other.input[0]
                source = self.maker[name].input[0] if name in self.maker and self.maker[name].op_type == "DequantizeLinear" else name
                return name if source in self.constants else ""
        return ""

    def _places(self, name: str) -> NDArray[np.int64]:
        """Place [elements] in TFLite's channels-last tensor of each element of an ONNX value, in ONNX's order."""
        node = self.maker.get(name)
        shape = self.shapes[name][1:]
        if node is not None and node.op_type in _LAYOUT and node.op_type != "Transpose":
            return self._places(node.input[0])
        if node is not None and node.op_type == "Transpose":
            source = self.shapes[node.input[0]][1:]
            permutation = [axis - 1 for axis in _attributes(node)["perm"][1:]]
            return self._places(node.input[0]).reshape(source).transpose(permutation).reshape(-1)
        if node is not None and (node.op_type in _PASSING or node.op_type in ("Sigmoid", "Add")) and self._reshaped_before(node.input[0]):
            return self._places(node.input[0])
        if node is not None and node.op_type == "Concat" and len(shape) == 1:
            parts = [self._places(part) for part in node.input]
            starts = np.cumsum([0, *(part.size for part in parts[:-1])])
            return np.concatenate([part + start for part, start in zip(parts, starts, strict=True)])
        if len(shape) < 2:
            return np.arange(prod(shape))
        return np.moveaxis(np.arange(prod(shape)).reshape(*shape[1:], shape[0]), -1, 0).reshape(-1)

    def _reshaped_before(self, name: str) -> bool:
        node = self.maker.get(name)
        return node is not None and (node.op_type in _LAYOUT or node.op_type == "Concat"
                                     or (node.op_type in (*_PASSING, "Sigmoid", "Add") and self._reshaped_before(node.input[0])))  # fmt: skip

    def _row_orders(self, node: onnx.NodeProto) -> list[Any]:
        """Channels-last orders of the rows, one for each Reshape of the layer's output to channels and samples."""
        names, orders = {node.output[0]}, []
        for other in self.nodes:
            if names.intersection(other.input[:1]) and other.op_type in (*_PASSING, "Add"):
                names.update(other.output)
            if names.intersection(other.input[:1]) and other.op_type in _LAYOUT and len(self.shapes.get(other.output[0], ())) > 2:
                shape = self.shapes[other.output[0]][1:]
                orders.append(np.moveaxis(np.arange(prod(shape)).reshape(shape), 0, -1).reshape(-1))
        return orders


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _ordered(scales: NDArray[np.float32], order: Any) -> NDArray[np.float32]:
    return scales if scales.size < 2 else scales[order]
