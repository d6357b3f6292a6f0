"""Cycles per instruction, the serial share and cycles per multiply-accumulate, from published latencies of processors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw_profiles.fit import amdahl, log_spread
from hw_profiles.profile import path_of, stated
from hw_profiles.published import Row
from hw_profiles.work import works

from .counted import CountedFit, priced
from .held_out import fitted_rows, network_of, table


@dataclass(frozen=True)
class Ratios:
    """What one number is by each of `networks`: `mean`, its spread (None of a single network), and the mean error of each told by the others."""

    mean: float
    spread: tuple[float, float] | None
    error: float
    networks: tuple[str, ...]


def cycles_per_instruction(found: CountedFit) -> tuple[Ratios, float, int]:
    """(cycles per instruction, serial share, rows behind that) of a core, from the rows of its boards.

    Latency x clock / instructions on n threads is c (s + (1 - s) / n). Where no row of the profile's runtime has several counts of threads, s comes from
    another runtime on the same board.
    """
    mine = _rows_of(found.core, fitted_rows())
    threaded = _with_several_threads(mine) or _with_several_threads(_rows_of(found.core, tuple(row for row in table() if not row.same_runtime)))
    share = amdahl(np.array([row.threads for row in threaded]), np.array([row.latency_s for row in threaded]),
                   [f"{row.network} {row.board} {row.runtime}" for row in threaded])
    by_network: dict[str, list[float]] = {}
    for row in mine:
        cycles = row.latency_s * _clock(row) / found.instructions(priced(works(network_of(row))))
        by_network.setdefault(row.network, []).append(float(np.log(cycles / (share + (1 - share) / row.threads))))
    return _ratios({name: float(np.exp(np.mean(logs))) for name, logs in by_network.items()}), share, len(threaded)


def cycles_per_mac(profile_name: str) -> Ratios:
    """Of a microcontroller, from the rows of its own board and runtime."""
    found: dict[str, list[float]] = {}
    for row in fitted_rows():
        if row.profile == profile_name:
            macs = sum(work.macs for work in priced(works(network_of(row))))
            found.setdefault(row.network, []).append(float(np.log(row.latency_s * _clock(row) / macs)))
    return _ratios({name: float(np.exp(np.mean(logs))) for name, logs in found.items()})


def _ratios(found: dict[str, float]) -> Ratios:
    values = np.array(list(found.values()))
    if len(values) == 1:
        return Ratios(float(values[0]), None, float("nan"), tuple(found))
    mean, low, high = log_spread(values)
    others = [np.exp(np.log(np.delete(values, place)).mean()) for place in range(len(values))]
    return Ratios(mean, (low, high), float(np.mean(np.abs(others / values - 1))), tuple(found))


def _rows_of(core: str, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if stated(path_of(row.profile)).inherits == f"{core}-litert"]


def _with_several_threads(rows: Sequence[Row]) -> list[Row]:
    counts: dict[tuple[str, str, str], set[int]] = {}
    for row in rows:
        counts.setdefault((row.network, row.board, row.runtime), set()).add(row.threads)
    return [row for row in rows if len(counts[row.network, row.board, row.runtime]) > 1]


def _clock(row: Row) -> float:
    return row.clock_hz or stated(path_of(row.profile)).numbers["clock_hz"].value
