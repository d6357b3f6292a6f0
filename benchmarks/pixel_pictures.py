"""Data of two figures of the report: the focal surface with a track that was found, and the light curves of its pixels."""

from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime import engines
from edge_runtime.bundle import PixelBundle, open_pixels
from edge_runtime.frames import FRAME_GTU, PIXELS, FrameStretch
from edge_runtime.pixel_stream import PixelFlagger
from edge_runtime.tracking import EDGES, Track, direction_deg, magnitude, speed_km_s
from train.instruments.minieuso.scene import Scene
from train.instruments.minieuso.sources import Light
from train.pixels.calibration import recorded as stretches
from train.pixels.matching import found_by

from .results import Stage

SESSION, FRAMES, METEORS, MAGNITUDE = 14, 1_280, 12, 3.0  # of the scene; of its tracks the one with most pixels is drawn


def focal_figures(bundle_folder: Path, seed: int) -> Stage:
    """Data of two figures: the focal surface with a track that was found, and the light curves of its pixels."""
    bundle = open_pixels(bundle_folder)
    scene = Scene(SESSION, FRAMES, seed, meteors=[MAGNITUDE] * METEORS)
    (stretch,) = stretches(scene)
    flagger = PixelFlagger(bundle.settings, engines.load("litert", bundle_folder))
    logits, tracks = [], []
    for sums, masked in zip(stretch.sums, stretch.masked, strict=True):
        tracks += flagger.push(sums, masked)
        logits.append(np.where(flagger.full, flagger.logits, -129).astype(np.int16))
    tracks += flagger.gap()
    lights = [light for light in scene.lights if light.kind == "meteor"]
    pairs = [(track, light) for light, track in zip(lights, found_by(tracks, lights), strict=True) if track is not None]
    if not pairs:
        return Stage((), {"notes": ["no track was found in the scene of the figure"]})
    track, light = max(pairs, key=lambda pair: len(pair[0].pixels))
    return Stage((), _drawn(track, light, stretch, np.array(logits), bundle))


def _drawn(track: Track, light: Light, stretch: FrameStretch, logits: np.ndarray, bundle: PixelBundle) -> dict[str, Any]:
    first, last = max(0, track.frame_start - 20), min(len(stretch.sums), track.frame_end + 20)
    counts = stretch.sums[first:last] / FRAME_GTU
    excess = (stretch.sums[track.frame_start:track.frame_end] / FRAME_GTU).max(axis=0) - np.median(counts, axis=0)
    places = np.arange(PIXELS)

    def line(row: float, column: float, row_step: float, column_step: float, half: float) -> list[list[float]]:
        """Ends of a straight way, from focal coordinates to pixel indices."""
        return [[float(np.interp(middle + sign * half * step, EDGES + 0.5, places)) for middle, step in ((row, row_step), (column, column_step))]
                for sign in (-1, 1)]

    focal = {"level": [[None if dead else round(float(value), 4) for value, dead in zip(row, masked, strict=True)]
                       for row, masked in zip(excess, stretch.masked[0], strict=True)],
             "pixels": [list(pixel) for pixel in track.pixels],
             "line": line(track.row, track.column, track.row_step, track.column_step, (track.frame_end - track.frame_start) / 2),
             "true_line": line(light.track[0], light.track[1], light.track[2], light.track[3], (light.frame[-1] - light.frame[0]) / 2),
             "title": f"Simulated meteor of magnitude {light.magnitude:.0f}, session {SESSION}",
             "magnitude": magnitude(track, bundle.settings.magnitude_zero), "speed_km_s": speed_km_s(track), "direction_deg": direction_deg(track)}
    curves = []
    for row, column in track.pixels[:8]:
        said = logits[first:last, row * PIXELS + column].tolist()
        curves.append({"row": row, "column": column, "first_frame": first, "counts": [round(float(value), 4) for value in counts[:, row, column]],
                       "flagged": [index for index, code in enumerate(said) if code > bundle.settings.flag],
                       "score": [None if code < -128 else code for code in said]})
    return {"focal": focal, "light_curves": curves}
