"""`pixie bench MODEL` from end to end, briefly: what it writes is whole, renders and makes no claim. No time is asserted."""

import json

import pytest

from benchmarks import engine_bench, latency, model_bench
from benchmarks.apart import Refused
from benchmarks.cli import BENCH, GATES, REPORT
from benchmarks.results import read_results
from edge_runtime.cli import run_verb
from tests.benchmarks.test_bare import onnx_sum, tflite
from tests.bundle_for_tests import make_bundle
from tests.pixel_bundle_for_tests import make_bundle as make_pixel_bundle

VERBS = {verb.name: verb for verb in (BENCH, GATES, REPORT)}


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setattr(latency, "STARTS", 1)
    monkeypatch.setattr(engine_bench, "STARTS", 1)
    monkeypatch.setattr(engine_bench, "ITEMS", (1, 2))
    monkeypatch.setattr(engine_bench, "cores", lambda: 1)
    monkeypatch.setitem(latency.EFFORT, "demo", latency.Effort(200, 0.1, 10, 1))
    monkeypatch.setitem(engine_bench.SHORT, "demo", (20, 0.05))
    monkeypatch.setitem(engine_bench.OPERATOR_SECONDS, "demo", 0.05)


def pixie(capsys, *words):
    status = run_verb("pixie", VERBS, [str(word) for word in words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_model_is_measured_shown_and_claims_nothing(tmp_path, capsys):
    out = tmp_path / "r.json"
    status, said, err = pixie(capsys, "bench", tflite(tmp_path, "dense_tiny"), "--engine", "litert", "--out", out)
    assert (status, err) == (0, "") and "dense_tiny.tflite, litert" in said
    results = read_results(out)
    value = {record.id: record.value for record in results.records}
    name = "dense_tiny_tflite.litert"
    wanted = {f"latency_of.{name}.first_call", f"latency_of.{name}.hot.p95", f"latency_of.{name}.paced.p50", f"parts_of.{name}.set", f"parts_of.{name}.get",
              f"batch_of.{name}.2.item", f"threads_of.{name}.1", f"operators_of.{name}.call", f"operators_of.{name}.1", f"memory_of.{name}.added",
              f"memory_of.{name}.arena", "sizes_of.dense_tiny_tflite.flash", "layers_of.dense_tiny_tflite.1.macs", f"engine_of.{name}.delegated_operators"}
    assert wanted <= set(value) and all(value[one] is not None for one in wanted)
    assert value[f"latency_of.{name}.paced.p99"] is None  # of ten calls nobody knows it
    assert value[f"engine_of.{name}.delegated_operators"] == value[f"engine_of.{name}.operators"] == 2
    assert all(record.seed is not None and record.source and record.on for record in results.records)
    assert results.task == "model" and results.gates == () and results.environment["timer_resolution_ns"] > 0
    assert pixie(capsys, "gates", out)[:2] == (0, "")
    assert pixie(capsys, "report", out, "--out", tmp_path / "r.html")[0] == 0
    page = (tmp_path / "r.html").read_text()
    for title in ("Engines", "Time of a call", "Setting, computing, getting", "Batches", "Threads", "Memory", "Sizes", "Operators in the file",
                  "Time of each operator, litert"):
        assert f"<h3>{title}</h3>" in page
    assert "gates hold" not in page and "Not measured in this run." not in page


def test_float_onnx_files_one_of_a_fixed_batch(tmp_path, capsys):
    out = tmp_path / "r.json"
    onnx_sum(tmp_path, [1, 3]).rename(tmp_path / "fixed.onnx")
    status, said, _ = pixie(capsys, "bench", onnx_sum(tmp_path, ["any", 3]), tmp_path / "fixed.onnx", "--out", out)
    assert status == 0 and "sum.onnx, onnxruntime" in said and "fixed.onnx, onnxruntime" in said
    results = read_results(out)
    assert [model["slug"] for model in results.figures["models"]] == ["sum_onnx", "fixed_onnx"]
    assert results.value("batch_of.fixed_onnx.onnxruntime.1") is not None and results.record("batch_of.fixed_onnx.onnxruntime.2") is None
    assert "no batch of 2: batch: cannot be resized: the file fixes" in " ".join(results.figures["notes"])
    assert results.value("operators_of.sum_onnx.onnxruntime.0") is not None and results.value("batch_of.sum_onnx.onnxruntime.2") is not None


def test_threads_pace_and_a_profile(tmp_path, capsys):
    out = tmp_path / "r.json"
    words = ("--engine", "litert", "--threads", "1", "--paced", "200", "--profile", "raspberry-pi-4b")
    assert pixie(capsys, "bench", tflite(tmp_path, "dense_small"), *words, "--out", out)[0] == 0
    results = read_results(out)
    assert not results.with_prefix("threads_of.") and "every 5.0 ms" in results.record("latency_of.dense_small_tflite.litert.paced.p50").source
    assert results.value("predicted_of.dense_small_tflite") > 0 and results.environment["profile"] == "raspberry-pi-4b"
    assert pixie(capsys, "report", out, "--out", tmp_path / "r.html")[0] == 0
    assert "Beside the profile" in (tmp_path / "r.html").read_text()


def test_mlperf_tiny_times_nothing_else(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said, _ = pixie(capsys, "bench", "mlperf-tiny-ad", "--mlperf-tiny", "--engine", "litert", "--out", "r.json")
    assert status == 0 and "inferences a second" in said
    results = read_results(tmp_path / "r.json")
    record = results.record("mlperf_of.mlperf_tiny_ad.litert")
    assert record.n == 1_500 and record.spread.low <= record.value <= record.spread.high and not results.with_prefix("latency_of.")
    assert "random weights" in results.figures["models"][0]["words"]
    assert pixie(capsys, "report", "r.json", "--out", "r.html")[0] == 0 and "MLPerf Tiny" in (tmp_path / "r.html").read_text()


def test_a_bundle_is_a_model_where_an_engine_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(engine_bench, "ITEMS", (1,))
    out = tmp_path / "r.json"
    assert pixie(capsys, "bench", make_bundle(tmp_path / "flown"), "--engine", "reference", "--out", out)[0] == 0
    results = read_results(out)
    assert results.value("latency_of.flown.reference.hot.p50") > 0 and "takes no number of them" in " ".join(results.figures["notes"])


def test_a_bundle_is_paced_as_its_instrument(tmp_path):
    photometers, pixels = make_bundle(tmp_path / "a"), make_pixel_bundle(tmp_path / "b")
    paces = [model_bench._pace(path, model_bench.Wanted()) for path in (photometers, pixels, tmp_path / "x.tflite")]
    assert paces == pytest.approx([0.0104, 0.04096, 0.0104])
    assert model_bench._pace(pixels, model_bench.Wanted(paced_hz=10)) == 0.1


def test_an_engine_that_dies_is_a_refusal(tmp_path, capsys, monkeypatch):
    def dies(module, task):
        raise Refused(f"{task['engine']} died of it (SIGSEGV)")

    monkeypatch.setattr(engine_bench, "ask", dies)
    status, out, err = pixie(capsys, "bench", tflite(tmp_path, "dense_tiny"), "--out", tmp_path / "r.json")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "dense_tiny.tflite: model: litert died of it (SIGSEGV); tflite-runtime died of it (SIGSEGV)" in err


def test_what_one_engine_cannot_do_is_a_note(tmp_path, monkeypatch):
    """One that dies of the file is named beside the one that does not, and a part that it dies of is left out."""
    asked = engine_bench.ask

    def ask(module, task):
        if task["engine"] == "tflite-runtime" or task["task"] == "cut":
            raise Refused(f"{task['engine']} died of it (SIGSEGV)")
        return asked(module, task)

    monkeypatch.setattr(engine_bench, "ask", ask)
    from benchmarks.bench import sort_targets

    results = model_bench.bench_models(sort_targets([tflite(tmp_path, "dense_tiny")]), tmp_path / "r.json", "demo", 1, model_bench.Wanted())
    notes = " | ".join(results.figures["notes"])
    assert "not measured: tflite-runtime died of it" in notes and "no times of operators: litert died of it" in notes
    assert results.value("memory_of.dense_tiny_tflite.litert.added") is not None and not results.with_prefix("operators_of.")


@pytest.mark.parametrize("words", [
    ("{}/dense_tiny.tflite", "--engine", "onnxruntime"), ("{}/dense_tiny.tflite", "--threads", "0"), ("{}/dense_tiny.tflite", "--threads", "99999"),
    ("{}/dense_tiny.tflite", "--paced", "0"), ("{}/dense_tiny.tflite", "--paced", "nan"), ("{}/dense_tiny.tflite", "--profile", "none"),
    ("{}/dense_tiny.tflite", "--study", "{}"), ("{}/dense_tiny.tflite", "--engine", "tensorflow"), ("{}/cut.onnx",), ("{}/cut.tflite",),
    ("{}/run", "--engine", "litert"),
])
def test_bad_wishes_and_files_are_one_line_and_leave_nothing(tmp_path, capsys, words):
    tflite(tmp_path, "dense_tiny")
    (tmp_path / "cut.tflite").write_bytes((tmp_path / "dense_tiny.tflite").read_bytes()[:600])
    (tmp_path / "cut.onnx").write_bytes(b"\x08\x09 no graph")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "configuration.json").write_text("{}")
    before = sorted(tmp_path.iterdir())
    status, out, err = pixie(capsys, "bench", *(word.format(tmp_path) for word in words), "--out", tmp_path / "r.json")
    assert status == 2 and out == "" and err.startswith("pixie: ") and err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_json_is_the_results(tmp_path, capsys):
    out = tmp_path / "r.json"
    _, said, _ = pixie(capsys, "bench", tflite(tmp_path, "dense_tiny"), "--engine", "litert", "--mlperf-tiny", "--out", out, "--json")
    assert json.loads(said) == json.loads(out.read_text())


def test_threads_are_tried_up_to_all_cores():
    assert [engine_bench._counts(cores) for cores in (1, 4, 8, 20)] == \
        [[1], [1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8, 16, 20]]
