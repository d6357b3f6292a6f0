"""Whether a track is a meteor's: the ground's judgement, by the simulator's truth."""

import numpy as np

from edge_runtime.frames import PIXELS
from edge_runtime.tracking import Track

from ..instruments.minieuso.sources import Light

NEAR_FRAMES = 6  # that a track's frames may lie outside those of the light: peaks are found in noise
_SHARED = 2  # pixels of the track that the light reaches


def is_of(track: Track, light: Light) -> bool:
    """Whether a track lies, in time, within the light of one source and shares at least two pixels with it."""
    if track.frame_end <= light.frame[0] - NEAR_FRAMES or track.frame_start > light.frame[-1] + NEAR_FRAMES:
        return False
    pixels = np.array([row * PIXELS + column for row, column in track.pixels])
    return int(np.isin(pixels, light.pixel).sum()) >= _SHARED


def found_by(tracks: list[Track], lights: list[Light]) -> list[Track | None]:
    """For each light the track of the highest score that is its own, or None."""
    best: list[Track | None] = []
    for light in lights:
        own = [track for track in tracks if is_of(track, light)]
        best.append(max(own, key=lambda track: track.score, default=None))
    return best
