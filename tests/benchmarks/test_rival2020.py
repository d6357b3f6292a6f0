import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import rival2020
from benchmarks.compression import worst_channel
from benchmarks.rival2020 import counts_of_scaled, published, reconstructed_2020
from edge_runtime.preprocess import WINDOW_SAMPLES
from tests.train import tiny2020
from train import run_folder
from train.instruments.mmia.flux import counts_to_flux
from train.slices2020 import LARGEST_FLUX


def test_scaled_flux_becomes_counts_again():
    counts = np.random.default_rng(1).integers(0, 60, (2, 3, 40))
    scaled = np.stack([counts_to_flux(counts[:, k], k) for k in range(3)], axis=1) / LARGEST_FLUX
    assert counts_of_scaled(scaled) == pytest.approx(counts)


def test_the_reports_network_gives_back_time_as_it_was(tmp_path):
    run = tiny2020.finished(tmp_path / "run")  # learned reversed
    counts = tiny2020.slices(5).counts
    found = reconstructed_2020(run, counts)
    assert found.shape == counts.shape and (found >= 0).all()
    document = json.loads((run / "configuration.json").read_text())
    document["configuration"]["data"]["direction"] = "forward"
    (run / "configuration.json").write_text(json.dumps(document))
    run_folder.write_checksums(run)
    # The same weights, told that time runs forward: they see reversed counts as they did before, and their answer is not turned round.
    assert np.array_equal(reconstructed_2020(run, np.ascontiguousarray(counts[:, :, ::-1])), found[:, :, ::-1])


def test_the_worst_channel_decides():
    rng = np.random.default_rng(2)
    ours, theirs = rng.uniform(0.9, 1.1, (60, 3)), rng.uniform(3.9, 4.1, (60, 3))
    ours[:, 1] = 9.0
    gate, *channels = worst_channel("cvae.beats_x", ours, theirs, np.arange(60) // 4, 1, "made up")
    value = {record.id: record.value for record in (gate, *channels)}
    assert value["cvae.beats_x"] == value["cvae.beats_x.uv"] == pytest.approx(1.0, abs=0.02) and value["cvae.beats_x.337"] == pytest.approx(-1.0, abs=0.02)
    assert gate.source.endswith("uv") and gate.spread.low <= gate.value <= gate.spread.high


def test_published_reconstructions_stand_beside_ours(tmp_path):
    (tmp_path / "mmia").mkdir()
    rng, arrays = np.random.default_rng(3), {}
    for name in rival2020.PUBLISHED:
        arrays[name] = rng.poisson(3.0, (3, 5_000)).astype(np.uint16)
        scaled = np.stack([counts_to_flux(arrays[name][k], k) for k in range(3)]) / LARGEST_FLUX
        scaled[:, 0] = 0.5  # the edge artefact
        arrays[f"{name}_2020_reconstruction"] = scaled.astype(np.float32)
    np.savez(tmp_path / "mmia" / "slices.npz", **arrays)
    perfect = SimpleNamespace(told=lambda counts: (counts, None), decoded=lambda latents: latents.astype(np.float32))
    stage = published(perfect, tmp_path)
    value = {record.id: record.value for record in stage.records}
    for name in rival2020.PUBLISHED:
        for channel in ("337", "uv", "777"):
            stem = f"recorded.reconstruction.{name}.{channel}"
            assert value[f"{stem}.whole.ours"] == value[f"{stem}.inner.ours"] == 0
            assert value[f"{stem}.inner.report"] < 1e-3 < value[f"{stem}.whole.report"]
    assert WINDOW_SAMPLES * 4 < 5_000  # so that the last window overlaps the one before
