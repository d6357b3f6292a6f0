"""Shapes of light in time: source pulses, the delay and loss on the way out of a cloud, and both together, per bin."""

import numpy as np

from .configuration import Configuration
from .constants import SAMPLE_TIME

SHORTEST, LONGEST = 512, 4096  # bins of a pulse's shape: 5 to 41 ms
TAIL_PHOTONS = 0.01  # per bin, what a pulse may still have where its shape is cut off; a longer shape is taken before a brighter cut


def source_bins(rise: float, decay: float, offset: float, samples: int) -> np.ndarray:
    """Energy in each bin [samples] float64 of a unit pulse that starts `offset` seconds (below one bin) into the first.

    The pulse is the convolution of two exponentials with these time constants in seconds: the longer one is its tail.
    """
    if abs(decay - rise) < 1e-3 * rise:
        decay = rise * 1.001  # the formula divides by the difference
    t = np.maximum(np.arange(samples + 1) * SAMPLE_TIME - offset, 0.0)
    done = 1.0 - (decay * np.exp(-t / decay) - rise * np.exp(-t / rise)) / (decay - rise)
    return np.diff(done)


def cloud_bins(diffusion_time: float, absorption_time: float, samples: int) -> np.ndarray:
    """Share of a flash inside a cloud that comes out in each bin [samples] float64; what absorption takes is missing from the sum.

    First-hitting response F(t) = (pi tau_D)^(-1/2) (t / tau_D)^(-3/2) exp(-tau_D / t - t / tau_A) of Luque et al. 2020 (GMD 13, 5549),
    integrated in closed form: an inverse Gaussian, since at 10 us F of a shallow source is not resolved.
    """
    from scipy.special import erfc, erfcx

    t = np.arange(1, samples + 1) * SAMPLE_TIME
    a, b = np.sqrt(diffusion_time / t), np.sqrt(t / absorption_time)
    # exp(2ab) erfc(a + b) as erfcx: the first factor overflows where absorption is strong
    done = 0.5 * np.exp(-2 * a * b) * erfc(a - b) + 0.5 * np.exp(-(a**2) - b**2) * erfcx(a + b)
    return np.diff(done, prepend=0.0)


def cloud_times(depth: float, drop_radius_um: float, configuration: Configuration) -> tuple[float, tuple[float, float, float]]:
    """(tau_D, (tau_A of 337, uv, 777)) in seconds of a source `depth` metres below the top of a cloud of such drops.

    tau_D = L^2 / 4D grows as depth^2 radius^2 and is common to the bands; tau_A, the time to absorption, falls as radius^-3.
    """
    c, radius = configuration, drop_radius_um / 10.0
    tau_a = (c.absorption_time_337 / radius**3, c.absorption_time_uv / radius**3, c.absorption_time_777 / radius**3)
    return c.diffusion_time_1km * (depth / 1e3 * radius) ** 2, tau_a


def convolve(source: np.ndarray, response: np.ndarray) -> np.ndarray:
    """The first samples of the convolution of two series [samples], by way of their spectra."""
    samples = source.shape[-1]
    spectrum = np.fft.rfft(source, 2 * samples) * np.fft.rfft(response, 2 * samples)
    return np.maximum(np.fft.irfft(spectrum, 2 * samples)[:samples], 0.0)  # rounding leaves -1e-17 where nothing has come out yet


def shape_samples(peak: float, decay: float, diffusion_time: float, absorption_time: float) -> int:
    """Bins that hold a pulse of `peak` photons per bin to TAIL_PHOTONS: a power of two, SHORTEST to LONGEST.

    The tail is F(t), for t >> tau_D, times the width of source and response, or the source's own exponential.
    """
    samples = SHORTEST
    while samples < LONGEST:
        t = samples * SAMPLE_TIME
        tail = np.sqrt(diffusion_time / np.pi) * t**-1.5 * np.exp(-t / absorption_time) * (decay + 3 * diffusion_time) + np.exp(-t / decay)
        if peak * tail < TAIL_PHOTONS:
            break
        samples *= 2
    return samples


def crossing(shape: np.ndarray, level: float) -> float:
    """Time in bins at which a pulse [samples] first reaches `level` of its peak, between the bins' centres by a straight line."""
    target = level * shape.max()
    k = int(np.argmax(shape >= target))
    if k == 0:
        return 0.0
    return k - 1 + float((target - shape[k - 1]) / (shape[k] - shape[k - 1]))
