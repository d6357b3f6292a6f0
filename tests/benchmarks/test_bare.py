"""Engines on files as they are: what they take, what they refuse, and that a batch is computed as its items are."""

import numpy as np
import pytest
from onnx import TensorProto, helper, save

from benchmarks.arm.models import models
from benchmarks.bare import Given, open_bare, random_inputs
from edge_runtime.errors import InputError
from export.write_tflite import tflite_bytes


def tflite(folder, name):
    """One of the models with random weights: dense_tiny 16-16-8, dense_small 48-64-32-5."""
    path = folder / f"{name}.tflite"
    path.write_bytes(tflite_bytes(models()[name]))
    return path


def onnx_sum(folder, shape, kind=TensorProto.FLOAT):
    """y = a + b."""
    ends = [helper.make_tensor_value_info(name, kind, shape) for name in "aby"]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["y"])], "sum", ends[:2], ends[2:])
    path = folder / "sum.onnx"
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize("engine", ["litert", "tflite-runtime"])
def test_set_invoke_get_give_what_run_gives(tmp_path, engine):
    bare = open_bare(engine, tflite(tmp_path, "dense_tiny"))
    given, = random_inputs(bare.inputs, 1)[0]
    whole, = bare.run(given)
    bare.set(given)
    bare.invoke()
    assert np.array_equal(bare.get()[0], whole) and whole.dtype == np.int8
    assert bare.inputs == [Given("x", (1, 16), "int8")] and bare.description["operators"] == 2


def test_litert_delegates_what_it_is_asked_to(tmp_path):
    path = tflite(tmp_path, "dense_tiny")
    assert open_bare("litert", path).description["kernel_set"] == "xnnpack"
    assert open_bare("litert", path, delegates=False).description["delegated_operators"] == 0


@pytest.mark.parametrize("engine", ["litert", "onnxruntime"])
def test_a_batch_is_its_items(tmp_path, engine):
    path = tflite(tmp_path, "dense_tiny") if engine == "litert" else onnx_sum(tmp_path, ["any", 3])
    bare = open_bare(engine, path)
    values = random_inputs(bare.inputs, 1, 4)[0]
    alone = [np.copy(bare.run(*(value[item:item + 1] for value in values))[0][0]) for item in range(4)]
    bare.batch(4)
    assert np.array_equal(bare.run(*values)[0], alone)


def test_a_fixed_first_axis_takes_no_batch(tmp_path):
    bare = open_bare("onnxruntime", onnx_sum(tmp_path, [1, 3]))
    bare.batch(1)
    with pytest.raises(InputError, match="fixes the first axis"):
        bare.batch(2)


def test_open_lengths_are_one_and_several_inputs_are_taken(tmp_path):
    bare = open_bare("onnxruntime", onnx_sum(tmp_path, ["batch", None, 3]))
    assert [given.shape for given in bare.inputs] == [(1, 1, 3)] * 2
    first, second = random_inputs(bare.inputs, 1)[0]
    assert np.allclose(bare.run(first, second)[0], first + second)


@pytest.mark.parametrize(("engine", "name", "reason"), [
    ("litert", "broken.tflite", "LiteRT refuses it"), ("onnxruntime", "broken.onnx", "ONNX Runtime refuses it"), ("litert", "none.tflite", "does not exist"),
])
def test_a_broken_file_is_refused_with_the_engine_s_words(tmp_path, engine, name, reason):
    if name.startswith("broken"):
        (tmp_path / name).write_bytes(b"\x1c\0\0\0TFL3 and nothing more")
    with pytest.raises(InputError, match=reason):
        open_bare(engine, tmp_path / name)


def test_texts_cannot_be_made_up(tmp_path):
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "words", [helper.make_tensor_value_info("x", TensorProto.STRING, [1])],
                              [helper.make_tensor_value_info("y", TensorProto.STRING, [1])])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "words.onnx")
    with pytest.raises(InputError, match="input x: holds string"):
        open_bare("onnxruntime", tmp_path / "words.onnx")


def test_inputs_are_codes_reals_and_indices_in_their_ranges():
    ends = [Given("codes", (1, 5000), "int8"), Given("reals", (2, 3), "float16"), Given("index", (1, 9), "int64"), Given("yes", (4,), "bool"),
            Given("number", (), "float32")]
    codes, reals, index, yes, number = random_inputs(ends, 1)[0]
    assert (codes.min(), codes.max()) == (-128, 127) and index.min() >= 0 and index.max() <= 1
    assert reals.dtype == np.float16 and reals.min() >= 0 and reals.max() <= 1 and yes.dtype == bool and number.shape == ()
    assert random_inputs(ends[:1], 1, 3)[0][0].shape == (3, 5000)
    assert len(random_inputs([Given("large", (1, 40_000_000), "int8")], 1)) == 1  # and not sixteen of them
