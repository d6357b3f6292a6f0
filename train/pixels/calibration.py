"""Thresholds of a pixel network, from sessions that training never saw: of pixels, of tracks, and the magnitude scale."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge_runtime.cli import progress
from edge_runtime.errors import InputError
from edge_runtime.frames import FrameStretch
from edge_runtime.pixel_stream import PixelFlagger, PixelSettings
from edge_runtime.pixels import WINDOW_FRAMES, PixelCodes
from edge_runtime.tracking import Track, TrackRules

from .. import run_folder
from ..configuration import PixelConfiguration
from ..instruments.minieuso.scene import BLOCK, FILE_FRAMES, Scene
from .matching import found_by
from .training import Frozen, PixelSet, PixelSystem
from .windows import joined, session_windows

NIGHT_FRAMES = 65_918  # 45 minutes
SAMPLE_FRAMES = FILE_FRAMES  # of each calibration session, on which the threshold of a pixel is fixed
METEORS = 150  # of each calibration session, for the magnitude scale
LOWEST = -1 << 30


class TorchEngine:
    """The network as it was trained behind the face of an engine (edge_runtime.engines)."""

    name = "torch"
    description: Mapping[str, Any] = {"name": "torch", "version": torch.__version__, "kernel_set": "brevitas", "delegated_operators": None}

    def __init__(self, configuration: PixelConfiguration, quantised: dict[str, np.ndarray]) -> None:
        system = PixelSystem(configuration, "quantised")
        system.load_arrays(quantised)
        self._frozen = Frozen(system)
        self.scale = self._frozen.scale

    def run(self, *codes: np.ndarray) -> tuple[np.ndarray, ...]:
        """Codes int8 [1, 1, 2304, 1] of the logits of codes int8 [1, 1, 2304, 48]."""
        return (self._frozen.logit_codes(codes[0][0, 0]).reshape(1, 1, -1, 1),)

    def input_buffer(self) -> None:
        """None: codes are copied."""


def training_set(configuration: PixelConfiguration) -> PixelSet:
    """Simulated windows of the sessions to learn from."""
    data = configuration.data
    windows = joined(session_windows(data.sessions, data.meteors, data.others, configuration.seed))
    return PixelSet(windows.codes, windows.meteor)


def calibration(configuration: PixelConfiguration, folder: Path) -> dict[str, Any]:
    """The document of calibration.json: thresholds, rules of tracks, what they achieve, and which sessions these are."""
    torch.set_num_threads(1)  # one call is one frame
    engine = TorchEngine(configuration, run_folder.read_arrays(folder / "quantised.npz"))
    data, wanted = configuration.data, configuration.threshold
    sessions, rules = data.calibration_sessions, TrackRules(threshold=LOWEST)
    histogram = np.zeros(256, np.int64)
    silent = PixelFlagger(PixelSettings(PixelCodes(), 127, rules, 0.0), engine)
    for session in sessions:
        progress(f"threshold of a pixel: session {session}")
        for stretch in night(session, SAMPLE_FRAMES, configuration.seed, 0):
            silent.gap()
            for sums, masked in zip(stretch.sums, stretch.masked, strict=True):
                silent.judge(sums, masked)
                histogram += np.bincount(silent.logits[silent.full].astype(np.int64) + 128, minlength=256)
    above = histogram.sum() - np.cumsum(histogram)  # windows whose code is above each
    flag = int(np.argmax(above <= wanted.false_flags * histogram.sum())) - 128
    flagger = PixelFlagger(PixelSettings(PixelCodes(), flag, rules, 0.0), engine)
    false: list[Track] = []
    for session in sessions:
        progress(f"threshold of tracks: session {session}, {data.calibration_frames} frames")
        false += [found.track for found in flagger.flag(night(session, data.calibration_frames, configuration.seed, 1))]
    nights = len(sessions) * data.calibration_frames / NIGHT_FRAMES
    threshold = track_threshold([track.score for track in false], int(wanted.false_tracks * nights))
    zero, seen, told = _magnitudes(configuration, flagger, threshold)
    achieved = {"false_flag_share": float(above[flag + 128] / histogram.sum()), "pixel_windows": int(histogram.sum()), "nights": nights,
                "false_tracks": sum(track.score > threshold for track in false), "meteors": told, "meteors_found": seen}
    return {"schema_version": run_folder.SCHEMA_VERSION, "thresholds": {"flag": flag},
            "tracks": {**TrackRules(threshold=threshold).to_document(), "magnitude_zero": zero}, "split": "calibration", "sessions": list(sessions),
            "learned": list(data.sessions), "seed": configuration.seed, "logit_scale": engine.scale, "achieved": achieved}


def track_threshold(scores: list[int], allowed: int) -> int:
    """The lowest threshold >= 0 that so many scores at most are above."""
    highest = sorted(scores, reverse=True)
    return max(0, highest[allowed]) if len(highest) > allowed else 0


def night(session: int, frames: int, seed: int, number: int) -> Iterator[FrameStretch]:
    """`frames` frames of a session without a meteor, file by file; every `number` is another night of it."""
    return recorded(Scene(session, frames, int(np.random.SeedSequence([seed, session, 7, number]).generate_state(1)[0]), meteors=0))


def recorded(scene: Scene) -> Iterator[FrameStretch]:
    """A scene as its files hold it, dead pixels masked: a gap between two of them."""
    for first in range(0, scene.frames, FILE_FRAMES):
        last = min(first + FILE_FRAMES, scene.frames)
        sums = np.concatenate([scene.block(block) for block in range(first, last, BLOCK)])
        yield FrameStretch(sums, np.broadcast_to(scene.dead, sums.shape), round(float(scene.frame_time_unix[first]) * 1e9), first)


def _magnitudes(configuration: PixelConfiguration, flagger: PixelFlagger, threshold: int) -> tuple[float, int, int]:
    """Absolute magnitude of 1 count per GTU in a meteor's brightest pixel-frame, a median; meteors found, and drawn."""
    zeros, drawn = [], 0
    for session in configuration.data.calibration_sessions:
        rng = np.random.default_rng([configuration.seed, session, 8])
        scene = Scene(session, FILE_FRAMES, int(rng.integers(1 << 31)), meteors=rng.uniform(0, 5, METEORS).tolist())
        meteors = [light for light in scene.lights if light.kind == "meteor" and light.frame[0] > WINDOW_FRAMES]
        tracks = [found.track for found in flagger.flag(recorded(scene))]
        drawn += len(meteors)
        for light, track in zip(meteors, found_by([track for track in tracks if track.score > threshold], meteors), strict=True):
            if track is not None:
                zeros.append(light.magnitude + 2.5 * np.log10(max(track.excess, 1e-3)))
    if not zeros:
        raise InputError("configuration", "training.trunk_epochs", "leave a network that finds no meteor of the calibration sessions; train longer")
    return float(np.median(zeros)), len(zeros), drawn


def told(calibration: dict[str, Any]) -> str:
    """What the calibration achieved, in a line."""
    achieved, thresholds, tracks = calibration["achieved"], calibration["thresholds"], calibration["tracks"]
    return (f"calibration sessions {', '.join(map(str, calibration['sessions']))}: threshold {thresholds['flag']}, {achieved['false_flag_share']:.1e} of "
            f"{achieved['pixel_windows']:,} pixel-windows without a meteor flagged; track threshold {tracks['threshold']}, {achieved['false_tracks']} false "
            f"tracks in {achieved['nights']:.2f} nights; {achieved['meteors_found']} of {achieved['meteors']} meteors of magnitude 0 to 5 found")
