"""A simulated session of Mini-EUSO: D3 frames of the focal surface, block by block, with the truth about every source in them.

The sky is what lies below (ground.py) and what comes and goes (sources.py); the detector adds gains that differ from tube to tube and pixel
to pixel, dead pixels, voltage steps of whole EC units, pile-up and Poisson noise. A file holds 3,200 frames; between files some are lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge_runtime.frames import FRAME_GTU

from .configuration import DEFAULT, SESSIONS, Configuration, Session
from .constants import DEAD_TIME_GTU, EPOCH, FRAME_TIME, PIXELS, TUBE_PIXELS, UNIT_PIXELS
from .ground import Ground, log_uniform
from .sources import Light, Sources

BLOCK = 128  # frames of one packet; a block's noise has a seed of its own
FILE_FRAMES = 25 * BLOCK
LOST_FRAMES = 49  # between two files: 2 s [assumed]
MAXIMUM_FRAMES = 70_000  # a night of 45 minutes has 65,918
_TWILIGHT_TIME = 90.0  # s in which twilight grows by a factor e [assumed]
_UNITS = PIXELS // UNIT_PIXELS


@dataclass(frozen=True)
class VoltageStep:
    """An EC unit at a lower voltage for the sky's frames first..last - 1."""

    first: int
    last: int
    unit: int  # row * 3 + column of the 3 x 3 EC units
    gain: float


