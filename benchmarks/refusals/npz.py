"""NPZ recordings that must be refused: `counts` is uint16 [3, n], n >= 1, in a whole zip archive."""

import io
import math
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .damage import ANY_FILE, FileDamage, Kind, flipped_in_arrays, recording_cases, undamaged


def arrays_of(path: Path) -> dict[str, Any]:
    """What an .npz file holds."""
    with np.load(path) as archive:
        return dict(archive)


def _with_counts(change: Callable[[NDArray], NDArray]) -> FileDamage:
    """Damage that replaces `counts` [3, n] by what `change` makes of it."""
    def damage(path: Path, random: np.random.Generator) -> None:
        arrays = arrays_of(path)
        np.savez(path, **{**arrays, "counts": change(arrays["counts"])})
    return damage


def _nan(counts: NDArray) -> NDArray:
    damaged = counts.astype(np.float32)
    damaged[1, 100] = np.nan
    return damaged


def _negative(counts: NDArray) -> NDArray:
    damaged = counts.astype(np.int16)
    damaged[1, 100] = -1
    return damaged


def _no_counts(path: Path, random: np.random.Generator) -> None:
    arrays = arrays_of(path)
    np.savez(path, count=arrays["counts"])


def _time_is_float(path: Path, random: np.random.Generator) -> None:
    np.savez(path, **{**arrays_of(path), "utc_start_ns": np.float64(1.5e18)})


def pickled(name: str) -> FileDamage:
    """An array of Python objects: reading it would run code of the sender's choosing."""
    def damage(path: Path, random: np.random.Generator) -> None:
        np.savez(path, **{name: np.array([[1, 2, 3], None, "counts"], dtype=object)})
    return damage


def bomb(name: str, dtype: str, shape: tuple[int, ...]) -> FileDamage:
    """Zeros, hundreds of MB in memory and a few on disk: the size must be checked before the data are unpacked."""
    def damage(path: Path, random: np.random.Generator) -> None:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
        zeros = bytes(1 << 20)
        whole, rest = divmod(math.prod(shape) * np.dtype(dtype).itemsize, len(zeros))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
            entry.write(header.getvalue())
            for _ in range(whole):
                entry.write(zeros)
            entry.write(zeros[:rest])
    return damage


def twice(name: str) -> FileDamage:
    """Two members of that name: readers that take the first and readers that take the last would see different recordings."""
    def damage(path: Path, random: np.random.Generator) -> None:
        data = io.BytesIO()
        np.save(data, arrays_of(path)[name] + 1)
        with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile warns of the very thing that is wanted here
            archive.writestr(f"{name}.npy", data.getvalue())
    return damage


DAMAGES: dict[str, FileDamage] = {
    **ANY_FILE,
    "a byte flipped": flipped_in_arrays,
    "channel missing": _with_counts(lambda counts: counts[:2]),
    "channel extra": _with_counts(lambda counts: np.concatenate((counts, counts[:1]))),
    "channels last": _with_counts(lambda counts: np.ascontiguousarray(counts.T)),
    "float for int": _with_counts(lambda counts: counts.astype(np.float32)),
    "NaN": _with_counts(_nan),
    "negative": _with_counts(_negative),
    "no samples": _with_counts(lambda counts: counts[:, :0]),
    "no counts array": _no_counts,
    "time of another type": _time_is_float,
    "pickled objects": pickled("counts"),
    "zip bomb": bomb("counts", "<u2", (3, 104_857_600)),
    "counts there twice": twice("counts"),
}
NPZ = Kind("NPZ", recording_cases("NPZ", "recording.npz", DAMAGES), recording_cases("NPZ", "recording.npz", {"undamaged": undamaged})[0])
