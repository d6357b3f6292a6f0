"""The reader of QDQ and QCDQ files: what it reads is computed as ONNX Runtime computes it, what it cannot read it refuses at the node."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import InputError
from edge_runtime.graph import Executor
from export.onnx_reader.layout import as_transpose
from export.read_onnx import read_onnx
from tests.export.qdq import Qdq, check, kinds, random_codes, run_litert, run_onnx

S = 0.037  # scale of the inputs


def conv(net: Qdq, x: str, weights: tuple[int, ...], scale_x: float = S, scale_w: object = 0.011, **attributes: object) -> str:
    return net.op("Conv", x, net.weights(weights, scale_w), net.bias(weights[0], scale_x, scale_w), **attributes)


def series_with_stride(net: Qdq) -> list[str]:
    y = conv(net, net.input([1, 3, 33]), (8, 3, 5), strides=[2], pads=[2, 2])
    net.output(net.quantised(y, 0.113, -4))
    return ["conv_2d"]


def series_with_asymmetric_padding_and_dilation(net: Qdq) -> list[str]:
    y = conv(net, net.input([1, 3, 40]), (6, 3, 3), pads=[1, 4], dilations=[3])
    net.output(net.quantised(y, 0.093))
    return ["conv_2d"]


def image_with_uint8_codes_and_relu(net: Qdq) -> list[str]:
    y = net.op("Relu", conv(net, net.input([1, 2, 9, 11], zero_point=131, dtype=np.uint8), (5, 2, 3, 3), pads=[1, 0, 1, 2], strides=[2, 1]))
    net.output(net.quantised(y, 0.061, 0, np.uint8))
    return ["conv_2d"]


def image_per_channel_in_groups(net: Qdq) -> list[str]:
    y = conv(net, net.input([1, 6, 8, 8]), (4, 3, 3, 3), scale_w=[0.011, 0.004, 0.023, 0.009], group=2, auto_pad="SAME_LOWER", strides=[2, 2])
    net.output(net.quantised(y, 0.107, 5))
    return ["conv_2d"]


def depthwise_same_upper(net: Qdq) -> list[str]:
    y = conv(net, net.input([1, 4, 7, 8]), (8, 1, 3, 3), group=4, auto_pad="SAME_UPPER", strides=[2, 2])
    net.output(net.quantised(y, 0.041))
    return ["conv_2d"]


def relu_above_the_lowest_code(net: Qdq) -> list[str]:
    y = net.op("Clip", conv(net, net.input([1, 3, 20]), (8, 3, 3)), net.constant(np.float32(-0.31)), net.constant(np.float32(2.2)))
    net.output(net.quantised(y, 0.059, -7))
    return ["conv_2d"]


def codes_of_five_bits(net: Qdq) -> list[str]:
    net.output(net.quantised(conv(net, net.input([1, 3, 20]), (8, 3, 3)), 0.5, 0, clip=(-15, 15)))
    return ["conv_2d"]


def transposed_series(net: Qdq) -> list[str]:
    x = net.input([1, 6, 9])
    y = net.op("ConvTranspose", x, net.weights((6, 4, 5)), net.bias(4, S), strides=[2], pads=[2, 1], output_padding=[1])
    net.output(net.quantised(y, 0.13, 2))
    return ["transpose_conv"]


def transposed_image(net: Qdq) -> list[str]:
    x = net.input([1, 3, 5, 4])
    y = net.op("ConvTranspose", x, net.weights((3, 4, 2, 3)), strides=[2, 3], pads=[0, 1, 0, 0])
    net.output(net.quantised(y, 0.07))
    return ["transpose_conv"]


def dense_behind_a_map(net: Qdq) -> list[str]:
    x = net.op("Flatten", net.quantised(conv(net, net.input([1, 3, 12]), (4, 3, 3), pads=[1, 1]), 0.1), axis=1)
    y = net.op("Gemm", x, net.weights((48, 10), [0.01 + 0.001 * k for k in range(10)], axis=1), net.bias(10, 0.1, [0.01 + 0.001 * k for k in range(10)]))
    net.output(net.quantised(y, 0.4))
    return ["conv_2d", "reshape", "fully_connected"]


def map_behind_a_dense_layer(net: Qdq) -> list[str]:
    scales = np.linspace(0.01, 0.02, 24)
    y = net.op("Gemm", net.input([1, 7]), net.weights((24, 7), scales), net.bias(24, S, scales), transB=1)
    x = net.op("Reshape", net.quantised(net.op("Relu", y), 0.05, 0, np.uint8), net.constant(np.array([0, 4, -1])))
    y = net.op("ConvTranspose", x, net.weights((4, 2, 4)), net.bias(2, 0.05), strides=[2], pads=[1, 1])
    net.output(net.quantised(y, 0.21))
    return ["fully_connected", "reshape", "transpose_conv"]


def dense_layer_over_time(net: Qdq) -> list[str]:
    x = net.op("Transpose", net.input([1, 5, 6]), perm=[0, 2, 1])  # [1, t, c]
    y = net.op("Add", net.bias(3, S), net.op("MatMul", x, net.op("Transpose", net.weights((3, 5)), perm=[1, 0])))
    net.output(net.quantised(y, 0.05))
    return ["reshape", "fully_connected", "transpose", "reshape"]


def sum_of_two(net: Qdq) -> list[str]:
    a, b = net.input([1, 4, 6, 6], name="a"), net.input([1, 4, 6, 6], 0.021, -9, name="b")
    net.output(net.quantised(net.op("Relu", net.op("Add", a, b)), 0.029, 0, np.uint8))
    return ["add"]


def sum_with_a_constant(net: Qdq) -> list[str]:
    codes = net.constant(net.random.integers(0, 256, (4, 1, 1)).astype(np.uint8))
    y = net.op("DequantizeLinear", codes, net.constant(np.float32(0.01)), net.constant(np.uint8(121)))
    net.output(net.quantised(net.op("Add", y, net.input([1, 4, 3, 5])), 0.041))
    return ["add"]


def joined_channels(net: Qdq) -> list[str]:
    a, b = net.input([1, 2, 30], name="a"), net.input([1, 3, 30], name="b")
    net.output(conv_after(net, net.op("Concat", a, b, axis=1)))
    return ["concatenation", "conv_2d"]


def conv_after(net: Qdq, x: str) -> str:
    return net.quantised(conv(net, x, (4, 5, 3)), 0.07)


def joined_features(net: Qdq) -> list[str]:
    a = net.op("Flatten", net.quantised(conv(net, net.input([1, 3, 6], name="a"), (2, 3, 3)), S))
    x = net.op("Concat", a, net.input([1, 3], name="b", zero_point=0), axis=-1)
    net.output(net.quantised(net.op("Gemm", x, net.weights((11, 9), 0.02)), 0.2))
    return ["conv_2d", "reshape", "concatenation", "fully_connected"]


def squeezed_and_unsqueezed(net: Qdq) -> list[str]:
    x = net.op("Unsqueeze", net.input([1, 3, 20]), net.constant(np.array([2])))  # [1, 3, 1, 20]
    y = net.quantised(conv(net, x, (4, 3, 1, 3)), 0.06)
    net.output(net.op("Squeeze", y, net.constant(np.array([2]))))
    return ["conv_2d"]


def exchanged_axes(net: Qdq) -> list[str]:
    x = net.op("Transpose", net.input([1, 4, 6, 5]), perm=[0, 2, 3, 1])
    net.output(net.quantised(conv(net, x, (3, 6, 2, 2)), 0.09))
    return ["transpose", "conv_2d"]


def shuffled_samples(net: Qdq) -> list[str]:
    x = net.quantised(conv(net, net.input([1, 3, 10]), (6, 3, 1)), 0.04)
    x = net.op("Transpose", net.op("Reshape", x, net.constant(np.array([1, 3, 2, 10]))), perm=[0, 1, 3, 2])
    x = net.op("Reshape", x, net.constant(np.array([1, 3, -1])))  # sub-pixel convolution: each pair of channels becomes two samples
    net.output(net.quantised(conv(net, x, (3, 3, 3), 0.04), 0.05))
    return ["conv_2d", "reshape", "transpose", "reshape", "conv_2d"]


def greatest_of_windows(net: Qdq) -> list[str]:
    x = net.op("MaxPool", net.input([1, 3, 9, 10]), kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], ceil_mode=1)
    net.output(net.quantised(x, S, 3))
    return ["max_pool_2d"]


def mean_of_windows(net: Qdq) -> list[str]:
    x = net.op("AveragePool", net.input([1, 3, 10]), kernel_shape=[3], strides=[2], pads=[1, 1], count_include_pad=1)
    net.output(net.quantised(x, S, 3))
    return ["pad", "average_pool_2d"]


def mean_of_windows_on_another_scale(net: Qdq) -> list[str]:
    x = net.op("AveragePool", net.input([1, 3, 10, 9]), kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)
    net.output(net.quantised(net.op("Relu", x), 0.0171, -3))
    return ["conv_2d"]


def mean_of_the_plane(net: Qdq) -> list[str]:
    x = net.op("GlobalAveragePool", net.input([1, 40, 5, 7]))
    net.output(net.op("Flatten", net.quantised(x, 0.0091, 2)))
    return ["mean", "reshape"]


def padded(net: Qdq) -> list[str]:
    x = net.op("Pad", net.input([1, 3, 7]), net.constant(np.array([0, 1, 2, 0, 0, 3])), net.constant(np.float32(0)))
    net.output(net.quantised(conv(net, x, (4, 4, 3)), 0.07))
    return ["pad", "conv_2d"]


def enlarged(net: Qdq) -> list[str]:
    x = net.op("Resize", net.input([1, 3, 4, 5]), "", net.constant(np.float32([1, 1, 2, 3])), mode="nearest",
               coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    x = net.op("Resize", x, "", "", net.constant(np.array([1, 3, 16, 15])), mode="nearest")
    net.output(net.quantised(conv(net, x, (4, 3, 3, 3)), 0.09))
    return ["resize_nearest", "resize_nearest", "conv_2d"]


def sigmoid(net: Qdq) -> list[str]:
    net.output(net.quantised(net.op("Sigmoid", net.input([1, 256])), 1 / 256, 0, np.uint8))
    return ["logistic"]


def relu_alone(net: Qdq) -> list[str]:
    net.output(net.quantised(net.op("Relu", net.input([1, 256])), S, 3))
    return ["clamp"]


def older_opset(net: Qdq) -> list[str]:
    net.opset = 11
    x = net.op("Unsqueeze", net.input([1, 3, 20]), axes=[2])
    codes = net.constant(net.random.integers(-127, 128, (4, 3, 1, 3)).astype(np.int8))
    weights = net.op("DequantizeLinear", codes, net.constant(np.float32(0.01)))
    net.nodes.remove(net.nodes[-1])  # int8 needs its zero point before opset 13 in ONNX Runtime
    weights = net.op("DequantizeLinear", codes, net.constant(np.float32(0.01)), net.constant(np.int8(0)))
    net.output(net.quantised(net.op("Squeeze", net.quantised(net.op("Conv", x, weights), 0.06), axes=[2]), 0.06))
    return ["conv_2d"]


EXACT = [series_with_stride, series_with_asymmetric_padding_and_dilation, image_with_uint8_codes_and_relu, image_per_channel_in_groups, depthwise_same_upper,
         relu_above_the_lowest_code, codes_of_five_bits, transposed_series, transposed_image, dense_behind_a_map, map_behind_a_dense_layer,
         dense_layer_over_time, sum_of_two, sum_with_a_constant, joined_channels, joined_features, squeezed_and_unsqueezed, exchanged_axes, shuffled_samples,
         greatest_of_windows, mean_of_windows, mean_of_windows_on_another_scale, mean_of_the_plane, padded, enlarged, sigmoid,
         relu_alone, older_opset]  # fmt: skip


@pytest.mark.parametrize("build", EXACT, ids=lambda build: build.__name__)
def test_operator_gives_the_codes_of_onnx_runtime_and_litert(build: Callable[[Qdq], list[str]], tmp_path: Path) -> None:
    net = Qdq()
    expected = build(net)
    assert kinds(check(net, tmp_path)) == expected


def test_another_scale_costs_at_most_one_code(tmp_path: Path) -> None:
    net = Qdq()
    net.output(net.quantised(net.op("Concat", net.input([1, 200], name="a"), net.input([1, 56], 0.0113, 20, name="b"), axis=1), 0.0291, -11))
    assert kinds(check(net, tmp_path, slack=1)) == ["requantise", "requantise", "concatenation"]


def test_sigmoid_on_another_scale_costs_at_most_one_code(tmp_path: Path) -> None:
    net = Qdq()
    net.output(net.quantised(net.op("Sigmoid", net.input([1, 256])), 0.0033, 0, np.uint8))
    assert kinds(check(net, tmp_path, slack=1)) == ["logistic", "requantise"]


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_convolution_gives_the_codes_of_onnx_runtime(data: st.DataObject, tmp_path: Path) -> None:
    numbers = {name: data.draw(st.integers(1, most), name) for name, most in
               {"groups": 3, "inputs": 3, "outputs": 3, "kernel": 5, "stride": 3, "dilation": 3, "length": 12}.items()}  # fmt: skip
    groups, reach = numbers["groups"], (numbers["kernel"] - 1) * numbers["dilation"] + 1
    begin, end = (data.draw(st.integers(0, reach), name) for name in ("begin", "end"))
    length = max(numbers["length"], reach - begin - end, 1)
    net = Qdq(seed=data.draw(st.integers(0, 99)))
    x = net.input([1, groups * numbers["inputs"], length], zero_point=data.draw(st.integers(-128, 127)))
    weights = net.weights((groups * numbers["outputs"], numbers["inputs"], numbers["kernel"]))
    y = net.op("Conv", x, weights, net.bias(groups * numbers["outputs"], S), group=groups, strides=[numbers["stride"]],
               dilations=[numbers["dilation"]], pads=[begin, end])  # fmt: skip
    net.output(net.quantised(y, 0.0713 * np.sqrt(numbers["inputs"] * numbers["kernel"])))
    check(net, tmp_path, count=4, litert=False)


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=5), data=st.data())
def test_every_transposition_is_found_from_its_positions(shape: list[int], data: st.DataObject) -> None:
    permutation = data.draw(st.permutations(range(len(shape))))
    positions = np.arange(np.prod(shape)).reshape(shape).transpose(permutation).ravel()
    found = as_transpose(positions)
    assert found is not None
    np.testing.assert_array_equal(np.arange(positions.size).reshape(found[0]).transpose(found[1]).ravel(), positions)


def test_an_order_that_is_no_transposition_is_not_found() -> None:
    assert as_transpose(np.array([0, 2, 1, 3, 5, 4])) is None


def test_two_heads_share_one_reshape_and_one_layer_twice_its_weights(tmp_path: Path) -> None:
    net = Qdq()
    x = net.op("Flatten", net.quantised(conv(net, net.input([1, 3, 12]), (4, 3, 3)), 0.1))
    weights = net.weights((40, 10), axis=1)
    for index in range(2):
        net.output(net.quantised(net.op("Gemm", x, weights), 0.4 + 0.1 * index), f"y{index}")
    graph = check(net, tmp_path)
    assert kinds(graph) == ["conv_2d", "reshape", "fully_connected", "fully_connected"]
    assert graph.operators[2].inputs[:2] == graph.operators[3].inputs[:2]


def test_a_dense_layer_that_is_also_an_output_keeps_its_order(tmp_path: Path) -> None:
    net = Qdq()
    y = net.quantised(net.op("Gemm", net.input([1, 7]), net.weights((24, 7)), transB=1), 0.09)
    net.output(net.quantised(conv(net, net.op("Reshape", y, net.constant(np.array([1, 4, 6]))), (2, 4, 3), 0.09), 0.1), "map")
    net.output(y, "row")
    graph = check(net, tmp_path)
    assert graph.outputs == ("map", "row") and "transpose" in kinds(graph)


# ---- files by the tools themselves ----


def brevitas_file(folder: Path) -> Path:
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Int8WeightPerTensorFloat, Int32Bias, Uint8ActPerTensorFloat
    from torch import nn

    from export.onnx_export import export_onnx

    signed = {"act_quant": Int8ActPerTensorFloat, "return_quant_tensor": True}
    unsigned = {"act_quant": Uint8ActPerTensorFloat, "return_quant_tensor": True}
    tensor = {"weight_quant": Int8WeightPerTensorFloat, "bias_quant": Int32Bias, "bias": True}
    channel = {"weight_quant": Int8WeightPerChannelFloat, "bias_quant": Int32Bias, "bias": True}

    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.counts = qnn.QuantIdentity(**signed)
            self.conv = qnn.QuantConv1d(3, 8, 5, stride=2, padding=2, **channel)
            self.skip = qnn.QuantConv1d(8, 8, 3, padding=1, groups=8, **channel)
            self.first, self.second, self.third = qnn.QuantReLU(**unsigned), qnn.QuantReLU(**unsigned), qnn.QuantReLU(**unsigned)
            self.pool = nn.MaxPool1d(2)
            self.mean, self.mean_codes = qnn.QuantLinear(64, 6, **tensor), qnn.QuantIdentity(**signed)
            self.open = qnn.QuantLinear(6, 64, **tensor)
            self.widen, self.codes = qnn.QuantConvTranspose1d(8, 3, 4, stride=2, padding=1, **tensor), qnn.QuantIdentity(**signed)

        def forward(self, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x = self.first(self.conv(self.counts(counts)))
            x = self.pool(self.second(x + self.first(self.skip(x))))
            mean = self.mean_codes(self.mean(torch.flatten(x, 1)))
            y = self.third(self.open(mean))
            return mean.value, self.codes(self.widen(y.view(-1, 8, 8))).value

    torch.manual_seed(3)
    module = Autoencoder()
    for _ in range(20):
        module(torch.randn(4, 3, 32))
    module.eval()
    export_onnx(module, torch.randn(1, 3, 32), folder / "model.onnx", ("counts",), ("posterior_mean", "reconstruction"))
    return folder / "model.onnx"


def assert_codes_agree(path: Path, differing: float) -> None:
    """Reference and LiteRT in every code; ONNX Runtime node by node in all but a share `differing`, where rounding ties or coarser kernels decide."""
    import onnx

    graph = read_onnx(path)
    inputs = random_codes(graph, 100)
    golden = Executor(graph).run(*inputs)
    onnx_values = run_onnx(onnx.load(path), graph, inputs, list(graph.outputs))
    for output, ours, lite, real in zip(graph.outputs, golden, run_litert(graph, inputs), onnx_values, strict=True):
        np.testing.assert_array_equal(ours, lite)
        tensor = graph.tensors[output]
        difference = np.abs(np.rint(real / tensor.scale[0]) + tensor.zero_point - ours)
        assert difference.max() <= 1 and np.count_nonzero(difference) <= differing * difference.size


def test_brevitas_autoencoder_gives_the_codes_of_onnx_runtime(tmp_path: Path) -> None:
    path = brevitas_file(tmp_path)
    graph = read_onnx(path)
    assert graph.inputs == ("counts",) and graph.outputs == ("posterior_mean", "reconstruction")
    assert graph.tensors["counts"].shape == (1, 1, 32, 3) and graph.tensors["reconstruction"].shape == (1, 1, 16, 3)
    assert kinds(graph) == ["conv_2d", "conv_2d", "add", "max_pool_2d", "reshape", "fully_connected", "fully_connected", "reshape", "transpose_conv"]
    assert_codes_agree(path, 0.0)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("activation", ["QInt8", "QUInt8"])
def test_onnx_runtime_quantised_network_gives_its_codes(per_channel: bool, activation: str, tmp_path: Path) -> None:
    assert_codes_agree(quantised_by_onnx_runtime(tmp_path, per_channel, activation), 0.0)


def quantised_by_onnx_runtime(folder: Path, per_channel: bool, activation: str) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    random = np.random.default_rng(5)
    shapes = {"w1": (6, 2, 3, 3), "b1": (6,), "w2": (6, 1, 3, 3), "b2": (6,), "w3": (6, 4, 2, 2), "b3": (4,), "w4": (5, 4 * 8 * 8), "b4": (5,)}
    constants = [numpy_helper.from_array(random.normal(0, 0.3, shape).astype(np.float32), name) for name, shape in shapes.items()]
    nodes = [helper.make_node(*node, **attributes) for node, attributes in (
        (("Conv", ["x", "w1", "b1"], ["a"]), {"pads": [1, 1, 1, 1]}), (("Relu", ["a"], ["b"]), {}),
        (("Conv", ["b", "w2", "b2"], ["c"]), {"pads": [1, 1, 1, 1], "group": 6}), (("Add", ["b", "c"], ["d"]), {}),
        (("MaxPool", ["d"], ["e"]), {"kernel_shape": [2, 2], "strides": [2, 2]}),
        (("ConvTranspose", ["e", "w3", "b3"], ["f"]), {"strides": [2, 2]}), (("Relu", ["f"], ["g"]), {}),
        (("Flatten", ["g"], ["h"]), {}), (("Gemm", ["h", "w4", "b4"], ["y"]), {"transB": 1}))]  # fmt: skip
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 8, 8])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])]
    model = helper.make_model(helper.make_graph(nodes, "network", *ends, constants), opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "float.onnx")

    class Windows(CalibrationDataReader):
        def __init__(self) -> None:
            self.windows = iter([{"x": random.normal(size=(1, 2, 8, 8)).astype(np.float32)} for _ in range(8)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.windows, None)

    quantize_static(folder / "float.onnx", folder / "model.onnx", Windows(), quant_format=QuantFormat.QDQ, per_channel=per_channel,
                    activation_type=QuantType[activation], weight_type=QuantType.QInt8, extra_options={"ActivationSymmetric": False})  # fmt: skip
    return folder / "model.onnx"


def test_a_float_network_is_refused_with_the_remedy(tmp_path: Path) -> None:
    quantised_by_onnx_runtime(tmp_path, False, "QInt8")
    with pytest.raises(InputError, match=r"float.onnx: node .*\(Conv\): takes x, which is float; quantise it"):
        read_onnx(tmp_path / "float.onnx")
