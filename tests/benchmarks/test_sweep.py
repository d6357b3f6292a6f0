import numpy as np
import pytest

from benchmarks import sweep as module
from benchmarks.bench import bench
from benchmarks.cli import BENCH
from tests.train.tiny import SETTINGS, finished
from train import loop, run_folder
from train.configuration import configuration_from_document
from train.photometers import PhotometerSet
from train.sweep import begin, points


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(module.EVENTS, "demo", 2)
    monkeypatch.setitem(module.SCENES, "demo", 16)


def point(folder, **model):
    """A finished tiny run of another model."""
    settings = configuration_from_document({**SETTINGS, "model": {**SETTINGS["model"], **model}}, "test")
    run_folder.start_run(folder, settings, {})
    rng = np.random.default_rng(0)
    windows = PhotometerSet(rng.poisson(0.5, (32, 3, settings.model.samples)).astype(np.uint16), np.resize(np.array([0, 1, 2, 3, 4], np.int8), 32))
    loop.train(settings, folder, windows)
    (folder / "calibration.json").write_text('{"thresholds": {"flag": 10, "hits": 5, "minimum_duration": 1, "refractory": 1040}}')
    run_folder.write_checksums(folder)


def test_the_table_has_every_point_with_score_classes_bytes_and_time(small, tmp_path, monkeypatch):
    base = configuration_from_document(SETTINGS, "test")
    monkeypatch.setattr("train.sweep.LATENTS", (5,))
    monkeypatch.setattr("train.sweep.WINDOWS", (520,))
    monkeypatch.setattr("train.sweep._of_events", lambda base: {})
    assert list(points(base, ("latent", "window"))) == ["base", "latent-5", "window-520"]
    begin(tmp_path / "s", base, ("latent", "window"))
    finished(tmp_path / "s" / "base")
    point(tmp_path / "s" / "latent-5", latent=5)
    point(tmp_path / "s" / "window-520", samples=520, decoder_channels=[4, 4, 4])
    results = bench([tmp_path / "s"], tmp_path / "r.json", "demo", None, 1)
    value = {record.id: record.value for record in results.records}
    assert [value[f"sweep.{name}.bytes"] for name in ("base", "latent-5", "window-520")] == [3, 5, 3]
    assert value["sweep.window-520.bytes_per_1040"] == 6 and value["sweep.window-520.us_per_1040"] == 2 * value["sweep.window-520.us"]
    assert all(-20 < value[f"sweep.{name}.nats"] < -0.1 and 0 <= value[f"sweep.{name}.f1"] <= 1 for name in ("base", "latent-5", "window-520"))
    table = results.figures["tables"]["sweep"]
    assert len(table["rows"]) == 3 and all(len(row["cells"]) == len(table["columns"]) - 1 for row in table["rows"])
    assert results.gates == ()
    assert len(module.text(results.records).splitlines()) == 4 and BENCH.name == "bench"


def test_padding_is_not_counted_as_samples_that_were_described_well(small, tmp_path):
    """An event of n samples costs its own bound, shared out over its own samples: windows of the same run give the same sum however they are put."""
    folder = finished(tmp_path / "run")
    run = run_folder.read_run(folder)
    rng = np.random.default_rng(2)
    event = rng.poisson(0.5, (1, 3, 4 * 1040)).astype(np.uint16)
    padded = np.pad(event, ((0, 0), (0, 0), (0, 8320)))
    rate = np.where(np.arange(padded.shape[2]) < 4 * 1040, 0.5, 0.0) * np.ones((1, 3, 1))
    [record] = module._score("base", run, padded, rate, 1)
    whole = module.window_bounds(run, event[0].reshape(3, 4, 1040).swapaxes(0, 1), 1).sum() / event.size
    assert record.value == pytest.approx(whole, rel=1e-5)
