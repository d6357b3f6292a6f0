"""The loop that watches the focal surface: frame, masks, codes, engine, flagged pixels, tracks. Memory does not grow with the length of the stream."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .engines import Engine
from .frames import FRAME_TIME_NS, FrameStretch
from .masking import Masker
from .pixels import FOCAL_PIXELS, WINDOW_FRAMES, PixelCodes, PixelWindows
from .recurrence import LoneTracker
from .tracking import Track, TrackRules

MIDDLE = WINDOW_FRAMES // 2  # place in the window where the network looks for the brightest frame
_NEAR = 4  # frames around it among which the brightest is taken


@dataclass(frozen=True)
class PixelSettings:
    """What decides between counts and tracks, but for the network. `flag`: a pixel is flagged where its logit's code is above it.

    magnitude_zero: absolute magnitude of a meteor whose brightest pixel-frame has 1 count per GTU above the sky.
    """

    codes: PixelCodes
    flag: int
    rules: TrackRules
    magnitude_zero: float


class FoundTrack(NamedTuple):
    """A track and its time, ns since 1970-01-01 UTC, None without a clock; the end is the first frame that no longer belongs to it."""

    utc_start_ns: int | None
    utc_end_ns: int | None
    track: Track


class Flags(NamedTuple):
    """Flagged pixels of one frame, each [k]: row * 48 + column, frame at which it is brightest, code of the logit, counts per GTU above its level."""

    pixel: npt.NDArray[np.intp]
    peak: npt.NDArray[np.intp]
    score: npt.NDArray[np.int64]
    excess: npt.NDArray[np.float32]


class PixelFlagger:
    """One network for any number of recordings one after the other. Not for use from several threads at once.

    `frames` counts what was seen, `windows` the pixel-windows that were judged, `gaps` and `missing` (frames) what was not there, over all recordings;
    `masker.counts` what was masked of the
    current one, and why. Of the last frame: `masked` bool [48, 48], `input` int8 [1, 1, 2304, 48],
    `logits` int8 [2304] and `full` bool [2304], which of them count.
    """

    def __init__(self, settings: PixelSettings, engine: Engine) -> None:
        self.frames = 0
        self.windows = 0
        self.gaps = 0
        self.missing = 0
        self._next = 0  # number of the next frame in the recording
        self._settings, self._run = settings, engine.run
        lent = engine.input_buffer()
        self.input = np.empty((1, 1, FOCAL_PIXELS, WINDOW_FRAMES), np.int8) if lent is None else lent
        self._codes = self.input.reshape(FOCAL_PIXELS, WINDOW_FRAMES)
        self.begin()

    def flag(self, stretches: Iterable[FrameStretch]) -> Iterator[FoundTrack]:
        """The tracks of one recording, each as soon as it is complete."""
        self.begin()
        start: FrameStretch | None = None
        for stretch in stretches:
            if start is None or not _goes_on(start, self._next, stretch):
                if start is not None:
                    self.gaps += 1
                    self.missing += _frames_between(start, self._next, stretch)
                yield from self._found(start, self.gap())
                start, self._next = stretch, stretch.frame
            for sums, masked in zip(stretch.sums, stretch.masked, strict=True):
                yield from self._found(start, self.push(sums, masked))
        yield from self._found(start, self.gap())

    def push(self, sums: npt.NDArray[np.uint32], masked: npt.NDArray[np.bool_]) -> list[Track]:
        """One step of the loop, of sums and masked [48, 48]: the tracks that this frame completes."""
        return self.follow(self.judge(sums, masked))

    def judge(self, sums: npt.NDArray[np.uint32], masked: npt.NDArray[np.bool_]) -> Flags:
        """The pixels that are flagged when this frame has come; their windows' middles lie WINDOW_FRAMES - 1 - MIDDLE frames back."""
        self.preprocess(sums, masked)
        self.gather()
        self.infer()
        return self.flags()

    def preprocess(self, sums: npt.NDArray[np.uint32], masked: npt.NDArray[np.bool_]) -> None:
        """First step of `judge`: masks and codes of the frame."""
        self.masked = self.masker.frame(sums, masked)
        self._windows.push(sums, self.masked)

    def gather(self) -> None:
        """Second step: every pixel's window into the engine's input."""
        self._windows.gather(self._codes)

    def infer(self) -> None:
        """Third step: the engine."""
        (logits,) = self._run(self.input)
        self.logits = logits.reshape(FOCAL_PIXELS)

    def flags(self) -> Flags:
        """Last step: which pixels are flagged, and what is known of them."""
        self.full = self._windows.age >= WINDOW_FRAMES
        self.frames += 1
        self.windows += int(np.count_nonzero(self.full))
        pixel = np.flatnonzero((self.logits > self._settings.flag) & self.full)
        near = self._codes[pixel, MIDDLE - _NEAR:MIDDLE + _NEAR + 1]
        ago = WINDOW_FRAMES - 1 - MIDDLE + _NEAR - near.argmax(axis=1)
        return Flags(pixel, self._next - ago, self.logits[pixel].astype(np.int64), self._windows.excess(ago, pixel))

    def follow(self, flags: Flags) -> list[Track]:
        """The tracks that the flags of this frame complete; the next frame is another."""
        tracks = self._tracker.push(self._next, flags.peak, flags.pixel, flags.score, flags.excess)
        self._next += 1
        return tracks

    def gap(self) -> list[Track]:
        """Frames are missing, or the recording ends: every pixel begins anew; the tracks that are complete as far as they were seen."""
        self.masker.gap()
        self._windows.gap()
        return self._tracker.finish()

    def begin(self, frame: int = 0) -> None:
        """Forget all that was seen: a recording begins, with this number of its first frame."""
        self.masker = Masker()
        self._windows = PixelWindows(self._settings.codes)
        self._tracker = LoneTracker(self._settings.rules)
        self._next = frame

    def _found(self, start: FrameStretch | None, tracks: list[Track]) -> Iterator[FoundTrack]:
        for track in tracks:
            assert start is not None  # for the type checker: a track comes from frames
            utc = start.utc_start_ns
            ends = [None if utc is None else utc + (frame - start.frame) * FRAME_TIME_NS for frame in (track.frame_start, track.frame_end)]
            yield FoundTrack(ends[0], ends[1], track)


def _frames_between(start: FrameStretch, frame: int, stretch: FrameStretch) -> int:
    """Frames for which there was time between frame number `frame`, counted on from `start`, and `stretch`; 0 where a clock is missing."""
    if stretch.utc_start_ns is None or start.utc_start_ns is None:
        return 0
    late = stretch.utc_start_ns - start.utc_start_ns - (frame - start.frame) * FRAME_TIME_NS
    return max(0, round(late / FRAME_TIME_NS))


def _goes_on(start: FrameStretch, frame: int, stretch: FrameStretch) -> bool:
    """Whether `stretch` follows without a gap on frames that began with `start` and came to `frame`."""
    if stretch.frame != frame:
        return False
    if stretch.utc_start_ns is None or start.utc_start_ns is None:
        return stretch.utc_start_ns is start.utc_start_ns
    return abs(stretch.utc_start_ns - start.utc_start_ns - (frame - start.frame) * FRAME_TIME_NS) <= FRAME_TIME_NS // 2
