import numpy as np
import pytest
from scipy.integrate import quad

from train.instruments.mmia.configuration import DEFAULT
from train.instruments.mmia.constants import SAMPLE_TIME
from train.instruments.mmia.optics import TAIL_PHOTONS, cloud_bins, cloud_times, convolve, crossing, shape_samples, source_bins


def first_hitting(t, tau_d, tau_a):
    return (t / tau_d) ** -1.5 * np.exp(-tau_d / t - t / tau_a) / (np.sqrt(np.pi) * tau_d)


@pytest.mark.parametrize(("tau_d", "tau_a"), [(20e-6, 19e-3), (0.5e-3, 2.47e-3), (2e-3, 0.28e-3), (2e-6, 1e-3)])
def test_bins_are_the_integral_of_the_published_response(tau_d, tau_a):
    bins = cloud_bins(tau_d, tau_a, 64)
    for k in (0, 1, 5, 30, 63):
        exact, _ = quad(first_hitting, max(k * SAMPLE_TIME, 1e-12), (k + 1) * SAMPLE_TIME, args=(tau_d, tau_a), epsabs=1e-14)
        assert bins[k] == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_the_response_peaks_at_two_thirds_of_the_diffusion_time():
    tau_d = 3e-3
    assert np.argmax(cloud_bins(tau_d, 1e3, 4096)) * SAMPLE_TIME == pytest.approx(2 / 3 * tau_d, abs=2 * SAMPLE_TIME)


def test_what_comes_out_in_all_is_what_diffusion_with_absorption_leaves():
    tau_d, tau_a = 0.1e-3, 2e-3
    assert cloud_bins(tau_d, tau_a, 1 << 14).sum() == pytest.approx(np.exp(-2 * np.sqrt(tau_d / tau_a)), rel=1e-3)


def test_the_tabulated_times_of_reference_clouds():
    # radius um, depth km: tau_D ms; tau_A ms of 337 and 777 at 10 and 20 um
    for radius, depth, expected in ((10, 1, 0.0205), (10, 2, 0.083), (10, 5, 0.515), (20, 2, 0.325), (20, 5, 2.05)):
        assert cloud_times(depth * 1e3, radius, DEFAULT)[0] * 1e3 == pytest.approx(expected, rel=0.03)
    assert cloud_times(1e3, 20, DEFAULT)[1][0] * 1e3 == pytest.approx(2.42, rel=0.05)
    assert cloud_times(1e3, 20, DEFAULT)[1][2] * 1e3 == pytest.approx(0.28, rel=0.15)


def test_a_source_pulse_has_unit_energy_and_keeps_it_however_it_lies_in_its_first_bin():
    for offset in (0.0, 3e-6, 9.9e-6):
        assert source_bins(50e-6, 200e-6, offset, 2048).sum() == pytest.approx(1.0, abs=1e-9)
    early, late = (source_bins(50e-6, 200e-6, offset, 2048) @ np.arange(2048) for offset in (0.0, 5e-6))
    assert late - early == pytest.approx(0.5, abs=1e-4)
    assert np.isfinite(source_bins(1e-4, 1e-4, 0.0, 64)).all()


def test_convolution_against_the_plain_sum():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 512))
    assert np.allclose(convolve(a, b), np.convolve(a, b)[:512], rtol=1e-12)


def test_crossing_lies_between_bins():
    assert crossing(np.array([0.0, 0.0, 2.0, 10.0, 4.0]), 0.5) == pytest.approx(2 + 3 / 8)


@pytest.mark.parametrize(("peak", "depth", "radius"), [(0.1, 1.5e3, 10.0), (5.0, 3e3, 14.0), (90.0, 2e3, 10.0), (90.0, 5e3, 20.0)])
def test_a_shape_is_long_enough_that_its_end_is_dark(peak, depth, radius):
    tau_d, tau_a = cloud_times(depth, radius, DEFAULT)
    for tau in (tau_a[0], tau_a[2]):
        samples = shape_samples(peak, 300e-6, tau_d, tau)
        shape = convolve(source_bins(200e-6, 300e-6, 0.0, samples), cloud_bins(tau_d, tau, samples))
        assert peak * shape[-1] / shape.max() < 3 * TAIL_PHOTONS or samples == 4096
        assert peak * shape[-1] / shape.max() < 0.1
