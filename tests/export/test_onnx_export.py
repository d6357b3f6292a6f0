from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from edge_runtime.preprocess import anscombe_tables
from export.onnx_export import INPUTS, OUTPUTS, export_onnx, modules_of_run
from tests.train import tiny
from train.models.layers import scale_of
from train.photometers import network_input

OPERATORS = {"Conv", "ConvTranspose", "Gemm", "Relu", "MaxPool", "Flatten", "Reshape", "QuantizeLinear", "DequantizeLinear", "Clip"}

PHOTOMETERS = ("encoder", "decoder", "whole")


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    quantised, _ = tiny.trained(tmp_path_factory.mktemp("runs") / "run")
    return modules_of_run(SimpleNamespace(configuration=tiny.configuration(), quantised=quantised))


@pytest.fixture(scope="module")
def files(modules, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, (module, example) in modules.items():
        export_onnx(module, example, folder / f"{name}.onnx", [INPUTS[name]], OUTPUTS[name])
    return folder


@pytest.mark.parametrize("name", PHOTOMETERS)
def test_names_and_operators_are_those_the_reader_knows(files, name):
    graph = onnx.load(files / f"{name}.onnx").graph
    assert [value.name for value in graph.input] == [INPUTS[name]]
    assert tuple(value.name for value in graph.output) == OUTPUTS[name]
    assert {node.op_type for node in graph.node} - {"Constant"} <= OPERATORS


@pytest.mark.parametrize("name", PHOTOMETERS)
def test_onnx_runtime_without_optimisation_gives_the_trained_networks_values(modules, files, name):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(files / f"{name}.onnx", options)
    module = modules[name][0]
    if name == "decoder":
        inputs = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    else:
        inputs = network_input(tiny.windows(seed=7).counts, anscombe_tables())
    with torch.no_grad():
        for one in inputs.split(1):
            trained = module(one)
            trained = trained if isinstance(trained, tuple) else (trained,)
            for ours, theirs in zip(trained, session.run(None, {INPUTS[name]: one.numpy()}), strict=True):
                assert np.array_equal(ours.numpy(), theirs)


def test_the_whole_network_is_encoder_and_decoder(modules):
    counts = network_input(tiny.windows(seed=8).counts, anscombe_tables())
    with torch.no_grad():
        mean, _, logits, reconstruction = modules["whole"][0](counts)
        assert torch.equal(modules["encoder"][0](counts)[0], mean) and torch.equal(modules["encoder"][0](counts)[1], logits)
        assert torch.equal(modules["decoder"][0](mean), reconstruction)


def test_scales_in_the_file_are_the_trained_float32_bits(modules, files):
    graph = onnx.load(files / "encoder.onnx").graph
    constants = {node.output[0]: onnx.numpy_helper.to_array(node.attribute[0].t) for node in graph.node if node.op_type == "Constant"}
    constants |= {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    scales = {constants[node.input[1]].tobytes() for node in graph.node if node.op_type == "QuantizeLinear"}
    encoder = modules["encoder"][0]
    trained = {np.float32(scale_of(quantiser)).tobytes() for quantiser in (encoder.trunk.counts, encoder.mean[1], encoder.head[1], encoder.head[3])}
    assert trained <= scales
    assert np.float32(anscombe_tables().scale).tobytes() in scales


def test_the_same_network_gives_the_same_bytes(modules, files, tmp_path):
    module, example = modules["whole"]
    export_onnx(module, example, tmp_path / "again.onnx", [INPUTS["whole"]], OUTPUTS["whole"])
    assert (tmp_path / "again.onnx").read_bytes() == (files / "whole.onnx").read_bytes()


def test_a_failing_export_leaves_nothing(tmp_path):
    class Unfit(torch.nn.Module):
        def forward(self, value):
            raise RuntimeError("unfit")

    with pytest.raises(RuntimeError, match="unfit"):
        export_onnx(Unfit(), torch.zeros(1, 3), tmp_path / "unfit.onnx", ["x"], ["y"])
    assert list(tmp_path.iterdir()) == []
