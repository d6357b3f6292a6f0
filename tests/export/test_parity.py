"""The parity proof: it finds nothing on a sound pair of files, and exactly what was changed on an unsound one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import InputError
from edge_runtime.graph import write_graph
from edge_runtime.graph.structure import Graph
from export.parity import PAIRS, Comparison, compare_codes, compare_parameters, random_windows, write_parity
from export.read_onnx import read_onnx
from export.write_tflite import tflite_bytes
from tests.export.qdq import Qdq
from tests.export.test_read_onnx import EXACT, brevitas_file, quantised_by_onnx_runtime


def exported(path: Path) -> Graph:
    """The files of a network beside its model.onnx."""
    graph = read_onnx(path)
    write_graph(graph, path.parent)
    (path.parent / "model.tflite").write_bytes(tflite_bytes(graph))
    return graph


def counts(comparisons: list[Comparison]) -> dict[str, tuple[int | None, int | None]]:
    return {comparison.name: (comparison.compared, comparison.differing) for comparison in comparisons}


def autoencoder(folder: Path) -> Path:
    """Convolution, dense layer from and to maps, transposed convolution; every bias and scale its own."""
    net = Qdq()
    scales = np.linspace(0.01, 0.02, 6)
    x = net.op("Relu", net.op("Conv", net.input([1, 3, 12]), net.weights((6, 3, 3), scales), net.bias(6, 0.037, scales), pads=[1, 1]))
    x = net.op("Flatten", net.quantised(x, 0.1, 0, np.uint8))
    y = net.quantised(net.op("Gemm", x, net.weights((5, 72)), net.bias(5, 0.1), transB=1), 0.3, 4)
    net.output(y, "mean")
    x = net.op("Gemm", "mean", net.weights((5, 24), axis=1), net.bias(24, 0.3))
    x = net.op("Reshape", net.quantised(x, 0.2), net.constant(np.array([1, 4, 6])))
    x = net.op("ConvTranspose", x, net.weights((4, 3, 4)), net.bias(3, 0.2), strides=[2], pads=[1, 1])
    net.output(net.quantised(x, 0.5), "reconstruction")
    return net.save(folder)


def test_parameters_of_a_sound_pair_do_not_differ(tmp_path: Path) -> None:
    exported(autoencoder(tmp_path))
    weights, biases = 6 * 3 * 3 + 5 * 72 + 5 * 24 + 4 * 3 * 4, 6 + 5 + 24 + 3
    scales = (6 + 1 + 1 + 1) * 2 + 5  # of weights, of biases, of activations
    assert counts(compare_parameters(tmp_path / "model.onnx", tmp_path / "model.tflite")) == {
        "parameters.weights": (weights, 0), "parameters.biases": (biases, 0), "parameters.scales": (scales, 0)}  # fmt: skip


@pytest.mark.parametrize("build", EXACT, ids=lambda build: build.__name__)
def test_parameters_of_every_operator_do_not_differ(build: object, tmp_path: Path) -> None:
    net = Qdq()
    build(net)  # type: ignore[operator]
    exported(net.save(tmp_path))
    comparisons = compare_parameters(tmp_path / "model.onnx", tmp_path / "model.tflite")
    assert [comparison.differing for comparison in comparisons] == [0, 0, 0]
    assert comparisons[2].compared


@pytest.mark.parametrize(("kind", "place", "differing"), [
    ("weights", 0, (1, 0, 0)), ("bias", 0, (0, 1, 0)), ("scale", 0, (0, 0, 1)), ("columns", 1, None), ("missing", 0, (6 * 9, 6, 12))])  # fmt: skip
def test_what_was_changed_in_the_tflite_file_is_counted(kind: str, place: int, differing: tuple[int, ...] | None, tmp_path: Path) -> None:
    graph = exported(autoencoder(tmp_path))
    layer = [operator for operator in graph.operators if len(operator.inputs) == 3][place]
    weights, bias, output = graph.tensors[layer.inputs[1]], graph.tensors[layer.inputs[2]], graph.tensors[layer.outputs[0]]
    assert weights.codes is not None and bias.codes is not None
    if kind == "weights":
        weights.codes.reshape(-1)[3] ^= 1
    elif kind == "bias":
        bias.codes[2] += 1
    elif kind == "scale":
        output.scale[0] = np.nextafter(output.scale[0], np.float32(1))
    elif kind == "columns":  # as if flattened channels-first were read channels-last
        weights.codes[...] = weights.codes.reshape(5, 12, 6).transpose(0, 2, 1).reshape(5, 72)
    else:
        graph.tensors[weights.name] = replace(weights, name="another")  # type: ignore[index]
        operators = [replace(other, inputs=tuple("another" if name == weights.name else name for name in other.inputs)) for other in graph.operators]
        graph = replace(graph, tensors={tensor.name: tensor for tensor in graph.tensors.values()}, operators=tuple(operators))
    (tmp_path / "changed.tflite").write_bytes(tflite_bytes(graph))
    found = tuple(comparison.differing for comparison in compare_parameters(tmp_path / "model.onnx", tmp_path / "changed.tflite"))
    assert found == differing if differing is not None else found[0] is not None and found[0] > 300 and found[1:] == (0, 0)


def test_a_file_that_is_no_tflite_file_is_refused(tmp_path: Path) -> None:
    path = autoencoder(tmp_path)
    (tmp_path / "model.tflite").write_bytes(b"TFL3" * 100)
    with pytest.raises(InputError, match="is no TFLite file"):
        compare_parameters(path, tmp_path / "model.tflite")


def test_codes_of_the_engines(tmp_path: Path) -> None:
    graph = exported(brevitas_file(tmp_path))
    windows = random_windows(graph, 60, seed=4)
    comparisons = compare_codes(tmp_path, windows)
    assert len(comparisons) == len(PAIRS) * 2
    found = {comparison.name: comparison for comparison in comparisons}
    for name, size in (("posterior_mean", 60 * 6), ("reconstruction", 60 * 16 * 3)):
        for pair in ("reference.litert", "reference.onnxruntime"):
            comparison = found[f"codes.{pair}.{name}"]
            assert (comparison.compared, comparison.differing, comparison.greatest) == (size, 0, 0)
        builtin = found[f"codes.reference.tflite-runtime.{name}"]
        assert builtin.greatest is not None and builtin.greatest <= 3  # its kernels round twice
    assert "xnnpack" in found["codes.reference.litert.posterior_mean"].on["litert"]


def test_an_engine_that_is_missing_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    graph = exported(quantised_by_onnx_runtime(tmp_path, False, "QInt8"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    (comparison,) = compare_codes(tmp_path, random_windows(graph, 2, seed=0)[0], [("reference", "tflite-runtime")])
    assert comparison.compared is comparison.differing is comparison.greatest is None
    assert "not installed" in comparison.on["missing"]


def test_random_windows_hold_the_extremes_and_repeat(tmp_path: Path) -> None:
    graph = read_onnx(autoencoder(tmp_path))
    (first,), (second,) = random_windows(graph, 5, seed=1), random_windows(graph, 5, seed=1)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (5, 1, 12, 3) and np.all(first[0] == -128) and np.all(first[1] == 127)


def test_parity_file(tmp_path: Path) -> None:
    write_parity(tmp_path / "parity.json", [Comparison("codes.a.b.y", 10, 1, 2, {"a": "1", "b": "2"})])
    assert json.loads((tmp_path / "parity.json").read_text()) == {"schema_version": 1, "records": [
        {"name": "codes.a.b.y", "compared": 10, "differing": 1, "greatest": 2, "on": {"a": "1", "b": "2"}}]}  # fmt: skip
