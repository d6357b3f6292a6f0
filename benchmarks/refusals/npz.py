"""NPZ recordings that must be refused: `counts` is uint16 [3, n], n >= 1, in a whole zip archive."""

import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .damage import ANY_FILE, FileDamage, Kind, flipped_in_arrays, recording_cases, undamaged


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as archive:
        return dict(archive)


def _with_counts(change: Callable[[NDArray], NDArray]) -> FileDamage:
    """Damage that replaces `counts` [3, n] by what `change` makes of it."""
    def damage(path: Path, random: np.random.Generator) -> None:
        arrays = _arrays(path)
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
    arrays = _arrays(path)
    np.savez(path, count=arrays["counts"])


def _time_is_float(path: Path, random: np.random.Generator) -> None:
    np.savez(path, **{**_arrays(path), "utc_start_ns": np.float64(1.5e18)})


def _pickle(path: Path, random: np.random.Generator) -> None:
    """An array of Python objects: reading it would run code of the sender's choosing."""
    np.savez(path, counts=np.array([[1, 2, 3], None, "counts"], dtype=object))


def _bomb(path: Path, random: np.random.Generator) -> None:
    """Zeros that are 600 MB in memory and 3 MB on disk: the size must be checked before the data are unpacked."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<u2", "fortran_order": False, "shape": (3, 104_857_600)})
    zeros = bytes(1 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("counts.npy", "w") as entry:
        entry.write(header.getvalue())
        for _ in range(600):
            entry.write(zeros)


def _twice(path: Path, random: np.random.Generator) -> None:
    """Two members named counts.npy: readers that take the first and readers that take the last would see different recordings."""
    data = io.BytesIO()
    np.save(data, _arrays(path)["counts"] + 1)
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the very thing that is wanted here
        archive.writestr("counts.npy", data.getvalue())


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
    "pickled objects": _pickle,
    "zip bomb": _bomb,
    "counts there twice": _twice,
}
NPZ = Kind("NPZ", recording_cases("NPZ", "npz", DAMAGES), recording_cases("NPZ", "npz", {"undamaged": undamaged})[0])
