"""The quantised parameters of a TFLite file, read for `export.parity` with the flatbuffer schema."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import InputError


@dataclass(frozen=True)
class Layer:
    """Weights int8 [o, kh, kw, c] or [o, c], bias int32 [o], float32 scales [1] or [o]."""

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    weight_scales: NDArray[np.float32]
    bias_scales: NDArray[np.float32]


ABSENT = Layer(np.zeros(0, np.int8), np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Parameters:
    """`layers`: (name of the weights, layer) in the order in which they run. `activations`: scale and zero point by name."""

    layers: list[tuple[str, Layer]]
    activations: dict[str, tuple[np.float32, int]]


def layers_of_tflite(data: bytes, path: Path) -> Parameters:
    """Read the parameters; InputError where the bytes are no TFLite file of one graph."""
    from ai_edge_litert import schema_py_generated as schema

    try:
        model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
        (graph,) = model.subgraphs
        kinds = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
        return _parameters(schema.BuiltinOperator, model, graph, kinds)
    except (ValueError, TypeError, IndexError, AttributeError, OverflowError, struct.error) as error:
        raise InputError(path, "file", "is no TFLite file, or is truncated; export it again") from error


def _parameters(operators: Any, model: Any, graph: Any, kinds: list[int]) -> Parameters:
    def read(index: int, dtype: type) -> tuple[NDArray[Any], NDArray[np.float32]]:
        tensor = graph.tensors[index]
        codes: NDArray[Any] = np.asarray(model.buffers[tensor.buffer].data, np.uint8).view(dtype).reshape(tensor.shape)
        return codes, np.asarray(tensor.quantization.scale, np.float32)

    layers = []
    for operator in graph.operators:
        kind = kinds[operator.opcodeIndex]
        if kind not in (operators.CONV_2D, operators.DEPTHWISE_CONV_2D, operators.FULLY_CONNECTED, operators.TRANSPOSE_CONV):
            continue
        bias_at = 3 if kind == operators.TRANSPOSE_CONV else 2
        weights, weight_scales = read(operator.inputs[1], np.int8)
        bias, bias_scales = read(operator.inputs[bias_at], np.int32)
        if kind == operators.DEPTHWISE_CONV_2D:
            weights = np.moveaxis(weights, -1, 0).reshape(weights.shape[-1], *weights.shape[1:3], 1)  # 1, kh, kw, o -> o, kh, kw, 1
        layers.append((graph.tensors[operator.inputs[1]].name.decode(), Layer(weights, bias, weight_scales, bias_scales)))
    activations = {}
    for tensor in graph.tensors:
        quantisation = tensor.quantization
        if quantisation is not None and quantisation.scale is not None and len(quantisation.scale) == 1 and len(tensor.shape) > 1:
            activations[tensor.name.decode()] = (np.float32(quantisation.scale[0]), int(quantisation.zeroPoint[0]))
    return Parameters(layers, activations)
