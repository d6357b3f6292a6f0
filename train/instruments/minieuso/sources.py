"""What comes and goes: meteors, and whatever else is bright for a while. Each source gives its light as a list of pixel-frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .configuration import Configuration, Session
from .constants import DRIFT_FRAMES, FRAME_TIME, METEOR_KM, PIXELS, STATION_KM_S
from .ground import log_uniform
from .optics import EDGES, SIDE, pixel_shares

KINDS = ("meteor", "flasher", "satellite", "lightning", "elve")
FAINTEST = 1e-4  # counts per pixel and GTU below which light is left out: a sixtieth of the noise of a frame
_SUBSTEPS = 4  # places within a frame of what moves, by the middle of each part
_FULL_FRAME = 3  # times its spread to which a flash of lightning is worked out


@dataclass(frozen=True)
class Light:
    """Light of one source, k pixel-frames that it reaches, in the order of frames: its truth in full."""

    kind: str  # of KINDS
    frame: np.ndarray  # int32 [k]
    pixel: np.ndarray  # int16 [k], row * 48 + column
    level: np.ndarray  # float32 [k], counts per pixel and GTU, before flat field, voltage and pile-up
    magnitude: float = np.nan  # absolute, at the maximum; meteors only
    speed_km_s: float = np.nan  # of the meteoroid
    track: tuple[float, float, float, float] = (np.nan,) * 4  # row, column in focal coordinates at the middle of its life, and pixels per frame


class Sources:
    """Draws the sources of a stretch of `frames` frames of a session."""

    def __init__(self, session: Session, frames: int, rng: np.random.Generator, configuration: Configuration) -> None:
        self.session, self.frames, self.rng, self.c = session, frames, rng, configuration

    def all(self, meteors: int | Sequence[float] | None = None) -> list[Light]:
        """Every source, each kind by its rate; `meteors` of them where that number is given, or one of each magnitude given."""
        hours = self.frames * FRAME_TIME / 3600
        s, rng = self.session, self.rng
        if meteors is None:
            meteors = int(rng.poisson(self.c.meteors * hours))
        magnitudes = [None] * meteors if isinstance(meteors, int) else meteors
        drawn = [self.meteor(magnitude) for magnitude in magnitudes]
        for rate, draw in ((s.flashers, self.flasher), (s.satellites, self.satellite), (s.storms, self.lightning)):
            drawn += [draw() for _ in range(int(rng.poisson(rate * hours)))]
        return [light for light in drawn if light.frame.size]

    def meteor(self, magnitude: float | None = None) -> Light:
        """A meteor: isotropic entry, path through 20 km of height, bell-shaped light curve, its photons spread along its way."""
        rng, c = self.rng, self.c
        faint, bright = c.population_index ** c.magnitudes[1], c.population_index ** c.magnitudes[0]
        if magnitude is None:
            magnitude = float(np.log(bright + (faint - bright) * rng.random()) / np.log(c.population_index))
        speed = self._speed()
        zenith = np.arccos(np.sqrt(rng.uniform(0.01, 1.0)))  # flux through a level surface: density of cos^2 is uniform
        azimuth = rng.uniform(0, 2 * np.pi)
        begin, end = rng.normal(*c.begin_height), rng.normal(*c.end_height)
        duration = max(abs(begin - end), 3.0) / (speed * np.cos(zenith))  # s
        across = speed * np.sin(zenith)
        # The station flies on, so that everything drifts along +row.
        row_step = (across * np.cos(azimuth) + STATION_KM_S) * FRAME_TIME / METEOR_KM
        column_step = across * np.sin(azimuth) * FRAME_TIME / METEOR_KM
        peak, sharpness = rng.uniform(*c.curve_peak), rng.uniform(*c.curve_sharpness)
        a, b = sharpness * peak, sharpness * (1 - peak)
        level = c.zero_magnitude * 10 ** (-0.4 * magnitude)
        life = duration / FRAME_TIME  # frames
        start = rng.uniform(-life, self.frames)

        def curve(time: np.ndarray) -> np.ndarray:
            x = np.clip((time - start) / life, 0.0, 1.0)
            return level * (x / peak) ** a * ((1 - x) / (1 - peak)) ** b

        middle = (rng.uniform(0, SIDE), rng.uniform(0, SIDE), row_step, column_step)
        return self._moving("meteor", start, life, middle, curve, magnitude, speed)

    def satellite(self) -> Light:
        """A satellite or piece of debris in the sun that glints once: a straight track of any speed."""
        rng, c = self.rng, self.c
        step = log_uniform(c.satellite_pixels_s, rng) * FRAME_TIME
        direction = rng.uniform(0, 2 * np.pi)
        level, width = log_uniform(c.satellite_level, rng), log_uniform(c.satellite_glint, rng) / FRAME_TIME
        centre = rng.uniform(0, self.frames)
        middle = (rng.uniform(0, SIDE), rng.uniform(0, SIDE), step * np.cos(direction), step * np.sin(direction))
        return self._moving("satellite", centre - 3 * width, 6 * width, middle, lambda time: level * np.exp(-0.5 * ((time - centre) / width) ** 2))

    def flasher(self) -> Light:
        """A light on the ground that blinks: drifts with it, on for part of each period."""
        rng, c = self.rng, self.c
        level = log_uniform(c.flash_level, rng)
        period = log_uniform(c.flash_period, rng) / FRAME_TIME
        duration = min(log_uniform(c.flash_duration, rng) / FRAME_TIME, period / 2)
        phase = rng.uniform(0, period)
        life = SIDE * DRIFT_FRAMES
        start = rng.uniform(-life, self.frames)
        middle = (SIDE / 2, rng.uniform(0, SIDE), 1 / DRIFT_FRAMES, 0.0)

        def curve(time: np.ndarray) -> np.ndarray:
            end = (time + phase) % period  # of a part of a frame; it is on for the first `duration` of each period
            on = np.minimum(end, duration) - np.maximum(end - 1 / _SUBSTEPS, 0.0)
            return level * _SUBSTEPS * np.maximum(on, 0.0)

        return self._moving("flasher", start, life, middle, curve)

    def lightning(self) -> Light:
        """A flash: a wide patch of cloud, lit in a few frames by its strokes; now and then an elve, over nearly everything."""
        rng, c = self.rng, self.c
        first = int(rng.integers(0, self.frames))
        if rng.random() < c.elve_chance:
            level, spread, frames, kind = np.array([log_uniform(c.elve_level, rng)]), float(PIXELS), np.zeros(1, int), "elve"
        else:
            strokes = int(rng.integers(c.lightning_strokes[0], c.lightning_strokes[1] + 1))
            frames = np.unique(np.cumsum(rng.geometric(0.4, strokes) - 1))
            level = log_uniform(c.lightning_level, rng) * 10 ** (0.4 * rng.normal(size=frames.size))
            spread, kind = log_uniform(c.lightning_pixels, rng), "lightning"
        row, column = rng.uniform(0, SIDE, 2)
        profile = np.outer(np.exp(-0.5 * ((EDGES + 0.5 - row) / spread) ** 2), np.exp(-0.5 * ((EDGES + 0.5 - column) / spread) ** 2)).ravel()
        profile[profile < np.exp(-0.5 * _FULL_FRAME**2)] = 0
        return _light(kind, first + frames, (level[:, None] * profile)[:, None, :], self.frames)

    def _moving(self, kind: str, start: float, life: float, middle: tuple[float, float, float, float], curve: Callable[[np.ndarray], np.ndarray],
                magnitude: float = np.nan, speed: float = np.nan) -> Light:
        """Light of a point on a straight way: `middle` is row and column at the middle of its life, and pixels per frame; `curve` its level at a time."""
        row, column, row_step, column_step = middle
        frames = np.arange(max(0, int(np.floor(start))), min(self.frames, int(np.ceil(start + life))))
        time = frames[:, None] + (np.arange(_SUBSTEPS) + 0.5) / _SUBSTEPS  # [f, s]
        along = time - (start + life / 2)
        rows, columns = row + row_step * along, column + column_step * along
        margin = 4 * self.c.psf_pixels
        near = ((rows > -margin) & (rows < SIDE + margin) & (columns > -margin) & (columns < SIDE + margin)).any(axis=1)
        frames, time, rows, columns = frames[near], time[near], rows[near], columns[near]
        shares_r = pixel_shares(rows.ravel(), self.c.psf_pixels).reshape(len(frames), _SUBSTEPS, PIXELS)
        shares_c = pixel_shares(columns.ravel(), self.c.psf_pixels).reshape(len(frames), _SUBSTEPS, PIXELS)
        level = curve(time) / _SUBSTEPS
        return _light(kind, frames, np.einsum("fs,fsr,fsc->frc", level, shares_r, shares_c, optimize=True), self.frames, magnitude, speed, middle)

    def _speed(self) -> float:
        c = self.c
        while True:
            speed = float(self.rng.normal(*(c.speed_fast if self.rng.random() < c.fast_chance else c.speed_slow)))
            if c.speeds[0] <= speed <= c.speeds[1]:
                return speed


def _light(kind: str, frames: np.ndarray, level: np.ndarray, until: int, magnitude: float = np.nan, speed: float = np.nan,
           track: tuple[float, float, float, float] = (np.nan,) * 4) -> Light:
    """The pixel-frames of level [f, ...] (2,304 pixels a frame) that are above FAINTEST and before frame `until`."""
    level = level.reshape(len(frames), PIXELS * PIXELS)
    which, pixel = np.nonzero((level > FAINTEST) & (frames < until)[:, None])
    return Light(kind, frames[which].astype(np.int32), pixel.astype(np.int16), level[which, pixel].astype(np.float32), magnitude, speed, track)
