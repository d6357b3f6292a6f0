"""The recorded meteor, where somebody has it: nothing was fitted to it."""

from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.bundle import open_pixels
from edge_runtime.frames import FRAME_GTU, PIXELS
from edge_runtime.pixel_stream import PixelFlagger
from edge_runtime.pixels import WINDOW_FRAMES

from .environment import on
from .recorded import read_supplied
from .results import Record, Stage

_METEOR_BIN = 20  # frames of 1 ms to one of ours
_QUIET = 0.65  # counts per GTU: the recorded sky
_BEFORE = 2 * WINDOW_FRAMES  # quiet frames before and behind the recorded ones
_CORNER = 16  # row and column of the recorded tubes on our focal surface


def recorded_meteor(bundle_folder: Path, recorded: Path, seed: int) -> Stage:
    """`recorded.meteor`: tracks that the flight loop finds at the recorded meteor, 16 x 16 pixels of a ground telescope binned to 48 frames.

    The recording is counts with their background taken off, in units of its noise: each pixel is scaled to that of our frames and laid on a quiet
    simulated sky, which surrounds it in space and time.
    """
    bundle = open_pixels(bundle_folder)
    path = recorded / "meteors" / "mapmt_meteor.npz"
    frames = read_supplied(path, "frames", (None, 16, 16)).astype(np.float64)
    length = len(frames) // _METEOR_BIN
    binned = frames[:length * _METEOR_BIN].reshape(length, _METEOR_BIN, 16, 16).sum(axis=1)
    deviation = 1.4826 * np.median(np.abs(binned - np.median(binned, axis=0)), axis=0)
    level = _QUIET * FRAME_GTU
    rng = np.random.default_rng(seed)
    sums = rng.poisson(level, (length + 2 * _BEFORE, PIXELS, PIXELS)).astype(np.float64)
    dead = np.zeros((PIXELS, PIXELS), bool)
    inner = slice(_CORNER, _CORNER + 16)
    dead[inner, inner] = deviation <= 0
    sums[_BEFORE:_BEFORE + length, inner, inner] = level + binned / np.where(deviation > 0, deviation, np.inf) * np.sqrt(level)
    flagger = PixelFlagger(bundle.settings, engines.load("litert", bundle_folder))
    tracks = []
    for frame in np.maximum(np.rint(sums), 0).astype(np.uint32):
        tracks += flagger.push(frame, dead)
    tracks += flagger.gap()
    own = [track for track in tracks if track.frame_start < _BEFORE + length and track.frame_end > _BEFORE
           and any(_CORNER <= row < _CORNER + 16 and _CORNER <= column < _CORNER + 16 for row, column in track.pixels)]
    told = "; ".join(f"{len(track.pixels)} pixels, {track.frame_end - track.frame_start} frames, score {track.score}" for track in own) or "no track"
    rows = [{"name": f"recorded meteor, {length} frames of {_METEOR_BIN} ms: {told}", "cells": ["recorded.meteor"]}]
    return Stage((Record("recorded.meteor", len(own), "count", "measured", on("litert"), None, 1, seed, f"{path.name}: {told}"),),
                 {"tables": {"recorded": {"columns": ["check", "value"], "rows": rows}}})
