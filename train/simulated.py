"""Windows of many simulated scenes, made on several cores; the same windows for any number of them."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from edge_runtime.cli import progress
from edge_runtime.preprocess import WINDOW_SAMPLES

from .windows import WindowSet, window_set

BLOCK = 120  # scenes with a seed of their own: a whole number of cycles, so that each block holds every kind alike


def simulated_windows(split: str, scenes: int, seed: int, workers: int, samples: int = WINDOW_SAMPLES) -> WindowSet:
    """The windows of `scenes` scenes of a split; `rate` is left out (uint [0, 3, samples]): training needs none and it is two thirds of the bytes.

    Block k of BLOCK scenes is window_set(split, ..., seed drawn from (seed, k)); splits stay disjoint because window_set keeps them so.
    """
    blocks = [(split, samples, min(BLOCK, scenes - first), int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
              for number, first in enumerate(range(0, scenes, BLOCK))]
    parts: list[WindowSet] = []
    # Spawned, not forked: a fork after torch has started its threads may hang.
    with ProcessPoolExecutor(min(workers, len(blocks)), mp_context=multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(_block, blocks):
            parts.append(part)
            progress(f"simulating {split} scenes: {min(len(parts) * BLOCK, scenes)} of {scenes}")
    return WindowSet(
        counts=np.concatenate([part.counts for part in parts]),
        rate=parts[0].rate,
        label=np.concatenate([part.label for part in parts]),
        snr=np.concatenate([part.snr for part in parts]),
        hit_regime=np.concatenate([part.hit_regime for part in parts]),
        scene=np.concatenate([part.scene + np.int32(number * BLOCK) for number, part in enumerate(parts)]),
    )


def _block(arguments: tuple[str, int, int, int]) -> WindowSet:
    split, samples, scenes, seed = arguments
    made = window_set(split, scenes, seed, samples=samples)
    return WindowSet(made.counts, made.rate[:0], made.label, made.snr, made.hit_regime, made.scene)
