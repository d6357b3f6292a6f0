import numpy as np
import pytest

from benchmarks.fitting import processors
from benchmarks.fitting.processors import _ratios, cycles_per_instruction, cycles_per_mac, serial_share


def test_devices_share_how_far_networks_differ_and_not_their_means():
    found = _ratios({"a": {"n": 2.0, "m": 2.2, "k": 1.8}, "b": {"n": 10.0, "m": 10.0}, "c": {"n": 5.0}})
    assert found["a"].mean == pytest.approx((2.0 * 2.2 * 1.8) ** (1 / 3)) and found["c"].mean == pytest.approx(5)
    reach = {name: np.log(one.spread[1] / one.mean) for name, one in found.items()}
    assert reach["a"] < reach["b"] < reach["c"]  # fewer networks leave the mean less certain
    assert found["b"].error == pytest.approx(0) and np.isnan(found["c"].error)


def test_the_spread_holds_nine_of_ten_networks_more():
    rng, inside = np.random.default_rng(1), 0
    for _ in range(1500):
        *seen, more = np.exp(rng.normal(0, 0.3, 3))
        others = np.exp(rng.normal(1, 0.3, 3))
        low, high = _ratios({"a": dict(enumerate(seen)), "b": dict(enumerate(others))})["a"].spread
        inside += low < more < high
    assert 0.87 < inside / 1500 < 0.93


def test_cycles_come_from_rows_that_a_fit_may_see(monkeypatch):
    before, macs = cycles_per_instruction(), cycles_per_mac()
    assert set(before) == set(processors.CORES) and set(macs) == set(processors.MICROCONTROLLERS)
    seen = processors.fitted_rows()
    slower = tuple(row for row in seen if row.board != "raspberry-pi-5") + tuple(
        row.__class__(**{**row.__dict__, "latency_s": 2 * row.latency_s}) for row in seen if row.board == "raspberry-pi-5")
    monkeypatch.setattr(processors, "fitted_rows", lambda: slower)
    after = cycles_per_instruction()
    assert after["cortex-a76"].mean == pytest.approx(2 * before["cortex-a76"].mean) and after["cortex-a72"].mean == pytest.approx(before["cortex-a72"].mean)


@pytest.mark.parametrize(("core", "least"), [("cortex-a53", 8), ("cortex-a72", 8), ("cortex-a76", 8)])
def test_the_serial_share_comes_from_rows_on_several_threads(core, least):
    share, rows = serial_share(core)
    assert 0.05 < share < 0.4 and rows >= least
