"""TFLite files of ours and of others as networks; whatever is damaged in them is refused with file and place, soon and without a crash."""

import time
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import InputError
from edge_runtime.graph.operators import KINDS
from export.read_tflite import ENUMERATIONS, read_tflite
from export.write_tflite import tflite_bytes
from hw_profiles.network import Network, Tensor
from tests.edge_runtime.random_graphs import random_graph


def written(folder: Path, data: bytes) -> Path:
    path = folder / "model.tflite"
    path.write_bytes(data)
    return path


def read(folder: Path, data: bytes) -> Network:
    return read_tflite(written(folder, data))


def tensors_of(network: Network) -> dict[str, Tensor]:
    return {tensor.name: tensor for operator in network.operators for tensor in (*operator.inputs, *operator.outputs) if tensor is not None}


# ---- files of ours ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_what_we_write_is_read_back(kind: str, seed: int, tmp_path: Path) -> None:
    graph = random_graph(kind, seed)
    data = tflite_bytes(graph)
    network = read(tmp_path, data)
    assert (network.name, network.file_bytes, network.subgraphs) == ("model", len(data), 1)
    assert [tensor.name for tensor in (*network.inputs, *network.outputs)] == [*graph.inputs, *graph.outputs]
    depthwise = "DEPTHWISE_CONV_2D" in {operator.kind for operator in network.operators}
    for name, tensor in tensors_of(network).items():
        if name not in graph.tensors:  # paddings, shapes, what lies between two operators
            continue
        original = graph.tensors[name]
        codes, shape, axis = original.codes, original.shape, original.channel_axis or 0
        if depthwise and name == "w" and codes is not None:
            codes, shape, axis = codes.transpose(3, 1, 2, 0), (1, *shape[1:3], shape[0]), 3 if len(original.scale) > 1 else 0
        assert (tensor.shape, tensor.dtype) == (shape, original.dtype)
        assert tensor.scale == tuple(map(float, original.scale)) and set(tensor.zero_point) == {original.zero_point}
        assert (tensor.channel_axis if len(tensor.scale) > 1 else 0) == (axis if len(tensor.scale) > 1 else 0)
        assert (tensor.values is None) == (codes is None) and (codes is None or np.array_equal(tensor.values, codes))
        assert tensor.values is None or not tensor.values.flags.writeable


def test_kinds_options_and_versions_of_a_convolution(tmp_path: Path) -> None:
    (operator,) = read(tmp_path, model(relu6=True)).operators
    assert (operator.kind, operator.version) == ("CONV_2D", 3)
    assert operator.options == {"padding": "SAME", "stride_h": 1, "stride_w": 2, "fused_activation_function": "RELU6", "dilation_h_factor": 1,
                                "dilation_w_factor": 1, "quantized_bias_type": "FLOAT32"}  # fmt: skip
    assert [tensor.name if tensor else None for tensor in operator.inputs] == ["x", "w", None]


def test_two_operators_share_one_tensor(tmp_path: Path) -> None:
    file = File()
    x = file.tensor("x", (1, 4))
    y = file.operator("LOGISTIC", [x], file.tensor("y", (1, 4)))
    z = file.operator("LOGISTIC", [y], file.tensor("z", (1, 4)))
    first, second = read(tmp_path, file.bytes([x], [z])).operators
    assert first.outputs[0] is second.inputs[0]


# ---- files of others ----


