"""The Edge TPU's array, parameter cache and hosts, from published latencies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw_profiles.cost_model import FREE, io_bytes, systolic_cycles
from hw_profiles.fit import least_absolute
from hw_profiles.profile import FOLDER, path_of, stated
from hw_profiles.published import Row
from hw_profiles.work import works

from .counted import priced
from .held_out import fitted_rows, network_of, table

CACHES = tuple(range(4_000_000, 8_000_001, 100_000))  # bytes, that are tried
SMALL_BYTES = 6_000_000  # weights of the networks that the second bound is of
# What one array with a cache cannot tell: 57 ms of weights would need a link of more than 860 MB/s.
LEFT_OUT = ("inception-resnet-v2-299",)


@dataclass(frozen=True)
class EdgeTpu:
    """Fitted numbers: of the array, its cycles over those of one that is never idle, and by profile the seconds of a call and of a byte over the link."""

    cache_bytes: float
    cycle_factor: float
    operator_s: float
    call_s: dict[str, float]
    byte_s: dict[str, float]


@dataclass(frozen=True)
class _Told:
    """A row's share of each unknown."""

    row: Row
    cycle_s: float  # of an array that is never idle
    operators: int
    weights: int
    transfer: int


def edgetpu_rows(rows: Sequence[Row]) -> list[Row]:
    """Those of an Edge TPU that its model can tell."""
    return [row for row in rows if stated(path_of(row.profile)).inherits == "edgetpu" and row.same_runtime and row.network not in LEFT_OUT]


def fit_edgetpu(rows: Sequence[Row] | None = None) -> EdgeTpu:
    """The least sum of relative errors over rows (those that a fit may see), with numbers >= 0, for the cache that serves best.

    Not of squares: networks that one array with one cache cannot tell (joins of DenseNet, Inception v1 at the edge of the cache) would have their way.
    """
    return _fit([_told(row) for row in (edgetpu_rows(fitted_rows()) if rows is None else rows)])


def row_errors(rows: Sequence[Row]) -> np.ndarray:
    """Relative error of each row told by all others: its network may stand among them on another host, and its host must."""
    told = [_told(row) for row in rows]
    return np.array([abs(_seconds(one, _fit([other for other in told if other is not one])) / one.row.latency_s - 1) for one in told])


def left_out_errors() -> tuple[list[Row], np.ndarray, np.ndarray]:
    """(rows, relative error of each told without its network, bytes of its weights) over the whole published table."""
    told = [_told(row) for row in edgetpu_rows(table())]
    errors = np.empty(len(told))
    for name in dict.fromkeys(one.row.network for one in told):
        fit = _fit([one for one in told if one.row.network != name])
        for place, one in enumerate(told):
            if one.row.network == name:
                errors[place] = abs(_seconds(one, fit) / one.row.latency_s - 1)
    return [one.row for one in told], errors, np.array([one.weights for one in told])


def _fit(told: Sequence[_Told]) -> EdgeTpu:
    hosts = list(dict.fromkeys(one.row.profile for one in told))
    best: tuple[float, EdgeTpu] | None = None
    for cache in CACHES:
        features = np.zeros((len(told), 2 + 2 * len(hosts)))
        for place, one in enumerate(told):
            host = hosts.index(one.row.profile)
            features[place, [0, 1, 2 + host, 2 + len(hosts) + host]] = one.cycle_s, one.operators, 1, one.transfer + max(0, one.weights - cache)
        relative = features / np.array([one.row.latency_s for one in told])[:, None]
        rest = 1 - relative[:, 0]  # no array is faster than one that is never idle
        found = least_absolute(relative, rest)
        error = float(np.abs(relative @ found - rest).sum())
        if best is None or error < best[0]:
            calls, links = found[2:2 + len(hosts)], found[2 + len(hosts):]
            by_host = (dict(zip(hosts, map(float, some), strict=True)) for some in (calls, links))
            best = error, EdgeTpu(cache, 1 + found[0], found[1], *by_host)
    assert best is not None
    return best[1]


def _seconds(one: _Told, fit: EdgeTpu) -> float:
    streamed = one.transfer + max(0, one.weights - fit.cache_bytes)
    host = one.row.profile
    return one.cycle_s * fit.cycle_factor + one.operators * fit.operator_s + fit.call_s.get(host, 0.0) + streamed * fit.byte_s.get(host, 0.0)


def _told(row: Row) -> _Told:
    numbers, network = stated(FOLDER / "edgetpu.toml").numbers, network_of(row)
    todo = priced(works(network))
    side = int(numbers["systolic_side"].value)
    return _Told(row, sum(systolic_cycles(one, side) for one in todo) / numbers["systolic_clock_hz"].value, sum(one.group not in FREE for one in todo),
                 sum(one.weight_bytes for one in todo), io_bytes(network))
