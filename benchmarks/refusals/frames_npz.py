"""NPZ recordings of the focal surface that must be refused: `sums` uint32 or `counts_per_gtu` float [n, 48, 48], with time and mask."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.frames import FRAME_GTU

from .damage import ANY_FILE, FileDamage, Kind, flipped_in_arrays, recording_cases
from .npz import arrays_of, bomb, pickled, twice

SUMS, MEANS, TIME, MASK = "sums", "counts_per_gtu", "frame_time_unix", "mask"


def _with(name: str, change: Callable[[NDArray], Any]) -> FileDamage:
    """One array is what `change` makes of it."""
    def damage(path: Path, random: np.random.Generator) -> None:
        arrays = arrays_of(path)
        np.savez(path, **{**arrays, name: change(arrays[name])})
    return damage


def _as_means(change: Callable[[NDArray], Any]) -> FileDamage:
    """Means per GTU in place of the sums, float32 [n, 48, 48], and of them what `change` makes."""
    def damage(path: Path, random: np.random.Generator) -> None:
        arrays = arrays_of(path)
        means = (arrays.pop(SUMS) / FRAME_GTU).astype(np.float32)  # exact: a sum has at most 24 bits
        np.savez(path, **arrays, **{MEANS: change(means)})
    return damage


def one_value(value: float) -> Callable[[NDArray], NDArray]:
    """The seventh pixel of the fifth row of frame 100 is `value`."""
    def change(frames: NDArray) -> NDArray:
        damaged = frames.copy()
        damaged[100, ..., 4, 6] = value
        return damaged
    return change


def flat_fielded(means: NDArray) -> NDArray:
    """Each pixel divided by its own response: no longer counts."""
    return means / np.linspace(0.9, 1.1, means[0].size, dtype=means.dtype).reshape(means.shape[1:])


def repeated(times: NDArray) -> NDArray:
    """One frame's time is that of the frame before."""
    damaged = times.copy()
    damaged[60] = damaged[59]
    return damaged


def one_nan(times: NDArray) -> NDArray:
    """One frame's time is NaN."""
    return np.where(np.arange(len(times)) == 60, np.nan, times)


def _beside(path: Path, random: np.random.Generator) -> None:
    arrays = arrays_of(path)
    np.savez(path, **arrays, **{MEANS: arrays[SUMS] / FRAME_GTU})


def _no_sums(path: Path, random: np.random.Generator) -> None:
    arrays = arrays_of(path)
    np.savez(path, sum=arrays.pop(SUMS), **arrays)


def _no_frames(path: Path, random: np.random.Generator) -> None:
    arrays = arrays_of(path)
    np.savez(path, **{SUMS: arrays[SUMS][:0], TIME: arrays[TIME][:0]})


# By the field that the refusal must name; of any file it is what the reader comes upon first.
DAMAGES: dict[str, dict[str, FileDamage]] = {
    "": {**ANY_FILE, "a byte flipped": flipped_in_arrays},
    SUMS: {
        "47 x 48 pixels": _with(SUMS, lambda sums: sums[:, 1:]),
        "pixels in one row": _with(SUMS, lambda sums: sums.reshape(len(sums), -1)),
        "one frame without its axis": _with(SUMS, lambda sums: sums[0]),
        "no frames": _no_frames,
        "no sums": _no_sums,
        "sums that are float": _with(SUMS, lambda sums: sums.astype(np.float32)),
        "a negative sum": _with(SUMS, lambda sums: one_value(-1)(sums.astype(np.int32))),
        "a sum beyond the counters": _with(SUMS, one_value(256 * FRAME_GTU)),
        "sums there twice": twice(SUMS),
        "pickled objects": pickled(SUMS),
        "zip bomb": bomb(SUMS, "<u4", (120_000, 48, 48)),  # 1.1 GB; 600 MB would be the night that a file may hold
    },
    MEANS: {
        "means beside the sums": _beside,
        "means that are integers": _as_means(lambda means: np.rint(means).astype(np.uint32)),
        "a mean that is NaN": _as_means(one_value(np.nan)),
        "an infinite mean": _as_means(one_value(np.inf)),
        "a negative mean": _as_means(one_value(-0.5)),
        "a mean above 255": _as_means(one_value(300)),
        "flat-fielded means": _as_means(flat_fielded),
    },
    TIME: {
        "time going back": _with(TIME, lambda times: times[::-1]),
        "one time twice": _with(TIME, repeated),
        "a time that is NaN": _with(TIME, one_nan),
        "time in ns": _with(TIME, lambda times: times * 1e9),
        "time as float32": _with(TIME, lambda times: times.astype(np.float32)),
        "a time too few": _with(TIME, lambda times: times[1:]),
    },
    MASK: {
        "mask of numbers": _with(MASK, lambda mask: mask.astype(np.uint8)),
        "mask of 47 x 48 pixels": _with(MASK, lambda mask: mask[1:]),
    },
}
_CONTROL: dict[str, FileDamage] = {"means": _as_means(lambda means: means)}
FRAMES_NPZ = Kind("NPZ", tuple(case for field, damages in DAMAGES.items() for case in recording_cases("NPZ", "frames.npz", damages, field)),
                  recording_cases("NPZ", "frames.npz", _CONTROL)[0])
