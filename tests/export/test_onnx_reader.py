"""What the reader of ONNX files refuses: one test for each way to be wrong, each one line naming the file and the place, with a remedy."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.errors import InputError
from export.read_onnx import read_onnx
from tests.export.qdq import Qdq


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as refused:
        read_onnx(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


def dense(net: Qdq, weights: str | None = None, bias: str | None = None, shape: tuple[int, ...] = (1, 6), **attributes: object) -> str:
    x = net.input(list(shape))
    return net.op("Gemm", x, weights or net.weights((6, 4), axis=1), *([bias] if bias else []), **attributes)


def finished(net: Qdq, value: str, **quantisation: object) -> None:
    net.output(net.quantised(value, **{"scale": 0.3, **quantisation}))  # type: ignore[arg-type]


# ---- nodes ----


def unknown_operator(net: Qdq) -> None:
    finished(net, net.op("Softmax", net.input([1, 6])))


def unquantised_input_of_a_layer(net: Qdq) -> None:
    finished(net, net.op("Gemm", dense(net), net.weights((4, 3), axis=1)))


def float_weights(net: Qdq) -> None:
    finished(net, dense(net, net.constant(np.ones((6, 4), np.float32))))


def computed_weights(net: Qdq) -> None:
    x = net.input([1, 6])
    finished(net, net.op("MatMul", x, net.op("Transpose", x, perm=[0, 1])))


def asymmetric_weights(net: Qdq) -> None:
    codes, scale = net.constant(np.ones((6, 4), np.int8)), net.constant(np.float32(0.1))
    finished(net, dense(net, net.op("DequantizeLinear", codes, scale, net.constant(np.int8(3)))))


def uint8_weights(net: Qdq) -> None:
    codes, scale = net.constant(np.ones((6, 4), np.uint8)), net.constant(np.float32(0.1))
    finished(net, dense(net, net.op("DequantizeLinear", codes, scale, net.constant(np.uint8(127)))))


def lowest_weight_code(net: Qdq) -> None:
    codes, scale = net.constant(np.full((6, 4), -128, np.int8)), net.constant(np.float32(0.1))
    finished(net, dense(net, net.op("DequantizeLinear", codes, scale, net.constant(np.int8(0)))))


def weight_scales_along_the_inputs(net: Qdq) -> None:
    finished(net, dense(net, net.weights((6, 4), np.linspace(0.1, 0.2, 6), axis=0)))


def float_bias_off_the_grid(net: Qdq) -> None:
    finished(net, dense(net, bias=net.constant(np.float32([0.1, 0.2, 0.3, 0.4]))))


def bias_on_another_scale(net: Qdq) -> None:
    finished(net, dense(net, bias=net.bias(4, 0.05)))


def overflowing_accumulator(net: Qdq) -> None:
    scale = np.float32(0.037) * np.float32(0.011)
    codes = net.constant(np.full(4, 2**31 - 5, np.int32))
    finished(net, dense(net, bias=net.op("DequantizeLinear", codes, net.constant(scale), net.constant(np.int32(0)))))


def scaled_product(net: Qdq) -> None:
    finished(net, dense(net, alpha=0.5))


def scale_per_channel_of_an_activation(net: Qdq) -> None:
    scale, zero = net.constant(np.float32([0.1] * 6)), net.constant(np.zeros(6, np.int8))
    net.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 6]))
    net.output(net.op("DequantizeLinear", net.op("QuantizeLinear", "x", scale, zero), scale, zero))


def other_scale_behind_than_before(net: Qdq) -> None:
    net.input([1, 6])
    codes = net.nodes[0].output[0]
    net.output(net.op("DequantizeLinear", codes, net.constant(np.float32(0.2)), net.constant(np.int8(3))))


def scale_not_a_number(net: Qdq) -> None:
    finished(net, dense(net), scale=float("nan"))


def scale_zero(net: Qdq) -> None:
    finished(net, dense(net), scale=0.0)


def scale_negative(net: Qdq) -> None:
    finished(net, dense(net), scale=-0.3)


def scale_infinite(net: Qdq) -> None:
    finished(net, dense(net), scale=float("inf"))


def scale_far_too_small(net: Qdq) -> None:
    finished(net, dense(net), scale=1e-7)


def sixteen_bits(net: Qdq) -> None:
    net.opset = 21
    finished(net, dense(net), dtype=np.int16)


def grouped_transposed_convolution(net: Qdq) -> None:
    finished(net, net.op("ConvTranspose", net.input([1, 4, 6]), net.weights((4, 2, 3)), group=2))


def moved_batch(net: Qdq) -> None:
    finished(net, net.op("Transpose", net.input([1, 3, 6]), perm=[1, 0, 2]))


def reshaped_batch(net: Qdq) -> None:
    finished(net, net.op("Reshape", net.input([1, 6]), net.constant(np.array([2, 3]))))


def computed_shape(net: Qdq) -> None:
    x = net.input([1, 6])
    finished(net, net.op("Reshape", x, net.op("Cast", x, to=TensorProto.INT64)))


def weighted_sum_of_unequal_shapes(net: Qdq) -> None:
    finished(net, net.op("Add", net.input([1, 3, 6], name="a"), net.input([1, 3, 1], name="b")))


def linear_resize(net: Qdq) -> None:
    finished(net, net.op("Resize", net.input([1, 3, 6]), "", net.constant(np.float32([1, 1, 2])), mode="linear"))


def resize_that_does_not_repeat(net: Qdq) -> None:
    finished(net, net.op("Resize", net.input([1, 3, 6]), "", net.constant(np.float32([1, 1, 3])), mode="nearest",
                         coordinate_transformation_mode="asymmetric", nearest_mode="ceil"))  # fmt: skip


def resize_by_a_fraction(net: Qdq) -> None:
    finished(net, net.op("Resize", net.input([1, 3, 6]), "", net.constant(np.float32([1, 1, 1.5])), mode="nearest"))


def padding_with_another_value(net: Qdq) -> None:
    finished(net, net.op("Pad", net.input([1, 3, 6]), net.constant(np.array([0, 0, 1, 0, 0, 1])), net.constant(np.float32(1))))


def reflected_padding(net: Qdq) -> None:
    finished(net, net.op("Pad", net.input([1, 3, 6]), net.constant(np.array([0, 0, 1, 0, 0, 1])), mode="reflect"))


def dilated_pool(net: Qdq) -> None:
    finished(net, net.op("MaxPool", net.input([1, 3, 9]), kernel_shape=[2], dilations=[2]))


def uncounted_padding_on_another_scale(net: Qdq) -> None:
    finished(net, net.op("AveragePool", net.input([1, 3, 9]), kernel_shape=[3], pads=[1, 1]))


def sigmoid_on_a_fine_scale(net: Qdq) -> None:
    finished(net, net.op("Sigmoid", net.input([1, 9])), scale=0.001)


def volume(net: Qdq) -> None:
    finished(net, net.op("Conv", net.input([1, 2, 4, 4, 4]), net.weights((3, 2, 1, 1, 1))))


def huge_tensor(net: Qdq) -> None:
    finished(net, net.op("Relu", net.input([1, 3, 60000, 60000])))


NODES = {
    unknown_operator: ("(Softmax)", "is no operator that the kernels on board run"),
    unquantised_input_of_a_layer: ("(Gemm)", "which is float; quantise it"),
    float_weights: ("(Gemm)", "takes float or computed weights"),
    computed_weights: ("(MatMul)", "takes float or computed weights"),
    asymmetric_weights: ("(Gemm)", "not symmetric int8"),
    uint8_weights: ("(Gemm)", "not symmetric int8"),
    lowest_weight_code: ("(Gemm)", "weight code -128"),
    weight_scales_along_the_inputs: ("(Gemm)", "quantise per output channel"),
    float_bias_off_the_grid: ("(Gemm)", "off the grid of the accumulator"),
    bias_on_another_scale: ("(Gemm)", "on another scale than input scale * weight scale"),
    overflowing_accumulator: ("(Gemm)", "overflow its int32 accumulator"),
    scaled_product: ("(Gemm)", "fold them into the weights"),
    scale_per_channel_of_an_activation: ("(QuantizeLinear)", "use one scale per tensor"),
    other_scale_behind_than_before: ("(DequantizeLinear)", "use the same on both sides"),
    scale_not_a_number: ("(QuantizeLinear)", "must be finite and > 0"),
    scale_zero: ("(QuantizeLinear)", "must be finite and > 0"),
    scale_negative: ("(QuantizeLinear)", "must be finite and > 0"),
    scale_infinite: ("(QuantizeLinear)", "must be finite and > 0"),
    scale_far_too_small: ("(Gemm)", "calibrate"),
    sixteen_bits: ("initializer", "has type INT16"),
    grouped_transposed_convolution: ("(ConvTranspose)", "use groups=1"),
    moved_batch: ("(Transpose)", "keep it in front"),
    reshaped_batch: ("(Reshape)", "the batch must stay 1 and in front"),
    computed_shape: ("(Cast)", "is no operator"),
    weighted_sum_of_unequal_shapes: ("(Add)", "equal shapes are read"),
    linear_resize: ("(Resize)", "only nearest is read"),
    resize_that_does_not_repeat: ("(Resize)", "does not repeat each sample"),
    resize_by_a_fraction: ("(Resize)", "whole factors"),
    padding_with_another_value: ("(Pad)", "pad with 0"),
    reflected_padding: ("(Pad)", "only padding with 0 is read"),
    dilated_pool: ("(MaxPool)", "use dilation=1"),
    uncounted_padding_on_another_scale: ("(AveragePool)", "leaves padding out of the mean"),
    sigmoid_on_a_fine_scale: ("(Sigmoid)", "scale 1/256"),
    volume: ("(DequantizeLinear)", "two to four axes with the batch first are read"),
    huge_tensor: ("(DequantizeLinear)", "make the network smaller"),
}


@pytest.mark.parametrize("build", NODES, ids=lambda build: build.__name__)
def test_node_is_refused(build: Callable[[Qdq], None], tmp_path: Path) -> None:
    net = Qdq()
    build(net)
    message = refusal(net.save(tmp_path))
    assert all(part in message for part in NODES[build]), message
    assert message.startswith(("node ", "initializer "))


# ---- files ----


def small_model() -> onnx.ModelProto:
    net = Qdq()
    finished(net, dense(net))
    return net.model()


def written(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def newer_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def no_opset(model: onnx.ModelProto) -> None:
    del model.opset_import[:]


def foreign_domain(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.graph.node[-1].domain = "com.microsoft"


def cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def missing_input(model: onnx.ModelProto) -> None:
    model.graph.node[-1].input[1] = "nothing"


def missing_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "nothing"


def name_given_twice(model: onnx.ModelProto) -> None:
    model.graph.node.append(model.graph.node[-1])


def unused_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("idle", TensorProto.FLOAT, [1, 3]))


def unknown_length(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "length"


def several_items(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 8


def integer_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT8


def weights_elsewhere(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name.startswith("weights"))
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../../../etc/passwd")
    tensor.ClearField("raw_data")


def weights_cut(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name.startswith("weights"))
    tensor.raw_data = tensor.raw_data[:-1]


def half_precision(model: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT)
    tensor.data_type, tensor.raw_data = TensorProto.FLOAT16, b"\0\0"


def output_before_quantisation(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[-3].output[0]


def output_of_codes(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = model.graph.node[-2].output[0]
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT8


def same_output_twice(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Identity", [model.graph.output[0].name], ["twin"]))
    model.graph.output.append(helper.make_tensor_value_info("twin", TensorProto.FLOAT, [1, 4]))


def wrong_attribute(model: onnx.ModelProto) -> None:
    gemm = next(node for node in model.graph.node if node.op_type == "Gemm")
    gemm.attribute.append(helper.make_attribute("transB", 0.5))


def unprintable_name(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = "x\ny" if name == "x" else name
    model.graph.input[0].name = "x\ny"


FILES = {
    newer_opset: ("opset_import", "11 to 25 are read"),
    no_opset: ("opset_import", "opset is missing"),
    foreign_domain: ("node ", "only standard ONNX operators"),
    cycle: ("node ", "form a cycle"),
    missing_input: ("node ", "is given by nothing"),
    missing_output: ("output nothing", "is given by nothing"),
    name_given_twice: ("node ", "a second time"),
    unused_input: ("input idle", "is read by no operator"),
    unknown_length: ("input x", "fixed input shape"),
    several_items: ("input x", "export with an example of batch 1"),
    integer_input: ("input x", "must be float32"),
    weights_elsewhere: ("initializer weights", "save the model in one file"),
    weights_cut: ("initializer weights", "as many values as its shape says"),
    half_precision: ("initializer", "has type FLOAT16"),
    output_before_quantisation: ("output ", "which is float; quantise it"),
    output_of_codes: ("output ", "by a DequantizeLinear at its end"),
    same_output_twice: ("graph.output", "is the same tensor as"),
    wrong_attribute: ("", "attribute"),
    unprintable_name: ("", "printable"),
}


@pytest.mark.parametrize("change", FILES, ids=lambda change: change.__name__)
def test_file_is_refused(change: Callable[[onnx.ModelProto], None], tmp_path: Path) -> None:
    model = small_model()
    change(model)
    message = refusal(written(model, tmp_path))
    field, reason = FILES[change]
    assert message.startswith(field) and reason in message, message


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "absent.onnx")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "empty.onnx").touch()
    assert "is empty" in refusal(tmp_path / "empty.onnx")
    (tmp_path / "dangling.onnx").symlink_to(tmp_path / "nowhere")
    assert "is a link to" in refusal(tmp_path / "dangling.onnx")
    with open(tmp_path / "sparse.onnx", "wb") as file:
        os.truncate(file.fileno(), 2 << 30)
    assert "at most" in refusal(tmp_path / "sparse.onnx")


def test_damaged_files_are_refused_or_still_a_network(tmp_path: Path) -> None:
    data = small_model().SerializeToString()
    random = np.random.default_rng(1)
    refused = 0
    path = tmp_path / "model.onnx"
    for attempt in range(300):
        damaged = bytearray(data)
        if attempt % 3 == 0:
            damaged = damaged[: random.integers(1, len(data))]
        for place in random.integers(0, len(damaged), attempt % 3):
            damaged[place] = random.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_onnx(path)
        except InputError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ")
    assert refused > 100


def test_garbage_is_refused_in_one_line_with_status_2_and_nothing_written(tmp_path: Path) -> None:
    (tmp_path / "garbage.onnx").write_bytes(np.random.default_rng(0).bytes(5000))
    program = "import sys; from edge_runtime.cli import run_verb; from export.cli import EXPORT; sys.exit(run_verb('pixie', {'export': EXPORT}, sys.argv[1:]))"
    command = [sys.executable, "-c", program, "export", str(tmp_path / "garbage.onnx"), "--out", str(tmp_path / "out")]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert child.returncode == 2 and child.stdout == ""
    assert child.stderr.startswith(f"pixie: {tmp_path}/garbage.onnx: ") and child.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["garbage.onnx"]
