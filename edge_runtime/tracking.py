"""From flagged pixels to tracks: points close in space and time are a cluster, and a cluster on a straight line, neither slow nor fast, a track.

Places are focal coordinates, whose unit is a pixel and which leave room for the insensitive gap of a pixel between tubes: pixel i spans
EDGES[i] to EDGES[i] + 1. Distances and lines are taken in them, so that a meteor keeps its speed where it crosses a gap, and the pixels
beside a gap are two apart.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .frames import FRAME_TIME_NS, PIXELS

TUBE_PIXELS = 8  # side of a multi-anode photomultiplier: 6 x 6 of them make the focal surface [read]
TUBE_GAP = 1  # insensitive pixels between neighbouring tubes [read: about 1; meteors dim when they cross]
EDGES = np.arange(PIXELS) + np.arange(PIXELS) // TUBE_PIXELS * TUBE_GAP  # first edge of each row or column in focal coordinates
METEOR_KM = 4.7  # side of a pixel at 100 km altitude [read]
STATION_KM_S = 7.66  # the station's own speed: at meteor height everything seems to move by it, along +row [read]
USUAL_FRAMES, USUAL_EXCESS = 10, 0.1  # of a meteor's track: its score is the sum over its pixels as it is
# Chosen, as `slowest` and `largest_residual`, on recordings of the calibration sessions alone: 164 false tracks of ten nights, 556 meteors. A plateau.
FRAMES_POWER, EXCESS_POWER = 0.6, 0.25
PEAK_FRAMES = 30  # by which a point's peak may lie before the frame in which it is flagged

_NUMBER = PIXELS * PIXELS
_NONE = -1 << 40  # a frame before all others
_NEVER = sys.maxsize  # a frame after all others
_LEAST_WEIGHT = 1e-4  # counts per GTU, a sixtieth of a frame's noise: an excess of 0 or below still is a point

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class TrackRules:
    """Which flagged points are one cluster, and which clusters are tracks. ValueError, beginning with the field's name, where a number cannot be.

    reach_pixels (Chebyshev distance), reach_frames: up to which two points touch. wait: frames without a point after which a cluster is closed.
    minimum_pixels, maximum_pixels: of a track; what is larger is lightning. largest_residual: pixels. slowest, fastest: pixels per frame; the ground
    drifts by 1/21, and seems faster where its light brightens as it enters a pixel; a meteor of 72 km/s moves by 0.7. shortest: pixels from the first
    peak to the last; a light that blinks shows in several pixels at once, and goes nowhere. longest: frames; the longest meteors last 1.6 s, satellites
    longer. threshold: a track's score is above it.
    alone: frames before and after a track in which nothing may be flagged at its place over the ground (edge_runtime/recurrence.py).
    """

    reach_pixels: int = 2
    reach_frames: int = 10
    wait: int = 12
    minimum_pixels: int = 3
    maximum_pixels: int = 200
    largest_residual: float = 1.2
    slowest: float = 0.15
    fastest: float = 0.9
    shortest: float = 1.0
    longest: int = 40
    threshold: int = 0
    alone: int = 250

    def __post_init__(self) -> None:
        whole = {"reach_pixels": (1, 8), "reach_frames": (0, PEAK_FRAMES), "wait": (1, 1 << 20), "minimum_pixels": (2, _NUMBER),
                 "maximum_pixels": (self.minimum_pixels, _NUMBER), "longest": (1, 1 << 20), "threshold": (-1 << 30, 1 << 30), "alone": (0, 1 << 20)}
        for name, (low, high) in whole.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name}: is {value!r}, must be an integer of {low} to {high}")
        for name, lowest in (("largest_residual", 0.0), ("slowest", 0.0), ("fastest", self.slowest), ("shortest", 0.0)):
            value = getattr(self, name)
            if type(value) not in (int, float) or not lowest <= value <= PIXELS:
                raise ValueError(f"{name}: is {value!r}, must be a number of {lowest} to {PIXELS}")

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "TrackRules":
        """From the manifest; ValueError where a field is missing or out of range."""
        return cls(*(document.get(field.name) for field in fields(cls)))  # type: ignore[arg-type]  # checked above

    def to_document(self) -> dict[str, int | float]:
        """JSON form, as the manifest holds it."""
        return asdict(self)


class Place(NamedTuple):
    """Where and when a cluster is: frame, row and column in focal coordinates, means over its points."""

    frame: float
    row: float
    column: float


class Track(NamedTuple):
    """A cluster of points on a straight line.

    frame_start, frame_end: half-open, of its points' peaks. pixels: row and column of each, once, sorted. row, column: place in focal
    coordinates at the middle of these frames; row_step, column_step: pixels per frame. residual: pixels, root mean square over its points of
    the distance between a pixel's centre and the line's place at the point's peak. score: sum over its pixels of the best score of
    each, over the root of their number, times (USUAL_FRAMES / frames)^FRAMES_POWER (excess / USUAL_EXCESS)^EXCESS_POWER. excess: counts per GTU, the
    largest of its points. place: of its cluster.
    """

    frame_start: int
    frame_end: int
    pixels: tuple[tuple[int, int], ...]
    row: float
    column: float
    row_step: float
    column_step: float
    residual: float
    score: int
    excess: float
    place: Place


class Tracker:
    """Clusters in the making, in arrays of constant size: a pixel keeps its latest points, more than can still be touched.

    A point is kept once: another at the same pixel within reach_frames is the same, and takes its place where its score is
    higher. A cluster of more than maximum_pixels stays until it is closed, so that it takes in what touches it, and is no track. `closed`: the places of
    clusters of two pixels and more that were closed, tracks or none, until somebody takes them out.
    """

    def __init__(self, rules: TrackRules) -> None:
        self._rules = rules
        self._near = _neighbours(rules.reach_pixels)
        # Kept points of a pixel lie more than reach_frames apart, so no more than this can be within reach of a new one; and a place for that.
        slots = 1 + math.ceil((PEAK_FRAMES + 1 + rules.reach_frames) / (rules.reach_frames + 1))
        shape = (_NUMBER + 1, slots)  # the last row is always free: it stands for neighbours that do not exist
        self._peak = np.full(shape, _NONE)  # _NONE: free
        self._score = np.zeros(shape, np.int64)
        self._excess = np.zeros(shape)
        self._no_cluster = _NUMBER * slots  # there cannot be more clusters than points
        self._cluster = np.full(shape, self._no_cluster)
        self._last = np.full(self._no_cluster, _NONE)  # frame in which a cluster got its last point; _NONE: there is no such cluster
        self._large = np.zeros(self._no_cluster, bool)
        self._free = list(range(self._no_cluster))  # numbers of no cluster
        self._points = 0  # kept, at most: what is replaced or displaced is not taken off at once
        self._used = 0  # slots that any pixel uses, most often one
        self._due = _NEVER  # no cluster is to be closed before this frame
        self._frame = _NONE
        self.closed: list[Place] = []

    def push(self, frame: int, peak: Ints, pixel: Ints, score: Ints, excess: Floats) -> list[Track]:
        """Take the points flagged in `frame`, in any order; the tracks that are thereby complete.

        peak [k]: frame in which the pixel's light curve is brightest, frame - PEAK_FRAMES to frame. pixel [k]: row * 48 + column, each at
        most once. score [k]. excess [k]: counts per GTU. A frame without points may be left out. ValueError where frames go back, a peak
        lies elsewhere or a pixel comes twice.
        """
        if frame <= self._frame:
            raise ValueError(f"frame: {frame} comes after {self._frame}; finish() at a gap")
        self._frame = frame
        if len(pixel) == 0:
            return self._close(frame) if frame >= self._due else []
        # What a frame without points would have closed is closed before a new point can touch it.
        tracks = self._close(frame - 1) if frame > self._due else []
        self._add(frame, peak, pixel, score, excess)
        return tracks + self._close(frame) if frame >= self._due else tracks

    def finish(self) -> list[Track]:
        """The tracks in the making, at a gap or the end of a recording; frames may begin anew."""
        self._frame = _NONE
        return self._close(_NEVER) if self._due < _NEVER else []

    def _add(self, frame: int, peak: Ints, pixel: Ints, score: Ints, excess: Floats) -> None:
        if peak.max() > frame or peak.min() < frame - PEAK_FRAMES:
            raise ValueError(f"peak: is {peak.min()} to {peak.max()} in frame {frame}, must be {frame - PEAK_FRAMES} to {frame}")
        if len(set(pixel.tolist())) < len(pixel):
            raise ValueError(f"pixel: {np.bincount(pixel).argmax()} comes twice in frame {frame}")
        self._due = min(self._due, frame + self._rules.wait)
        same = np.abs(self._peak[pixel] - peak[:, None]) <= self._rules.reach_frames  # [k, slots]
        self._last[self._cluster[pixel][same]] = frame
        new = np.flatnonzero(~(same & (self._score[pixel] >= score[:, None])).any(axis=1))
        if new.size == 0:
            return
        new = new[pixel[new].argsort()]  # neighbours close together in memory: a full frame takes a quarter less
        peak, pixel, same = peak[new], pixel[new], same[new]
        slot = self._peak[pixel].argmin(axis=1)  # the first free one, else that of the earliest point, out of reach
        self._used = max(self._used, int(slot.max()) + 1)
        self._peak[pixel, slot], self._score[pixel, slot], self._excess[pixel, slot] = peak, score[new], excess[new]
        self._join(frame, peak, pixel, slot)
        replaced, old_slot = same.nonzero()
        self._peak[pixel[replaced], old_slot], self._cluster[pixel[replaced], old_slot] = _NONE, self._no_cluster
        self._points += len(new)
        if self._points > self._rules.maximum_pixels:
            self._find_large()

    def _join(self, frame: int, peak: Ints, pixel: Ints, slot: Ints) -> None:
        """Give each new point [k] the cluster that it touches, or makes; several that it touches become one."""
        near = self._near[pixel]  # [k, n]
        self._cluster[pixel, slot] = self._no_cluster + np.arange(len(pixel))  # for now, each a cluster of its own
        touching = np.flatnonzero(np.abs(self._peak[near, :self._used] - peak[:, None, None]) <= self._rules.reach_frames)  # in [k, n, used]
        neighbour = touching // self._used
        touched = self._cluster[near, :self._used].ravel()[touching]
        # Nodes of a graph: first the clusters that are touched, then the new points; so a cluster that only grows keeps its number.
        is_old = np.zeros(self._no_cluster + len(pixel), bool)
        is_old[touched] = True
        old = np.flatnonzero(is_old[:self._no_cluster])
        node = np.empty(len(is_old), np.int64)
        node[old], node[self._no_cluster:] = np.arange(len(old)), np.arange(len(old), len(old) + len(pixel))
        lower, upper = node[touched], neighbour // near.shape[1] + len(old)
        once = lower < upper  # new points touch each other from both sides, and themselves
        root = _components(len(old) + len(pixel), lower[once], upper[once])
        made = np.flatnonzero(root[len(old):] == node[self._no_cluster:]) + len(old)
        number = np.empty(len(root), np.int64)
        number[:len(old)], number[made] = old, [self._free.pop() for _ in made]
        number = number[root]
        self._cluster[pixel, slot] = number[len(old):]
        gone = old != number[:len(old)]
        if gone.any():
            into = np.arange(self._no_cluster + 1)
            into[old] = number[:len(old)]
            self._cluster = into[self._cluster]
            self._large[into[old[self._large[old]]]] = True
            self._large[old[gone]], self._last[old[gone]] = False, _NONE
            self._free += old[gone].tolist()
        self._last[number] = frame

    def _find_large(self) -> None:
        points = np.bincount(self._cluster.ravel())[:self._no_cluster]
        self._points = int(points.sum())
        for cluster in np.flatnonzero(points > self._rules.maximum_pixels):
            if not self._large[cluster]:
                pixels = (self._cluster == cluster).any(axis=1)
                self._large[cluster] = np.count_nonzero(pixels) > self._rules.maximum_pixels

    def _close(self, frame: int) -> list[Track]:
        """The tracks among clusters that waited long enough by `frame`; the points of all of these are free again."""
        there = np.flatnonzero(self._last > _NONE)
        waited = self._last[there] <= frame - self._rules.wait
        over, rest = there[waited], there[~waited]
        if rest.size:
            self._due = int(self._last[rest].min()) + self._rules.wait
        else:
            self._due, self._used = _NEVER, 0
        closing = np.zeros(self._no_cluster + 1, bool)
        closing[over] = True
        place = np.flatnonzero(closing[self._cluster])
        cluster = self._cluster.ravel()[place]
        order = np.argsort(cluster, kind="stable")  # and by pixel within each, so that sums are the same whatever the numbers are
        place, cluster = place[order], cluster[order]
        bounds = np.flatnonzero(np.diff(cluster, prepend=-1, append=-1)).tolist()
        tracks = []
        for first, last in pairwise(bounds):
            points = place[first:last]
            pixel = points // self._peak.shape[1]
            if pixel[0] == pixel[-1] or self._large[cluster[first]]:
                continue
            peak = self._peak.ravel()[points]
            row, column = (EDGES[np.stack(np.divmod(pixel, PIXELS))] + 0.5).mean(axis=1).tolist()
            self.closed.append(Place(float(peak.mean()), row, column))
            if last - first >= self._rules.minimum_pixels:
                tracks.append(_fit(self._rules, self.closed[-1], peak, pixel, self._score.ravel()[points], self._excess.ravel()[points]))
        self._peak.ravel()[place], self._cluster.ravel()[place] = _NONE, self._no_cluster
        self._last[over], self._large[over] = _NONE, False
        self._free += over.tolist()
        self._points -= len(place)
        return sorted(track for track in tracks if track is not None)


def speed_km_s(track: Track) -> float:
    """Horizontal speed over the ground at 100 km altitude, without the station's own."""
    return math.hypot(*_over_ground(track))


