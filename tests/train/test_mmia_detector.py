from dataclasses import replace

import numpy as np
import pytest

from train.instruments.mmia.configuration import DEFAULT
from train.instruments.mmia.constants import DEAD_TIME, SAMPLE_TIME
from train.instruments.mmia.detector import add_hits, draw_counts, expected_counts
from train.instruments.mmia.flux import count_limit


def count_one_bin(photons, dead_time, rng):
    """A counter followed photon by photon: the independent way."""
    t, counts = 0.0, 0
    while True:
        t += rng.exponential(SAMPLE_TIME / photons)
        if t > SAMPLE_TIME:
            return counts
        counts += 1
        t += dead_time


@pytest.mark.parametrize("photons", [3.0, 90.0])
def test_counts_follow_a_counter_simulated_photon_by_photon(photons):
    rng = np.random.default_rng(1)
    slow = np.array([count_one_bin(photons, DEAD_TIME[0], rng) for _ in range(3000)])
    fast = draw_counts(np.full((3, 40000), photons), np.random.default_rng(2))[0]
    error = np.sqrt(slow.var() / slow.size)
    assert fast.mean() == pytest.approx(slow.mean(), abs=4 * error)
    assert fast.var() / slow.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / slow.size))


def test_mean_and_variance_of_the_law_in_the_books():
    m, ratio = 80.0, DEAD_TIME[2] / SAMPLE_TIME
    counts = draw_counts(np.full((3, 100_000), m), np.random.default_rng(0))[2]
    assert counts.mean() == pytest.approx(m / (1 + m * ratio), rel=2e-3)
    assert counts.var() == pytest.approx(m / (1 + m * ratio) ** 3, rel=0.03)  # narrower than Poisson
    assert expected_counts(np.full((3, 1), m))[2, 0] == pytest.approx(m / (1 + m * ratio))


def test_no_light_gives_no_counts():
    assert not draw_counts(np.zeros((3, 1000)), np.random.default_rng(0)).any()


@pytest.mark.parametrize(("regime", "lowest", "highest"), [("low", 4.0, 20.0), ("high", 300.0, 600.0)])
def test_hits_have_the_rates_and_amplitudes_of_the_recordings(regime, lowest, highest):
    rates, amplitudes = [], ([], [])
    samples = 20 * 8320
    for seed in range(30):
        counts = np.zeros((3, samples), np.uint16)
        hit = add_hits(counts, regime, np.random.default_rng(seed), replace(DEFAULT, hit_glow_chance=0.0))
        assert not hit[1].any() and not (hit[0] & hit[2]).any()
        assert np.array_equal(counts > 0, hit)
        rates.append(hit[[0, 2]].sum(axis=1) / (samples * SAMPLE_TIME))
        for k, channel in enumerate((0, 2)):
            amplitudes[k].extend(counts[channel, hit[channel]].tolist())
    rate_337, rate_777 = np.array(rates).T
    assert lowest <= rate_337.mean() <= highest
    assert rate_777.sum() / rate_337.sum() == pytest.approx(0.47, abs=0.08)
    assert min(amplitudes[0]) >= 5 and max(amplitudes[0]) <= 54 and 10 <= np.median(amplitudes[0]) <= 16
    assert min(amplitudes[1]) >= 7 and max(amplitudes[1]) <= 46 and 13 <= np.median(amplitudes[1]) <= 21


def test_hits_are_single_samples():
    counts = np.zeros((3, 20 * 8320), np.uint16)
    hit = add_hits(counts, "high", np.random.default_rng(0), DEFAULT)[0]
    by_chance = hit.sum() ** 2 / hit.size
    assert (hit[1:] & hit[:-1]).sum() <= by_chance + 5 * np.sqrt(by_chance)


def test_a_hit_on_a_full_counter_stays_a_possible_count():
    counts = np.full((3, 8320), 580, np.uint16)
    add_hits(counts, "high", np.random.default_rng(0), DEFAULT)
    assert counts[0].max() == count_limit(0)


def test_no_regime_no_hits():
    counts = np.zeros((3, 8320), np.uint16)
    assert not add_hits(counts, "none", np.random.default_rng(0), DEFAULT).any() and not counts.any()


def test_a_glow_follows_its_hit_and_holds_the_share_of_its_photons_that_it_should():
    configuration = replace(DEFAULT, hit_glow_chance=1.0, hit_glow_share=(0.5, 0.5), hits_low_337=(4.0, 4.0))
    glow, hits = 0, 0
    for seed in range(60):
        counts = np.zeros((3, 20 * 8320), np.uint16)
        hit = add_hits(counts, "low", np.random.default_rng(seed), configuration)
        for channel in (0, 2):
            after = np.convolve(hit[channel], np.ones(51), "full")[: hit.shape[1]] > 0  # five times the longest decay
            assert not counts[channel][~after].any()
        glow += int(counts[~hit].sum())
        hits += int(counts[hit].sum())
    assert glow / hits == pytest.approx(0.5, abs=0.03)
