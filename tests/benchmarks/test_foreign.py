"""How the files of others are judged; making all of them takes TensorFlow and minutes, which `make full` has."""

import subprocess

import pytest

from benchmarks import foreign
from edge_runtime.errors import InputError


def ends(code, stderr="", writes=False):
    def run(command, **_):
        if writes:
            with open(command[command.index("--out") + 1], "w") as file:
                file.write("{}")
        return subprocess.CompletedProcess(command, code, "", stderr)
    return run


@pytest.mark.parametrize(("run", "kind"), [
    (ends(0, writes=True), "benchmarked"), (ends(2, "pixie: x.onnx: model: is of text\n"), "refused"),
    (ends(0), "crashed"), (ends(70, "Traceback\nKeyError\n"), "crashed"), (ends(-11), "crashed"), (ends(1), "crashed"),
    (ends(2, "two\nlines\n"), "crashed"), (ends(2, "one line\n", writes=True), "crashed"), (ends(3, "pixie: a module is missing\n"), "crashed"),
])
def test_only_results_and_reasons_count(tmp_path, monkeypatch, run, kind):
    monkeypatch.setattr(foreign.subprocess, "run", run)
    stage = foreign.judged([tmp_path / "x.onnx"], tmp_path, 1)
    counts = {record.id: record.value for record in stage.records}
    assert counts == {"bench.foreign": int(kind != "crashed"), "bench.foreign.crashed": int(kind == "crashed")}
    assert all(record.n == 1 for record in stage.records) and bool(stage.figures["notes"]) == (kind != "benchmarked")


def test_onnx_files_are_float_and_int8_recurrent_and_open(tmp_path):
    import onnx

    files = {path.name: path for path in foreign.made(tmp_path, 1, ("foreign_onnx",))}
    kinds = {name: {node.op_type for node in onnx.load(path).graph.node} for name, path in files.items() if name != "cut_short.onnx"}
    assert "LSTM" in kinds["recurrent_float.onnx"] and "QLinearConv" in kinds["plane_qoperator.onnx"] and "Gather" in kinds["indexed_float.onnx"]
    assert "QuantizeLinear" in kinds["plane_qdq.onnx"] and "QuantizeLinear" not in kinds["plane_float.onnx"] and "MatMulInteger" in kinds["dense_dynamic.onnx"]
    assert onnx.load(files["recurrent_float.onnx"]).graph.input[0].type.tensor_type.shape.dim[1].dim_param == "steps"


def test_at_least_twelve_files_are_made():
    from pathlib import Path

    script = Path(foreign.__file__).with_name("foreign_tensorflow.py").read_text()
    assert script.count("_as_it_is, False)") >= 4 and script.count("_int8, True)") >= 4 and len(script.split("FILES:")[1].split('("')) > 12


def test_a_writer_that_fails_is_told(tmp_path):
    with pytest.raises(InputError, match="no_such_script: did not make its files"):
        foreign.made(tmp_path, 1, ("no_such_script",))