def direction_deg(track: Track) -> float:
    """Where it goes over the ground, 0 <= degrees < 360, from +row (0) towards +column (90)."""
    along, across = _over_ground(track)
    return math.degrees(math.atan2(across, along)) % 360 % 360  # once more: 360 is what the first gives for the least below 0


def magnitude(track: Track, zero: float) -> float:
    """Absolute magnitude of its brightest point; `zero` is the magnitude of an excess of 1 count per GTU. ValueError where nothing exceeds."""
    return zero - 2.5 * math.log10(track.excess)


def _over_ground(track: Track) -> tuple[float, float]:
    km_s = METEOR_KM / (FRAME_TIME_NS * 1e-9)  # of a pixel per frame
    return track.row_step * km_s - STATION_KM_S, track.column_step * km_s


def _neighbours(reach: int) -> npt.NDArray[np.int64]:
    """Pixels within `reach` of each pixel, itself included, [48 * 48, (2 reach + 1)^2]; 48 * 48 where there is none."""
    line = np.full(EDGES[-1] + 1 + 2 * reach, PIXELS)
    line[EDGES + reach] = np.arange(PIXELS)
    near = line[EDGES[:, None] + np.arange(2 * reach + 1)]  # [48, 2 reach + 1]
    row, column = near[:, None, :, None], near[None, :, None, :]
    pixel = np.where((row < PIXELS) & (column < PIXELS), row * PIXELS + column, _NUMBER)  # [48, 48, 2 reach + 1, 2 reach + 1]
    return pixel.reshape(_NUMBER, -1)


