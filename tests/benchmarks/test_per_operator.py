import numpy as np
import pytest

from benchmarks import per_operator
from benchmarks.apart import Refused, ask
from benchmarks.arm.models import models
from benchmarks.bare import open_bare, random_inputs
from benchmarks.per_operator import cut_behind
from edge_runtime.errors import InputError
from export.write_tflite import tflite_bytes
from tests.benchmarks.test_bare import onnx_sum, tflite
from tests.bundle_for_tests import make_graph

MODULE = "benchmarks.per_operator"


def task(path, engine, name):
    return {"task": name, "engine": engine, "path": str(path), "seed": 1, "threads": 1, "seconds": 0.1, "calls": 50}


def test_a_cut_file_computes_what_the_whole_one_has_inside(tmp_path):
    """The tensor between the layers, read out of the whole file, is the output of the file that ends there."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    data = tflite_bytes(models()["dense_small"])
    (tmp_path / "first.tflite").write_bytes(cut_behind(data, 1))
    part = open_bare("litert", tmp_path / "first.tflite", delegates=False)
    given, = random_inputs(part.inputs, 1)[0]
    reference = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    whole = Interpreter(model_content=data, experimental_preserve_all_tensors=True, experimental_op_resolver_type=reference)
    whole.allocate_tensors()
    whole.set_tensor(whole.get_input_details()[0]["index"], given)
    whole.invoke()
    inside = {detail["name"]: detail["index"] for detail in whole.get_tensor_details()}
    assert [end.name for end in part.outputs] == ["y0"]
    assert np.array_equal(part.run(given)[0], whole.get_tensor(inside["y0"]))


def test_what_is_read_later_stays_an_output(tmp_path):
    """A branch that is joined later must leave the cut file, or the engine would not compute it."""
    data = tflite_bytes(make_graph())  # two heads on the same features
    (tmp_path / "whole.tflite").write_bytes(data)
    whole = open_bare("litert", tmp_path / "whole.tflite")
    for keep in range(whole.description["operators"] + 1):
        (tmp_path / "part.tflite").write_bytes(cut_behind(data, keep))
        part = open_bare("litert", tmp_path / "part.tflite")
        part.run(*random_inputs(part.inputs, 1)[0])
        assert part.description["operators"] == keep and part.outputs
    assert [end.name for end in part.outputs] == [end.name for end in whole.outputs]


def test_every_operator_has_its_times_and_they_sum_to_the_call(tmp_path):
    told = ask(MODULE, task(tflite(tmp_path, "dense_small"), "litert", "cut"))
    assert told["names"] == ["FULLY_CONNECTED"] * 3
    rounds = len(told["call"])
    assert rounds >= 3 and all(len(one) == rounds for one in told["us"])
    assert (np.sum(told["us"], axis=0) + told["call"] > 0).all()


def test_onnxruntime_tells_its_nodes(tmp_path):
    told = ask(MODULE, task(onnx_sum(tmp_path, ["any", 3]), "onnxruntime", "profiled"))
    assert told["names"] == ["Add"] and len(told["us"][0]) >= 20 and min(told["us"][0]) >= 0


def test_too_many_operators_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(per_operator, "MOST_OPERATORS", 2)
    with pytest.raises(InputError, match="are 3 of a file"):
        per_operator.cut(task(tflite(tmp_path, "dense_small"), "litert", "cut"))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(Refused, match="ONNX Runtime refuses it"):
        ask(MODULE, task(tmp_path / "x.onnx", "onnxruntime", "profiled"))


def test_an_end_that_the_engine_does_not_take_is_left_to_the_next(tmp_path, monkeypatch):
    opened = per_operator.open_bare

    def refuses(engine, path, threads):
        if path.name == "2.tflite":
            raise InputError(path, "model", "LiteRT refuses it")
        return opened(engine, path, threads)

    monkeypatch.setattr(per_operator, "open_bare", refuses)
    told = per_operator.cut(task(tflite(tmp_path, "dense_small"), "litert", "cut"))
    assert [one is None for one in told["us"]] == [False, True, False]


def test_a_whole_that_the_engine_does_not_take_is_refused(tmp_path):
    path = tmp_path / "x.tflite"
    data = bytearray(tflite(tmp_path, "dense_tiny").read_bytes())
    path.write_bytes(data[:-100])
    with pytest.raises(Refused, match="refuses it"):
        ask(MODULE, task(path, "litert", "cut"))
