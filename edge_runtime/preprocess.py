"""Counts to the network's int8 input: one lookup table per channel, and windows that tile a recording without dropping a sample.

The same code runs in training, parity, benchmarks and on board. On board it is integers only: a table entry per number of counts.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .counts import CHANNELS as CHANNELS
from .counts import FRAME_SAMPLES as FRAME_SAMPLES
from .counts import SAMPLE_TIME as SAMPLE_TIME
from .counts import SAMPLE_TIME_NS, Stretch

WINDOW_SAMPLES = 1040  # 8 windows make one frame of 8320 samples; divisible by 16: four layers of stride 2
LAST_COUNT = 1055  # of `anscombe_tables`: thirteen times the brightest sample recorded so far (81 counts in 10 us)
_COUNTS = 1 << 16  # a uint16 has this many values


@dataclass(frozen=True, eq=False)
class CountTables:
    """Codes of counts: `codes` int8 [3, entries], entry n the code of n counts; real = scale * (code - zero_point).

    Counts above the last entry take its code and are flagged as saturated. Scale and zero point are the same for all channels, because
    the network sees them side by side in one input tensor and a tensor has one of each. ValueError where the arrays are of another kind.
    """

    codes: npt.NDArray[np.int8]
    scale: float
    zero_point: int
    _offsets: npt.NDArray[np.intp] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        codes = np.ascontiguousarray(self.codes)
        if codes.dtype != np.int8 or codes.ndim != 2 or codes.shape[0] != len(CHANNELS) or not 2 <= codes.shape[1] <= _COUNTS:
            raise ValueError(f"codes are {codes.dtype} {list(codes.shape)}, must be int8 [{len(CHANNELS)}, 2..{_COUNTS}]")
        codes.setflags(write=False)
        object.__setattr__(self, "codes", codes)
        # Where each channel's table begins in all of them, one behind the other: one gather then serves all channels.
        object.__setattr__(self, "_offsets", np.arange(len(CHANNELS), dtype=np.intp)[:, None] * codes.shape[1])

    @property
    def last_count(self) -> int:
        """The last number of counts with a code of its own; above it a sample is saturated."""
        return self.codes.shape[1] - 1

    def window_codes(self, counts: npt.NDArray[np.uint16], out: npt.NDArray[np.int8]) -> bool:
        """Write the codes of `counts` uint16 [3, t] to `out` int8 [t, 3] (contiguous); True where a sample is saturated.

        No checks: this is the path that every window takes.
        """
        last = self.codes.shape[1] - 1
        saturated = int(np.maximum.reduce(counts, axis=None)) > last
        index = np.empty(out.shape, np.intp)
        # The transposition happens here, where it costs least.
        np.add(np.minimum(counts, last) if saturated else counts, self._offsets, out=index.T)
        self.codes.take(index, out=out, mode="clip")  # "clip" only because NumPy buffers `out` under "raise"; every index is in range
        return saturated

    def quantise(self, counts: npt.NDArray[np.uint16]) -> npt.NDArray[np.int8]:
        """Codes int8 [..., 3, t] of counts uint16 [..., 3, t], by the same tables as `window_codes`; ValueError for another dtype or shape."""
        if counts.dtype != np.uint16 or counts.ndim < 2 or counts.shape[-2] != len(CHANNELS):
            raise ValueError(f"counts are {counts.dtype} {list(counts.shape)}, must be uint16 [..., {len(CHANNELS)}, t]")
        codes: npt.NDArray[np.int8] = self.codes.take(np.add(np.minimum(counts, self.last_count), self._offsets, dtype=np.intp))
        return codes

    def dequantise(self, codes: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
        """Real values float32, shape of `codes`: what the network takes a code for."""
        return (codes.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)

    def to_document(self) -> dict[str, object]:
        """JSON form, as the manifest holds it: `codes` is one list per channel, or a single one where the channels' are the same."""
        rows = self.codes[:1] if (self.codes == self.codes[0]).all() else self.codes
        return {"codes": rows.tolist(), "scale": self.scale, "zero_point": self.zero_point}

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "CountTables":
        """The tables of a `to_document`; ValueError, beginning with the field's name, where a field is missing or out of range."""
        rows = document.get("codes")
        if not isinstance(rows, list) or len(rows) not in (1, len(CHANNELS)) or not all(isinstance(row, list) for row in rows):
            raise ValueError(f"codes: must be {len(CHANNELS)} lists, one per channel, or one for all")
        if len({len(row) for row in rows}) != 1 or not 2 <= len(rows[0]) <= _COUNTS:
            raise ValueError(f"codes: the channels' tables hold {[len(row) for row in rows]} entries, must be equally many, 2 to {_COUNTS}")
        for channel, row in zip(CHANNELS, rows, strict=False):
            if not all(type(code) is int and -128 <= code <= 127 for code in row):
                raise ValueError(f"codes: channel {channel} holds an entry that is no integer of -128 to 127")
            if any(after < before for before, after in pairwise(row)):
                raise ValueError(f"codes: channel {channel} falls with rising counts; more light must not become less")
        scale, zero_point = document.get("scale"), document.get("zero_point")
        if type(scale) is not float or not 0 < scale < float("inf"):
            raise ValueError(f"scale: is {scale!r}, must be a finite number > 0")
        if type(zero_point) is not int or not -128 <= zero_point <= 127:
            raise ValueError(f"zero_point: is {zero_point!r}, must be an integer of -128 to 127")
        return cls(np.array(rows * (len(CHANNELS) // len(rows)), np.int8), scale, zero_point)


def anscombe_tables() -> CountTables:
    """Tables that make Poisson noise equally wide at all counts: 2 sqrt(n + 3/8) - 2 sqrt(3/8), rounded half to even.

    Anscombe, Biometrika 35 (1948) 246: 2 sqrt(n + 3/8) has a standard deviation near 1 from a few counts on. The constant is taken off so
    that darkness is real 0 and code -128: the padding of a convolution then means "no light". Four codes are one standard deviation, and a
    power of two as every scale of the network is; code 127 is then `LAST_COUNT`.
    """
    scale = 0.25
    value = 2 * np.sqrt(np.arange(LAST_COUNT + 1) + 3 / 8) - 2 * np.sqrt(3 / 8)
    codes = (np.rint(value / scale) - 128).astype(np.int8)
    return CountTables(np.tile(codes, (len(CHANNELS), 1)), scale, -128)


class Window(NamedTuple):
    """1040 samples of one gap-free run, of which [first, stop) are its own: each sample of a recording is some window's own, once.

    counts: uint16 [3, 1040]. sample_start: index in the recording of the sample at `first`. utc_start_ns: of that sample, ns since
    1970-01-01 UTC, None without a clock. frame: the instrument's frame with that sample.
    """

    counts: npt.NDArray[np.uint16]
    first: int
    stop: int
    sample_start: int
    utc_start_ns: int | None
    frame: int


class Windows:
    """Cuts stretches, however they are chunked, into windows; holds on to the last window and to less than one of samples that wait.

    A stretch that goes on where the one before ended (time within half a sample, frame number as expected) is the same run. A run's windows lie end to
    end from its start. Its tail, shorter than a window, is seen in a window that reaches backwards over samples already reported; a run
    shorter than a window is continued by reflection. A tail's window owns the tail's samples only.
    """

    def __init__(self) -> None:
        self._start: Stretch | None = None  # the stretch that began this run
        self._done = 0  # samples of this run in full windows
        self._last = _nothing()  # the last of those windows
        self._pending = _nothing()  # samples not yet in a window,
        self._waiting = 0  # so many of them

    def push(self, stretch: Stretch) -> Iterator[Window]:
        """Every window that `stretch` completes; first the tail of the run before, where this one begins another."""
        if not self._goes_on(stretch):
            yield from self.finish()
            self._start = stretch
        counts, at = stretch.counts, 0
        total = counts.shape[1]
        if self._waiting:
            at = min(WINDOW_SAMPLES - self._waiting, total)
            self._pending[:, self._waiting:self._waiting + at] = counts[:, :at]
            self._waiting += at
            if self._waiting < WINDOW_SAMPLES:
                return
            full, self._pending, self._waiting = self._pending, _nothing(), 0
            yield self._next(full, 0, WINDOW_SAMPLES)
        while total - at >= WINDOW_SAMPLES:
            at += WINDOW_SAMPLES
            yield self._next(counts[:, at - WINDOW_SAMPLES:at], 0, WINDOW_SAMPLES)
        if at < total:
            self._waiting = total - at
            self._pending[:, :self._waiting] = counts[:, at:]

    def finish(self) -> Iterator[Window]:
        """The tail of the run, if it has one; the next stretch then begins a run of its own."""
        if self._waiting:
            waiting, self._waiting = self._waiting, 0
            tail = self._pending[:, :waiting]
            if self._done:
                yield self._next(np.concatenate([self._last[:, waiting:], tail], axis=1), WINDOW_SAMPLES - waiting, WINDOW_SAMPLES)
            else:
                yield self._next(_reflected(tail), 0, waiting)
        self._done, self._start = 0, None

    def _goes_on(self, stretch: Stretch) -> bool:
        start = self._start
        if start is None:
            return False
        offset = self._done + self._waiting
        if stretch.sample_start != start.sample_start + offset or stretch.frame != start.frame + offset // FRAME_SAMPLES:
            return False
        if stretch.utc_start_ns is None or start.utc_start_ns is None:
            return stretch.utc_start_ns is start.utc_start_ns
        # Against the start of the run, not the last stretch: a clock that drifts begins a new run before it is wrong by half a sample.
        return abs(stretch.utc_start_ns - start.utc_start_ns - offset * SAMPLE_TIME_NS) <= SAMPLE_TIME_NS // 2

    def _next(self, counts: npt.NDArray[np.uint16], first: int, stop: int) -> Window:
        start, done = self._start, self._done
        assert start is not None  # for the type checker: a window comes from a run
        self._done, self._last = done + stop - first, counts
        utc = None if start.utc_start_ns is None else start.utc_start_ns + done * SAMPLE_TIME_NS
        return Window(counts, first, stop, start.sample_start + done, utc, start.frame + done // FRAME_SAMPLES)


def tile(stretches: Iterable[Stretch]) -> Iterator[Window]:
    """All windows of `stretches`, in order: see `Windows` for the rule."""
    windows = Windows()
    for stretch in stretches:
        yield from windows.push(stretch)
    yield from windows.finish()


def _nothing() -> npt.NDArray[np.uint16]:
    """Room for the counts [3, 1040] of a window."""
    return np.empty((len(CHANNELS), WINDOW_SAMPLES), np.uint16)


def _reflected(counts: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Counts [3, n] continued to [3, 1040] by going back and forth, the turning sample twice, so that n = 1 is no special case."""
    n = counts.shape[1]
    index = np.arange(WINDOW_SAMPLES) % (2 * n)
    return counts[:, np.where(index < n, index, 2 * n - 1 - index)]
