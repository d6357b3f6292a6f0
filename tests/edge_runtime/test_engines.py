"""The engines: the same codes behind the same face, and refusals at the door."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime import engines
from edge_runtime.errors import InputError, MissingError
from edge_runtime.graph import Graph, Operator, read_graph, run, write_graph
from export.write_tflite import tflite_bytes
from tests.edge_runtime.random_graphs import WHOLE, graph, random_graph, tensor, windows


def network() -> Graph:
    """A strided convolution with Relu and a pooled second output, as an encoder of two heads."""
    draw = np.random.default_rng(3)
    codes = draw.integers(-127, 128, (4, 1, 5, 3)).astype(np.int8)
    tensors = [
        tensor("x", (1, 1, 40, 3), 0.043, -7), tensor("w", codes.shape, 0.011, 0, codes),
        tensor("b", (4,), np.float32(0.043) * np.float32(0.011), 0, draw.integers(-3000, 3000, 4).astype(np.int32), "int32"),
        tensor("y", (1, 1, 20, 4), 0.19, -128), tensor("m", (1, 4), 0.07, 5),
    ]  # fmt: skip
    attributes = {"stride": (1, 2), "dilation": (1, 1), "padding": (0, 0, 2, 2), "groups": 1, "clamp": WHOLE}
    return graph(tensors, [Operator("conv_2d", ("x", "w", "b"), ("y",), attributes), Operator("mean", ("y",), ("m",), {})], outputs=("m", "y"))


def onnx_of(source: Graph) -> onnx.ModelProto:
    """`network` as a QDQ file with channels first and a series of rank 3, as exporters write it."""
    tensors = source.tensors
    constants = {}
    nodes = []

    def quantised(name: str, tensor_name: str, quantise: bool) -> str:
        tensor = tensors[tensor_name]
        kind = np.int8 if tensor.dtype == "int8" else np.int32
        constants[f"{tensor_name}_scale"], constants[f"{tensor_name}_zero"] = np.float32(tensor.scale[0]), np.array(tensor.zero_point, kind)
        ends = [f"{tensor_name}_scale", f"{tensor_name}_zero"]
        if quantise:
            nodes.append(helper.make_node("QuantizeLinear", [name, *ends], [f"{name}_q"]))
            name = f"{name}_q"
        nodes.append(helper.make_node("DequantizeLinear", [name, *ends], [f"{name}_d"]))
        return f"{name}_d"

    constants["w"] = tensors["w"].codes[:, 0].transpose(0, 2, 1)
    constants["b"] = tensors["b"].codes
    x = quantised("x", "x", True)
    nodes.append(helper.make_node("Conv", [x, quantised("w", "w", False), quantised("b", "b", False)], ["c"], strides=[2], pads=[2, 2]))
    nodes.append(helper.make_node("Relu", ["c"], ["r"]))
    y = quantised("r", "y", True)
    nodes.append(helper.make_node("Identity", [y], ["y"]))
    nodes.append(helper.make_node("GlobalAveragePool", [y], ["p"]))
    nodes.append(helper.make_node("Flatten", ["p"], ["f"]))
    nodes.append(helper.make_node("Identity", [quantised("f", "m", True)], ["m"]))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [1, 3, 40]), ("m", [1, 4]), ("y", [1, 4, 20]))]
    body = helper.make_graph(nodes, "network", ends[:1], ends[1:], [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_graph(network(), tmp_path)
    (tmp_path / "model.tflite").write_bytes(tflite_bytes(network()))
    onnx.save(onnx_of(network()), tmp_path / "model.onnx")
    return tmp_path


def inputs() -> np.ndarray:
    return windows(network(), 60, 0)[0]


@pytest.mark.parametrize("name", engines.NAMES)
def test_every_engine_gives_the_graph_s_outputs_in_order(name, folder):
    engine = engines.load(name, folder)
    expected = run(read_graph(folder), inputs())
    differing = np.zeros(2, int)
    for index, codes in enumerate(inputs()):
        found = engine.run(codes[np.newaxis])
        assert [output.shape for output in found] == [(1, 4), (1, 1, 20, 4)] and all(output.dtype == np.int8 for output in found)
        for place, (output, golden) in enumerate(zip(found, expected, strict=True)):
            difference = np.abs(output[0].astype(int) - golden[index])
            assert difference.max() <= 1
            differing[place] += np.count_nonzero(difference)
    assert engine.description["name"] == engine.name == name
    if engine.description["kernel_set"] == "xnnpack":
        assert not differing.any()
    assert differing[1] <= 0.02 * expected[1].size


def test_litert_says_what_it_delegates(folder):
    assert engines.load("litert", folder).description["delegated_operators"] == 3  # PAD, CONV_2D, MEAN
    pooled = random_graph("average_pool_2d", 0)
    write_graph(pooled, folder)
    (folder / "model.tflite").write_bytes(tflite_bytes(pooled))
    assert engines.load("litert", folder).description["delegated_operators"] == 0


@pytest.mark.parametrize("name", ["litert", "tflite-runtime"])
def test_lent_memory_is_the_input(name, folder):
    engine = engines.load(name, folder)
    expected = engines.load("reference", folder)
    lent = engine.input_buffer()
    assert lent.shape == (1, 1, 40, 3) and lent.dtype == np.int8
    for codes in inputs()[:5]:
        lent[...] = codes
        for found, golden in zip(engine.run(lent), engine.run(codes[np.newaxis]), strict=True):
            assert np.array_equal(found, golden)
    assert expected.input_buffer() is None


@pytest.mark.parametrize("name", engines.NAMES)
def test_outputs_belong_to_the_caller(name, folder):
    engine = engines.load(name, folder)
    kept = engine.run(inputs()[4:5])
    copies = [output.copy() for output in kept]
    engine.run(inputs()[5:6])
    assert all(np.array_equal(output, copy) for output, copy in zip(kept, copies, strict=True))


@pytest.mark.parametrize("name", engines.NAMES)
def test_other_inputs_are_no_input(name, folder):
    engine = engines.load(name, folder)
    for wrong in ((np.zeros((1, 1, 39, 3), np.int8),), (np.zeros((1, 1, 40, 3), np.uint8),), ()):
        with pytest.raises(ValueError):
            engine.run(*wrong)


def test_two_inputs_on_every_tflite_engine(tmp_path):
    source = next(made for made in (random_graph("add", seed) for seed in range(20)) if len(made.inputs) == 2)
    write_graph(source, tmp_path)
    (tmp_path / "model.tflite").write_bytes(tflite_bytes(source))
    codes = [codes[4:5] for codes in windows(source, 5, 1)]
    for name in ("reference", "litert"):
        assert np.array_equal(engines.load(name, tmp_path).run(*codes)[0], run(source, *codes)[0])


def test_onnx_runtime_without_optimisation(folder):
    from edge_runtime.engines.onnxruntime import OnnxEngine

    engine = OnnxEngine(folder, level="disable")
    assert engine.description["kernel_set"] == "onnxruntime"
    assert [output.shape for output in engine.run(inputs()[:1])] == [(1, 4), (1, 1, 20, 4)]


def test_the_reference_engine_in_another_kernel_set(folder):
    from edge_runtime.engines.reference import ReferenceEngine

    engine, real = ReferenceEngine(folder, "tflite_runtime"), engines.load("tflite-runtime", folder)
    assert engine.description["kernel_set"] == "tflite_runtime" and engines.load("reference", folder).description["kernel_set"] == "xnnpack"
    for found, expected in zip(engine.run(inputs()), zip(*(real.run(codes[np.newaxis]) for codes in inputs()), strict=True), strict=True):
        assert np.array_equal(found, np.concatenate(expected))


def test_a_kernel_set_that_has_no_codes_for_the_network_is_refused(folder):
    from edge_runtime.engines.reference import ReferenceEngine

    with pytest.raises(InputError, match=r"graph.json: operators\[0\].inputs\[1\]: .*ONNX Runtime"):  # its scales are no powers of two
        ReferenceEngine(folder, "onnxruntime")
    with pytest.raises(InputError, match=r"graph.json: operators\[0\].kind: .*kernel set neon"):
        ReferenceEngine(folder, "neon")


def test_an_unknown_engine_is_refused(folder):
    with pytest.raises(InputError, match="engine: is 'tpu', known are reference"):
        engines.load("tpu", folder)


@pytest.mark.parametrize(("name", "modules"), [
    ("litert", ["ai_edge_litert", "ai_edge_litert.interpreter"]),
    ("tflite-runtime", ["tflite_runtime", "tflite_runtime.interpreter"]),
    ("onnxruntime", ["onnxruntime"]),
])  # fmt: skip
def test_a_missing_package_is_told_with_its_command(name, modules, folder, monkeypatch):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingError, match="pip install") as missing:
        engines.load(name, folder)
    assert missing.value.status == 3


@pytest.mark.parametrize(("field", "value", "refusal"), [
    ("scale", [0.5], r"inputs\[0\].scale"),
    ("zero_point", 9, r"inputs\[0\].zero_point"),
    ("name", "z", r"inputs\[0\].name"),
    ("shape", [1, 1, 41, 3], r"inputs\[0\].shape"),
])  # fmt: skip
def test_a_model_for_other_tensors_than_the_graph_s_is_refused(field, value, refusal, folder):
    """Whoever mixes up files gets a refusal, not an AUC of 0.35."""
    document = json.loads((folder / "graph.json").read_text())
    document["tensors"][0][field] = value
    if field == "name":
        document["inputs"] = [value]
    (folder / "graph.json").write_text(json.dumps(document))
    for name in ("litert", "tflite-runtime"):
        with pytest.raises(InputError, match=f"model.tflite: {refusal}"):
            engines.load(name, folder)
    if field in ("name", "shape"):
        with pytest.raises(InputError, match=f"model.onnx: {refusal}"):
            engines.load("onnxruntime", folder)


@pytest.mark.parametrize("name", ["litert", "tflite-runtime", "onnxruntime"])
@pytest.mark.parametrize("damage", ["absent", "empty", "folder", "text"])
def test_damaged_models_are_refused(name, damage, folder):
    path = folder / ("model.onnx" if name == "onnxruntime" else "model.tflite")
    path.unlink()
    if damage == "empty":
        path.touch()
    elif damage == "folder":
        path.mkdir()
    elif damage == "text":
        path.write_text("this is no model at all, and long enough")
    with pytest.raises(InputError, match=path.name):
        engines.load(name, folder)


@pytest.mark.parametrize("name", ["litert", "onnxruntime"])
def test_truncated_models_are_refused_and_nothing_is_printed(name, folder, capfd):
    path = folder / ("model.onnx" if name == "onnxruntime" else "model.tflite")
    data = path.read_bytes()
    for length in np.random.default_rng(0).integers(9, len(data) - 200, 12):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match=path.name):
            engines.load(name, folder)
    assert capfd.readouterr() == ("", "")


def test_loading_is_silent(folder, capfd):
    for name in engines.NAMES:
        engines.load(name, folder)
    assert capfd.readouterr() == ("", "")


def test_the_reference_engine_needs_numpy_alone(folder):
    code = f"""
import sys
from edge_runtime import engines
engines.load("reference", {str(folder)!r})
print([name for name in ("ai_edge_litert", "tflite_runtime", "onnxruntime", "flatbuffers", "onnx", "torch") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True)
    assert done.stdout.strip() == "[]"
