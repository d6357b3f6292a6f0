"""What can be wrong with a recording of MMIA frames, said once for FITS and CDF: changes of a table of columns, one row a frame."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray]
FLUX = ("PHOT1_photon_flux", "PHOT2_photon_flux", "PHOT3_photon_flux")
TIME = "corrected_datetime_level1"
NUMBER = "frame_number"


def _one_value(columns: Columns, random: np.random.Generator, value: float) -> Columns:
    """Put `value` into one random sample of one random channel."""
    name = FLUX[int(random.integers(3))]
    flux = columns[name].copy()
    flux[int(random.integers(flux.shape[0])), int(random.integers(flux.shape[1]))] = value
    return {**columns, name: flux}


def not_a_number(columns: Columns, random: np.random.Generator) -> Columns:
    """One sample is NaN."""
    return _one_value(columns, random, np.nan)


def infinite(columns: Columns, random: np.random.Generator) -> Columns:
    """One sample is infinite."""
    return _one_value(columns, random, np.inf)


def negative(columns: Columns, random: np.random.Generator) -> Columns:
    """One sample is below zero: fewer photons than none."""
    return _one_value(columns, random, -25.0)


def sign_flipped(columns: Columns, random: np.random.Generator) -> Columns:
    """The sign bit of one sample that saw light. (A flipped bit of the mantissa can be another valid flux; this one cannot.)"""
    name = FLUX[int(random.integers(3))]
    flux = columns[name].copy()
    seen = np.argwhere(flux > 0)
    place = tuple(seen[int(random.integers(len(seen)))])
    flux[place] = -flux[place]
    return {**columns, name: flux}


def off_the_grid(columns: Columns, random: np.random.Generator) -> Columns:
    """Half counts in the first channel: float where integers were counted. The flux of n counts is about n LSB where n is small."""
    flux = columns[FLUX[0]].copy()
    flux[0, :100] = 0.5 * 0.498
    return {**columns, FLUX[0]: flux}


def impossible(columns: Columns, random: np.random.Generator) -> Columns:
    """Another unit than the header says (nW for uW): flux that would need more counts than the dead time lets through."""
    return {**columns, **{name: columns[name] * 1e6 for name in FLUX}}


def channel_missing(columns: Columns, random: np.random.Generator) -> Columns:
    """One photometer's column is not there."""
    gone = FLUX[int(random.integers(3))]
    return {name: values for name, values in columns.items() if name != gone}


def channel_extra(columns: Columns, random: np.random.Generator) -> Columns:
    """A fourth photometer, of which MMIA has three."""
    return {**columns, "PHOT4_photon_flux": columns[FLUX[0]]}


def samples_missing(columns: Columns, random: np.random.Generator) -> Columns:
    """One channel has frames of 8,319 samples, so the channels no longer stand side by side in time."""
    return {**columns, FLUX[1]: columns[FLUX[1]][:, :-1]}


def time_back(columns: Columns, random: np.random.Generator) -> Columns:
    """The frames in reverse order: time goes back."""
    return {name: values[::-1] for name, values in columns.items()}


def duplicate(columns: Columns, random: np.random.Generator) -> Columns:
    """One frame stands there twice."""
    rows = len(columns[NUMBER])
    return {name: values[[*range(rows), rows - 1]] for name, values in columns.items()}


def no_frames(columns: Columns, random: np.random.Generator) -> Columns:
    """A table without rows."""
    return {name: values[:0] for name, values in columns.items()}


CHANGES: dict[str, Callable[[Columns, np.random.Generator], Columns]] = {
    "NaN": not_a_number, "infinite flux": infinite, "negative": negative, "sign bit flipped": sign_flipped, "float for int": off_the_grid,
    "flux beyond the dead time": impossible, "channel missing": channel_missing, "channel extra": channel_extra,
    "samples of a channel missing": samples_missing, "time going back": time_back, "duplicate frame": duplicate, "no frames": no_frames,
}
