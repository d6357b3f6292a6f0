"""Labelled stacks of frames, cut from simulated sessions: the whole focal surface, or its chunks of 8 x 8 pixels, each a photomultiplier tube.

The rules are those of the curves: a pixel sees a meteor whose matched-filter SNR in it is SIGNAL_SNR or more and whose brightest frame lies in
the stack; it sees none where no meteor leaves LIGHT_SNR. A stack is a meteor's where any of its pixels sees one, and none's where all see none;
what lies between is left out. Half of the stacks without a meteor are, as far as there are such, disturbed by something else.
"""

from dataclasses import dataclass, fields

import numpy as np

from edge_runtime.frames import PIXELS

from ..instruments.minieuso.constants import TUBE_PIXELS
from ..instruments.minieuso.scene import FILE_FRAMES, Scene
from .truth import LONGEST, Noise, meteor_places

N = 48  # frames of a stack
_METEORS = {PIXELS: 45, TUBE_PIXELS: 200}  # drawn for one file: of whole frames half are to stay without


@dataclass(frozen=True)
class Stacks:
    """k stacks of one session, 12 kB each as a chunk, 442 kB as a whole frame."""

    counts: np.ndarray  # uint32 [k, N, side, side]
    meteor: np.ndarray  # bool [k]
    pixels: np.ndarray  # int8 [k, side * side], 1 for a pixel that sees a meteor, 0 for none, -1 for what lies between and for dead pixels

    def curves(self) -> np.ndarray:
        """Curves uint32 [k * side * side, N] of all pixels."""
        return pixel_curves(self.counts)


def frame_stacks(session: int, meteors: int, others: int, seed: int) -> Stacks:
    """`meteors` stacks [N, 48, 48] with a meteor, then `others` without, of one session; same arguments, same bytes."""
    return _stacks(session, meteors, others, seed, PIXELS)


def chunk_stacks(session: int, meteors: int, others: int, seed: int) -> Stacks:
    """`meteors` stacks [N, 8, 8] with a meteor, then `others` without, of one session; same arguments, same bytes."""
    return _stacks(session, meteors, others, seed, TUBE_PIXELS)


def pixel_curves(counts: np.ndarray) -> np.ndarray:
    """Curves [k * rows * columns, N] of all pixels of stacks [k, N, rows, columns]."""
    return counts.reshape(*counts.shape[:2], -1).transpose(0, 2, 1).reshape(-1, counts.shape[1])


def _stacks(session: int, meteors: int, others: int, seed: int, side: int) -> Stacks:
    parts: list[Stacks] = []
    while meteors or others:
        part = _from_file(session, meteors, others, np.random.SeedSequence([seed, len(parts), side]), side)
        meteors, others = meteors - int(part.meteor.sum()), others - int((~part.meteor).sum())
        parts.append(part)
    joined = Stacks(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Stacks)))
    order = np.argsort(~joined.meteor, kind="stable")
    return Stacks(joined.counts[order], joined.meteor[order], joined.pixels[order])


def _from_file(session: int, meteors: int, others: int, seeds: np.random.SeedSequence, side: int) -> Stacks:
    """What one file gives, up to the numbers wanted: stacks that follow each other from a random frame on."""
    scene = Scene(session, FILE_FRAMES, int(seeds.generate_state(1)[0]), meteors=_METEORS[side])
    rng = np.random.default_rng(seeds)
    noise = Noise(scene)
    every = PIXELS**2 * _METEORS[side]
    lit, pixel, peak, _, _ = meteor_places(scene, noise, rng, every)
    n = (FILE_FRAMES - 2 * LONGEST) // N - 1
    first = LONGEST + int(rng.integers(0, N))
    between = lit[first:first + n * N].reshape(n, N, PIXELS**2).any(axis=1)
    label = np.where(between | scene.dead.ravel(), -1, 0).astype(np.int8)  # [n, 2304]
    inside = (peak >= first) & (peak < first + n * N)
    label[(peak[inside] - first) // N, pixel[inside]] = 1
    middle = first + N // 2 + N * np.arange(n)
    kind = noise.strongest(np.repeat(middle - LONGEST // 2, PIXELS**2), np.tile(np.arange(PIXELS**2), n)).reshape(n, PIXELS**2)

    label, between, disturbed = (_pieces(array, side) for array in (label, between, kind > 0))  # [pieces, side * side] each
    with_meteor = rng.permutation(np.flatnonzero((label == 1).any(axis=1)))[:meteors]
    without = rng.permutation(np.flatnonzero(~between.any(axis=1)))
    without = without[np.argsort(~_half(disturbed[without].any(axis=1), others), kind="stable")][:others]
    chosen = np.sort(np.concatenate([with_meteor, without]))
    stack, row, column = np.unravel_index(chosen, (n, PIXELS // side, PIXELS // side))
    sums = scene.sums()[first:first + n * N].reshape(n, N, PIXELS // side, side, PIXELS // side, side)
    counts = np.stack([sums[s, :, r, :, c] for s, r, c in zip(stack, row, column, strict=True)]) if len(chosen) else np.empty((0, N, side, side), np.uint32)
    return Stacks(counts, (label[chosen] == 1).any(axis=1), label[chosen])


def _half(disturbed: np.ndarray, wanted: int) -> np.ndarray:
    """The first half of what is wanted among the disturbed, bool [k]."""
    return disturbed & (np.cumsum(disturbed) <= wanted // 2)


def _pieces(array: np.ndarray, side: int) -> np.ndarray:
    """[n, 2304] to squares [n * (48 / side)^2, side * side], in the order stack, row, column."""
    n, across = len(array), PIXELS // side
    return array.reshape(n, across, side, across, side).transpose(0, 1, 3, 2, 4).reshape(-1, side * side)
