"""The simulator and the readers' constants against recorded slices, where a person supplies them; nothing here is fitted to them."""

import os
from pathlib import Path

import numpy as np
import pytest

from train.instruments.mmia.configuration import DEFAULT
from train.instruments.mmia.constants import SAMPLE_TIME
from train.instruments.mmia.detector import expected_counts
from train.instruments.mmia.flux import flux_to_counts
from train.instruments.mmia.scene import simulate

FOLDER = os.environ.get("PIXIE_RECORDED")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="recorded slices: not supplied (PIXIE_RECORDED names no folder)")
NAMES = ("bright_pulses", "quiet", "particle_hits", "uv_pulse")
RANGES = (DEFAULT.background_337, DEFAULT.background_uv, DEFAULT.background_777)


@pytest.fixture(scope="module")
def slices():
    with np.load(Path(str(FOLDER)) / "mmia" / "slices.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def lightning():
    """50 ms around the brightest pulse of simulated flashes, [k, 3, 5000]."""
    cuts = []
    for seed in range(80):
        scene = simulate("lightning", 3, seed)
        peak = int(scene.rate[2].argmax())
        begin = max(0, min(peak - 1500, scene.counts.shape[1] - 5000))
        if scene.hit_regime != "high" and scene.rate[0, peak] > 5:
            cuts.append(scene.counts[:, begin : begin + 5000])
    return np.array(cuts)


def entropy(counts):
    p = np.bincount(counts) / counts.size
    return -(p[p > 0] * np.log2(p[p > 0])).sum()


@pytest.mark.parametrize("name", NAMES)
def test_the_detector_constants_bring_recorded_flux_back_to_its_counts(slices, name):
    for channel in range(3):
        a, b = slices[f"{name}_count_to_flux"][channel]
        counts = slices[name][channel]
        assert np.array_equal(flux_to_counts((a * counts / (1 - b * counts)).astype(np.float32), channel), counts)


@pytest.mark.parametrize("name", ["quiet", "particle_hits"])
def test_recorded_background_lies_in_the_simulated_range(slices, name):
    for channel, (low, high) in enumerate(RANGES):
        counts = np.minimum(slices[name][channel], np.quantile(slices[name][channel], 0.99))
        assert 0.8 * low < counts.mean() < 1.2 * high


def test_recorded_background_is_poisson(slices):
    for counts in slices["quiet"].astype(float):
        assert 0.86 < counts.var() / counts.mean() < 1.1


def test_recorded_hits_have_simulated_rates_and_amplitudes(slices):
    counts = slices["particle_hits"].astype(int)
    for channel, (lowest, _, highest), (low, high) in (
        (0, DEFAULT.hit_counts_337, DEFAULT.hits_high_337),
        (2, DEFAULT.hit_counts_777, tuple(DEFAULT.hits_777_per_337 * r for r in DEFAULT.hits_high_337)),
    ):
        line = counts[channel]
        alone = np.flatnonzero((line[1:-1] >= lowest) & (line[:-2] < lowest) & (line[2:] < lowest)) + 1
        assert low * 0.5 < alone.size / (5000 * SAMPLE_TIME) < high * 1.5
        assert line[alone].max() <= highest + 3
    assert counts[1].max() < 15  # none in UV


def test_recorded_lightning_correlates_within_what_is_simulated(slices, lightning):
    simulated = [np.corrcoef(cut[[0, 2]].astype(float))[0, 1] for cut in lightning]
    low, high = np.quantile(simulated, (0.02, 0.98))
    for name in ("bright_pulses", "uv_pulse"):
        assert low < np.corrcoef(slices[name][[0, 2]].astype(float))[0, 1] < high
    for name in ("quiet", "particle_hits"):
        assert abs(np.corrcoef(slices[name][[0, 2]].astype(float))[0, 1]) < 0.05


def test_recorded_entropy_lies_within_what_is_simulated(slices, lightning):
    simulated = [np.mean([entropy(c) for c in cut]) for cut in lightning]
    simulated += [np.mean([entropy(c) for c in simulate("hits", 1, seed).counts]) for seed in range(20)]
    for name in ("quiet", "particle_hits", "uv_pulse"):
        assert min(simulated) < np.mean([entropy(c) for c in slices[name]]) < max(simulated)


def test_recorded_tails_last_longer_at_337_as_simulated_ones_do(slices, lightning):
    def mean_delay(counts):
        """Where the light of a slice lies in time at 337 less at 777, in samples, weighted by counts above the median around the 777 peak."""
        peak = int(np.convolve(counts[2], np.ones(20), "same").argmax())
        cut = counts[:, max(0, peak - 100) : peak + 400].astype(float)
        light = np.maximum(cut - np.median(counts, axis=1, keepdims=True), 0)
        t = np.arange(cut.shape[1])
        return (light[0] @ t) / light[0].sum() - (light[2] @ t) / light[2].sum()

    assert mean_delay(slices["bright_pulses"]) > 0
    assert np.mean([mean_delay(cut) > 0 for cut in lightning]) > 0.7


def test_recorded_counts_are_possible(slices):
    assert expected_counts(np.full((3, 1), 120.0)).min() > max(int(slices[name].max()) for name in NAMES)
