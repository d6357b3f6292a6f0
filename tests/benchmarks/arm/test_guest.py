"""What runs in the emulated Python, run in this one."""

import os

import numpy as np
import pytest

from benchmarks.arm import guest
from benchmarks.arm.models import models
from edge_runtime.graph import run
from export.write_tflite import tflite_bytes


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    graphs = {name: graph for name, graph in models().items() if name in ("dense_tiny", "encoder")}
    folder = tmp_path_factory.mktemp("models")
    for name, graph in graphs.items():
        (folder / f"{name}.tflite").write_bytes(tflite_bytes(graph))
    return {name: (graph, guest.load(folder / f"{name}.tflite")) for name, graph in graphs.items()}


@pytest.mark.parametrize("name", ["dense_tiny", "encoder"])
def test_outputs_are_all_codes_of_all_inputs_in_order(loaded, name):
    graph, interpreter = loaded[name]
    draw = np.random.default_rng(0)
    given = np.concatenate([draw.integers(-128, 128, graph.tensors["x"].shape, np.int8) for _ in range(guest.INPUTS)])
    wanted = run(graph, given)
    assert guest.outputs(interpreter) == b"".join(codes[k].tobytes() for k in range(guest.INPUTS) for codes in wanted)


def test_a_mark_is_set_after_each_run(loaded, monkeypatch):
    calls = []

    class Interpreter:
        def invoke(self):
            calls.append("inference")

    monkeypatch.setattr(os, "getsid", lambda process: calls.append("mark"))
    guest.count(Interpreter())
    runs = "".join(word[0] for word in calls).split("m")
    assert [len(run) for run in runs] == [*guest.LENGTHS, 0]
