"""Pixels that tell nothing in a frame: masked and counted by reason, never filled. A board does this frame by frame, the ground the same way."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .frames import PIXELS

REASONS = ("file", "dead", "voltage", "row")
UNIT_PIXELS = 16  # side of an EC unit, 2 x 2 tubes that share a high voltage [read]
_UNITS = PIXELS // UNIT_PIXELS
DEAD = 1 / 50  # of the middle one of the units' levels, up to which a pixel counts as dead; a live one has thousands of counts
_STEP = 2.0  # a unit whose level changes by this factor from one frame to the next was switched
_ROW = 1.25  # a row of a unit above both rows beside it by this factor is the artefact of an early flat field


@dataclass
class Masker:
    """State between frames: the level of each EC unit. `counts`: masked pixel-frames so far by reason, the first that applies.

    file: the recording says so. dead: next to nothing is counted. voltage: the pixel's EC unit was switched between this frame and the one
    before. row: a row of a unit stands out as a whole.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    _levels: npt.NDArray[np.float64] | None = None

    def frame(self, sums: npt.NDArray[np.uint32], masked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """All that is masked of one frame, bool [48, 48], of its sums [48, 48] and what its file masks."""
        levels = _medians(sums.reshape(_UNITS, UNIT_PIXELS, _UNITS, UNIT_PIXELS).swapaxes(1, 2).reshape(_UNITS**2, -1)).reshape(_UNITS, _UNITS)
        wrong = {"dead": sums <= DEAD * np.sort(levels, axis=None)[levels.size // 2]}
        if self._levels is not None:
            switched = (levels > _STEP * self._levels) | (_STEP * levels < self._levels)
            if switched.any():
                wrong["voltage"] = _spread(switched, UNIT_PIXELS)
        self._levels = levels
        rows = _bright_rows(sums)
        if rows.any():
            wrong["row"] = _spread(rows, 1)
        found = masked.copy()
        self.counts["file"] += int(np.count_nonzero(masked))
        for reason, pixels in wrong.items():
            self.counts[reason] += int(np.count_nonzero(pixels & ~found))
            found |= pixels
        return found

    def gap(self) -> None:
        """Frames are missing: nothing is known of the frame before."""
        self._levels = None


def _spread(units: npt.NDArray[np.bool_], rows: int) -> npt.NDArray[np.bool_]:
    wide: npt.NDArray[np.bool_] = units.repeat(rows, axis=0).repeat(UNIT_PIXELS, axis=1)
    return wide


def _bright_rows(sums: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Which rows of units stand out, [48, 3]."""
    level = _medians(sums.reshape(-1, UNIT_PIXELS)).reshape(PIXELS, _UNITS)
    bright = np.empty(level.shape, bool)
    bright[1:-1] = level[1:-1] > _ROW * np.maximum(level[:-2], level[2:])
    bright[0], bright[-1] = level[0] > _ROW * level[1], level[-1] > _ROW * level[-2]
    return bright


def _medians(groups: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
    """The median of each row of groups [g, n], n even; `np.median` takes twice as long, and half of a frame's time is spent here."""
    middle = groups.shape[1] // 2
    medians: npt.NDArray[np.float64] = np.partition(groups, (middle - 1, middle), axis=1)[:, middle - 1:middle + 1].mean(axis=1)
    return medians
