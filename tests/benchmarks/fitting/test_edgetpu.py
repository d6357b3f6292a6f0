from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fitting import edgetpu
from benchmarks.fitting.edgetpu import EdgeTpu, edgetpu_rows, fit_edgetpu, row_errors
from benchmarks.fitting.held_out import table

LAW = EdgeTpu(6_000_000, 1.2, 5e-6, {"coral-usb3": 3e-4, "coral-dev-board": 6e-4}, {"coral-usb3": 2e-9, "coral-dev-board": 4e-9})


@pytest.fixture(scope="module")
def lawful():
    """Published rows of two hosts, with the latencies that LAW gives them; one of them spoiled."""
    rows = [row for row in edgetpu_rows(table()) if row.profile in LAW.call_s]
    made = [replace(row, latency_s=edgetpu._seconds(edgetpu._told(row), LAW)) for row in rows]
    return made, [replace(made[0], latency_s=3 * made[0].latency_s), *made[1:]]


def test_what_cannot_be_told_and_other_boards_are_no_rows():
    rows = edgetpu_rows(table())
    assert len(rows) >= 34 and not any(row.network in edgetpu.LEFT_OUT or row.board.startswith(("raspberry", "nucleo")) for row in rows)


def test_the_law_behind_latencies_is_found_again_though_one_is_spoiled(lawful):
    for rows in lawful:
        found = fit_edgetpu(rows)
        assert found.cache_bytes == pytest.approx(LAW.cache_bytes, abs=300_000) and found.cycle_factor == pytest.approx(1.2, rel=0.03)
        assert [found.byte_s[host] for host in LAW.byte_s] == pytest.approx(list(LAW.byte_s.values()), rel=0.05)


def test_each_row_is_told_by_the_others(lawful):
    errors = row_errors(lawful[1][:12])
    assert errors[0] == pytest.approx(2 / 3, abs=0.1) and np.median(errors[1:]) < 0.02


def test_no_array_is_faster_than_one_that_is_never_idle(lawful):
    faster = [replace(row, latency_s=0.3 * row.latency_s) for row in lawful[0]]
    assert fit_edgetpu(faster).cycle_factor >= 1
