"""Focal-surface counts as they come: gap-free stretches of frames, from .npz files or an instrument's own reader."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import Archive, open_npz
from .errors import InputError
from .files import check_file
from .readers import read_installed

PIXELS = 48  # rows and columns of the focal surface
FRAME_GTU = 16_384  # a D3 frame is the sum over so many gate time units of 2.5 us
FRAME_TIME_NS = 40_960_000
ROUNDING = 0.01  # counts that a mean times FRAME_GTU may lie off a whole number
_LIMIT = 1 << 30  # bytes of one array: nearly an hour of frames
_LARGEST_SUM = 256 * FRAME_GTU  # one GTU counts at most 255 in a pixel
_LATEST = 1 << 32  # s since 1970: the year 2106
_BLOCK = 128  # frames that are converted at once: one packet of the instrument


@dataclass(frozen=True, eq=False)
class FrameStretch:
    """Frames without a gap. ValueError where the arrays are not uint32 and bool [n, 48, 48], n >= 1.

    sums: counts of FRAME_GTU gate time units. masked: known bad, whatever `sums` says there. utc_start_ns: ns since 1970-01-01 UTC of the
    first frame's beginning, None where the recording has no clock. frame: index of the first frame in the recording (gaps are not counted).
    """

    sums: npt.NDArray[np.uint32]
    masked: npt.NDArray[np.bool_]
    utc_start_ns: int | None
    frame: int

    def __post_init__(self) -> None:
        shape = (max(1, len(self.sums)), PIXELS, PIXELS)
        if self.sums.dtype != np.uint32 or self.sums.shape != shape or self.masked.dtype != np.bool_ or self.masked.shape != shape:
            found = f"{self.sums.dtype} {list(self.sums.shape)} and {self.masked.dtype} {list(self.masked.shape)}"
            raise ValueError(f"frames are {found}, must be uint32 and bool [n, {PIXELS}, {PIXELS}] with n >= 1")


def read_frames(path: str | Path) -> Iterator[FrameStretch]:
    """The stretches of a recording of the focal surface: an .npz file, or any suffix for which a reader is installed (.root).

    InputError names the file and the field that is wrong.
    """
    if str(path) == "-":
        raise InputError("-", "stdin", "is no way for frames: give a .root or .npz file")
    path = Path(path)
    check_file(path, _LIMIT)
    suffix = path.suffix.lower().removeprefix(".")
    return read_npz_frames(path) if suffix == "npz" else read_installed(path, suffix, FrameStretch, "frames of a focal surface")


def read_npz_frames(path: Path) -> Iterator[FrameStretch]:
    """The stretches of an .npz file, all checked before the first is given. InputError names the field.

    `sums` uint32 [n, 48, 48], or `counts_per_gtu` float [n, 48, 48], means over FRAME_GTU; if known `frame_time_unix` float64 [n], seconds, and
    `mask` bool [48, 48] or [n, 48, 48], true where a pixel is known bad.
    """
    path = Path(path)
    with open_npz(path, _LIMIT) as archive:
        sums = _sums(archive)
        times = _optional(archive, "frame_time_unix", np.float64, ((len(sums),),))
        mask = _optional(archive, "mask", np.bool_, ((PIXELS, PIXELS), sums.shape))
    masked = np.zeros(sums.shape, bool) if mask is None else np.broadcast_to(mask, sums.shape)
    return stretches(path, sums, masked, times)


def stretches(path: Path, sums: npt.NDArray[np.uint32], masked: npt.NDArray[np.bool_], times: npt.NDArray[np.float64] | None,
              field: str = "frame_time_unix") -> Iterator[FrameStretch]:
    """Cut frames where their times [n], seconds since 1970, leave a gap; no times, no gaps. InputError where time goes back or stands.

    Frames follow each other by FRAME_TIME_NS; where one lies more than half of that off its place, counted from the first of its stretch, it begins
    another: then frames are missing, or the clock is another than it says.
    """
    if times is None:
        return iter([FrameStretch(sums, masked, None, 0)])
    if not np.isfinite(times).all() or not ((times >= 0) & (times < _LATEST)).all():
        k = int(np.argmin(np.isfinite(times) & (times >= 0) & (times < _LATEST)))
        raise InputError(path, field, f"is {times[k]} at frame {k}, must be seconds since 1970, before 2106")
    steps = np.diff(times) * 1e9 / FRAME_TIME_NS
    if (steps < 0.5).any():
        k = int(np.argmax(steps < 0.5))
        what = "the same time as the frame before" if steps[k] == 0 else "goes back, or on by less than half a frame"
        raise InputError(path, field, f"{what} at frame {k + 1} ({times[k]:.3f} s, then {times[k + 1]:.3f} s); order the frames, each once")
    ahead = ((times - times[0]) * (1e9 / FRAME_TIME_NS) - np.arange(len(times))).tolist()  # of an even clock, in frames
    bounds = [0]
    for k, value in enumerate(ahead):
        if abs(value - ahead[bounds[-1]]) > 0.5:
            bounds.append(k)
    bounds.append(len(times))
    return (FrameStretch(sums[first:last], masked[first:last], round(float(times[first]) * 1e9), first)
            for first, last in pairwise(bounds))


def sums_of_means(path: Path, field: str, means: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint32]:
    """Counts uint32 [n, 48, 48] of means per GTU, which are whole counts / FRAME_GTU and exact as floats up to 2^24 counts.

    InputError where a mean is not finite, negative, above what the counters give, or off by more than ROUNDING counts: then something
    was divided out (flat field, pile-up) that has to be left in.
    """
    sums = np.empty(means.shape, np.uint32)
    for first in range(0, len(means), _BLOCK):
        exact = means[first:first + _BLOCK].astype(np.float64) * FRAME_GTU
        whole = np.rint(exact)
        with np.errstate(invalid="ignore"):  # infinities are refused below
            off = np.abs(exact - whole)
        for wrong, what in ((~np.isfinite(exact), "is not finite"), (exact < 0, "is negative"), (whole >= _LARGEST_SUM, "is above 255 counts per GTU"),
                            (off > ROUNDING, f"times {FRAME_GTU} is no whole number of counts; save raw means, not corrected ones")):
            if wrong.any():
                frame, row, column = np.argwhere(wrong)[0]
                raise InputError(path, field, f"at frame {first + frame}, row {row}, column {column} ({means[first + frame, row, column]}) {what}")
        sums[first:first + _BLOCK] = whole
    return sums


def _sums(archive: Archive) -> npt.NDArray[np.uint32]:
    path, members = archive.path, archive.members
    name = next((name for name in ("sums", "counts_per_gtu") if name in members), None)
    if name is None:
        held = ", ".join(sorted(members)) or "nothing"
        raise InputError(path, "sums", f"is missing, the file holds {held}; save uint32 sums over {FRAME_GTU} GTU [n, {PIXELS}, {PIXELS}] as 'sums'")
    if name == "sums" and "counts_per_gtu" in members:
        raise InputError(path, "counts_per_gtu", "is there beside sums; which of them holds? leave one away")
    member = members[name]
    if len(member.shape) != 3 or member.shape[1:] != (PIXELS, PIXELS) or member.shape[0] == 0:
        raise InputError(path, name, f"has shape {list(member.shape)}, must be [n, {PIXELS}, {PIXELS}] with n >= 1")
    if name == "counts_per_gtu":
        if member.dtype.kind != "f":
            raise InputError(path, name, f"is {member.dtype}, must be float means per GTU; save integer sums as 'sums'")
        return sums_of_means(path, name, archive.read(name))
    if member.dtype.kind not in "iu":
        raise InputError(path, name, f"is {member.dtype}, must be integer sums over {FRAME_GTU} GTU (uint32); save means as 'counts_per_gtu'")
    values = archive.read(name)
    for wrong, what in ((values < 0, "negative"), (values >= _LARGEST_SUM, f"above {_LARGEST_SUM - 1}, more than the counters can give")):
        if wrong.any():
            frame, row, column = np.argwhere(wrong)[0]
            raise InputError(path, name, f"are {what} ({values[frame, row, column]}) at frame {frame}, row {row}, column {column}; mend the recording")
    return values.astype(np.uint32)


def _optional(archive: Archive, name: str, dtype: type[np.generic], shapes: tuple[tuple[int, ...], ...]) -> npt.NDArray[Any] | None:
    member = archive.members.get(name)
    if member is None:
        return None
    if member.dtype != np.dtype(dtype) or member.shape not in shapes:
        wanted = " or ".join(str(list(shape)) for shape in shapes)
        raise InputError(archive.path, name, f"is {member.dtype} {list(member.shape)}, must be {np.dtype(dtype)} {wanted}; or leave it out")
    return archive.read(name)
