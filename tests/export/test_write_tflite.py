"""The TFLite file, read back with the schema and by every reader there is: integers and scales untouched, bytes always the same."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.graph import Graph, Operator, check_graph, run
from edge_runtime.graph.operators import KINDS
from export.write_tflite import tflite_bytes
from tests.edge_runtime.random_graphs import WHOLE, graph, random_graph, tensor, windows

NAME_OF_OPERATOR = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def read(data: bytes) -> schema.ModelT:
    return schema.ModelT.InitFromPackedBuf(data, 0)


def operators(model: schema.ModelT) -> list[tuple[str, int]]:
    codes = model.operatorCodes
    return [(NAME_OF_OPERATOR[codes[operator.opcodeIndex].builtinCode], codes[operator.opcodeIndex].version) for operator in model.subgraphs[0].operators]


def by_name(model: schema.ModelT) -> dict[str, schema.TensorT]:
    return {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}


def constant(model: schema.ModelT, tensor: schema.TensorT, dtype: type) -> np.ndarray:
    return np.frombuffer(model.buffers[tensor.buffer].data, dtype).reshape(tensor.shape)


def small_convolution(**attributes: object) -> Graph:
    """A convolution with the simplest numbers, for the bytes that are pinned and the paddings."""
    codes = np.arange(-3, 9, dtype=np.int8).reshape(2, 1, 3, 2)
    all_attributes = {"stride": (1, 2), "dilation": (1, 1), "padding": (0, 0, 0, 0), "groups": 1, "clamp": WHOLE, **attributes}
    left, right = all_attributes["padding"][2:]
    out = (8 + left + right - 3) // 2 + 1
    tensors = [
        tensor("x", (1, 1, 8, 2), 0.1, -5), tensor("w", codes.shape, [0.3, 0.7], 0, codes, axis=0),
        tensor("b", (2,), np.float32(0.1) * np.float32([0.3, 0.7]), 0, np.array([7, -70000], np.int32), "int32", 0), tensor("y", (1, 1, out, 2), 0.9, 11),
    ]  # fmt: skip
    return graph(tensors, [Operator("conv_2d", ("x", "w", "b"), ("y",), all_attributes)])


def test_the_bytes_are_pinned():
    data = tflite_bytes(small_convolution())
    assert data[4:8] == b"TFL3" and data == tflite_bytes(small_convolution())
    assert hashlib.sha256(data).hexdigest() == PINNED, "the file changed: a decision, so write the new SHA-256 here and say why in the commit"


PINNED = "4763865acb2355094ab26ebab7cf792868a2b776d9523f290372572642191703"


def test_description_version_and_static_shapes():
    model = read(tflite_bytes(small_convolution()))
    assert (model.version, model.description) == (3, b"pixie")
    assert all(tensor.shapeSignature is None and min(tensor.shape, default=1) >= 1 for tensor in model.subgraphs[0].tensors)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["conv_2d", "transpose_conv", "fully_connected"])
def test_integers_and_scales_survive_bit_for_bit(kind, seed):
    source = random_graph(kind, seed)
    model = read(tflite_bytes(source))
    tensors = by_name(model)
    for name, original in source.tensors.items():
        quantisation = tensors[name].quantization
        assert np.asarray(quantisation.scale, np.float32).tobytes() == original.scale.tobytes()
        assert list(quantisation.zeroPoint) == [original.zero_point] * len(original.scale)
        if original.codes is not None:
            codes = constant(model, tensors[name], original.codes.dtype.type)
            depthwise = ("DEPTHWISE_CONV_2D", 3) in operators(model)
            if depthwise and name == "w":
                codes = codes.transpose(3, 1, 2, 0)
            assert np.array_equal(codes, original.codes)
            if original.channel_axis is not None:
                assert quantisation.quantizedDimension == (3 if depthwise and name == "w" else 0)


def test_constants_are_aligned():
    """To 16 bytes, as the schema demands: kernels on ARM read them where they lie in the file."""
    data = tflite_bytes(random_graph("conv_2d", 4))
    root = schema.Model.GetRootAs(data, 0)
    found = 0
    for index in range(root.BuffersLength()):
        buffer = root.Buffers(index)
        if buffer.DataLength():
            found += 1
            assert buffer._tab.Vector(buffer._tab.Offset(4)) % 16 == 0
    assert found >= 2


@pytest.mark.parametrize(("attributes", "expected"), [
    ({}, [("CONV_2D", 3)]),
    ({"padding": (0, 0, 0, 1)}, [("CONV_2D", 3)]),  # SAME
    ({"padding": (0, 0, 1, 0)}, [("PAD", 2), ("CONV_2D", 3)]),  # torch's side, not TFLite's
    ({"padding": (0, 0, 1, 1)}, [("PAD", 2), ("CONV_2D", 3)]),  # torch's symmetrical padding
    ({"clamp": (11, 127)}, [("CONV_2D", 3)]),
    ({"clamp": (-20, 30)}, [("CONV_2D", 3), ("MAXIMUM", 2), ("MINIMUM", 2)]),
])  # fmt: skip
def test_padding_and_clamp_become_the_least_operators(attributes, expected):
    assert operators(read(tflite_bytes(small_convolution(**attributes)))) == expected


def test_padding_is_the_zero_point():
    """A PAD operator of TFLite fills with the zero point of its own output, which therefore must be that of the input."""
    model = read(tflite_bytes(small_convolution(padding=(0, 0, 1, 1))))
    padded = by_name(model)["y:padded"].quantization
    assert (list(padded.zeroPoint), np.float32(padded.scale[0])) == ([-5], np.float32(0.1))


def test_relu_at_the_zero_point_is_fused():
    (operator,) = read(tflite_bytes(small_convolution(clamp=(11, 127)))).subgraphs[0].operators
    assert operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.RELU


def test_max_pooling_pads_with_the_least_code():
    x, y = tensor("x", (1, 1, 6, 1), 0.5, 40), tensor("y", (1, 1, 4, 1), 0.5, 40)
    pool = graph([x, y], [Operator("max_pool_2d", ("x",), ("y",), {"kernel": (1, 2), "stride": (1, 2), "padding": (0, 0, 1, 1)})])
    model = read(tflite_bytes(pool))
    assert operators(model) == [("PADV2", 2), ("MAX_POOL_2D", 2)]
    assert constant(model, by_name(model)["y:fill"], np.int8) == -128


def transposed(k: int, stride: int, padding: tuple[int, int], extra: int) -> Graph:
    codes = np.ones((1, 1, k, 2), np.int8)
    out = 7 * stride + k - sum(padding) + extra
    tensors = [tensor("x", (1, 1, 8, 2), 0.5, 3), tensor("w", codes.shape, 0.5, 0, codes),
               tensor("b", (1,), 0.25, 0, np.zeros(1, np.int32), "int32"), tensor("y", (1, 1, out, 1), 0.5)]  # fmt: skip
    attributes = {"stride": (1, stride), "padding": (0, 0, *padding), "output_padding": (0, extra), "clamp": WHOLE}
    return graph(tensors, [Operator("transpose_conv", ("x", "w", "b"), ("y",), attributes)])


@pytest.mark.parametrize(("k", "stride", "padding", "extra", "expected"), [
    (4, 2, (0, 0), 0, ["TRANSPOSE_CONV"]),  # VALID
    (4, 2, (1, 1), 0, ["TRANSPOSE_CONV"]),  # SAME
    (2, 2, (0, 0), 1, ["TRANSPOSE_CONV"]),  # output_padding beyond the kernel: a larger output
    (3, 2, (1, 1), 1, ["TRANSPOSE_CONV", "SLICE"]),  # torch's habit; SAME would cut at the other end
    (2, 3, (0, 1), 0, ["TRANSPOSE_CONV", "SLICE"]),  # stride above kernel: SAME would leave XNNPACK
])  # fmt: skip
def test_transposed_convolution_cuts_where_torch_does(k, stride, padding, extra, expected):
    assert [name for name, _ in operators(read(tflite_bytes(transposed(k, stride, padding, extra))))] == expected


def test_depthwise_and_grouped():
    kinds = {1: "CONV_2D", 2: "CONV_2D", 4: "DEPTHWISE_CONV_2D"}
    for groups, expected in kinds.items():
        codes = np.ones((4, 1, 3, 4 // groups), np.int8)
        tensors = [tensor("x", (1, 1, 8, 4), 0.5), tensor("w", codes.shape, 0.5, 0, codes),
                   tensor("b", (4,), 0.25, 0, np.zeros(4, np.int32), "int32"), tensor("y", (1, 1, 6, 4), 0.5)]  # fmt: skip
        attributes = {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0), "groups": groups, "clamp": WHOLE}
        model = read(tflite_bytes(graph(tensors, [Operator("conv_2d", ("x", "w", "b"), ("y",), attributes)])))
        assert operators(model) == [(expected, 6 if groups == 2 else 3)]


READERS = {
    "tflite_runtime": "from tflite_runtime.interpreter import Interpreter",
    "tensorflow": "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'; import tensorflow; Interpreter = tensorflow.lite.Interpreter",
}
SCRIPT = """
import sys, numpy, pathlib
{reader}
for path in sorted(pathlib.Path(sys.argv[1]).glob('*.tflite')):
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    stored = numpy.load(path.with_suffix('.npz'))
    for index, detail in enumerate(interpreter.get_input_details()):
        interpreter.set_tensor(detail['index'], stored[f'input{{index}}'])
    interpreter.invoke()
    for index, detail in enumerate(interpreter.get_output_details()):
        difference = numpy.abs(interpreter.get_tensor(detail['index']).astype(int) - stored[f'output{{index}}'])
        print(path.stem, int(difference.max()))
