"""Tracks that stand alone: a meteor comes once, a light on the ground that blinks comes again where the ground has drifted to."""

from collections import deque

from .tracking import PEAK_FRAMES, Floats, Ints, Place, Track, Tracker, TrackRules

DRIFT_FRAMES = 21  # frames in which the ground moves on by one pixel, along +row [derived: 6.3 km at 7.18 km/s]
_NEAR = 2.0  # pixels over the ground up to which two clusters are at one place
_APART = 4  # frames at least between two of them: a meteor that a gap between tubes cuts in two does not recur
_KEPT = 1024  # clusters that are remembered, and tracks that wait: far above any sky's, and a bound on memory


class LoneTracker:
    """A `Tracker` that holds each track back until the `rules.alone` frames after it are closed, and drops it where another
    cluster lies at its place over the ground in that time, before or after."""

    def __init__(self, rules: TrackRules) -> None:
        self._tracker, self._alone = Tracker(rules), rules.alone
        # What is brightest in the last of these frames is flagged up to PEAK_FRAMES later, and its cluster closed `wait` after that.
        self._patience = rules.alone + PEAK_FRAMES + rules.wait
        self._closed: deque[Place] = deque(maxlen=_KEPT)
        self._waiting: deque[tuple[Place, Track]] = deque(maxlen=_KEPT)

    def push(self, frame: int, peak: Ints, pixel: Ints, score: Ints, excess: Floats) -> list[Track]:
        """As `Tracker.push`; the tracks that have stood alone long enough."""
        tracks = self._tracker.push(frame, peak, pixel, score, excess)
        if self._tracker.closed:
            self._take(tracks)
        if not self._waiting or frame < self._waiting[0][1].frame_end + self._patience:
            return []
        over = [track for _, track in self._waiting if frame >= track.frame_end + self._patience]
        self._waiting = deque((one for one in self._waiting if frame < one[1].frame_end + self._patience), _KEPT)
        return over

    def finish(self) -> list[Track]:
        """At a gap or the end of a recording: the tracks that stood alone as far as was seen; frames may begin anew."""
        self._take(self._tracker.finish())
        over = [track for _, track in self._waiting]
        self._closed.clear()
        self._waiting.clear()
        return sorted(over)

    def _take(self, tracks: list[Track]) -> None:
        """New clusters, some of them tracks: whatever recurs is dropped."""
        new, self._tracker.closed = self._tracker.closed, []
        self._waiting = deque(((place, track) for place, track in self._waiting if not self._recurs(place, new)), _KEPT)
        self._closed.extend(new)
        for track in tracks:
            place = track.place
            if not self._recurs(place, self._closed):
                self._waiting.append((place, track))

    def _recurs(self, place: Place, others: "list[Place] | deque[Place]") -> bool:
        return any(_APART <= abs(other.frame - place.frame) <= self._alone and abs(other.column - place.column) <= _NEAR
                   and abs(other.row - place.row - (other.frame - place.frame) / DRIFT_FRAMES) <= _NEAR for other in others)
