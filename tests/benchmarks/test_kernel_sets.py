"""Kernel sets: equal means counted to the last code, what is not installed is named, and what a set changes is measured against the default."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import kernel_sets as module
from benchmarks.kernel_sets import kernel_sets, pixel_kernel_sets
from benchmarks.material import Material
from benchmarks.results import Stage
from edge_runtime.errors import InputError, MissingError
from edge_runtime.graph.operators import KERNEL_SETS
from tests import bundle_for_tests, pixel_bundle_for_tests

TFLITE = KERNEL_SETS[:4]  # the bundles of tests have a stand-in for model.onnx


@pytest.fixture
def material(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Material:
    monkeypatch.setitem(module.WINDOWS, "demo", 40)
    monkeypatch.setattr("benchmarks.material.TEST_SCENES", {"demo": 5})
    return Material(None, bundle_for_tests.make_bundle(tmp_path / "bundle"), "demo", 1, tmp_path)


def values(stage: Stage) -> dict[str, float | int | None]:
    return {record.id: record.value for record in stage.records}


def one_code_off(kernel_set: str):
    """The module's `runtime`, whose engine of one kernel set tells the first code of its last output one step off on every call."""
    real = module.runtime

    def runtime(name: str, folder: Path):
        engine = real(name, folder)
        if name != kernel_set:
            return engine

        def run(*codes: np.ndarray) -> tuple[np.ndarray, ...]:
            outputs = engine.run(*codes)
            outputs[-1].reshape(-1)[0] ^= 1
            return outputs

        return SimpleNamespace(name=engine.name, description=engine.description, run=run)

    return runtime


def test_each_set_is_equal_to_its_runtime_and_the_rest_is_left_out_with_its_reason(material):
    stage = kernel_sets(material)
    found = values(stage)
    assert {name: found[f"kernels.equal.{name}"] for name in TFLITE} == dict.fromkeys(TFLITE, 0)
    assert "kernels.equal.onnxruntime" not in found and found["kernels.equal"] is None  # no decoder, and ONNX Runtime's file is refused
    (note,) = stage.figures["notes"]
    assert note.startswith("kernel set onnxruntime is left out: ") and "model.onnx" in note
    table = stage.figures["tables"]["kernel_sets"]
    assert [row["cells"][0] for row in table["rows"]] == [f"kernels.equal.{name}" for name in TFLITE]
    assert {cell for row in table["rows"] for cell in row["cells"] if cell} <= set(found)
    assert all(len(row["cells"]) == len(table["columns"]) - 1 for row in table["rows"])


def test_a_code_that_differs_is_counted(material, monkeypatch):
    monkeypatch.setattr(module, "runtime", one_code_off("litert_builtin"))
    stage = kernel_sets(material)
    found = values(stage)
    assert found["kernels.equal.litert_builtin"] == 40 and found["kernels.equal.litert_reference"] == 0
    record = next(record for record in stage.records if record.id == "kernels.equal.litert_builtin")
    assert "encoder posterior_mean: 0 of 640; encoder logits: 40 of 200" in record.source and record.n == 840


def test_a_runtime_that_is_not_installed_is_named_and_breaks_no_gate(tmp_path, monkeypatch):
    def runtime(name: str, folder: Path, real=module.runtime):
        if name in ("tflite_runtime", "onnxruntime"):
            raise MissingError(name, "engine", "is not installed")
        return real(name, folder)

    monkeypatch.setitem(module.CALLS, "demo", 3)
    monkeypatch.setattr(module, "runtime", runtime)
    stage = pixel_kernel_sets(pixel_bundle_for_tests.make_bundle(tmp_path / "bundle"), "demo", 1)
    found = values(stage)
    assert found["kernels.equal"] == 0 and "kernels.tflite_runtime.codes" not in found and "kernels.equal.tflite_runtime" not in found
    assert [note.split(":")[0] for note in stage.figures["notes"]] == [f"kernel set {name} is left out" for name in ("tflite_runtime", "onnxruntime")]
    assert len(stage.figures["tables"]["kernel_sets"]["rows"]) == 3


def test_a_set_that_is_refused_is_not_equal(tmp_path, monkeypatch):
    monkeypatch.setitem(module.CALLS, "demo", 2)
    found = values(pixel_kernel_sets(pixel_bundle_for_tests.make_bundle(tmp_path / "bundle"), "demo", 1))  # its model.onnx is a stand-in
    assert found["kernels.equal"] is None and found["kernels.equal.tflite_runtime"] == 0


def test_a_sum_over_sets_counts_each():
    one = module.Compared((), {"a x": (3, 10), "b y": (1, 20)}, "here 1")
    records = {record.id: record for record in module.equal({"xnnpack": one, "onnxruntime": one}, 1, "words", True)}
    assert (records["kernels.equal"].value, records["kernels.equal"].n) == (8, 60) and records["kernels.equal.xnnpack"].value == 4
    assert module.equal({"xnnpack": one}, 1, "words", False)[0].value is None and module.equal({}, 1, "words", True)[0].value is None


def test_shares_of_codes_and_flags_are_those_of_the_windows():
    default = np.zeros((4, 5), np.int8)
    ours = default.copy()
    ours[0, :2], ours[1, 3] = 1, -3
    record = module.codes("tflite_runtime", [ours, default], [default, default], np.array([0, 0, 1, 1]), 1, "words")
    assert record.id == "kernels.tflite_runtime.codes" and record.value == pytest.approx(3 / 40) and "by 3 at most" in record.source
    assert record.spread.low == 0 and record.spread.high == pytest.approx(3 / 20)  # all draws of scene 1, of scene 0
    flipped = module.flips("tflite_runtime", np.array([True, False, True, True]), np.array([True, True, True, False]), 1, "windows")
    assert flipped.value == 0.5 and "2 of 4 windows, 3 of them flagged" in flipped.source


def test_a_reconstruction_moves_and_its_error_grows_in_sigma():
    rate = np.full((6, 3, 1040), 4.0, np.float32)  # sigma 2
    test = SimpleNamespace(rate=rate, scene=np.arange(6))
    material = SimpleNamespace(test=test, seed=1, decoded=lambda latents: np.broadcast_to(latents[:, :1, None], (len(latents), 3, 1040)).astype(np.float32))
    ours, default = np.full((4, 2), 9, np.int8), np.full((4, 2), 5, np.int8)
    moved, grown = module._reconstruction(material, "litert_builtin", ours, default, np.array([0, 1, 2, 5]))
    assert (moved.id, moved.value) == ("kernels.litert_builtin.reconstruction", 2.0)  # 4 counts
    assert (grown.id, grown.value) == ("kernels.litert_builtin.error", 2.0)  # 5 / 2 less 1 / 2


def test_inputs_are_scenes_over_again_and_a_share_of_noise():
    scenes = np.arange(12, dtype=np.int8).reshape(3, 4)
    given = module._inputs(scenes, 16, 1)
    assert np.array_equal(given[:14], scenes[np.arange(14) % 3]) and len(given) == 16 and given[14:].min() < -1


def test_the_kernels_without_the_delegate_are_what_runs(tmp_path):
    folder = pixel_bundle_for_tests.make_bundle(tmp_path / "bundle")
    described = {name: module.runtime(name, folder).description for name in TFLITE}
    assert described["xnnpack"]["delegated_operators"] == 1
    assert all(described[name]["delegated_operators"] == 0 for name in ("litert_builtin", "litert_reference"))
    with pytest.raises(InputError):
        module.runtime("onnxruntime", folder)
