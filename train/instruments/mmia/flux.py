"""Counts and flux of a photometer: the dead-time law of a counter that is blind for a fixed time after each count, and its inverse."""

import numpy as np

from .constants import DEAD_TIME, DEAD_TIME_ERROR, FLUX_PER_COUNT, FLUX_PER_COUNT_ERROR, SAMPLE_TIME

LATTICE_RMS = 0.05  # counts; what float32 and the constants' errors leave of a true count of at most LATTICE_COUNTS
LATTICE_COUNTS = 8
LATTICE_MAXIMUM = 0.45  # counts; nearer than this to the middle between two counts nothing can be said


def count_limit(channel: int) -> int:
    """The greatest count that light can give in a bin: the counter would be blind all the time one count later."""
    return int(np.ceil(SAMPLE_TIME / DEAD_TIME[channel])) - 1


def counts_to_flux(counts: np.ndarray, channel: int) -> np.ndarray:
    """Flux [...] float64, uW/m2, of integer counts [...] per bin: flux_per_count n / (1 - n dead_time / bin_time).

    Non-paralysable counter: Knoll, Radiation Detection and Measurement, ch. 4. ValueError for counts above `count_limit`.
    """
    n = np.asarray(counts, np.float64)
    if n.size and n.max() > count_limit(channel):
        raise ValueError(f"{n.max():.0f} counts in one bin, the dead time allows at most {count_limit(channel)}")
    return FLUX_PER_COUNT[channel] * n / (1.0 - n * (DEAD_TIME[channel] / SAMPLE_TIME))


def flux_to_counts(flux: np.ndarray, channel: int) -> np.ndarray:
    """Counts [...] uint16 of a flux [...] in uW/m2, float32 or float64; the inverse of `counts_to_flux`, exact through float32.

    ValueError, saying what is wrong, for a flux that no count gives: not finite, negative, above the limit of the dead time, or off the
    lattice of counts by more than the constants' errors explain (another unit, or values that were scaled or smoothed).
    """
    f = np.asarray(flux, np.float64)
    if not np.isfinite(f).all():
        raise ValueError("holds NaN or infinity, must be finite")
    if f.size and f.min() < 0:
        raise ValueError(f"holds {f.min():g} uW/m2, must not be negative")
    real = f / (FLUX_PER_COUNT[channel] + f * (DEAD_TIME[channel] / SAMPLE_TIME))
    counts = np.rint(real)
    limit = count_limit(channel)
    # Towards the limit any flux gives nearly the same count, so the way back has to lead to the flux again.
    if f.size and (counts.max() > limit or f.max() > 2 * counts_to_flux(np.array(limit), channel)):
        raise ValueError(f"holds {f.max():g} uW/m2, more than the {limit} counts that dead time allows; is it in uW/m2?")
    residual = np.abs(real - counts)
    # A flux has an error from the scale, proportional to n, and one from the dead time, proportional to n^2.
    allowed = LATTICE_RMS + FLUX_PER_COUNT_ERROR * counts + (DEAD_TIME_ERROR[channel] / SAMPLE_TIME) * counts**2
    beside = (residual > np.minimum(allowed, LATTICE_MAXIMUM)) | ((counts == 0) & (f > 0))
    if beside.any() or _lattice_rms(residual, counts) > LATTICE_RMS:
        raise ValueError("is not a flux of whole counts; is it in uW/m2, and neither scaled nor smoothed?")
    return counts.astype(np.uint16)


def _lattice_rms(residual: np.ndarray, counts: np.ndarray) -> float:
    few = (counts > 0) & (counts <= LATTICE_COUNTS)
    return float(np.sqrt(np.mean(residual[few] ** 2))) if few.any() else 0.0
