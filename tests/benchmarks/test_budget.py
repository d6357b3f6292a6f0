from pathlib import Path

import numpy as np
import pytest

from benchmarks import budget, latency
from benchmarks.material import Material
from edge_runtime.errors import MissingError
from tests.bundle_for_tests import make_bundle


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> Material:
    folder = tmp_path_factory.mktemp("budget")
    return Material(None, make_bundle(folder / "bundle"), "demo", 1, folder)


def size(material):
    return sum((material.bundle.folder / name).stat().st_size for name in ("model.tflite", "manifest.json"))


@pytest.mark.parametrize(("slowness", "named"), [(250.0, "here median call / 100 µs"), (1e-3, "here bytes / 64,000")])
def test_the_larger_share_is_the_one_that_counts(material, monkeypatch, slowness, named):
    calls = slowness * np.array([1.0] * 90 + [50.0] * 10)
    monkeypatch.setattr(budget, "hot_loop", lambda model, inputs, scratch, scale: (calls, "litert"))
    stage = budget.budget(material)
    found = {record.id: record for record in stage.records}
    assert found["flight.budget"].value == pytest.approx(max(size(material) / 64_000, slowness / 100)) and named in found["flight.budget"].source
    assert found["flight.budget.bytes"].value == size(material)
    spread = found["flight.budget.us"].spread
    assert (spread.low, found["flight.budget.us"].value, spread.high) == pytest.approx((slowness, slowness, 50 * slowness))
    assert [cell for row in stage.figures["tables"]["budget"]["rows"] for cell in row["cells"]] == ["flight.budget.bytes", "flight.budget.us"]


def test_the_bare_engine_is_timed_in_a_hot_loop_alone(material, monkeypatch):
    monkeypatch.setitem(latency.EFFORT, "demo", latency.Effort(100, 0.2, 1_000_000, 200))  # paced it would never end
    calls, engine = latency.hot_loop(material.bundle.folder / "model.tflite", (material.few_codes(),), material.scratch, "demo")
    assert 10 < calls.size <= 100 and (calls > 0).all() and engine == "litert, bare interpreter"


def test_a_name_relative_to_where_the_user_stands_is_found(material, monkeypatch):
    monkeypatch.setitem(latency.EFFORT, "demo", latency.Effort(20, 0.2, 1, 1))
    monkeypatch.chdir(material.bundle.folder.parent)
    calls, _ = latency.hot_loop(Path(material.bundle.folder.name) / "model.tflite", (material.few_codes(),), material.scratch, "demo")
    assert calls.size


def test_without_the_engine_the_budget_is_refused(material, monkeypatch):
    monkeypatch.setattr(latency, "_process", lambda task: {"missing": "no module"})
    with pytest.raises(MissingError, match="no module"):
        budget.budget(material)
