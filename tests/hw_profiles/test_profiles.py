"""Pixie's own profiles: each is whole, and where their numbers can be worked out again from the table they cite, they are."""

from statistics import mean

import pytest

from edge_runtime.errors import InputError
from hw_profiles.profile import FOLDER, names, path_of, profile, read_profile

FILES = sorted(FOLDER.glob("*.toml"))
BOARDS = {"host", "raspberry-pi-zero-2w", "raspberry-pi-3b-plus", "raspberry-pi-4b", "astro-pi", "raspberry-pi-5", "coral-usb3", "coral-usb2-pi3b-plus",
          "coral-usb3-pi4", "coral-dev-board", "coral-dev-board-cpu", "coral-dev-board-mini", "coral-dev-board-micro", "ethos-u55-128", "ethos-u55-256",
          "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m85", "zynq-7000", "gr712rc", "gr740"}
CORES = ("cortex-a53-litert", "cortex-a72-litert", "cortex-a76-litert", "edgetpu", "ethos-u55")

# MLPerf Tiny 1.2, closed division: clock in Hz, inferences per second and uJ per inference of the four models (mlcommons/tiny_results_v1.2:summary.csv).
MODELS = {"ad": 264_192, "kws": 2.657e6, "ic": 12.50e6, "vww": 7.49e6}  # multiply-accumulates
MLPERF_TINY = {
    "cortex-m4": (120e6, (190.086, 23.155, 6.056, 11.245), (203.368, 1820.454, 6919.375, 3894.566)),
    "cortex-m7": (280e6, (816.004, 88.356, 24.483, 42.009), (165.728, 1375.599, 5090.283, 2965.461)),
    "cortex-m33": (160e6, (291.589, 34.416, 9.003, 16.87), (81.875, 656.163, 2578.969, 1354.685)),
    "cortex-m85": (480e6, (1884.138, 288.611, 117.948, 74.665), None),
}
SCALAR = (64e6, (24.454, 2.107, 0.657, 0.707))  # Cortex-M0+, what the LEONs are taken to be like


def test_every_board_that_is_promised_has_its_profile():
    assert set(names()) == BOARDS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_profile_passes_and_is_named_as_its_file(path):
    assert read_profile(path).name == path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_number_has_a_status_and_a_source_that_a_reader_can_find(path):
    for key, number in read_profile(path).numbers.items():
        assert number.status and len(number.source) > 10, key
        assert not any(word in number.source.lower() for word in ("hardware.md", "notes/", "todo")), key


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_a_board_says_how_far_it_is_trusted(name):
    board = profile(name)
    assert board.trust and (board.validation_reason if board.validation == "none" else board.numbers["validation_error"].value > 0)
    assert (board.trust == "validated-model") <= (board.validation != "none")
    assert board.caveats and board.cost_model


def test_a_parent_is_no_board():
    assert all(read_profile(path_of(name)).abstract for name in CORES)
    with pytest.raises(InputError, match=r"edgetpu: profile: is only a parent"):
        profile("edgetpu")


def test_an_unknown_name_brings_the_nearest():
    with pytest.raises(InputError, match=r"did you mean raspberry-pi-4b"):
        profile("raspbery-pi4")


def test_hosts_of_accelerators_run_networks_themselves():
    hosts = {board.host for board in map(profile, names()) if board.host}
    assert hosts == {"raspberry-pi-3b-plus", "raspberry-pi-4b", "coral-dev-board-cpu", "host"}
    assert all(profile(host).cost_model in ("instructions", "loops") for host in hosts)


@pytest.mark.parametrize("name", MLPERF_TINY)
def test_the_microcontrollers_numbers_follow_from_the_published_table(name):
    clock, rates, energies = MLPERF_TINY[name]
    board = profile(name).numbers
    cycles, spread = cycles_per_mac(clock, rates), board["cycles_per_mac"].spread
    assert board["clock_hz"].value == clock
    assert min(cycles) < board["cycles_per_mac"].value < max(cycles) and spread[0] < spread[1]
    if energies is None:
        assert "power_active_w" not in board
    else:
        powers = [rate * energy * 1e-6 for rate, energy in zip(rates, energies, strict=True)]
        assert board["power_active_w"].value == pytest.approx(mean(powers), rel=2e-3)
        assert board["power_active_w"].range == pytest.approx((min(powers), max(powers)), rel=2e-3)


@pytest.mark.parametrize("name", ["gr712rc", "gr740"])
def test_the_leons_are_extrapolated_from_a_scalar_core(name):
    scalar = profile(name).numbers["cycles_per_mac"]
    assert scalar.value == pytest.approx(mean(cycles_per_mac(*SCALAR)), abs=0.05)
    assert scalar.range == pytest.approx((0.7 * scalar.value, 2 * scalar.value), rel=0.01)


def cycles_per_mac(clock, rates):
    return [clock / rate / macs for rate, macs in zip(rates, MODELS.values(), strict=True)]