"""


@pytest.mark.parametrize("reader", READERS)
def test_other_readers_accept_every_kind_and_differ_by_rounding_alone(reader, tmp_path):
    for kind in KINDS:
        for seed in range(6):
            source = random_graph(kind, seed)
            inputs = [codes[4:5] for codes in windows(source, 5, seed)]
            outputs = run(source, *inputs)
            (tmp_path / f"{kind}-{seed}.tflite").write_bytes(tflite_bytes(source))
            arrays = {f"input{index}": codes for index, codes in enumerate(inputs)} | {f"output{index}": codes for index, codes in enumerate(outputs)}
            np.savez(tmp_path / f"{kind}-{seed}.npz", **arrays)
    script = [sys.executable, "-c", SCRIPT.format(reader=READERS[reader]), str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=240, check=False)
    if f"No module named '{reader}'" in done.stderr:
        pytest.skip(f"{reader} is not installed")
    assert done.returncode == 0, done.stderr[-2000:]
    differences = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert len(differences) == 6 * len(KINDS)
    worst = {kind: max(int(value) for name, value in differences.items() if name.startswith(f"{kind}-")) for kind in KINDS}
    exact = {kind for kind, row in KINDS.items() if row.rounding["xnnpack"] in ("exact", "average_half_away")}
    assert all(worst[kind] == 0 for kind in exact) and max(worst.values()) <= 1, worst


def test_writing_needs_no_tensorflow():
    code = "import sys; from tests.edge_runtime.random_graphs import random_graph; from export.write_tflite import tflite_bytes;" \
           "tflite_bytes(random_graph('conv_2d', 0)); print('tensorflow' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "False"


def test_every_kind_of_the_table_is_written():
    for kind in KINDS:
        source = random_graph(kind, 0)
        check_graph(source, kind)
        assert tflite_bytes(source)[4:8] == b"TFL3"
