"""What lies below and drifts through: airglow on clouds, and lights. A map in the ground's own rows, looked at through a moving window."""

import numpy as np

from .configuration import Configuration, Session
from .constants import DRIFT_FRAMES
from .optics import EDGES, SIDE

_CLOUD_SLOPE = 3.0  # amplitude falls as frequency to this power: smooth clouds without a scale of their own [assumed]
_REACH = 3  # pixels to each side of a light that its point spread function is worked out for


class Ground:
    """Level of the sky below at every frame; row r of the map is under focal coordinate r / DRIFT_FRAMES in the last frame."""

    def __init__(self, session: Session, frames: int, rng: np.random.Generator, configuration: Configuration) -> None:
        self._frames = frames
        rows = SIDE * DRIFT_FRAMES + frames  # one row of the map per frame of drift
        cloud = np.exp(session.clouds * _texture(rows, rng)).astype(np.float32)
        cover = np.clip(_texture(rows, rng) * 0.3 + 0.5, 0, 1)  # moonlight comes from the clouds, not from between them
        self._map = (session.background * cloud + session.moonlight * cover * cloud).astype(np.float32)
        hours = frames * 0.04096 / 3600
        for _ in range(rng.poisson(session.lights * hours * SIDE)):
            _add_light(self._map, rng, configuration)

    def level(self, first: int, last: int) -> np.ndarray:
        """Counts per pixel and GTU, float32 [last - first, 48, 48], of frames first..last - 1, before flat field and pile-up."""
        time = np.arange(first, last)
        # The ground moves along +row, so a pixel sees ever smaller rows of the map.
        index = EDGES[None, :] * DRIFT_FRAMES + (self._frames - 1 - time)[:, None]  # [t, 48]
        seen: np.ndarray = self._map[index][:, :, EDGES]  # [t, 48, 53] -> [t, 48, 48]
        return seen


def _texture(rows: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth random field [rows, SIDE] of mean 0 and standard deviation 1, rows being DRIFT_FRAMES to a pixel."""
    from scipy.ndimage import zoom

    coarse = -(-rows // DRIFT_FRAMES) + 1
    height, width = coarse + 64, SIDE + 64  # the Fourier field repeats itself: the margin keeps its ends apart
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    # Nothing finer than 4 pixels: between the rows of the coarse grid splines then tell what lies there.
    amplitude = np.where(frequency < 0.25, np.maximum(frequency, 1 / 64) ** -_CLOUD_SLOPE, 0.0)
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(height, width))) * amplitude, (height, width))
    field = (field / field.std())[:coarse, :SIDE]
    fine: np.ndarray = zoom(field, (rows / coarse, 1), order=3, mode="nearest", grid_mode=True)
    return fine


def _add_light(ground: np.ndarray, rng: np.random.Generator, c: Configuration) -> None:
    """One light, or the many of a city, at a random place of the map."""
    row, column = rng.uniform(0, len(ground)) / DRIFT_FRAMES, rng.uniform(0, SIDE)
    lights = 1
    spread = 0.0
    if rng.random() < c.city_chance:
        lights = int(rng.integers(c.city_lights[0], c.city_lights[1] + 1))
        spread = log_uniform(c.city_radius_pixels, rng)
    for _ in range(lights):
        level = log_uniform(c.light_level, rng)
        _add_point(ground, row + spread * rng.normal(), column + spread * rng.normal(), level, c.psf_pixels)


def _add_point(ground: np.ndarray, row: float, column: float, level: float, sigma: float) -> None:
    from scipy.special import ndtr

    first = max(0, int((row - _REACH) * DRIFT_FRAMES))
    last = min(len(ground), int((row + _REACH) * DRIFT_FRAMES))
    left, right = max(0, int(column) - _REACH), min(SIDE, int(column) + _REACH + 1)
    if first >= last or left >= right:
        return
    begin = (np.arange(first, last) / DRIFT_FRAMES - row) / sigma  # a row of the map is where a pixel begins, and it is one pixel wide
    across = (np.arange(left, right) - column) / sigma
    shares = np.outer(ndtr(begin + 1 / sigma) - ndtr(begin), ndtr(across + 1 / sigma) - ndtr(across))
    ground[first:last, left:right] += (level * shares).astype(np.float32)


def log_uniform(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    """A draw between the bounds, uniform in the logarithm."""
    low, high = bounds
    return float(low * (high / low) ** rng.random())