def _components(nodes: int, a: Ints, b: Ints) -> npt.NDArray[np.int64]:
    """The least node that each node [nodes] is connected with, by the edges a[e] to b[e]."""
    root = np.arange(nodes)
    while len(a):
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        while ((above := root[root]) != root).any():
            root = above
        a, b = root[a], root[b]
        apart = a != b
        a, b = a[apart], b[apart]
    return root


def _fit(rules: TrackRules, at: Place, peak: Ints, pixel: Ints, score: Ints, excess: Floats) -> Track | None:
    """The track of a cluster's points [k], None where it is none.

    Row and column against time by least squares, weighted with the excess: the brighter a pixel, the nearer the way to its centre.
    """
    pixels, index = np.unique(pixel, return_inverse=True)
    if len(pixels) < rules.minimum_pixels:
        return None
    best = np.full(len(pixels), score.min())
    np.maximum.at(best, index, score)
    start, end = int(peak.min()), int(peak.max()) + 1
    time = peak + 0.5 - (start + end) / 2  # frames, the middle of each
    weight = np.maximum(excess, _LEAST_WEIGHT)
    weight /= weight.sum()
    mean = weight @ time
    spread = weight @ (time - mean) ** 2
    # Stouffer's way to join significances: else a long track of doubtful pixels would outdo a short one of sure ones. And what lasts, or is faint, is
    # more often a satellite's glint than a meteor, however sure its pixels are: a network's logit does not grow with the light for long.
    brightest = max(float(excess.max()), _LEAST_WEIGHT)
    usual = (USUAL_FRAMES / (end - start)) ** FRAMES_POWER * (brightest / USUAL_EXCESS) ** EXCESS_POWER
    together = round(float(best.sum()) / math.sqrt(len(pixels)) * usual)
    if together <= rules.threshold or spread == 0 or end - start > rules.longest:
        return None
    place = EDGES[np.stack(np.divmod(pixel, PIXELS))] + 0.5  # [2, k]
    step = place @ (weight * (time - mean)) / spread  # [2]
    middle = place @ weight - step * mean
    residual = math.sqrt(np.mean(np.sum((place - middle[:, None] - step[:, None] * time) ** 2, axis=0)))
    speed = math.hypot(*step)
    if residual > rules.largest_residual or not rules.slowest <= speed <= rules.fastest or speed * (end - 1 - start) < rules.shortest:
        return None
    places = tuple(divmod(number, PIXELS) for number in pixels.tolist())
    (row, column), (row_step, column_step) = middle.tolist(), step.tolist()
    return Track(start, end, places, row, column, row_step, column_step, residual, together, float(excess.max()), at)
