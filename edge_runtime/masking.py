"""Pixels that tell nothing in a frame: masked and counted by reason, never filled. A board does this frame by frame, the ground the same way."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .frames import PIXELS

REASONS = ("file", "dead", "voltage", "row")
UNIT_PIXELS = 16  # side of an EC unit, 2 x 2 tubes that share a high voltage [read]
_UNITS = PIXELS // UNIT_PIXELS
_DEAD = 1 / 50  # of the frame's median, up to which a pixel counts as dead; a live one has thousands of counts
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
        levels = np.median(sums.reshape(_UNITS, UNIT_PIXELS, _UNITS, UNIT_PIXELS), axis=(1, 3))
        switched = np.zeros((_UNITS, _UNITS), bool)
        if self._levels is not None:
            switched = (levels > _STEP * self._levels) | (_STEP * levels < self._levels)
        self._levels = levels
        found = masked.copy()
        self.counts["file"] += int(masked.sum())
        for reason, wrong in (("dead", sums <= _DEAD * np.median(sums)), ("voltage", _spread(switched, UNIT_PIXELS)), ("row", _bright_rows(sums))):
            self.counts[reason] += int((wrong & ~found).sum())
            found |= wrong
        return found

    def gap(self) -> None:
        """Frames are missing: nothing is known of the frame before."""
        self._levels = None


def _spread(units: npt.NDArray[np.bool_], rows: int) -> npt.NDArray[np.bool_]:
    wide: npt.NDArray[np.bool_] = units.repeat(rows, axis=0).repeat(UNIT_PIXELS, axis=1)
    return wide


def _bright_rows(sums: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    level = np.median(sums.reshape(PIXELS, _UNITS, UNIT_PIXELS), axis=2)  # [48, 3]
    beside = np.maximum(np.vstack([level[1:2], level[:-1]]), np.vstack([level[1:], level[-2:-1]]))  # at the edge the one neighbour
    return _spread(level > _ROW * beside, 1)
