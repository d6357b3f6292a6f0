"""What a network that looks at every pixel in every frame has to be measured against: simple rules on the same streams, frame by frame.

Their flagged pixels go into the same Tracker (edge_runtime/tracking.py), with this frame as the peak. A pixel's history begins anew where
it is masked, and of a pixel without a full history nothing is said.
"""

from typing import NamedTuple, Protocol

import numpy as np

from edge_runtime.frames import FRAME_GTU, PIXELS

MEDIAN_FRAMES = 48  # of history behind the running median: as many as a network sees
RENEWED_EVERY = 8  # frames between two medians, which are what costs; the ground drifts by a fifth of a pixel meanwhile
MEAN_FRAMES = 128  # of history behind the mean of the flight rule: one packet, as in flight
SUM_FRAMES = 4  # that are summed; in flight 8 frames of 320 us, here about as long as a meteor stays in a pixel
SCORE_STEPS = 16  # of a score in one sigma


class Flags(NamedTuple):
    """Flagged pixels of one frame, in ascending order."""

    pixel: np.ndarray  # int64 [k], row * 48 + column
    score: np.ndarray  # int64 [k], significance in 1/16 sigma
    excess: np.ndarray  # float32 [k], counts per GTU above the background


class StreamRival(Protocol):
    """One rule. `level` is how much it asks of a pixel, in its own unit."""

    name: str
    level: float

    def frame(self, sums: np.ndarray, masked: np.ndarray) -> Flags:
        """What is flagged in the next frame: sums uint32 [48, 48] of FRAME_GTU, masked bool [48, 48]."""

    def reset(self) -> None:
        """Frames are missing: nothing is known of those before."""


class RunningMedian:
    """Excess over the median B of the pixel's previous 48 frames by more than k = `level` Poisson deviations: n - B > k sqrt(B), in counts.

    In counts per GTU that is k sqrt(b / 16,384), b = B / 16,384. The median is renewed every 8th frame, so that it is up to 7 frames old.
    """

    name = "running median"

    def __init__(self, level: float) -> None:
        self.level = level
        self.reset()

    def reset(self) -> None:
        """Frames are missing: nothing is known of those before."""
        self._history = np.zeros((PIXELS * PIXELS, MEDIAN_FRAMES), np.uint32)  # a ring: the next frame takes the place of the earliest
        self._length = np.zeros(PIXELS * PIXELS, np.int64)  # frames in a row without a mask
        self._frames = 0
        self._median = np.full(PIXELS * PIXELS, np.inf)  # infinite, as the limit: not known
        self._limit = self._median.copy()

    def frame(self, sums: np.ndarray, masked: np.ndarray) -> Flags:
        """What is flagged in the next frame; see StreamRival."""
        counts, hidden = sums.ravel(), masked.ravel()
        self._limit[hidden] = np.inf
        pixel = np.flatnonzero(counts > self._limit)
        flags = _flags(pixel, counts[pixel], self._median[pixel], 1)
        self._length = np.where(hidden, 0, self._length + 1)
        self._history[:, self._frames % MEDIAN_FRAMES] = counts
        self._frames += 1
        if self._frames % RENEWED_EVERY == 0:
            self._renew()
        return flags

    def _renew(self) -> None:
        full = self._length >= MEDIAN_FRAMES
        if full.any():
            half = MEDIAN_FRAMES // 2
            self._median[full] = np.partition(self._history[full], (half - 1, half), axis=1)[:, half - 1:half + 1].mean(axis=1)
            self._limit[full] = self._median[full] + self.level * _deviation(self._median[full])


class Level2Rule:
    """The Level-2 rule that flew, carried over to D3 frames with constants tuned anew: sum of P frames > N_BG x (P x mean of the 128 before them).

    In flight P = 8 frames of D2, N_BG = 4 and the floor LOW_THRESH = 0, which asks nothing [ME-L2 l2_trigger v10]. A D3 pixel counts ten
    thousand, of which no meteor makes four times as many: `level`, the N_BG, comes close to 1 here, and P to 4. It stays a factor, as in
    flight, so that its significance grows with the root of the background: 1.02 is 4.1 sigma at 0.65 counts per GTU, 8 at 2.5. The 128
    frames end before the P begin, so that light does not raise its own background.
    """

    name = "flight Level-2 rule"

    def __init__(self, level: float) -> None:
        self.level = level
        self.reset()

    def reset(self) -> None:
        """Frames are missing: nothing is known of those before."""
        self._history = np.zeros((MEAN_FRAMES + SUM_FRAMES, PIXELS * PIXELS), np.uint32)  # a ring: the next frame takes the place of the earliest
        self._length = np.zeros(PIXELS * PIXELS, np.int64)  # frames in a row without a mask
        self._frames = 0
        self._sum = np.zeros(PIXELS * PIXELS, np.int64)  # of the last P frames
        self._before = np.zeros(PIXELS * PIXELS, np.int64)  # of the 128 before these

    def frame(self, sums: np.ndarray, masked: np.ndarray) -> Flags:
        """What is flagged in the next frame; see StreamRival."""
        counts, hidden = sums.ravel(), masked.ravel()
        place = self._frames % len(self._history)
        leaving = self._history[place - SUM_FRAMES]  # from the sum to what is before it
        self._before += leaving
        self._before -= self._history[place]
        self._sum += counts
        self._sum -= leaving
        self._history[place] = counts
        self._frames += 1
        self._length = np.where(hidden, 0, self._length + 1)
        expected = self._before * (SUM_FRAMES / MEAN_FRAMES)
        pixel = np.flatnonzero((self._sum > self.level * expected) & (self._length >= len(self._history)))
        return _flags(pixel, self._sum[pixel], expected[pixel], SUM_FRAMES)


def _flags(pixel: np.ndarray, counts: np.ndarray, expected: np.ndarray, frames: int) -> Flags:
    above = counts - expected
    score = np.rint(SCORE_STEPS * above / _deviation(expected)).astype(np.int64)
    return Flags(pixel, score, (above / (frames * FRAME_GTU)).astype(np.float32))


def _deviation(expected: np.ndarray) -> np.ndarray:
    """Standard deviation of Poisson counts; at least 1, so that the first count of a dead pixel is no certainty."""
    return np.sqrt(np.maximum(expected, 1.0))
