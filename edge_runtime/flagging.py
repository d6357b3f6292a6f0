"""From the network's five int8 logits to flags and candidates, in integers alone: the same on every board and on the ground."""

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .counts import CHANNELS, SAMPLE_TIME_NS
from .preprocess import WINDOW_SAMPLES, Window

CLASSES = ("quiet", "hits", "lightning", "blue", "uv")
LIGHT = CLASSES[2:]  # classes that are light; a candidate of class "hits" is particles
STEPS = 16  # score steps in one code of the logits: a sum of exponentials falls between codes
_ENTRIES = 1 << 20  # of a table, far above any that a useful network needs
SCORE_DEFINITION = (
    "score = lse(lightning, blue, uv) - lse(quiet, hits); hits score = hits - lse(quiet, lse(lightning, blue, uv)). "
    "A logit's code counts 16 steps; lse(a, b) = max(a, b) + table[|a - b|], lse(a, b, c) = lse(lse(a, b), c). "
    "The table holds lengths[i] times greatest - i, one value after the other, and 0 beyond"
)


@dataclass(frozen=True)
class ScoreTable:
    """log(1 + exp(-d)) for differences d = 0, 1, ... of two logits; both in steps of 1/16 code, rounded; beyond the last entry it is 0.

    `lengths`: how many entries hold `greatest`, how many one less, and so on: it falls by less than 1 a step, so no value is left out. ValueError,
    beginning with the field's name, where that cannot be such a table.
    """

    greatest: int
    lengths: tuple[int, ...]
    _entries: "array[int]" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.greatest) is not int or not 0 <= self.greatest <= _ENTRIES:
            raise ValueError(f"greatest: is {self.greatest!r}, must be an integer of 0 to {_ENTRIES}")
        if len(self.lengths) > self.greatest or not all(type(length) is int and 1 <= length <= _ENTRIES for length in self.lengths):
            raise ValueError(f"lengths: must be integers >= 1, at most one for each value from {self.greatest} to 1")
        if sum(self.lengths) > _ENTRIES:
            raise ValueError(f"lengths: make {sum(self.lengths)} entries, at most {_ENTRIES} are read")
        values = np.arange(self.greatest, self.greatest - len(self.lengths), -1, dtype=np.int32)
        # An array of the standard library: read one by one it is four times as fast as NumPy's, and a tenth of a tuple's memory.
        object.__setattr__(self, "_entries", array("i", np.repeat(values, self.lengths).tobytes()))

    def to_document(self) -> dict[str, object]:
        """JSON form, as the manifest holds it."""
        return {"greatest": self.greatest, "lengths": list(self.lengths)}

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "ScoreTable":
        """From the manifest; ValueError where a field is missing or cannot be."""
        greatest, lengths = document.get("greatest"), document.get("lengths")
        if not isinstance(lengths, list):
            raise ValueError("lengths: must be a list of integers")
        return cls(greatest, tuple(lengths))  # type: ignore[arg-type]  # checked above

    def score(self, logits: Sequence[int]) -> int:
        """Log odds of light against no light, in steps, of one window's logits (5 codes in the order of CLASSES)."""
        quiet, hits, lightning, blue, uv = logits
        lse = self._lse
        return lse(lse(lightning * STEPS, blue * STEPS), uv * STEPS) - lse(quiet * STEPS, hits * STEPS)

    def hits_score(self, logits: Sequence[int]) -> int:
        """Log odds of particle hits against everything else, in steps, of one window's logits."""
        quiet, hits, lightning, blue, uv = logits
        lse = self._lse
        return hits * STEPS - lse(quiet * STEPS, lse(lse(lightning * STEPS, blue * STEPS), uv * STEPS))

    def scores(self, logits: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """`score` and `hits_score`, each int32 [n], of logits int8 [n, 5]: the same integers as one by one."""
        quiet, hits, lightning, blue, uv = (logits.astype(np.int32) * STEPS).T
        # With one more entry of 0, so that every longer difference may look there.
        table = np.array([*self._entries, 0], np.int32)

        def lse(a: npt.NDArray[np.int32], b: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
            sums: npt.NDArray[np.int32] = np.maximum(a, b) + table[np.minimum(np.abs(a - b), len(table) - 1)]
            return sums

        light = lse(lse(lightning, blue), uv)
        return light - lse(quiet, hits), hits - lse(quiet, light)

    def _lse(self, a: int, b: int) -> int:
        difference = a - b
        if difference < 0:
            a, difference = b, -difference
        return a + self._entries[difference] if difference < len(self._entries) else a


def score_table(logit_scale: float) -> ScoreTable:
    """The table for logits of scale `logit_scale` (real logit per code): round((16 / scale) log(1 + exp(-d scale / 16))).

    It ends with its last entry above 0, or where no two sums of logits can differ by more. Made on the ground with floats; the board reads it
    from the manifest. ValueError for a scale below 1e-4, at which 255 codes say nothing.
    """
    if not logit_scale >= 1e-4:
        raise ValueError(f"the logits' scale is {logit_scale}, must be at least 1e-4")
    step = logit_scale / STEPS
    greatest = round(math.log(2) / step)
    furthest = 255 * STEPS + 2 * greatest  # two logits at the ends of int8, and what two look-ups add at most
    lengths: list[int] = []
    for d in range(furthest + 1):
        entry = round(math.log1p(math.exp(-d * step)) / step)
        if entry == 0:
            break
        if greatest - entry == len(lengths):
            lengths.append(0)
        lengths[-1] += 1
    return ScoreTable(greatest, tuple(lengths))


@dataclass(frozen=True)
class Thresholds:
    """When a window is flagged, and which flags make a candidate.

    flag: light where score > flag. hits: hits where that is not so and the hits score > hits. minimum_duration: windows a candidate must
    hold, >= 1. refractory: samples without a flag, up to which flags are still one candidate, >= 0. ValueError, beginning with the field's
    name.
    """

    flag: int
    hits: int
    minimum_duration: int = 1
    refractory: int = WINDOW_SAMPLES

    def __post_init__(self) -> None:
        scores = (-1 << 20, 1 << 20)
        for name, (low, high) in {"flag": scores, "hits": scores, "minimum_duration": (1, 1 << 20), "refractory": (0, 1 << 30)}.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name}: is {value!r}, must be an integer of {low} to {high}")

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "Thresholds":
        """From the manifest; ValueError where a field is missing or out of range."""
        return cls(*(document.get(name) for name in ("flag", "hits", "minimum_duration", "refractory")))  # type: ignore[arg-type]  # checked above

    def to_document(self) -> dict[str, int]:
        """JSON form, as the manifest and a run's calibration.json hold it."""
        return {"flag": self.flag, "hits": self.hits, "minimum_duration": self.minimum_duration, "refractory": self.refractory}


class Candidate(NamedTuple):
    """Neighbouring flags merged. Range, peaks and duration are those of the windows of its own kind, score and latent of the best one of
    them.

    utc_start_ns, utc_end_ns: ns since 1970-01-01 UTC, None without a clock. sample_start, sample_end: half-open, indices in the recording.
    frame: of its first sample. class_name: of CLASSES. score, threshold: in steps, of the same definition. peak_counts, peak_sample: per
    channel. latent: int8 codes of the posterior mean.
    """

    utc_start_ns: int | None
    utc_end_ns: int | None
    sample_start: int
    sample_end: int
    frame: int
    class_name: str
    score: int
    threshold: int
    peak_counts: tuple[int, ...]
    peak_sample: tuple[int, ...]
    saturated: bool
    latent: tuple[int, ...]


class Candidates:
    """The state between windows: at most one candidate in the making, of constant size.

    Flags merge while at most `refractory` samples lie between them, by the clock where there is one. A candidate with a light window is
    light: hits windows beside it are part of it and not reported apart. Light more than `refractory` after the last light begins another
    candidate all the same: in a particle belt, where every window holds hits, two flashes would else become one.
    """

    def __init__(self, table: ScoreTable, thresholds: Thresholds) -> None:
        self._table, self._thresholds = table, thresholds
        self._light: _Track | None = None
        self._hits: _Track | None = None

    def push(self, window: Window, logits: Sequence[int], latent: npt.NDArray[np.int8], saturated: bool) -> Candidate | None:
        """Take the next window with the codes of its logits (5) and latent [l]; the candidate that is thereby complete, if one is."""
        score = self._table.score(logits)
        if score > self._thresholds.flag:
            finished = self._close_if_far(window, self._light or self._hits)
            self._light = self._light or _Track(window, self._thresholds.flag)
            self._light.add(window, score, logits, latent, saturated)
            return finished
        score = self._table.hits_score(logits)
        if score > self._thresholds.hits:
            finished = self._close_if_far(window, self._last())
            self._hits = self._hits or _Track(window, self._thresholds.hits)
            self._hits.add(window, score, logits, latent, saturated)
            return finished
        if self._light is None and self._hits is None:
            return None
        # The next window begins where this one ends, or later.
        return self._close_if_far(window, self._last(), window.stop - window.first)

    def finish(self) -> Candidate | None:
        """The candidate in the making, at the end of a recording."""
        light, hits = self._light, self._hits
        self._light = self._hits = None
        for track, kind in ((light, LIGHT), (hits, ("hits",))):
            if track is not None and track.windows >= self._thresholds.minimum_duration:
                return track.candidate(kind)
        return None

    def _last(self) -> "_Track | None":
        if self._light is None or self._hits is None:
            return self._light or self._hits
        return self._hits if self._hits.sample_end > self._light.sample_end else self._light

    def _close_if_far(self, window: Window, last: "_Track | None", ahead: int = 0) -> Candidate | None:
        if last is None or 0 <= last.gap(window) + ahead <= self._thresholds.refractory:
            return None
        return self.finish()


class _Track:
    """The windows of one kind, light or hits, in the candidate in the making."""

    def __init__(self, window: Window, threshold: int) -> None:
        self.utc_start_ns, self.utc_end_ns = window.utc_start_ns, window.utc_start_ns
        self.sample_start = self.sample_end = window.sample_start
        self.frame, self.threshold, self.windows, self.saturated = window.frame, threshold, 0, False
        self.score, self.logits, self.latent = -1 << 31, [0] * len(CLASSES), [0]
        self.peak_counts, self.peak_sample = [-1] * len(CHANNELS), [0] * len(CHANNELS)

    def gap(self, window: Window) -> int:
        """Samples between the end of this track and the window's own first sample; negative where the clock went back."""
        if self.utc_end_ns is None or window.utc_start_ns is None:
            return window.sample_start - self.sample_end
        return (window.utc_start_ns - self.utc_end_ns + SAMPLE_TIME_NS // 2) // SAMPLE_TIME_NS

    def add(self, window: Window, score: int, logits: Sequence[int], latent: npt.NDArray[np.int8], saturated: bool) -> None:
        own = window.stop - window.first
        self.windows += 1
        self.sample_end = window.sample_start + own
        self.utc_end_ns = None if window.utc_start_ns is None else window.utc_start_ns + own * SAMPLE_TIME_NS
        self.saturated |= saturated
        if score > self.score:
            self.score, self.logits, self.latent = score, list(logits), latent.tolist()
        counts = window.counts[:, window.first:window.stop]
        for channel, at in enumerate(counts.argmax(axis=1).tolist()):
            peak = int(counts[channel, at])
            if peak > self.peak_counts[channel]:
                self.peak_counts[channel], self.peak_sample[channel] = peak, window.sample_start + at

    def candidate(self, kind: tuple[str, ...]) -> Candidate:
        best = max(kind, key=lambda name: self.logits[CLASSES.index(name)])  # of equals the first, in the order of CLASSES
        return Candidate(self.utc_start_ns, self.utc_end_ns, self.sample_start, self.sample_end, self.frame, best, self.score,
                         self.threshold, tuple(self.peak_counts), tuple(self.peak_sample), self.saturated, tuple(self.latent))
