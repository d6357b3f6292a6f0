import pytest

from benchmarks import layers as module
from edge_runtime.errors import InputError
from hw_profiles.network import Network, Operator, Tensor
from tests.benchmarks.test_bare import onnx_sum, tflite

MEASURED = {"measured, hot p50": "hot", "measured, paced p50": "paced"}


def values(stage):
    return {record.id: record.value for record in stage.records}


def test_a_dense_network_is_counted(tmp_path):
    stage = module.layers(tflite(tmp_path, "dense_tiny"), "tiny")
    found = values(stage)
    first = {name: found[f"layers_of.tiny.0.{name}"] for name in ("parameters", "macs", "rom", "ram")}
    assert first == {"parameters": 16 * 16 + 16, "macs": 256, "rom": 16 * 16 + 4 * 16, "ram": 32}
    assert found["layers_of.tiny.1.macs"] == 16 * 8
    assert found["sizes_of.tiny.weights"] == 256 + 64 + 128 + 32 and found["sizes_of.tiny.live"] == 32
    assert found["sizes_of.tiny.flash"] == (tmp_path / "dense_tiny.tflite").stat().st_size
    assert [row["name"] for row in stage.figures["tables"]["layers_of_tiny"]["rows"]] == ["0 FULLY_CONNECTED 1×16", "1 FULLY_CONNECTED 1×8"]
    assert {record.on for record in stage.records} == {"the file"}  # the same on every machine


def test_a_file_that_cannot_be_read_has_its_bytes_alone(tmp_path):
    path = tmp_path / "x.tflite"
    path.write_bytes(b"no model")
    stage = module.layers(path, "x")
    assert values(stage) == {"sizes_of.x.flash": 8} and "cannot be told" in stage.figures["notes"][0]


def test_products_are_counted_whatever_the_numbers_are(monkeypatch, tmp_path):
    """A float layer has no price in the cost model, but as many products as one of int8; an open batch is one item, another open length stays open."""
    weights = Tensor("w", (5, 3), "float32", values=[0])
    x, y, z = Tensor("x", (None, 3), "float32"), Tensor("y", (None, 5), "float32"), Tensor("z", (None, None), "float32")
    network = Network("n", (Operator("FULLY_CONNECTED", (x, weights, None), (y,), {}), Operator("ONNX Range", (y,), (z,), {})), (x,), (z,), 100)
    monkeypatch.setattr(module, "_read", lambda path: network)
    (tmp_path / "f.onnx").write_bytes(b"x")
    found = values(module.layers(tmp_path / "f.onnx", "f"))
    assert (found["layers_of.f.0.macs"], found["layers_of.f.0.parameters"], found["layers_of.f.0.rom"], found["layers_of.f.0.ram"]) == (15, 15, 60, 32)
    assert found["layers_of.f.1.macs"] is None and found["layers_of.f.1.ram"] is None and found["sizes_of.f.live"] is None


def test_a_profile_predicts_beside_what_was_measured(tmp_path):
    stage = module.predicted(tflite(tmp_path, "dense_small"), "small", "raspberry-pi-4b", 1, "litert", MEASURED)
    record, = stage.records
    assert record.how == "modelled" and record.spread.low < record.value < record.spread.high and "Cortex-A72" in record.on
    row, = stage.figures["tables"]["predicted_of_small"]["rows"]
    assert row["cells"] == ["hot", "paced", "predicted_of.small"]
    assert stage.figures["tables"]["predicted_of_small"]["columns"] == ["profile and engine", *MEASURED, "predicted"]


def test_what_cannot_be_predicted_is_noted(tmp_path):
    path = onnx_sum(tmp_path, [1, 3], kind=8)  # texts
    stage = module.predicted(path, "sum", "raspberry-pi-4b", 1, "onnxruntime", MEASURED)
    assert stage.records == () and "predicts nothing" in stage.figures["notes"][0]


def test_an_unknown_profile_is_refused(tmp_path):
    with pytest.raises(InputError, match="no profile"):
        module.predicted(tflite(tmp_path, "dense_tiny"), "tiny", "raspberry-pi-99", 1, "litert", MEASURED)
