"""Level-1 ROOT files of Mini-EUSO: the D3 frames in the tree `tevent_2nd_integral` (read and written by uproot)."""

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import InputError
from edge_runtime.files import check_file, new_file
from edge_runtime.frames import FRAME_GTU, ROUNDING, FrameStretch, stretches, sums_of_means

from .constants import PIXELS, TUBE_PIXELS, UNIT_PIXELS
from .scene import Scene

TREE = "tevent_2nd_integral"
COUNTS, TIME, SECONDS, CATHODE = "photon_count_data", "gtu_time", "timestamp_unix", "cathode_status"
_LIMIT = 1 << 30  # bytes of a file: one of 3,200 frames has 30 MB
_SHAPES = ((1, 1, PIXELS, PIXELS), (PIXELS, PIXELS), (PIXELS * PIXELS,))
_CATHODES = 12  # of which the first nine belong to the EC units
_FULL_VOLTAGE = 3
_UNITS = PIXELS // UNIT_PIXELS
# First row and column of the tubes whose counts Level 1 halves, "two strange PMTs" [read in the macro that writes Level 1, v7.1].
_HALVED = ((40, 32), (8, 8))
# What a branch must hold: whether dtype and shape of an entry fit, and the words for it.
_FORMS: dict[str, tuple[Callable[["np.dtype[Any]", tuple[int, ...]], bool], str]] = {
    COUNTS: (lambda dtype, shape: dtype.kind == "f" and shape in _SHAPES, f"float means [n, 1, 1, {PIXELS}, {PIXELS}]"),
    TIME: (lambda dtype, shape: dtype == np.float64 and shape == (), "float64 seconds since 1970, one a frame"),
    SECONDS: (lambda dtype, shape: dtype.kind in "iuf" and shape == (), "seconds since 1970, one a frame"),
    CATHODE: (lambda dtype, shape: dtype.kind in "iu" and len(shape) == 1 and shape[0] >= _UNITS**2, f"integers [n, {_CATHODES}]"),
}


def read_root(path: Path) -> Iterator[FrameStretch]:
    """The stretches of a Level-1 file, all checked before the first is given: means per GTU become sums, gaps in time stay gaps.

    Branches: photon_count_data float [1, 1, 48, 48] (or [48, 48], or flat); gtu_time, seconds since 1970, or timestamp_unix where that has fractions
    (Level 1 writes whole seconds there); and where it is there cathode_status: an EC unit whose status changes is masked in that frame. The two
    tubes that Level 1 halves are doubled again, so that counts are counts. InputError names the branch.
    """
    path = Path(path)
    check_file(path, _LIMIT)
    with open(path, "rb") as file:
        if file.read(4) != b"root":
            raise InputError(path, "magic", "is not `root`, which the file must begin with; it is no ROOT file")
    means, field, times, cathode = _branches(path)
    sums = sums_of_means(path, COUNTS, _as_counted(means))
    masked = np.zeros(sums.shape, bool)
    if cathode is not None:
        changed = np.diff(cathode[:, :_UNITS**2], axis=0, prepend=cathode[:1, :_UNITS**2]) != 0  # [n, 9]
        masked = changed.reshape(-1, _UNITS, _UNITS).repeat(UNIT_PIXELS, axis=1).repeat(UNIT_PIXELS, axis=2)
    return stretches(path, sums, masked, times, field)


def write_root(scene: Scene, path: Path) -> None:
    """Write a session as a Level-1 file of the same structure. Written whole or not at all; about 9 kB a frame before packing."""
    import uproot

    with new_file(Path(path)) as temporary, uproot.recreate(temporary) as file:
        tree = file.mktree(TREE, {COUNTS: np.dtype((np.float32, _SHAPES[0])), TIME: np.dtype(np.float64), SECONDS: np.dtype(np.uint32),
                                  CATHODE: np.dtype((np.int32, (_CATHODES,)))})
        first = 0
        for sums in scene.blocks():
            last = first + len(sums)
            means = (sums / np.float64(FRAME_GTU)).astype(np.float32)  # exact: a sum has at most 24 bits
            times = scene.frame_time_unix[first:last]
            tree.extend({COUNTS: means[:, None, None], TIME: times, SECONDS: times.astype(np.uint32), CATHODE: _cathode(scene, first, last)})
            first = last


