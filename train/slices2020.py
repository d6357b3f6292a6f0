"""Slices as the 2020 report's loader cut them, from simulated events of the kinds that our own windows are cut from; every split is by event."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from edge_runtime.cli import progress
from edge_runtime.preprocess import WINDOW_SAMPLES

from .instruments.mmia.configuration import DEFAULT
from .instruments.mmia.constants import FRAME_PERIOD_SAMPLES, SAMPLE_TIME
from .instruments.mmia.flux import count_limit, counts_to_flux
from .instruments.mmia.scene import draw_background, draw_event_frames, draw_event_kind, draw_hit_regime, expose
from .instruments.mmia.sources import Sky
from .windows import CYCLE, SPLITS

LARGEST_FLUX = 210.0  # uW/m2, for all three channels: "the saturation points of the instrument", as the report has it
LIMITS = (1e-6, 0.99999)  # a Beta distribution has no density at 0 and 1
BLOCK = 32  # events that one process makes at a time: two cycles of kinds
_STREAM = 2020  # of seeds, apart from those of the windows


@dataclass(frozen=True)
class SliceSet:
    """k slices: counts uint16 and rate float32 (expected counts without hits) [k, 3, samples], event int32 [k]: what a bootstrap draws."""

    counts: np.ndarray
    rate: np.ndarray
    event: np.ndarray


def slice_set(split: str, slices: int, samples: int, cut: str, seed: int, workers: int, truth: bool = False) -> SliceSet:
    """The first `slices` slices of a split's events; same arguments, same bytes.

    truth: with `rate`, which is empty otherwise, and without particle hits, which it leaves out: for whatever is measured against it.

    cut "slices": consecutive ones of each event, and what is left behind the last is dropped, as the loader does; "padded": whole events with zeros
    behind them (or cut off) up to `samples`.
    """
    parts: list[SliceSet] = []
    found = block = 0
    # Spawned, not forked: a fork after torch has started its threads may hang.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        while found < slices:
            blocks = range(block, block + workers)
            for part in pool.map(_block, repeat(split), blocks, repeat(samples), repeat(cut), repeat(seed), repeat(truth)):
                parts.append(part)
                found += len(part.event)
            block += workers
            progress(f"simulating {split} slices: {min(found, slices)} of {slices}")
    return SliceSet(*(np.concatenate([getattr(part, name) for part in parts])[:slices] for name in ("counts", "rate", "event")))


def report_input(counts: np.ndarray, direction: str) -> np.ndarray:
    """What the report's network takes for counts uint16 [k, 3, n]: float32 [k, 1, 3 n] in 0 to 1, the channels end to end, time "reversed" or "forward"."""
    flux = np.stack([_FLUX[channel][np.minimum(counts[:, channel], count_limit(channel))] for channel in range(3)], axis=1)
    scaled = np.clip(flux / LARGEST_FLUX, *LIMITS).astype(np.float32)
    return np.ascontiguousarray(scaled[:, :, ::-1] if direction == "reversed" else scaled).reshape(len(counts), 1, -1)


def by_channel(values: np.ndarray, direction: str) -> np.ndarray:
    """The way back from the layout of `report_input`: values [k, 3 n] of its samples as [k, 3, n], time running forward."""
    found = values.reshape(len(values), 3, -1)
    return found[:, :, ::-1] if direction == "reversed" else found


def windows_of(values: np.ndarray, samples: int = WINDOW_SAMPLES) -> np.ndarray:
    """The windows of slices [k, 3, n whole windows], one behind the other: [k * n, 3, samples]."""
    return values.reshape(len(values), 3, -1, samples).swapaxes(1, 2).reshape(-1, 3, samples)


_FLUX = [counts_to_flux(np.arange(count_limit(channel) + 1), channel) for channel in range(3)]


def _block(split: str, block: int, samples: int, cut: str, seed: int, truth: bool) -> SliceSet:
    counts: list[np.ndarray] = []
    rate: list[np.ndarray] = []
    event: list[np.ndarray] = []
    for number in range(block * BLOCK, (block + 1) * BLOCK):
        own = _event(split, number, seed, hits=not truth)
        for values, found in ((own[0], counts), (own[1], rate)):
            found.append(_cut(values, samples, cut))
        event.append(np.full(len(counts[-1]), number, np.int32))
    joined_rate = np.concatenate(rate) if truth else np.zeros((0, 3, samples), np.float32)
    return SliceSet(np.concatenate(counts), joined_rate, np.concatenate(event))


def _event(split: str, number: int, seed: int, hits: bool) -> tuple[np.ndarray, np.ndarray]:
    """Counts uint16 and rate float32 [3, n] of a whole event, with particle hits or without."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, SPLITS.index(split), number)))
    scene = CYCLE[number % len(CYCLE)]
    regime, frames = draw_hit_regime(scene, rng, DEFAULT), draw_event_frames(rng, DEFAULT)
    pulses = Sky(rng, DEFAULT).event(draw_event_kind(scene, rng, DEFAULT), frames * FRAME_PERIOD_SAMPLES * SAMPLE_TIME)
    exposure = expose(pulses, draw_background(frames, rng, DEFAULT), 0, frames, regime if hits else "none", rng, DEFAULT)
    return exposure.counts, exposure.rate


def _cut(values: np.ndarray, samples: int, cut: str) -> np.ndarray:
    """Slices [k, 3, samples] of an event [3, n]."""
    if cut == "padded":
        whole = values[:, :samples]
        return np.pad(whole, ((0, 0), (0, samples - whole.shape[1])))[None]
    k = (values.shape[1] - 1) // samples  # the loader drops a last slice that ends with the event
    return values[:, :k * samples].reshape(3, k, samples).swapaxes(0, 1)
