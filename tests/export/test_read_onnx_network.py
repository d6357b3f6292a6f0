"""ONNX files as networks: the same as TFLite's of the same network, known counts of known networks, and every damage refused."""

from collections import Counter
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.errors import InputError
from export.read_onnx import read_onnx
from export.read_onnx_network import read_onnx_network
from export.read_tflite import read_tflite
from export.write_tflite import tflite_bytes
from hw_profiles.network import Network, Operator, Tensor
from tests.export import test_read_onnx
from tests.export.qdq import Qdq
from tests.export.test_parity import autoencoder
from tests.export.test_read_onnx import EXACT, brevitas_file, quantised_by_onnx_runtime

ZOO = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"  # networks of onnx's own tests, their weights computed in the file


class Float:
    """A float model under construction; every method gives the name of what it adds."""

    def __init__(self, opset: int = 17) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.constants: list[onnx.TensorProto] = []

    def input(self, shape: list[Any], name: str = "x", dtype: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, array: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), f"constant{len(self.constants)}"))
        return self.constants[-1].name

    def weights(self, *shape: int) -> str:
        return self.constant(np.arange(prod(shape), dtype=np.float32).reshape(shape))

    def op(self, kind: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any) -> Any:
        names = [f"{kind.lower()}{len(self.nodes)}{'abcdef'[place] if outputs > 1 else ''}" for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=names[0], domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def model(self, *outputs: str) -> onnx.ModelProto:
        ends = [helper.make_empty_tensor_value_info(name) for name in outputs]
        for end in ends:
            end.type.tensor_type.elem_type = TensorProto.FLOAT
        graph = helper.make_graph(self.nodes, "network", self.inputs, ends, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def read(folder: Path, model: onnx.ModelProto) -> Network:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return read_onnx_network(path)


def kinds(network: Network) -> list[str]:
    return [operator.kind for operator in network.operators]


def macs(operator: Operator) -> int:
    """Multiply-accumulates by the shapes of output and weights alone."""
    if operator.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"):
        return 0
    weights = operator.inputs[1]
    assert weights is not None
    lengths = [length for length in weights.shape if length is not None]
    if operator.kind == "TRANSPOSE_CONV":
        x = operator.inputs[2]
        assert x is not None
        return x.elements * prod(lengths[:3])
    return operator.outputs[0].elements * prod(lengths[1:3] if operator.kind == "DEPTHWISE_CONV_2D" else lengths[1:])


def work(network: Network) -> Counter[tuple[Any, ...]]:
    """Kinds with the shapes that decide what they cost; order of branches and what quantises at the ends left out."""
    found: Counter[tuple[Any, ...]] = Counter()
    for operator in network.operators:
        if operator.kind not in ("QUANTIZE", "DEQUANTIZE"):
            x = operator.inputs[2 if operator.kind == "TRANSPOSE_CONV" else 0]
            found[operator.kind, x.shape if x else None, operator.outputs[0].shape, macs(operator)] += 1
    return found


def ends(network: Network) -> list[str]:
    return [kind for kind in kinds(network) if kind in ("QUANTIZE", "DEQUANTIZE")]


def constants(operator: Operator) -> list[Tensor]:
    return [tensor for tensor in operator.inputs if tensor is not None and tensor.values is not None]


def both(path: Path) -> tuple[Network, Network]:
    """The network of an ONNX file, and that of the TFLite file which Pixie writes of it."""
    tflite = path.with_suffix(".tflite")
    tflite.write_bytes(tflite_bytes(read_onnx(path)))
    return read_onnx_network(path), read_tflite(tflite)


# ---- the same network in two formats ----

# There Pixie's own reader adds moves for a layout that only its ends have, or computes a mean as a convolution, or ONNX infers another length.
OTHERWISE = {test_read_onnx.dense_layer_over_time, test_read_onnx.exchanged_axes, test_read_onnx.shuffled_samples, test_read_onnx.sum_with_a_constant,
             test_read_onnx.mean_of_windows_on_another_scale, test_read_onnx.greatest_of_windows}  # fmt: skip


@pytest.mark.parametrize("build", [build for build in EXACT if build not in OTHERWISE], ids=lambda build: build.__name__)
def test_an_operator_costs_the_same_as_in_tflite(build: Any, tmp_path: Path) -> None:
    net = Qdq()
    build(net)
    ours, theirs = both(net.save(tmp_path))
    assert work(ours) == work(theirs)
    assert len(ends(ours)) == len(ours.inputs) + len(ours.outputs), "only the ends quantise"


def test_an_autoencoder_has_the_parameters_that_tflite_has(tmp_path: Path) -> None:
    ours, theirs = both(autoencoder(tmp_path))
    assert work(ours) == work(theirs) and ends(ours) == ["QUANTIZE", "DEQUANTIZE", "DEQUANTIZE"]
    here, there = ({weights.shape: weights for operator in network.operators if macs(operator) for weights in constants(operator)}
                   for network in (ours, theirs))  # fmt: skip
    assert here.keys() <= there.keys() and len(here) >= 4
    for shape, weights in here.items():
        other = there[shape]
        assert weights.values is not None and other.values is not None and weights.dtype == other.dtype
        assert np.allclose(weights.scale, other.scale, rtol=1e-6) and weights.zero_point == other.zero_point
        if len(shape) == 4:  # columns of dense layers lie in the order of the file
            assert np.array_equal(weights.values, other.values) and weights.channel_axis == other.channel_axis
        else:
            assert np.array_equal(np.sort(weights.values, axis=None), np.sort(other.values, axis=None))
    activations = [{tensor.scale + tensor.zero_point for operator in network.operators for tensor in operator.outputs
                    if tensor.dtype == "int8" and operator.kind != "QUANTIZE"} for network in (ours, theirs)]  # fmt: skip
    assert activations[0] == activations[1]


def test_what_brevitas_exports_costs_the_same_as_in_tflite(tmp_path: Path) -> None:
    ours, theirs = both(brevitas_file(tmp_path))
    assert work(ours) == work(theirs) and len(ends(ours)) == 3


@pytest.mark.parametrize(("per_channel", "activation"), [(False, "QUInt8"), (True, "QInt8")])
def test_what_onnx_runtime_quantises_costs_the_same_as_in_tflite(per_channel: bool, activation: str, tmp_path: Path) -> None:
    ours, theirs = both(quantised_by_onnx_runtime(tmp_path, per_channel, activation))
    assert work(ours) == work(theirs) and len(ends(ours)) == 2
    quantised = {operator.outputs[0].shape: operator.outputs[0].zero_point for operator in theirs.operators if macs(operator)}
    assert {operator.outputs[0].shape: operator.outputs[0].zero_point for operator in ours.operators if macs(operator)} == quantised
    floats = read_onnx_network(tmp_path / "float.onnx")
    assert work(floats) == work(ours) and not ends(floats)


# ---- known networks ----


@pytest.mark.parametrize(("name", "mega_macs", "mega_weights"), [
    ("vgg19", 19632.06, 143.67),  # torchvision: 19.63 GMAC, 143,667,240 parameters
    ("resnet50", 4089.18, 25.55),  # torchvision: 4.09 GMAC, 25,557,032 parameters, some of them of the normalisations
    ("squeezenet", 349.15, 1.24),  # torchvision, squeezenet1_1: 0.35 GMAC, 1,235,496 parameters
])  # fmt: skip
def test_known_networks_have_their_known_size(name: str, mega_macs: float, mega_weights: float) -> None:
    network = read_onnx_network(ZOO / f"light_{name}.onnx")
    assert network.inputs[0].shape == (1, 224, 224, 3) and network.outputs[0].shape[-1] == 1000
    assert sum(map(macs, network.operators)) / 1e6 == pytest.approx(mega_macs, abs=0.01)
    weights = {id(tensor): tensor.elements for operator in network.operators for tensor in constants(operator) if tensor.dtype == "float32"}
    assert sum(weights.values()) / 1e6 == pytest.approx(mega_weights, abs=0.01)
    assert not [kind for kind in kinds(network) if kind.startswith("ONNX")]


# ---- layers ----


def test_convolutions_become_channels_last(tmp_path: Path) -> None:
    net = Float()
    y = net.op("Conv", net.input([1, 4, 9, 8]), net.weights(6, 4, 3, 2), net.weights(6), strides=[2, 1], dilations=[1, 2])
    y = net.op("Conv", y, net.weights(12, 1, 3, 3), group=6, pads=[1, 1, 1, 1])
    first, second = read(tmp_path, net.model(y)).operators
    assert (first.kind, second.kind) == ("CONV_2D", "DEPTHWISE_CONV_2D")
    x, weights, bias = first.inputs
    assert x and weights and bias and weights.values is not None
    assert (x.shape, weights.shape, bias.shape, first.outputs[0].shape) == ((1, 9, 8, 4), (6, 3, 2, 4), (6,), (1, 4, 6, 6))
    assert weights.values[5, 2, 1, 3] == np.arange(144).reshape(6, 4, 3, 2)[5, 3, 2, 1]
    assert first.options == {"padding": "VALID", "stride_h": 2, "stride_w": 1, "fused_activation_function": "NONE", "dilation_h_factor": 1,
                             "dilation_w_factor": 2}  # fmt: skip
    assert second.inputs[1] and second.inputs[1].shape == (1, 3, 3, 12)
    assert (second.options["padding"], second.options["depth_multiplier"]) == ("SAME", 2)


@pytest.mark.parametrize(("shape", "attributes", "expected"), [
    ([1, 2, 9], {"pads": [1, 1]}, ["CONV_2D SAME"]),
    ([1, 2, 9], {"pads": [2, 0]}, ["PAD", "CONV_2D VALID"]),
    ([1, 2, 8], {"pads": [1, 1], "strides": [2]}, ["PAD", "CONV_2D VALID"]),  # SAME cuts 0 before and 1 after
    ([1, 2, 9], {"pads": [1, 1], "strides": [2]}, ["CONV_2D SAME"]),
    ([1, 2, 8], {"auto_pad": "SAME_UPPER", "strides": [2]}, ["CONV_2D SAME"]),
    ([1, 2, 8], {"auto_pad": "SAME_LOWER", "strides": [2]}, ["PAD", "CONV_2D VALID"]),
    ([1, 2, None], {"pads": [1, 1]}, ["CONV_2D SAME"]),  # whatever the length
    ([1, 2, None], {"pads": [1, 1], "strides": [2]}, ["PAD", "CONV_2D VALID"]),
    ([1, 2, 9], {"pads": [0, 0]}, ["CONV_2D VALID"]),
])  # fmt: skip
def test_padding_of_a_series(shape: list[Any], attributes: dict[str, Any], expected: list[str], tmp_path: Path) -> None:
    net = Float()
    network = read(tmp_path, net.model(net.op("Conv", net.input(shape), net.weights(4, 2, 3), **attributes)))
    assert [f"{operator.kind} {operator.options.get('padding', '')}".strip() for operator in network.operators] == expected
    assert network.inputs[0].shape == (1, 1, shape[2], 2)
    weights = network.operators[-1].inputs[1]
    assert weights and weights.shape == (4, 1, 3, 2)
    if expected[0] == "PAD":
        paddings = network.operators[0].inputs[1]
        assert paddings and paddings.values is not None and paddings.values[2].tolist() == attributes.get("pads", [1, 0])


def test_dense_layers_have_weights_outputs_first(tmp_path: Path) -> None:
    net = Float()
    y = net.op("Relu", net.op("Gemm", net.input([None, 6]), net.weights(6, 5), net.weights(5)))
    y = net.op("Add", net.weights(4), net.op("MatMul", net.op("Gemm", y, net.weights(3, 5), transB=1), net.weights(3, 4)))
    first, second, third = read(tmp_path, net.model(y)).operators
    assert {operator.kind for operator in (first, second, third)} == {"FULLY_CONNECTED"}
    assert [weights.shape for operator in (first, second, third) if (weights := operator.inputs[1])] == [(5, 6), (3, 5), (4, 3)]
    assert [operator.options["fused_activation_function"] for operator in (first, second, third)] == ["RELU", "NONE", "NONE"]
    assert len(third.inputs) == 3 and third.outputs[0].shape == (None, 4)
    assert constants(first)[0].values is not None and constants(first)[0].values[4, 1] == np.arange(30).reshape(6, 5)[1, 4]


def test_products_of_activations_are_no_dense_layers(tmp_path: Path) -> None:
    net = Float()
    a, b = net.input([2, 4, 6, 5], "a"), net.input([2, 4, 5, 3], "b")
    (product,) = read(tmp_path, net.model(net.op("MatMul", a, b))).operators
    assert product.kind == "BATCH_MATMUL" and product.outputs[0].shape == (2, 4, 6, 3), "heads are no channels"


@pytest.mark.parametrize(("attributes", "expected"), [
    ({"strides": [2, 2]}, ["TRANSPOSE_CONV VALID"]),
    ({"strides": [2, 2], "pads": [1, 1, 1, 1]}, ["TRANSPOSE_CONV SAME"]),
    ({"strides": [2, 2], "pads": [2, 1, 1, 1]}, ["TRANSPOSE_CONV VALID", "SLICE"]),
    ({"strides": [2, 2], "group": 2}, ["ONNX ConvTranspose"]),
])  # fmt: skip
def test_transposed_convolutions(attributes: dict[str, Any], expected: list[str], tmp_path: Path) -> None:
    net = Float()
    network = read(tmp_path, net.model(net.op("ConvTranspose", net.input([1, 6, 5, 5]), net.weights(6, 3, 4, 4), **attributes)))
    assert [f"{operator.kind} {operator.options.get('padding', '')}".strip() for operator in network.operators] == expected
    if expected[0].startswith("TRANSPOSE_CONV"):
        shape, weights, x = network.operators[0].inputs
        assert shape and weights and x and shape.values is not None
        assert (tuple(shape.values), weights.shape, x.shape) == (network.operators[0].outputs[0].shape, (3, 4, 4, 6), (1, 5, 5, 6))


def test_normalisation_joins_the_convolution_before_it(tmp_path: Path) -> None:
    net = Float()
    rows = [net.constant(np.float32(row)) for row in ([2, 3], [1, 0], [5, -1], [4, 1])]  # scale, offset, mean, variance
    y = net.op("Relu", net.op("BatchNormalization", net.op("Conv", net.input([1, 1, 3, 3]), net.weights(2, 1, 1, 1)), *rows, epsilon=0.0))
    alone = net.op("BatchNormalization", net.op("Exp", y), *rows)
    network = read(tmp_path, net.model(alone))
    assert kinds(network) == ["CONV_2D", "EXP", "MUL", "ADD"]
    _, weights, bias = network.operators[0].inputs
    assert weights and bias and weights.values is not None and bias.values is not None
    assert weights.values.ravel().tolist() == [0, 3] and bias.values.tolist() == [1 - 5 * 1, 3]
    assert network.operators[0].options["fused_activation_function"] == "RELU"


def test_channels_last_files_need_no_transposition(tmp_path: Path) -> None:
    """As tf2onnx writes them: a Transpose before and behind each convolution."""
    net = Float()
    x = net.op("Transpose", net.input([1, 8, 9, 3]), perm=[0, 3, 1, 2])
    y = net.op("Transpose", net.op("Conv", x, net.weights(4, 3, 1, 1)), perm=[0, 2, 3, 1])
    network = read(tmp_path, net.model(y))
    assert kinds(network) == ["CONV_2D"]
    assert (network.inputs[0].shape, network.outputs[0].shape) == ((1, 8, 9, 3), (1, 8, 9, 4))


def test_axes_follow_the_layout(tmp_path: Path) -> None:
    net = Float(13)
    x = net.op("Conv", net.input([1, 4, 8, 6]), net.weights(4, 4, 1, 1))
    left, right = net.op("Split", x, net.constant(np.array([1, 3])), outputs=2, axis=1)
    x = net.op("Concat", net.op("Tanh", left), right, axis=1)
    x = net.op("Slice", x, net.constant(np.array([1])), net.constant(np.array([1 << 40])), net.constant(np.array([2])))
    x = net.op("Pad", x, net.constant(np.array([0, 1, 0, 0, 0, 0, 0, 2])))
    x = net.op("Resize", x, "", net.constant(np.float32([1, 1, 2, 2])), mode="nearest", coordinate_transformation_mode="asymmetric")
    x = net.op("Softmax", net.op("ReduceMean", x, axes=[2, 3], keepdims=0), axis=1)
    network = read(tmp_path, net.model(x))
    assert kinds(network) == ["CONV_2D", "SPLIT_V", "TANH", "CONCATENATION", "SLICE", "PAD", "RESIZE_NEAREST_NEIGHBOR", "MEAN", "SOFTMAX"]
    split, join, cut, pad, resize, mean = (network.operators[place] for place in (1, 3, 4, 5, 6, 7))
    assert [output.shape for output in split.outputs] == [(1, 8, 6, 1), (1, 8, 6, 3)] and join.options["axis"] == 3
    assert [tensor.values.tolist() for tensor in constants(cut) if tensor.values is not None] == [[0, 1, 0, 0], [1, 7, 6, 4]]
    assert [tensor.values.tolist() for tensor in constants(pad) if tensor.values is not None] == [[[0, 0], [0, 0], [0, 2], [1, 0]]]
    assert resize.outputs[0].shape == (1, 14, 16, 5)
    assert [tensor.values.tolist() for tensor in constants(mean) if tensor.values is not None] == [[1, 2]]
    assert network.outputs[0].shape == (1, 5)


def test_pools_and_activations(tmp_path: Path) -> None:
    net = Float()
    x = net.op("MaxPool", net.input([1, 3, 9]), kernel_shape=[3], strides=[2], pads=[1, 1], ceil_mode=1)
    x = net.op("Clip", x, net.constant(np.float32(0)), net.constant(np.float32(6)))
    x = net.op("Clip", net.op("AveragePool", x, kernel_shape=[2]), net.constant(np.float32(-3)), "")
    x = net.op("Mul", x, net.constant(np.float32([[[1], [2], [3]]])))  # one factor for each channel
    network = read(tmp_path, net.model(net.op("GlobalAveragePool", net.op("Relu", x))))
    assert kinds(network) == ["MAX_POOL_2D", "RELU6", "AVERAGE_POOL_2D", "MAXIMUM", "MUL", "MEAN"]
    assert network.operators[0].options == {"padding": "SAME", "stride_h": 1, "stride_w": 2, "fused_activation_function": "NONE", "filter_height": 1,
                                            "filter_width": 3}  # fmt: skip
    assert network.operators[4].options == {"fused_activation_function": "RELU"} and constants(network.operators[4])[0].shape == (1, 1, 1, 3)
    assert network.outputs[0].shape == (1, 1, 1, 3)


def test_shapes_that_the_file_computes_are_known(tmp_path: Path) -> None:
    """As torch writes x.view(x.size(0), -1): ONNX's own inference leaves the result without a shape."""
    net = Float()
    x = net.op("Conv", net.input([1, 3, 5]), net.weights(2, 3, 1))
    batch = net.op("Slice", net.op("Shape", x), *(net.constant(np.array([number])) for number in (0, 1)))
    y = net.op("Gemm", net.op("Reshape", x, net.op("Concat", batch, net.constant(np.array([-1])), axis=0)), net.weights(10, 4))
    network = read(tmp_path, net.model(y))
    assert kinds(network) == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED"] and network.operators[1].outputs[0].shape == (1, 10)


def test_shapes_that_only_the_run_knows_are_computed_by_operators(tmp_path: Path) -> None:
    net = Float()
    x = net.input([None, 3])
    network = read(tmp_path, net.model(net.op("Add", x, net.op("ConstantOfShape", net.op("Shape", x)))))
    assert kinds(network) == ["SHAPE", "FILL", "ADD"] and network.outputs[0].shape == (None, 3)


# ---- quantised ----


def test_operators_between_the_pairs_have_codes_and_others_stay_float(tmp_path: Path) -> None:
    net = Qdq()
    y = net.op("Conv", net.input([1, 3, 12]), net.weights((4, 3, 3), [0.1, 0.2, 0.3, 0.4]), net.bias(4, 0.037, [0.1, 0.2, 0.3, 0.4]))
    net.output(net.op("Exp", net.quantised(net.op("Relu", y), 0.3, 0, np.uint8)))  # no QuantizeLinear behind it
    network = read_onnx_network(net.save(tmp_path))
    assert kinds(network) == ["QUANTIZE", "CONV_2D", "DEQUANTIZE", "EXP"]
    x, weights, bias = network.operators[1].inputs
    y_tensor = network.operators[1].outputs[0]
    assert x and weights and bias
    assert [tensor.dtype for tensor in (x, weights, bias, y_tensor)] == ["int8", "int8", "int32", "int8"]
    assert (x.zero_point, weights.channel_axis, bias.shape) == ((3,), 0, (4,)) and weights.scale == tuple(map(float, np.float32([0.1, 0.2, 0.3, 0.4])))
    assert y_tensor.zero_point == (-128,) and network.operators[1].options["fused_activation_function"] == "NONE", "saturation at the code of 0"
    assert network.operators[3].inputs[0] is network.operators[2].outputs[0] and network.outputs[0].dtype == "float32"


def test_a_fixed_scale_costs_a_requantisation(tmp_path: Path) -> None:
    net = Qdq()
    net.output(net.quantised(net.op("Sigmoid", net.input([1, 9])), 0.0033, 0, np.uint8))
    network = read_onnx_network(net.save(tmp_path))
    assert kinds(network) == ["QUANTIZE", "LOGISTIC", "QUANTIZE", "DEQUANTIZE"]
    assert network.operators[1].outputs[0].scale == (1 / 256,)


def test_operators_on_codes_are_read_as_those_on_values(tmp_path: Path) -> None:
    net = Float()
    x = net.input([1, 2, 6], dtype=TensorProto.UINT8)
    scale, zero, one = net.constant(np.float32(0.5)), net.constant(np.uint8(128)), net.constant(np.int8(0))
    scales = net.constant(np.float32([0.1, 0.2, 0.3]))
    y = net.op("QLinearConv", x, scale, zero, net.constant(np.ones((3, 2, 3), np.int8)), scales, net.constant(np.zeros(3, np.int8)), scale, zero,
               net.constant(np.zeros(3, np.int32)), pads=[1, 1])  # fmt: skip
    y = net.op("Reshape", y, net.constant(np.array([1, 18])))
    y = net.op("QLinearMatMul", y, scale, zero, net.constant(np.ones((18, 5), np.int8)), scale, one, scale, zero)
    y = net.op("QGemm", y, scale, zero, net.constant(np.ones((4, 5), np.int8)), scale, one, net.constant(np.zeros(4, np.int32)), scale, zero,
               transB=1, domain="com.microsoft")  # fmt: skip
    z = net.op("MatMulInteger", y, net.constant(np.ones((4, 7), np.int8)), zero, one)
    network = read(tmp_path, net.model(net.op("Cast", z, to=TensorProto.FLOAT)))
    assert kinds(network) == ["CONV_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "FULLY_CONNECTED", "CAST"]
    conv, _, product, dense, integer, cast = network.operators
    assert network.inputs[0].shape == (1, 1, 6, 2) and (network.inputs[0].dtype, network.inputs[0].zero_point) == ("int8", (0,)), "less 128"
    assert constants(conv)[0].shape == (3, 1, 3, 2) and constants(conv)[0].channel_axis == 0
    assert np.allclose(constants(conv)[1].scale, [0.05, 0.1, 0.15])
    assert [weights.shape for weights in (constants(product)[0], constants(dense)[0], constants(integer)[0])] == [(5, 18), (4, 5), (7, 4)]
    assert integer.outputs[0].dtype == "int32" and cast.options == {"in_data_type": "INT32", "out_data_type": "FLOAT32"}


# ---- what TFLite does not have ----


def test_what_tflite_does_not_have_keeps_its_onnx_name(tmp_path: Path) -> None:
    net = Float()
    x = net.op("LSTM", net.input([5, 1, 3]), net.weights(1, 16, 3), net.weights(1, 16, 4), hidden_size=4)
    x = net.op("Gelu", net.op("Erf", x), domain="com.microsoft")
    network = read(tmp_path, net.model(x))
    assert kinds(network) == ["ONNX LSTM", "ONNX Erf", "ONNX com.microsoft.Gelu"]
    assert network.operators[0].outputs[0].shape == (5, 1, 1, 4) and network.operators[0].options == {"hidden_size": 4}


def test_loops_and_branches_are_named_and_their_bodies_counted(tmp_path: Path) -> None:
    net = Float()
    x, y = net.op("Exp", net.input([2])), helper.make_tensor_value_info("inside", TensorProto.FLOAT, [2])
    bodies = [helper.make_graph([helper.make_node(kind, [x], ["inside"])], kind, [], [y]) for kind in ("Sin", "Cos")]
    condition = net.constant(np.array(True))
    network = read(tmp_path, net.model(net.op("If", condition, then_branch=bodies[0], else_branch=bodies[1])))
    assert kinds(network) == ["EXP", "ONNX If"] and network.subgraphs == 3
    assert network.operators[0].outputs[0] in network.operators[1].inputs, "what a body takes from around it is kept"


def test_every_network_of_onnx_s_own_tests_is_read_or_refused() -> None:
    paths = sorted((ZOO.parent).glob("pytorch-*/*/model.onnx"))
    assert len(paths) > 80
    for path in paths:
        network = read_onnx_network(path)
        for tensor in (tensor for operator in network.operators for tensor in (*operator.inputs, *operator.outputs) if tensor is not None):
            assert tensor.values is None or tensor.values.shape == tensor.shape


# ---- what is refused ----


def small() -> onnx.ModelProto:
    net = Qdq()
    net.output(net.quantised(net.op("Gemm", net.input([1, 6]), net.weights((6, 4), axis=1), net.bias(4, 0.037)), 0.3))
    return net.model()


def elsewhere(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name.startswith("weights"))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def cut(model: onnx.ModelProto) -> None:
    next(tensor for tensor in model.graph.initializer if tensor.name.startswith("weights")).raw_data = b"\0"


def endless(model: onnx.ModelProto) -> None:
    next(tensor for tensor in model.graph.initializer if tensor.name.startswith("weights")).dims[:] = [1 << 40, 1 << 40]


def negative(model: onnx.ModelProto) -> None:
    next(tensor for tensor in model.graph.initializer if tensor.name.startswith("weights")).dims[:] = [-1]


def cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def stride_of_nought(model: onnx.ModelProto) -> None:
    model.graph.node[-3].attribute.append(helper.make_attribute("strides", [0]))


REFUSED = {
    elsewhere: "initializer weights", cut: "initializer weights", endless: "initializer weights", negative: "initializer weights",
    cycle: "graph: does not keep to the ONNX standard", stride_of_nought: "graph: does not keep to the ONNX standard",
    lambda model: model.graph.ClearField("output"): "graph: holds no operators or no outputs",
    lambda model: model.graph.sparse_initializer.add(): "sparse_initializer: sparse weights are not read",
    lambda model: model.ClearField("opset_import"): "graph: does not keep to the ONNX standard",
}  # fmt: skip


@pytest.mark.parametrize("change", REFUSED)
def test_a_file_that_cannot_be_is_refused(change: Any, tmp_path: Path) -> None:
    model = small()
    change(model)
    with pytest.raises(InputError) as refused:
        read(tmp_path, model)
    assert str(refused.value).startswith(f"{tmp_path / 'model.onnx'}: {REFUSED[change]}") and "\n" not in str(refused.value)


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(InputError, match=r"model.onnx: file: is no ONNX model"):
        read_onnx_network(path)
    with pytest.raises(InputError, match=r"does not exist"):
        read_onnx_network(tmp_path / "absent.onnx")


def endless_product(net: Float, big: str) -> str:
    return net.op("Mul", big, net.op("Transpose", big, perm=[1, 0]))


def endless_codes(net: Float, big: str) -> str:
    return net.op("DequantizeLinear", net.op("ConstantOfShape", net.constant(np.array([1 << 30, 1 << 9])), value=numpy_helper.from_array(np.uint8([7]))),
                  net.constant(np.float32(0.1)), net.constant(np.uint8(3)))  # fmt: skip


def endless_scales(net: Float, big: str) -> str:
    row = net.op("ConstantOfShape", net.constant(np.array([1 << 40])))
    return net.op("DequantizeLinear", net.op("ConstantOfShape", net.constant(np.array([1, 1 << 40])), value=numpy_helper.from_array(np.int8([7]))), row)


def endless_axes(net: Float, big: str) -> str:
    axes = net.op("ConstantOfShape", net.constant(np.array([1 << 40])), value=numpy_helper.from_array(np.array([1])))
    return net.op("ReduceSum", net.input([2, 2], "z"), axes)


@pytest.mark.parametrize("build", [endless_product, endless_codes, endless_scales, endless_axes])
def test_a_small_file_computes_no_large_constants(build: Any, tmp_path: Path) -> None:
    """A constant of one value costs nothing, whatever its shape; whatever would copy it stays an operator or is refused."""
    net = Float()
    big = net.op("ConstantOfShape", net.constant(np.array([1 << 20, 1 << 20])))
    y = net.op("Exp", build(net, big))
    net.input([1], "unused")
    try:
        assert kinds(read(tmp_path, net.model(y)))[-1] == "EXP"
    except InputError as refused:
        assert "is larger than the file" in str(refused)


@settings(max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_refused_or_still_a_network(data: st.DataObject, tmp_path: Path) -> None:
    whole = bytearray(small().SerializeToString())
    place, value = data.draw(st.integers(0, len(whole) - 1), "place"), data.draw(st.integers(0, 255), "value")
    if data.draw(st.booleans(), "cut"):
        del whole[max(place, 1) :]
    else:
        whole[place] = value
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(whole))
    try:
        assert isinstance(read_onnx_network(path), Network)
    except InputError as refused:
        assert str(refused).startswith(f"{path}: ")
