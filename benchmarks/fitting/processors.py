"""Cycles per instruction, the serial share and cycles per multiply-accumulate, from published latencies of processors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from hw_profiles.fit import amdahl
from hw_profiles.profile import path_of, stated
from hw_profiles.published import Row
from hw_profiles.work import works

from .counted import CORES, counted_fit, priced
from .held_out import fitted_rows, network_of, table

MICROCONTROLLERS = ("cortex-m33", "cortex-m4", "cortex-m7", "cortex-m85")


@dataclass(frozen=True)
class Ratios:
    """One number of a device as several networks tell it: their geometric `mean`, `spread` of one network more (5 and 95 %), and by `networks` the mean
    `error` of each told by the others (NaN of one alone)."""

    mean: float
    spread: tuple[float, float]
    error: float
    networks: tuple[str, ...]


def serial_share(core: str) -> tuple[float, int]:
    """(s of t(n) = t(1) (s + (1 - s) / n), rows behind it); from another runtime on the same board where the profile's has one count of threads alone."""
    rows = _with_several_threads(_rows_of(core, fitted_rows())) or _with_several_threads(_rows_of(core, [row for row in table() if not row.same_runtime]))
    share = amdahl(np.array([row.threads for row in rows]), np.array([row.latency_s for row in rows]),
                   [f"{row.network} {row.board} {row.runtime}" for row in rows])  # fmt: skip
    return share, len(rows)


def cycles_per_instruction() -> dict[str, Ratios]:
    """Of each core, from the rows of its boards: latency x clock / instructions on n threads is c (s + (1 - s) / n)."""
    found = {}
    for core in CORES:
        counted, (share, _) = counted_fit(core), serial_share(core)
        rows = _rows_of(core, fitted_rows())
        calls = [counted.instructions(priced(works(network_of(row)))) * (share + (1 - share) / row.threads) for row in rows]
        found[core] = _by_network([(row, row.latency_s * _clock(row) / call) for row, call in zip(rows, calls, strict=True)])
    return _ratios(found)


def cycles_per_mac() -> dict[str, Ratios]:
    """Of each microcontroller, from the rows of its own boards and runtime."""
    return _ratios({name: _by_network([(row, row.latency_s * _clock(row) / sum(work.macs for work in priced(works(network_of(row)))))
                                       for row in fitted_rows() if row.profile == name]) for name in MICROCONTROLLERS})


def _by_network(values: Sequence[tuple[Row, float]]) -> dict[str, float]:
    """The geometric mean of each network's values."""
    logs: dict[str, list[float]] = {}
    for row, value in values:
        logs.setdefault(row.network, []).append(float(np.log(value)))
    return {name: float(np.exp(np.mean(found))) for name, found in logs.items()}


def _ratios(found: Mapping[str, Mapping[str, float]]) -> dict[str, Ratios]:
    """Few networks are known of each device, so how far networks differ is learned from all of them together; Student's t pays for the few."""
    logs = {name: np.log(list(values.values())) for name, values in found.items()}
    freedom = sum(len(some) - 1 for some in logs.values())
    deviation = np.sqrt(sum(((some - some.mean()) ** 2).sum() for some in logs.values()) / freedom)
    told = {}
    for name, some in logs.items():
        reach = float(t.ppf(0.95, freedom) * deviation * np.sqrt(1 + 1 / len(some)))
        others = [np.delete(some, place).mean() for place in range(len(some))] if len(some) > 1 else [np.nan]
        told[name] = Ratios(float(np.exp(some.mean())), (float(np.exp(some.mean() - reach)), float(np.exp(some.mean() + reach))),
                            float(np.mean(np.abs(np.exp(others - some) - 1))), tuple(found[name]))
    return told


def _rows_of(core: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if stated(path_of(row.profile)).inherits == f"{core}-litert"]


def _with_several_threads(rows: Sequence[Row]) -> list[Row]:
    counts: dict[tuple[str, str, str], set[int]] = {}
    for row in rows:
        counts.setdefault((row.network, row.board, row.runtime), set()).add(row.threads)
    return [row for row in rows if len(counts[row.network, row.board, row.runtime]) > 1]


def _clock(row: Row) -> float:
    return row.clock_hz or stated(path_of(row.profile)).numbers["clock_hz"].value
