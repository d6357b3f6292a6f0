"""One door for a network of any origin."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from edge_runtime.errors import InputError
from export.oracle_tensorflow import quantise_after_training
from export.read_network import read_network
from tests.bundle_for_tests import make_bundle
from tests.export.qdq import Qdq
from tests.export.test_oracle import float_network
from tests.export.test_read_onnx_network import macs


def test_a_bundle_is_its_tflite_file_under_its_own_name(tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "flight")
    network = read_network(bundle)
    assert network.name == "flight" and network.file_bytes == (bundle / "model.tflite").stat().st_size
    alone = read_network(bundle / "model.tflite")
    assert alone.name == "model" and [operator.kind for operator in alone.operators] == [operator.kind for operator in network.operators]


def test_an_onnx_file_is_read_whatever_the_case_of_its_suffix(tmp_path: Path) -> None:
    net = Qdq()
    net.output(net.quantised(net.op("Relu", net.input([1, 6])), 0.1))
    path = net.save(tmp_path).rename(tmp_path / "small.ONNX")
    assert read_network(str(path)).name == "small"


def test_anything_else_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"weights")
    for path, reason in ((tmp_path / "model.pt", r"file: is neither a .tflite nor an .onnx file nor a bundle"), (tmp_path, r"folder: holds no manifest.json"),
                         (tmp_path / "absent", r"file: does not exist"), (tmp_path / "absent.tflite", r"file: does not exist")):  # fmt: skip
        with pytest.raises(InputError, match=reason):
            read_network(path)


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_what_tensorflow_converts_multiplies_as_the_onnx_file_it_came_from(tmp_path: Path) -> None:
    source, windows = float_network(tmp_path)
    quantise_after_training(source, windows[:4], tmp_path / "converted.tflite")
    layers = [sorted((operator.kind, macs(operator)) for operator in read_network(path).operators if macs(operator))
              for path in (source, tmp_path / "converted.tflite")]
    assert layers[0] == layers[1] and len(layers[0]) == 6
