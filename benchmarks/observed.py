"""Figures 4 and 5 of the 2020 report: slices as observed beside what our network and the report's make of them, whole and without their edges."""

from pathlib import Path

import numpy as np

from edge_runtime.counts import SAMPLE_TIME
from train.configuration2020 import SLICE_SAMPLES

from .material import Material
from .model_score import SLICES
from .results import Stage
from .rival2020 import INNER, reconstructed, reconstructed_2020

SHOWN = 3
BIN = 10  # samples whose mean is one point of a curve: 500 points, 0.1 ms, as wide as a short UV pulse; the edges are whole bins


def observed(material: Material, rival: Path | None) -> Stage:
    """Three of the slices that `cvae.beats_2020` is about, from weak light to bright; `rival`: a run of the report's network."""
    from train.instruments.mmia.scene import significance
    from train.slices2020 import slice_set

    slices = slice_set("test", SLICES[material.scale], SLICE_SAMPLES, "slices", material.seed, 2, truth=True)
    dark = np.median(slices.rate, axis=2, keepdims=True)
    snr = np.sqrt(significance((slices.rate - dark).swapaxes(0, 1), dark.swapaxes(0, 1)).sum(axis=1))  # of light above the slice's median
    places = shown(snr)
    counts = slices.counts[places]
    curves = {"counts": counts, "rate": slices.rate[places], "ours": reconstructed(material, counts)}
    if rival is not None:
        curves["report"] = reconstructed_2020(rival, counts)
    drawn = [{"title": f"SNR {snr[place]:.0f}", **{name: binned(values[k]) for name, values in curves.items()},
              "largest": {words: {name: np.round(values[k][:, part].max(axis=1), 1).tolist() for name, values in curves.items()}
                          for words, part in (("whole", slice(None)), ("inner", INNER))}} for k, place in enumerate(places)]
    return Stage((), {"observed": {"step_s": BIN * SAMPLE_TIME, "edge": INNER.start // BIN, "slices": drawn}})


def shown(snr: np.ndarray) -> np.ndarray:
    """Which slices: of those with light, by SNR [k], the middle ones of as many equal parts as are shown."""
    from train.windows import SIGNAL_SNR

    lit = np.flatnonzero(snr >= SIGNAL_SNR)
    rank = lit[np.argsort(snr[lit], kind="stable")]
    found: np.ndarray = rank[len(rank) * (2 * np.arange(SHOWN) + 1) // (2 * SHOWN)]
    return found


def binned(values: np.ndarray) -> list[list[float]]:
    """Means of BIN samples each of values [3, n]."""
    return np.round(values.reshape(len(values), -1, BIN).mean(axis=2, dtype=np.float64), 3).tolist()
