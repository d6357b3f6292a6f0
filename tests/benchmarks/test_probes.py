import numpy as np
import pytest

from benchmarks import probes
from edge_runtime.errors import InputError
from export.write_tflite import tflite_bytes
from tests.benchmarks.test_bare import onnx_sum, tflite
from tests.bundle_for_tests import make_graph


def task(path, engine="litert", **more):
    return {"engine": engine, "path": str(path), "seed": 1, "threads": 1, "calls": 30, "seconds": 5.0, **more}


def test_a_file_is_described(tmp_path):
    told = probes.describe(task(tflite(tmp_path, "dense_tiny")))
    assert told["inputs"] == [{"name": "x", "shape": (1, 16), "dtype": "int8"}] and told["outputs"][0]["shape"] == (1, 8)
    assert (told["description"]["operators"], told["description"]["delegated_operators"]) == (2, 2)


@pytest.mark.parametrize("engine", ["litert", "onnxruntime"])
def test_parts_are_timed_apart(tmp_path, engine):
    told = probes.parts(task(tflite(tmp_path, "dense_tiny") if engine == "litert" else onnx_sum(tmp_path, ["any", 3]), engine))
    assert {name: len(spent) for name, spent in told.items()} == {"set": 30, "invoke": 30, "get": 30}
    assert min(min(spent) for spent in told.values()) >= 0


def test_a_batch_is_timed_where_outputs_grow_with_it(tmp_path):
    assert len(probes.batch(task(tflite(tmp_path, "dense_tiny"), items=4))["us"]) == 30


def test_a_fixed_shape_inside_takes_no_batch(tmp_path):
    path = tmp_path / "fixed.tflite"
    path.write_bytes(tflite_bytes(make_graph()))  # a RESHAPE to [1, 4]
    with pytest.raises(InputError):
        probes.batch(task(path, items=2))


def test_outputs_that_do_not_grow_are_no_batch(tmp_path):
    """Softmax over all is computed for twice as much input, but gives one answer and not two."""
    from onnx import TensorProto, helper, save

    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["any", 3]), helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1])]
    graph = helper.make_graph([helper.make_node("ReduceSum", ["x"], ["y"], keepdims=1)], "all", ends[:1], ends[1:])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "all.onnx")
    with pytest.raises(InputError, match=r"2 items give outputs of \[\(1, 1\)\]"):
        probes.batch(task(tmp_path / "all.onnx", "onnxruntime", items=2))


def test_the_arena_is_what_the_tensors_take_at_least(tmp_path):
    """16 codes in, 16 inside, 8 out: more than any two neighbours, no more than all with what alignment to 64 bytes adds."""
    size = probes.arena(task(tflite(tmp_path, "dense_tiny")))["bytes"]
    assert 32 <= size <= 3 * 64


def test_a_loaded_file_takes_memory():
    assert probes.memory({"engine": "litert", "path": None})["peak_kb"] > 10_000


def test_mlperf_tiny_counts_windows(tmp_path, monkeypatch):
    calls = []
    path = tflite(tmp_path, "dense_tiny")
    opened = probes._opened

    def counted(one):
        bare = opened(one)
        invoke = bare.invoke
        bare.invoke = lambda: (calls.append(1), invoke())
        return bare

    monkeypatch.setattr(probes, "_opened", counted)
    rates = probes.mlperf(task(path))["per_second"]
    assert len(calls) == 10 + 1_500 and len(rates) == 5 and np.all(np.array(rates) > 0)