class File:
    """A file under construction with the object API of the schema; methods give the index of what they add."""

    def __init__(self) -> None:
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers, self.model.operatorCodes, self.model.subgraphs = 3, [schema.BufferT()], [], [self.graph]
        self.graph.tensors, self.graph.operators, self.graph.name = [], [], "main"

    def tensor(self, name: str, shape: tuple[int, ...], dtype: str = "FLOAT32", data: Any = None, **fields: Any) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name, list(shape), getattr(schema.TensorType, dtype), 0
        if data is not None:
            made.buffer = len(self.model.buffers)
            self.model.buffers.append(schema.BufferT())
            self.model.buffers[-1].data = np.frombuffer(data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes(), np.uint8)
        for field, value in fields.items():
            setattr(made, field, value)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def operator(self, kind: str, inputs: list[int], output: int, options: str | None = None, custom: str | None = None, **values: Any) -> int:
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode, code.customCode, code.version = getattr(schema.BuiltinOperator, kind), custom, 3
        self.model.operatorCodes.append(code)
        made.opcodeIndex, made.inputs, made.outputs = len(self.model.operatorCodes) - 1, inputs, [output]
        if options:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            made.builtinOptions = getattr(schema, f"{options}T")()
            for field, value in values.items():
                setattr(made.builtinOptions, field, value)
        self.graph.operators.append(made)
        return output

    def bytes(self, inputs: list[int], outputs: list[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def quantised(scale: list[float], zero_point: list[int], axis: int = 0) -> Any:
    made = schema.QuantizationParametersT()
    made.scale, made.zeroPoint, made.quantizedDimension = np.array(scale, np.float32), np.array(zero_point, np.int64), axis
    return made


def model(relu6: bool = False, weights: tuple[int, ...] = (3, 1, 4, 2), **wrong: Any) -> bytes:
    """One convolution, with what `wrong` says about its options."""
    file = File()
    x = file.tensor("x", (1, 1, 10, 2))
    w = file.tensor("w", weights, data=np.ones(weights, np.float32))
    y = file.tensor("y", (1, 1, 5, 3))
    options = {"strideW": 2, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1,
               "fusedActivationFunction": schema.ActivationFunctionType.RELU6 if relu6 else 0}  # fmt: skip
    file.operator("CONV_2D", [x, w, -1], y, **{"options": "Conv2DOptions", **options, **wrong})
    return file.bytes([x], [y])


def test_softmax_custom_operator_and_missing_input(tmp_path: Path) -> None:
    file = File()
    x, y, z = (file.tensor(name, (1, 5)) for name in "xyz")
    file.operator("SOFTMAX", [x], y, "SoftmaxOptions", beta=1.5)
    file.operator("CUSTOM", [y, -1], z, custom="FlexErf")
    softmax, custom = read(tmp_path, file.bytes([x], [z])).operators
    assert (softmax.kind, softmax.options) == ("SOFTMAX", {"beta": 1.5})
    assert custom.kind == "CUSTOM FlexErf" and custom.inputs[1] is None and custom.options == {}


def test_unknown_lengths_are_none(tmp_path: Path) -> None:
    file = File()
    x = file.tensor("x", (1, 7), shapeSignature=[-1, 7])
    y = file.operator("RELU", [x], file.tensor("y", (1, 7), shapeSignature=[-1, 7]))
    network = read(tmp_path, file.bytes([x], [y]))
    assert network.inputs[0].shape == network.outputs[0].shape == (None, 7)
    with pytest.raises(ValueError, match="no static shape"):
        _ = network.inputs[0].elements


@pytest.mark.parametrize(("dtype", "data", "expected"), [
    ("FLOAT16", np.float16([1, -0.5, 2]), [1, -0.5, 2]),
    ("BFLOAT16", (np.float32([1, -0.5, 2]).view(np.uint32) >> 16).astype(np.uint16), [1, -0.5, 2]),
    ("INT4", bytes([0x87, 0x0F]), [7, -8, -1]),
    ("UINT4", bytes([0x87, 0x0F]), [7, 8, 15]),
    ("INT2", bytes([0b111001]), [1, -2, -1]),
    ("BOOL", bytes([1, 0, 1]), [True, False, True]),
    ("INT64", np.int64([1 << 40, -1, 0]), [1 << 40, -1, 0]),
])  # fmt: skip
def test_constants_of_every_width(dtype: str, data: Any, expected: list[Any], tmp_path: Path) -> None:
    file = File()
    x, w, y = file.tensor("x", (1, 3)), file.tensor("w", (3,), dtype, data), file.tensor("y", (1, 3))
    file.operator("PRELU", [x, w], y)
    weights = read(tmp_path, file.bytes([x], [y])).operators[0].inputs[1]
    assert weights is not None and weights.values is not None
    assert weights.dtype == dtype.lower() and weights.values.tolist() == expected


def test_scales_per_channel_and_one_zero_point_for_all(tmp_path: Path) -> None:
    file = File()
    w = file.tensor("w", (2, 3), "INT8", np.zeros((2, 3), np.int8), quantization=quantised([0.5, 0.25], [0], 0))
    y = file.operator("DEQUANTIZE", [w], file.tensor("y", (2, 3)))
    (weights,) = read(tmp_path, file.bytes([], [y])).operators[0].inputs
    assert weights is not None and (weights.scale, weights.zero_point, weights.channel_axis) == ((0.5, 0.25), (0, 0), 0)


def test_several_subgraphs_are_counted_and_the_main_one_is_read(tmp_path: Path) -> None:
    file = File()
    x = file.tensor("x", (1, 3))
    y = file.operator("WHILE", [x], file.tensor("y", (1, 3)), "WhileOptions", condSubgraphIndex=1, bodySubgraphIndex=2)
    for _ in range(2):
        body = schema.SubGraphT()
        body.tensors, body.operators, body.inputs, body.outputs = [], [], [], []
        file.model.subgraphs.append(body)
    network = read(tmp_path, file.bytes([x], [y]))
    assert network.subgraphs == 3 and [operator.kind for operator in network.operators] == ["WHILE"]
    assert network.operators[0].options == {"cond_subgraph_index": 1, "body_subgraph_index": 2}


def test_operator_codes_from_before_2020_are_read(tmp_path: Path) -> None:
    file = File()
    x = file.tensor("x", (1, 3))
    y = file.operator("RELU", [x], file.tensor("y", (1, 3)))
    file.model.operatorCodes[0].builtinCode, file.model.operatorCodes[0].deprecatedBuiltinCode = 0, schema.BuiltinOperator.RELU
    assert read(tmp_path, file.bytes([x], [y])).operators[0].kind == "RELU"


def test_options_left_out_are_the_schema_s_defaults(tmp_path: Path) -> None:
    file = File()
    x = file.tensor("x", (1, 3))
    y = file.operator("ADD", [x, x], file.tensor("y", (1, 3)))
    assert read(tmp_path, file.bytes([x], [y])).operators[0].options == {"fused_activation_function": "NONE", "pot_scale_int16": True}


def test_constants_behind_the_flatbuffer_are_read_and_must_lie_in_the_file(tmp_path: Path) -> None:
    """As in files above 2 GiB."""
    file = File()
    x, w, y = file.tensor("x", (1, 3)), file.tensor("w", (3,), data=np.float32([1, 2, 3])), file.tensor("y", (1, 3))
    file.operator("PRELU", [x, w], y)
    buffer = file.model.buffers[1]
    buffer.data, buffer.offset, buffer.size = None, 1 << 20, 12
    start = len(file.bytes([x], [y]))
    buffer.offset = start
    data = file.bytes([x], [y])
    assert len(data) == start
    weights = read(tmp_path, data + np.float32([4, 5, 6]).tobytes()).operators[0].inputs[1]
    assert weights is not None and weights.values is not None and weights.values.tolist() == [4, 5, 6]
    with pytest.raises(InputError, match=r"tensor 1 \(w\): has values up to byte"):
        read(tmp_path, data + bytes(8))


def test_every_enumeration_of_the_schema_s_options_is_known() -> None:
    """Fields of one byte that are no flags are enumerations: each must be read by name."""
    unknown = set()
    for union in (schema.BuiltinOptions, schema.BuiltinOptions2):
        for name in (name for name in vars(union) if not name.startswith("_") and name != "NONE"):
            table = getattr(schema, f"{name}T")()
            accessor = getattr(schema, name)
            for field, value in vars(table).items():
                if isinstance(value, int) and not isinstance(value, bool) and "Int8Flags" in _names_in(getattr(accessor, field[0].upper() + field[1:])):
                    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in field)
                    if snake not in ENUMERATIONS:
                        unknown.add((name, snake))
    assert not unknown


def _names_in(function: Any) -> tuple[str, ...]:
    return tuple(function.__code__.co_names)


# ---- what is refused ----


def refusal(folder: Path, data: bytes) -> str:
    path = written(folder, data)
    with pytest.raises(InputError) as refused:
        read_tflite(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


def damaged(change: Any) -> bytes:
    """A file of two operators on constants, after `change` of its parts."""
    file = File()
    x, w = file.tensor("x", (1, 3)), file.tensor("w", (3,), "INT8", np.zeros(3, np.int8), quantization=quantised([0.5, 0.25, 0.125], [0, 0, 0]))
    y = file.operator("PRELU", [x, w], file.tensor("y", (1, 3)))
    file.graph.inputs, file.graph.outputs = [x], [y]
    change(file)
    builder = flatbuffers.Builder(1024)
    builder.Finish(file.model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


REFUSED = {
    "tensor of an operator": (lambda file: file.graph.operators[0].inputs.append(99), "operator 0 (PRELU): takes tensor 99, the subgraph holds 3"),
    "output left out": (lambda file: setattr(file.graph.operators[0], "outputs", [-1]), "operator 0 (PRELU): takes tensor -1"),
    "tensor of the ends": (lambda file: setattr(file.graph, "outputs", [3]), "outputs: takes tensor 3"),
    "buffer": (lambda file: setattr(file.graph.tensors[1], "buffer", 7), "tensor 1 (w): takes buffer 7"),
    "operator code": (lambda file: setattr(file.graph.operators[0], "opcodeIndex", 4), "operator 0: has operator code 4"),
    "unknown operator": (lambda file: setattr(file.model.operatorCodes[0], "builtinCode", 9999), "operator 0: has BuiltinOperator 9999"),
    "unknown type": (lambda file: setattr(file.graph.tensors[0], "type", 77), "tensor 0 (x): has TensorType 77"),
    "values": (lambda file: setattr(file.graph.tensors[1], "shape", [4]), "tensor 1 (w): holds 3 bytes of values, its shape [4] of int8 needs 4"),
    "huge": (lambda file: setattr(file.graph.tensors[1], "shape", [2**31 - 1] * 6), "tensor 1 (w): holds 3 bytes"),
    "negative": (lambda file: setattr(file.graph.tensors[0], "shape", [1, -3]), "tensor 0 (x): has shape [1, -3]"),
    "signature": (lambda file: setattr(file.graph.tensors[0], "shapeSignature", [-1]), "tensor 0 (x): has shape [1, 3] and shape signature [-1]"),
    "scales": (lambda file: setattr(file.graph.tensors[1], "quantization", quantised([1, 2], [0, 0])), "tensor 1 (w): has 2 scales along axis 0"),
    "axis": (lambda file: setattr(file.graph.tensors[1], "quantization", quantised([1, 2, 3], [0, 0, 0], 5)), "tensor 1 (w): has 3 scales along axis 5"),
    "zero points": (lambda file: setattr(file.graph.tensors[1], "quantization", quantised([1, 2, 3], [0, 0])), "tensor 1 (w): has 2 zero points"),
    "sparse": (lambda file: setattr(file.graph.tensors[1], "sparsity", schema.SparsityParametersT()), "tensor 1 (w): is stored sparsely"),
    "version": (lambda file: setattr(file.model, "version", 1), "model: has schema version 1"),
    "no subgraph": (lambda file: setattr(file.model, "subgraphs", []), "model: holds no subgraph"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused(name: str, tmp_path: Path) -> None:
    change, expected = REFUSED[name]
    assert refusal(tmp_path, damaged(change)).startswith(expected)


@pytest.mark.parametrize(("wrong", "expected"), [
    ({"strideW": 0}, "has stride_w 0"), ({"dilationHFactor": -1}, "has dilation_h_factor -1"), ({"padding": 7}, "has Padding 7"),
    ({"options": "SoftmaxOptions"}, None), ({"weights": (3, 4, 2)}, "has an input of shape [3, 4, 2]"),
])  # fmt: skip
def test_a_convolution_that_cannot_be_is_refused(wrong: dict[str, Any], expected: str | None, tmp_path: Path) -> None:
    if expected is None:  # of another operator
        file = File()
        x, w, y = file.tensor("x", (1, 1, 10, 2)), file.tensor("w", (3, 1, 4, 2), data=np.ones((3, 1, 4, 2), np.float32)), file.tensor("y", (1, 1, 10, 3))
        file.operator("CONV_2D", [x, w], y, "SoftmaxOptions")
        assert refusal(tmp_path, file.bytes([x], [y])).startswith("operator 0 (CONV_2D): has the options of another operator, SoftmaxOptions")
    else:
        assert refusal(tmp_path, model(**wrong)).startswith(f"operator 0 (CONV_2D): {expected}")


def test_what_is_no_tflite_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"no network" * 20).startswith("file: is no TFLite file")
    assert refusal(tmp_path, b"TFL").startswith("file: is no TFLite file")
    assert refusal(tmp_path, b"\x10\0\0\0TFL3").startswith("model: cannot be read")
    with pytest.raises(InputError, match=r"does not exist"):
        read_tflite(tmp_path / "absent.tflite")


def shared(builder: flatbuffers.Builder, tensors: int, scales: int) -> bytes:
    """Many tensors that share one long vector of scales: a file of some megabytes that would be many gigabytes in memory."""
    vector = builder.CreateNumpyVector(np.ones(scales, np.float32))
    schema.QuantizationParametersStart(builder)
    schema.QuantizationParametersAddScale(builder, vector)
    quantisation = schema.QuantizationParametersEnd(builder)
    shape = builder.CreateNumpyVector(np.array([scales], np.int32))
    schema.TensorStart(builder)
    schema.TensorAddShape(builder, shape)
    schema.TensorAddQuantization(builder, quantisation)
    tensor = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, tensors)
    for _ in range(tensors):
        builder.PrependUOffsetTRelative(tensor)
    vector = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, vector)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.BufferStart(builder)
    buffer = schema.BufferEnd(builder)
    schema.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(buffer)
    buffers = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddVersion(builder, 3)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(("tensors", "scales", "expected"), [(5000, 500_000, "or that too many tables share"), (100_001, 1, "at most 100000 are read")])
def test_a_small_file_is_no_large_network(tensors: int, scales: int, expected: str, tmp_path: Path) -> None:
    assert expected in refusal(tmp_path, shared(flatbuffers.Builder(1 << 16), tensors, scales))


@settings(max_examples=100, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["conv_2d", "transpose_conv", "mean"]), data=st.data())
def test_a_damaged_file_is_refused_or_still_a_network(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    whole = bytearray(tflite_bytes(random_graph(kind, 1)))
    place, value = data.draw(st.integers(0, len(whole) - 1), "place"), data.draw(st.integers(0, 255), "value")
    if data.draw(st.booleans(), "cut"):
        del whole[max(place, 1) :]
    else:
        whole[place] = value
    path, start = written(tmp_path, bytes(whole)), time.process_time()
    try:
        assert isinstance(read_tflite(path), Network)
    except InputError as refused:
        assert str(refused).startswith(f"{path}: ")
    assert time.process_time() - start < 1
