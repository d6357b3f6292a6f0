"""The photon counter: counts of a bin from its expected photons, with dead time, and the hits of particles."""

from functools import lru_cache

import numpy as np

from .configuration import Configuration
from .constants import DEAD_TIME, SAMPLE_TIME
from .flux import count_limit

TABLE_PHOTONS = 400  # photons in a bin up to which the table of losses reaches; the brightest light of the simulator gives half of it


def expected_counts(photons: np.ndarray) -> np.ndarray:
    """Expected counts [3, n] of a non-paralysable counter for expected photons [3, n] per bin: m / (1 + m dead_time / bin_time)."""
    return photons / (1.0 + photons * (DEAD_TIME / SAMPLE_TIME)[:, None])


def draw_counts(photons: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counts [3, n] uint16 for expected photons [3, n] per bin: Poisson, then those lost that arrive while the counter is blind.

    Exact for a counter that starts each bin live: given M arrivals in live time, at least n of them are counted where the n-th comes before
    T - (n - 1) tau, and the arrivals are uniform: P(N >= n | M) = P(Binomial(M, 1 - (n - 1) tau / T) >= n).
    """
    arrivals = rng.poisson(photons)
    draw = rng.random(photons.shape)
    for channel, row in enumerate(arrivals):
        at_most = _loss_table(channel)
        capped = np.minimum(row, TABLE_PHOTONS - 1)
        lost, bins = 0, np.arange(row.size)
        while (bins := bins[draw[channel, bins] > at_most[capped[bins], lost]]).size:
            row[bins] -= 1
            lost += 1
    return arrivals.astype(np.uint16)


def add_hits(counts: np.ndarray, regime: str, rng: np.random.Generator, configuration: Configuration) -> np.ndarray:
    """Add hits of particles to counts [3, n] in place; gives the bins they fall in, bool [3, n], without the glow that some leave behind.

    `regime` is "none", "low" or "high".
    """
    hit = np.zeros(counts.shape, bool)
    if regime == "none":
        return hit
    samples = counts.shape[1]
    low, high = configuration.hits_low_337 if regime == "low" else configuration.hits_high_337
    rate_337 = low * (high / low) ** rng.random()
    taken: set[int] = set()
    for channel, rate, law in (
        (0, rate_337, configuration.hit_counts_337),
        (2, rate_337 * configuration.hits_777_per_337, configuration.hit_counts_777),
    ):
        where = rng.integers(0, samples, rng.poisson(rate * samples * SAMPLE_TIME))
        where = np.array([i for i in np.unique(where) if i not in taken], np.int64)  # no hit is seen in two channels at once
        taken.update(where.tolist())
        amplitudes = _hit_counts(law, rng.random(where.size))
        added = np.zeros(samples, np.int64)
        added[where] = amplitudes
        for place, amplitude in zip(where, amplitudes, strict=True):
            if rng.random() < configuration.hit_glow_chance:
                glow = _glow(float(amplitude), rng, configuration)[:samples - place - 1]
                added[place + 1:place + 1 + glow.size] += glow
        counts[channel] = np.minimum(counts[channel] + added, count_limit(channel))
        hit[channel, where] = True
    return hit


def _glow(amplitude: float, rng: np.random.Generator, configuration: Configuration) -> np.ndarray:
    """Counts int64 [k] of the bins after a hit of `amplitude` counts: Poisson about an exponential, to five times its decay time."""
    (least, most), (shortest, longest) = configuration.hit_glow_share, configuration.hit_glow_decay
    share = least * (most / least) ** rng.random()
    decay = shortest * (longest / shortest) ** rng.random() / SAMPLE_TIME  # bins
    edges = np.exp(-np.arange(int(np.ceil(5 * decay)) + 1) / decay)
    return rng.poisson(amplitude * share * -np.diff(edges))


def _hit_counts(law: tuple[float, float, float], u: np.ndarray) -> np.ndarray:
    """Counts of hits from uniform draws [n]: logarithmic between lowest and highest, bent so that half lie below the median."""
    lowest, median, highest = law
    bend = np.log(np.log(median / lowest) / np.log(highest / lowest)) / np.log(0.5)
    return np.rint(lowest * (highest / lowest) ** (u**bend)).astype(np.uint16)


@lru_cache(maxsize=3)
def _loss_table(channel: int) -> np.ndarray:
    """P(at most k of M arrivals are lost), [TABLE_PHOTONS, k] float64, rising with k."""
    from scipy.special import bdtrc

    ratio = DEAD_TIME[channel] / SAMPLE_TIME
    arrivals = np.arange(TABLE_PHOTONS)[:, None]
    counted = arrivals - np.arange(TABLE_PHOTONS // 2)[None, :]
    live = np.clip(1.0 - (counted - 1) * ratio, 0.0, 1.0)
    table = np.where(counted > 1, bdtrc(np.maximum(counted - 1, 0), np.maximum(arrivals, 1), live), 1.0)
    return np.maximum.accumulate(table, axis=1)
