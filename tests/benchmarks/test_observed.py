import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import observed as module
from benchmarks.observed import BIN, observed, shown
from benchmarks.rival2020 import reconstructed
from edge_runtime.preprocess import WINDOW_SAMPLES
from train import slices2020
from train.configuration2020 import SLICE_SAMPLES
from train.slices2020 import SliceSet

DARK, WIDTH, AT = 2.0, 30, 1_000  # counts, samples, first sample of the light
LIGHT = np.array([0.0, 0.5, 2.0, 30.0, 8.0, 0.0, 4.0, 16.0])  # expected counts in a sample of 777 nm, slice by slice
SNR = np.sqrt(WIDTH * LIGHT**2 / (LIGHT + DARK))


@pytest.fixture
def slices(monkeypatch):
    rate = np.full((len(LIGHT), 3, SLICE_SAMPLES), DARK, np.float32)
    rate[:, 2, AT:AT + WIDTH] += LIGHT[:, None]
    made = SliceSet(np.random.default_rng(1).poisson(rate).astype(np.uint16), rate, np.arange(len(LIGHT)))
    monkeypatch.setattr(slices2020, "slice_set", lambda split, *_, truth: made if split == "test" and truth else pytest.fail("not what is asked for"))
    return made


def material(decoded=lambda latents: latents.astype(np.float32)):
    return SimpleNamespace(scale="demo", seed=1, told=lambda counts: (counts, None), decoded=decoded)


def test_pieces_lie_where_they_were_cut_and_the_first_that_holds_a_sample_gives_it():
    counts = np.arange(2 * 3 * SLICE_SAMPLES, dtype=np.uint16).reshape(2, 3, SLICE_SAMPLES)
    assert np.array_equal(reconstructed(material(), counts), counts)
    began = reconstructed(material(lambda windows: np.broadcast_to(windows[:, :, :1], windows.shape).astype(np.float32)), counts) - counts[:, :, :1]
    assert (began[..., [0, 1_039, 1_040, 3_119, 3_960, 4_159]] == [0, 0, 1_040, 2_080, 3_120, 3_120]).all()
    assert (began[..., 4_160:] == SLICE_SAMPLES - WINDOW_SAMPLES).all()
    assert np.array_equal(reconstructed(material(), counts[..., :2 * WINDOW_SAMPLES]), counts[..., :2 * WINDOW_SAMPLES])  # whole windows, none laid twice


def test_slices_with_light_are_shown_from_weak_to_bright(slices):
    data = observed(material(), None).figures["observed"]
    lit = np.sort(SNR[SNR >= 5])
    assert len(lit) == 5 and [one["title"] for one in data["slices"]] == [f"SNR {snr:.0f}" for snr in lit[[0, 2, 4]]]
    assert shown(np.array([0, 90, 10, 4.9, 50, 60, 20, 80])).tolist() == [6, 5, 1]  # of 10, 20, 50, 60, 80, 90 the middles of the thirds, the later of two


def test_a_point_is_the_mean_of_its_bin_and_ours_is_the_networks(slices):
    data = observed(material(lambda latents: latents * 2.0), None).figures["observed"]
    brightest = int(LIGHT.argmax())
    one = data["slices"][2]
    assert data["step_s"] == pytest.approx(BIN * 10e-6) and "report" not in one
    for name, values in (("counts", slices.counts), ("rate", slices.rate), ("ours", 2.0 * slices.counts)):
        points = np.array(one[name])
        expected = [[values[brightest, channel, first:first + BIN].mean() for first in range(0, SLICE_SAMPLES, BIN)] for channel in range(3)]
        assert points.shape == (3, 500) and points == pytest.approx(np.array(expected), abs=1e-3)
    assert one["largest"]["whole"]["ours"][2] == 2 * slices.counts[brightest, 2].max()


def test_an_edge_of_the_reports_network_is_in_the_whole_slice_alone(slices, monkeypatch):
    def edgy(rival, counts):
        assert rival == Path("run")
        found = counts.astype(np.float64)
        found[..., 0] = found[..., 249] = found[..., -250] = 500.0
        return found
    monkeypatch.setattr(module, "reconstructed_2020", edgy)
    data = observed(material(), Path("run")).figures["observed"]
    assert data["edge"] * BIN == SLICE_SAMPLES // 20
    for one in data["slices"]:
        assert one["largest"]["whole"]["report"] == [500.0] * 3 and one["largest"]["inner"]["report"] == one["largest"]["inner"]["ours"]
        inner = np.array(one["report"])[:, data["edge"]:-data["edge"]]
        assert inner.max() < 50 and np.array_equal(inner, np.array(one["ours"])[:, data["edge"]:-data["edge"]])
    assert len(json.dumps(data)) < 300_000
