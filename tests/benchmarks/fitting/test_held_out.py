import hashlib
from collections import Counter
from dataclasses import replace

import pytest

from benchmarks.fitting.held_out import Judged, coverage, fitted_rows, held_out, judged, one_of_each, table
from hw_profiles.cost_model import Interval
from hw_profiles.profile import profile


def test_the_hash_of_a_name_alone_spares_enough_pairs():
    spared = {(row.network, row.board) for row in table() if row.name in held_out()}
    assert len(spared) >= 40
    own = {(row.network, row.board) for row in table() if row.same_runtime}
    for board, count in Counter(board for _, board in own).items():
        names = sorted((network for network, place in own if place == board), key=lambda network: hashlib.sha256(f"{network}@{board}".encode()).hexdigest())
        assert {network for network, place in spared if place == board} == set(names[:round(0.6 * count)] if count >= 4 else ())


def test_no_fit_sees_a_spared_network_on_its_board_whatever_the_threads():
    spared = {(row.network, row.board) for row in table() if row.name in held_out()}
    assert fitted_rows() and not spared & {(row.network, row.board) for row in fitted_rows()}
    assert all(row.same_runtime for row in fitted_rows())


def test_an_interval_holds_what_lies_between_its_ends():
    row = next(row for row in table() if row.board == "raspberry-pi-4b")
    [found] = judged((row,))
    assert found.told.latency_s.lo < found.told.latency_s.p50 < found.told.latency_s.hi and found.width == found.told.latency_s.hi / found.told.latency_s.lo
    told = replace(found.told, latency_s=Interval(2.0, 1.0, 4.0))
    ends = [Judged(replace(row, latency_s=seconds), told) for seconds in (0.99, 1.0, 3.0, 4.01)]
    assert [one.inside for one in ends] == [False, True, True, False] and ends[0].width == 4 and ends[2].error == pytest.approx(1 / 3)
    share, low, high = coverage(ends)
    assert share == 0.5 and 0.1 < low < 0.5 < high < 0.9


def test_a_row_is_judged_at_its_own_clock():
    row = next(row for row in table() if row.clock_hz and row.clock_hz != profile(row.profile).numbers["clock_hz"].value)
    at_its_own, at_the_profiles = judged((row, replace(row, clock_hz=None)))
    ratio = profile(row.profile).numbers["clock_hz"].value / row.clock_hz
    assert at_its_own.told.latency_s.p50 == pytest.approx(at_the_profiles.told.latency_s.p50 * ratio, rel=0.01)


def test_of_threads_on_one_board_the_fewest_speak_for_the_pair():
    rows = tuple(row for row in table() if row.network == "efficientdet-lite2" and row.board == "raspberry-pi-4b" and row.same_runtime)
    assert len(rows) == 4
    [one] = one_of_each(judged(rows))
    assert one.row.threads == 1
