"""Which published latencies take no part in any fit, and how the profiles' intervals hold up on them."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache

from benchmarks.statistics import wilson
from export.on_board import estimate_on
from hw_profiles.cost_model import Estimate
from hw_profiles.known_networks import networks
from hw_profiles.network import Network
from hw_profiles.profile import Profile, profile
from hw_profiles.published import Row, rows

LEAST, SHARE = 4, 0.6  # networks of a board, that some can be spared, and how many of them are: 40 pairs of network and board in all


@dataclass(frozen=True)
class Judged:
    """A published latency beside what the profile says of it."""

    row: Row
    told: Estimate

    @property
    def inside(self) -> bool:
        """Whether the interval holds it."""
        return self.told.latency_s.lo <= self.row.latency_s <= self.told.latency_s.hi

    @property
    def width(self) -> float:
        """Upper end of the interval over the lower."""
        return self.told.latency_s.hi / self.told.latency_s.lo

    @property
    def error(self) -> float:
        """Relative distance of the median from the row."""
        return abs(self.told.latency_s.p50 / self.row.latency_s - 1)


@cache
def table() -> tuple[Row, ...]:
    """The published latencies of int8 networks."""
    return tuple(row for row in rows() if row.dtype == "int8")


@cache
def held_out() -> frozenset[str]:
    """Names of the rows that no fit may see: of each board with LEAST or more networks on the profile's own runtime, all threads of that SHARE of the
    networks whose "network@board" has the smallest SHA-256. No result has a say in it."""
    pairs = defaultdict(set)
    for row in table():
        if row.same_runtime:
            pairs[row.board].add(row.network)
    spared = {(board, network) for board, found in pairs.items() if len(found) >= LEAST
              for network in sorted(found, key=lambda network: _hash(network, board))[:round(SHARE * len(found))]}  # fmt: skip
    return frozenset(row.name for row in table() if row.same_runtime and (row.board, row.network) in spared)


def fitted_rows() -> tuple[Row, ...]:
    """The rows on the profile's own runtime that a fit may see."""
    return tuple(row for row in table() if row.same_runtime and row.name not in held_out())


def judged(chosen: tuple[Row, ...]) -> list[Judged]:
    """Each row beside the estimate of its profile as it stands, at the row's own clock where one is published."""
    return [Judged(row, estimate_on(network_of(row), _board(row), row.threads)) for row in chosen]


def one_of_each(found: list[Judged]) -> list[Judged]:
    """Of each network on a board the row of fewest threads: the others of the pair say the same again."""
    first: dict[tuple[str, str], Judged] = {}
    for one in sorted(found, key=lambda one: (one.row.threads, one.row.name)):
        first.setdefault((one.row.network, one.row.board), one)
    return list(first.values())


def coverage(found: list[Judged]) -> tuple[float, float, float]:
    """Share of the rows that their intervals hold, and its 95 % Wilson interval."""
    hits = sum(one.inside for one in found)
    return hits / len(found), *wilson(hits, len(found))


def _board(row: Row) -> Profile:
    board = profile(row.profile)
    if row.clock_hz is None:
        return board
    return replace(board, numbers={**board.numbers, "clock_hz": replace(board.numbers["clock_hz"], value=row.clock_hz, range=None, spread=None)})


@cache
def _built(name: str) -> Network:
    return networks()[name]()


def network_of(row: Row) -> Network:
    """What the row measured."""
    return _built(row.network)


def _hash(network: str, board: str) -> str:
    return hashlib.sha256(f"{network}@{board}".encode()).hexdigest()