class Scene:
    """`frames` recorded frames of a session; the same arguments give the same bytes, whatever is asked for first.

    `session` is a number of SESSIONS. `meteors` fixes the number of meteors, or gives the absolute magnitude of each; else their rate decides.
    `confusers`: factor on the rates of flashers, satellites and storms. ValueError where an argument is out of range.

    Frames are counted as recorded in what is public; `lights` drops what fell between files.
    """

    def __init__(self, session: int, frames: int, seed: int, meteors: int | Sequence[float] | None = None, confusers: float = 1.0,
                 configuration: Configuration = DEFAULT) -> None:
        if session not in SESSIONS:
            raise ValueError(f"session {session} is none of {', '.join(map(str, SESSIONS))}")
        if not 1 <= frames <= MAXIMUM_FRAMES:
            raise ValueError(f"{frames} frames, must be 1 to {MAXIMUM_FRAMES}")
        known = SESSIONS[session]
        self.session = replace(known, flashers=confusers * known.flashers, satellites=confusers * known.satellites, storms=confusers * known.storms)
        self.frames, self.seed = frames, seed
        # The frame of the sky that each recorded one is, int64 [frames]: files leave gaps.
        self.sky_frames = np.arange(frames) + np.arange(frames) // FILE_FRAMES * LOST_FRAMES
        total = int(self.sky_frames[-1]) + 1
        # The instrument belongs to the session, not to the seed: all its recordings have the same gains and dead pixels.
        self.flat, self.dead = _detector(np.random.default_rng([session]), self.session, configuration)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(session, 0)))
        self._ground = Ground(self.session, total, rng, configuration)
        self.steps = _voltage_steps(total, rng, configuration)
        self.lights = [self._as_recorded(light) for light in Sources(self.session, total, rng, configuration).all(meteors)]
        self.lights = [light for light in self.lights if light.frame.size]
        order = np.argsort(frame := _joined(self.lights, "frame"), kind="stable")
        self._frame, self._pixel, self._level = frame[order], _joined(self.lights, "pixel")[order], _joined(self.lights, "level")[order]
        start = EPOCH + 30 * 86_400 * session + 60 * float(rng.integers(0, 43_200))
        self.frame_time_unix = start + self.sky_frames * FRAME_TIME  # float64 [frames]

    @property
    def gain(self) -> np.ndarray:
        """Counts per photon of each pixel at the nominal voltage, float32 [48, 48], 0 where it is dead."""
        return np.where(self.dead, 0, self.flat * self.session.gain).astype(np.float32)

    def blocks(self) -> Iterator[np.ndarray]:
        """Sums uint32 [up to BLOCK, 48, 48] of all frames, one block after the other."""
        for first in range(0, self.frames, BLOCK):
            yield self.block(first)

    def sums(self) -> np.ndarray:
        """All frames at once, uint32 [frames, 48, 48]: 9 kB each."""
        return np.concatenate(list(self.blocks()))

    def background(self, first: int, last: int) -> np.ndarray:
        """Level of the sky without its sources, float32 [last - first, 48, 48] counts per GTU before the detector; no gap may lie between."""
        sky = self.sky_frames[first:last]
        return self._ground.level(int(sky[0]), int(sky[-1]) + 1) + self._twilight(sky)[:, None, None]

    def block(self, first: int) -> np.ndarray:
        """The block of frames that begins at `first`, a multiple of BLOCK."""
        last = min(first + BLOCK, self.frames)
        sky = self.sky_frames[first:last]
        level = self.background(first, last)  # a file holds whole blocks, so there is no gap in one
        here = slice(*np.searchsorted(self._frame, [first, last]))
        flat = level.reshape(-1)
        np.add.at(flat, (self._frame[here] - first).astype(np.int64) * PIXELS**2 + self._pixel[here], self._level[here])
        level = flat.reshape(level.shape) * self.gain
        for step in self.steps:
            row, column = (UNIT_PIXELS * place for place in divmod(step.unit, _UNITS))
            level[(sky >= step.first) & (sky < step.last), row:row + UNIT_PIXELS, column:column + UNIT_PIXELS] *= step.gain
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(self.session.number, 1, first // BLOCK)))
        return _counts(level, rng)

    def _twilight(self, sky: np.ndarray) -> np.ndarray:
        level: np.ndarray = (self.session.twilight * np.exp((sky - self.sky_frames[-1]) * FRAME_TIME / _TWILIGHT_TIME)).astype(np.float32)
        return level

    def _as_recorded(self, light: Light) -> Light:
        place = np.searchsorted(self.sky_frames, light.frame)
        kept = self.sky_frames[np.minimum(place, self.frames - 1)] == light.frame
        return Light(light.kind, place[kept].astype(np.int32), light.pixel[kept], light.level[kept], light.magnitude, light.speed_km_s, light.track)


def _counts(level: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Sums uint32 of expected counts per GTU, any shape: pile-up of a paralysable counter, then Poisson.

    Of some ten thousand counts a Poisson draw is a normal one bent by its skewness, mean + sqrt(mean) z + (z^2 - 1) / 6 (Cornish and Fisher
    1938, first term), ten times as fast; its tails are right to a few per cent at 5 sigma.
    """
    mean = (level * np.exp(-DEAD_TIME_GTU * level)).astype(np.float32) * np.float32(FRAME_GTU)
    z = rng.standard_normal(level.shape, np.float32)
    drawn = mean + np.sqrt(mean) * z + (z * z - 1) / 6
    return np.where(mean > 0, np.maximum(np.rint(drawn), 0), 0).astype(np.uint32)


def _detector(rng: np.random.Generator, session: Session, c: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """Relative gains float32 [48, 48] of mean 1, and which pixels are dead."""
    tubes = PIXELS // TUBE_PIXELS
    tube = 1 + c.tube_gain * rng.normal(size=(tubes, tubes))
    flat = np.kron(tube, np.ones((TUBE_PIXELS, TUBE_PIXELS))) * (1 + c.pixel_gain * rng.normal(size=(PIXELS, PIXELS)))
    distance = np.hypot(*(np.indices((PIXELS, PIXELS)) - (PIXELS - 1) / 2)) / (PIXELS / np.sqrt(2))
    flat *= 1 - c.vignetting * distance**2
    if rng.random() < c.bright_row_chance:
        row, column = rng.integers(0, PIXELS), UNIT_PIXELS * rng.integers(0, _UNITS)
        flat[row, column:column + UNIT_PIXELS] *= rng.uniform(*c.bright_row_gain)
    dead = np.zeros((PIXELS, PIXELS), bool)
    dead.ravel()[rng.permutation(PIXELS**2)[:rng.poisson(c.dead_pixels)]] = True
    return (flat / flat.mean()).astype(np.float32), dead


def _voltage_steps(frames: int, rng: np.random.Generator, c: Configuration) -> list[VoltageStep]:
    steps = []
    for _ in range(rng.poisson(c.voltage_steps * frames * FRAME_TIME / 3600)):
        first = int(rng.integers(0, frames))
        length = max(1, round(log_uniform(c.voltage_step_time, rng) / FRAME_TIME))
        steps.append(VoltageStep(first, first + length, int(rng.integers(0, _UNITS**2)), log_uniform(c.voltage_step_gain, rng)))
    return steps


def _joined(lights: list[Light], field: str) -> np.ndarray:
    return np.concatenate([getattr(light, field) for light in lights]) if lights else np.empty(0, np.int32)