def _cathode(scene: Scene, first: int, last: int) -> np.ndarray:
    status = np.full((last - first, _CATHODES), _FULL_VOLTAGE, np.int32)
    sky = scene.sky_frames[first:last]
    for step in scene.steps:
        status[(sky >= step.first) & (sky < step.last), step.unit] = _FULL_VOLTAGE - 1
    return status


def _as_counted(means: np.ndarray) -> np.ndarray:
    """Means with the halved tubes doubled, where there are half counts in them."""
    for row, column in _HALVED:
        tube = (slice(None), slice(row, row + TUBE_PIXELS), slice(column, column + TUBE_PIXELS))
        twice = means[tube] * (2.0 * FRAME_GTU)
        with np.errstate(invalid="ignore"):  # what is not finite is refused later
            halved = (np.rint(twice) % 2 == 1) & (np.abs(twice - np.rint(twice)) <= 2 * ROUNDING)
        if halved.any():
            means = means.copy()
            means[tube] *= 2
    return means


def _branches(path: Path) -> tuple[np.ndarray, str, np.ndarray, np.ndarray | None]:
    """Means [n, 48, 48], the branch of the times, times [n] and cathodes [n, 12]."""
    import uproot

    try:
        with uproot.open(path) as file:
            names = {name.split(";")[0]: kind for name, kind in file.classnames(recursive=False).items()}
            if TREE not in names:
                raise InputError(path, TREE, f"is missing, the file holds {', '.join(names) or 'nothing'}{_near(TREE, names)}; is it a Level-1 file?")
            if names[TREE] != "TTree":
                raise InputError(path, TREE, f"is a {names[TREE]}, must be a TTree; is it a Level-1 file?")
            tree = file[TREE]
            keys = list(tree.keys())
            clock = TIME if TIME in keys or SECONDS not in keys else SECONDS
            for needed in (COUNTS, clock):
                if needed not in keys:
                    raise InputError(path, needed, f"is missing, the tree holds {', '.join(keys)[:200] or 'no branch'}{_near(needed, keys)}")
            if tree.num_entries < 1:
                raise InputError(path, TREE, "holds no frame; at least one is needed")
            if tree.num_entries * PIXELS**2 * 4 > _LIMIT:
                raise InputError(path, TREE, f"holds {tree.num_entries} frames, too many for one file; split it")
            present = [name for name in (COUNTS, clock, CATHODE) if name in keys]
            for name in present:
                _check_form(path, name, tree[name].interpretation.numpy_dtype)
            arrays = {name: _array(path, name, tree) for name in present}
    except InputError:
        raise
    except Exception as error:  # whatever uproot meets in a damaged file, of any type
        raise InputError(path, "ROOT", f"cannot be read ({type(error).__name__}: {' '.join(str(error).split())[:100]}); the file is damaged") from error
    cathode, times = arrays.get(CATHODE), arrays[clock].astype(np.float64)
    if clock == SECONDS and len(times) > 1 and not (times % 1).any():
        raise InputError(path, SECONDS, f"holds whole seconds, which cannot tell frames of 41 ms apart, and {TIME} is missing; copy that branch too")
    return arrays[COUNTS].reshape(-1, PIXELS, PIXELS), clock, times, None if cathode is None else cathode.astype(np.int64)


def _check_form(path: Path, name: str, form: "np.dtype[Any]") -> None:
    """Refuse a branch by what the tree says of one entry, dtype and shape, before anything is unpacked: a megabyte can hold gigabytes of zeros."""
    fits, wanted = _FORMS[name]
    if not fits(form.base, form.shape):
        found = "of varying length" if form.base.kind == "O" else f"{form.base} {['n', *form.shape]}".replace("'", "")
        raise InputError(path, name, f"is {found}, must be {wanted}")


def _array(path: Path, name: str, tree: Any) -> np.ndarray:
    array: np.ndarray = tree[name].array(library="np")
    if len(array) != tree.num_entries:  # a basket that begins late: uproot gives what is left of the branch
        raise InputError(path, name, f"gives {len(array)} entries, the tree has {tree.num_entries} frames; the file is damaged")
    return array


def _near(name: str, names: Any) -> str:
    near = get_close_matches(name, list(names), n=1)
    return f"; the nearest name is {near[0]!r}" if near else ""
