"""The measurements of flight on a bundle made by hand: what they report is there and adds up. No time is asserted."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import board, latency, memory, model_files, recorded, sizes, streams
from benchmarks.material import Material
from edge_runtime.errors import InputError
from edge_runtime.flagging import Candidate
from tests.bundle_for_tests import make_bundle, scene


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("flight") / "bundle")


def brief(monkeypatch):
    monkeypatch.setattr(latency, "STARTS", 1)
    monkeypatch.setitem(latency.EFFORT, "demo", latency.Effort(100, 0.2, 20, 200))


def values(stage):
    return {record.id: record.value for record in stage.records}


def test_what_flies_is_the_model_and_the_manifest(bundle):
    found = values(sizes.sizes(bundle))
    assert found["flight.bytes"] == sum((bundle / name).stat().st_size for name in ("model.tflite", "manifest.json"))
    assert found["bytes.bundle"] == sum(path.stat().st_size for path in bundle.iterdir() if path.is_file())


def test_the_board_needs_nothing_of_the_ground(bundle):
    record, = board.board_imports(bundle, scene(20_000)).records
    assert record.value == 0 and record.n > 50 and "ai_edge_litert" in record.source


def test_a_ground_module_on_board_is_seen(bundle, monkeypatch):
    monkeypatch.setattr(board, "FLIGHT", "import matplotlib\n" + board.FLIGHT)
    record, = board.board_imports(bundle, scene(20_000)).records
    assert record.value == 1 and "ground modules found: matplotlib" in record.source


def test_a_board_that_does_not_fly_was_not_measured(bundle, tmp_path):
    broken = tmp_path / "bundle"
    shutil.copytree(bundle, broken)
    (broken / "model.tflite").write_bytes(b"broken")
    record, = board.board_imports(broken, scene(20_000)).records
    assert record.value is None and "did not run" in record.source


def test_engines_are_timed_and_one_that_cannot_load_is_named(bundle, tmp_path, monkeypatch):
    brief(monkeypatch)
    codes = Material(None, bundle, "demo", 1, tmp_path).few_codes()
    stage = latency.latency(bundle, ("litert", "onnxruntime"), (codes,), tmp_path, "demo", 1)
    found = values(stage)
    assert found["latency.litert.hot.p50"] <= found["latency.litert.hot.p95"] <= found["latency.litert.hot.p99"]
    assert list(stage.figures["latency"]["engines"]) == ["litert"]
    assert len(stage.figures["latency"]["engines"]["litert"]["paced"]) == len(stage.figures["latency"]["levels"])
    note, = stage.figures["notes"]
    assert "onnxruntime was not timed" in note  # the bundle's model.onnx is a stand-in


def test_what_pixie_adds_is_what_the_whole_takes_beyond_the_bare_call(bundle, tmp_path, monkeypatch):
    brief(monkeypatch)
    found = values(latency.added(bundle, scene(41_600), tmp_path, "demo", 1))
    assert found["runtime.window_us"] > found["runtime.bare_us"] > 0
    assert found["runtime.added_us"] == pytest.approx(found["runtime.window_us"] - found["runtime.bare_us"], rel=0.5)


def test_the_stream_is_flagged_to_its_end(bundle):
    pulse = scene(83_200, pulses=((30_000, 300),))
    run = memory.stream_run(bundle, pulse, 0.05)  # 300,000 samples: three pulses and a bit
    assert run.candidates == 4 and run.peak_kb >= run.minute_kb > 10_000
    assert 0 < run.cpu_seconds <= run.seconds * 1.5


def test_a_flight_that_fails_is_told(tmp_path):
    with pytest.raises(RuntimeError, match=r"flag ended with 2.*does not exist"):
        memory.stream_run(tmp_path / "none", scene(8320), 0.001)


def test_the_bare_process_is_smaller_than_pixies(bundle):
    assert 10_000 < memory.bare_peak_kb(bundle / "model.tflite") < memory.stream_run(bundle, scene(83_200), 0.02).peak_kb


def candidate(start, end, name="lightning"):
    return Candidate(None, None, start, end, 0, name, 1, 0, (0, 0, 0), (0, 0, 0), False, (0,))


def test_a_candidate_is_lit_where_light_is_within_it():
    light = np.zeros(100, np.int8)
    light[40:50] = 2
    found = [candidate(0, 40), candidate(30, 41), candidate(49, 60), candidate(50, 60), candidate(0, 100, "hits")]
    assert streams.lit_and_false(found, light) == (2, 2)


@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_the_poisson_interval_is_exact(count):
    from scipy.stats import poisson

    low, high = streams.poisson_interval(count)
    assert poisson.cdf(count, high) == pytest.approx(0.025, abs=1e-9)
    assert low == 0 if count == 0 else poisson.sf(count - 1, low) == pytest.approx(0.025, abs=1e-9)


def made_up_slices(folder, **changes):
    (folder / "mmia").mkdir(parents=True)
    slices = {"bright_pulses": scene(5000, 1, ((2500, 200),)), "uv_pulse": scene(5000, 2), "quiet": scene(5000, 3), "particle_hits": scene(5000, 4)}
    slices["uv_pulse"][1, 2000:2300] += 60
    slices.update(changes)
    np.savez(folder / "mmia" / "slices.npz", **{name: counts for name, counts in slices.items() if counts is not None})
    return folder


def test_recorded_slices_are_judged(bundle, tmp_path):
    found = values(recorded.recorded(bundle, made_up_slices(tmp_path)))
    assert found == {"recorded.bright_pulses": 1, "recorded.uv_pulse": 1, "recorded.quiet": 0, "recorded.particle_hits": 0}


@pytest.mark.parametrize(("changes", "field"), [
    ({"quiet": None}, "quiet"), ({"quiet": np.zeros((3, 5000))}, "quiet"), ({"uv_pulse": np.zeros((2, 5), np.uint16)}, "uv_pulse"),
])
def test_recorded_slices_of_another_kind_are_refused(tmp_path, changes, field):
    with pytest.raises(InputError, match=f"slices.npz: {field}: "):
        recorded.read_slices(made_up_slices(tmp_path, **changes))


def test_no_recorded_folder_is_no_error(tmp_path, monkeypatch):
    monkeypatch.delenv(recorded.VARIABLE, raising=False)
    assert recorded.recorded_folder(None) is None
    monkeypatch.setenv(recorded.VARIABLE, str(tmp_path))
    assert recorded.recorded_folder(None) == tmp_path
    with pytest.raises(InputError, match="does not exist"):
        recorded.read_slices(tmp_path)


def test_a_bare_tflite_file_is_timed(bundle, tmp_path, monkeypatch):
    brief(monkeypatch)
    stage = model_files.model_file(bundle / "model.tflite", "model_tflite", tmp_path, "demo", 1)
    assert "latency_of.model_tflite.litert.paced.p50" in values(stage) and "latency" not in stage.figures


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(b"no model at all")
    with pytest.raises(InputError, match="LiteRT refuses it"):
        model_files.model_file(path, "model_tflite", tmp_path, "demo", 1)
