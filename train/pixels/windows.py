"""Labelled windows of single pixels as the board sees them: codes of 48 frames out of a stream, with the counts that they stand for.

A window is a meteor's where the meteor's light in that pixel has a matched-filter SNR of SIGNAL_SNR and is brightest near the window's middle: a
stream slides by one frame at a time, so every pulse comes to lie there once, with as much of its past as of its future in sight. It is none
where no meteor left LIGHT_SNR in it. Of the windows without a meteor a third is taken anywhere, a third where light drifts through, a third
where something flashes or passes; the scenes for learning hold more of that than nature has.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from itertools import repeat

import numpy as np

from edge_runtime.cli import progress
from edge_runtime.frames import PIXELS, FrameStretch
from edge_runtime.masking import Masker
from edge_runtime.pixel_stream import MIDDLE as MIDDLE
from edge_runtime.pixels import WINDOW_FRAMES, PixelCodes, stretch_codes

from ..instruments.minieuso.scene import FILE_FRAMES, Scene
from .truth import KINDS, LONGEST, Noise, meteor_places

JITTER = 3  # frames that the brightest one may lie off the middle
METEORS = 600  # drawn for one file: most are too faint to count
TRANSIENTS = ("flasher", "satellite", "lightning", "elve")
CONFUSERS = 30.0  # times nature's flashers, satellites and storms
_METEOR, _GROUND = KINDS.index("meteor"), KINDS.index("ground")


@dataclass(frozen=True)
class PixelWindowSet:
    """w windows, those with a meteor first."""

    codes: np.ndarray  # int8 [w, 48]
    counts: np.ndarray  # uint32 [w, 48], sums over a frame
    meteor: np.ndarray  # bool [w]
    kind: np.ndarray  # int8 [w], index in KINDS
    snr: np.ndarray  # float32 [w], of the meteor in it, 0 without one
    session: np.ndarray  # int8 [w]


def pixel_windows(session: int, meteors: int, others: int, seed: int) -> PixelWindowSet:
    """`meteors` windows with a meteor and `others` without, of one session; same arguments, same bytes."""
    parts: list[PixelWindowSet] = []
    while True:
        lit = sum(int(part.meteor.sum()) for part in parts)
        dark = sum(len(part.meteor) for part in parts) - lit
        if parts and lit >= meteors and dark >= others:
            return joined(parts)
        parts.append(_from_file(session, meteors - lit, others - dark, seed, len(parts)))


def session_windows(sessions: tuple[int, ...], meteors: int, others: int, seed: int) -> list[PixelWindowSet]:
    """`pixel_windows` of several sessions, made on several cores."""
    # Spawned, not forked: a fork after torch has started its threads may hang.
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(sessions)), mp_context=multiprocessing.get_context("spawn")) as pool:
        found = []
        for part in pool.map(pixel_windows, sessions, *(repeat(value) for value in (meteors, others, seed))):
            found.append(part)
            progress(f"simulating windows: {len(found)} of {len(sessions)} sessions")
    return found


def joined(parts: list[PixelWindowSet]) -> PixelWindowSet:
    """Several sets as one."""
    together = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(PixelWindowSet)]
    order = np.argsort(~np.concatenate([part.meteor for part in parts]), kind="stable")
    return PixelWindowSet(*(array[order] for array in together))


def stretch_of(scene: Scene) -> FrameStretch:
    """All frames of a scene, masked as the board masks them."""
    sums, masker = scene.sums(), Masker()
    return FrameStretch(sums, np.stack([masker.frame(frame, scene.dead) for frame in sums]), None, 0)


def successive_windows(scene: Scene) -> np.ndarray:
    """What the network is given frame by frame, int8 [n, 1, 2304, 48]: one input for each frame of the scene but its first WINDOW_FRAMES."""
    codes, _ = stretch_codes(PixelCodes(), stretch_of(scene))
    return np.stack([codes[first:first + WINDOW_FRAMES].T[None] for first in range(len(codes) - WINDOW_FRAMES)])


def _from_file(session: int, meteors: int, others: int, seed: int, file: int) -> PixelWindowSet:
    """What the `file`-th file of a session gives, up to the numbers wanted."""
    seeds = np.random.SeedSequence([seed, session, file])
    scene = Scene(session, FILE_FRAMES, int(seeds.generate_state(1)[0]), METEORS, CONFUSERS)
    rng, noise, stretch = np.random.default_rng(seeds), Noise(scene), stretch_of(scene)
    codes, age = stretch_codes(PixelCodes(), stretch)
    lit, pixel, peak, snr, _ = meteor_places(scene, noise, rng, meteors)
    last = peak + WINDOW_FRAMES - 1 - MIDDLE + rng.integers(-JITTER, JITTER + 1, len(peak))  # so far behind is the end of the window
    full = age[last, pixel] >= WINDOW_FRAMES
    pixel, last, snr = pixel[full], last[full], snr[full]
    other_pixel, other_last, kind = _others(scene, noise, lit, age, rng, others)
    every, end = np.concatenate([pixel, other_pixel]), np.concatenate([last, other_last])
    k, frames = len(pixel), end[:, None] + np.arange(1 - WINDOW_FRAMES, 1)
    return PixelWindowSet(codes[frames, every[:, None]], stretch.sums.reshape(FILE_FRAMES, -1)[frames, every[:, None]], np.arange(len(every)) < k,
                          np.concatenate([np.full(k, _METEOR, np.int8), kind]), np.concatenate([snr, np.zeros(len(kind))]).astype(np.float32),
                          np.full(len(every), session, np.int8))


def _others(scene: Scene, noise: Noise, lit: np.ndarray, age: np.ndarray, rng: np.random.Generator, wanted: int) -> tuple[np.ndarray, ...]:
    """Pixel, last frame and kind [k] of up to `wanted` full windows far from every meteor, by thirds as told above."""
    seen = np.zeros((FILE_FRAMES + 1, PIXELS**2), np.int32)
    np.cumsum(lit, axis=0, out=seen[1:])

    def tried(last: np.ndarray, pixel: np.ndarray) -> np.ndarray:
        inside = (last >= LONGEST) & (last < FILE_FRAMES)
        last, pixel = last[inside], pixel[inside]
        free = (seen[last + 1, pixel] == seen[last + 1 - WINDOW_FRAMES, pixel]) & (age[last, pixel] >= WINDOW_FRAMES)
        return np.column_stack([pixel[free], last[free], noise.strongest(last[free] + 1 - LONGEST, pixel[free])])

    tries = 12 * max(wanted, 0)
    anywhere = tried(rng.integers(LONGEST, FILE_FRAMES, tries), rng.integers(0, PIXELS**2, tries))
    chosen = [anywhere[anywhere[:, 2] == _GROUND][:wanted // 3]]
    share = wanted // 3 // len(TRANSIENTS)
    for kind in TRANSIENTS:
        lights = [light for light in scene.lights if light.kind == kind]
        if lights:
            frame, pixel = (np.concatenate([getattr(light, name) for light in lights]) for name in ("frame", "pixel"))
            some = rng.integers(0, len(frame), 12 * share)
            places = tried(frame[some] + rng.integers(0, WINDOW_FRAMES, len(some)), pixel[some])
            chosen.append(places[places[:, 2] == KINDS.index(kind)][:share])
    rest = anywhere[anywhere[:, 2] != _GROUND]
    chosen.append(rest[:max(0, wanted - sum(map(len, chosen)))])
    pixels, last, kinds = np.concatenate(chosen).T
    return pixels, last, kinds.astype(np.int8)
