"""The cost model of the machine that measures: fitted to EACH of the counted models as they run here, tested on as many others.

Counted models are small; half of those taken, where their input is no vector, are given one LONGER times as long, so that what is fitted and tested
reaches from some 20 us to some 5 ms.
"""

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.apart import Task, answer, ask
from benchmarks.arm.emulate import read_fixture
from benchmarks.arm.models import has_places, longer
from benchmarks.environment import on
from benchmarks.results import Record, Stage
from edge_runtime.graph.structure import Graph
from hw_profiles.fit import non_negative
from hw_profiles.instructions import TERMS, Tile, call_terms
from hw_profiles.work import Work

EACH = 20  # models to fit, and as many to test
SHORTEST_S, LONGEST_S = 10e-6, 20e-3
REPEATS, REPEAT_S = 5, 0.01  # of each model in turn; the least of their medians counts
DRAWN = 0.2  # by so much of one model's weight
LONGER = 16
LEAST_INSTRUCTIONS = 150_000  # on a Cortex-A76: shorter models would end before SHORTEST_S on many machines
# Tiles of XNNPACK's int8 kernels by the first of these flags that the processor has (x86-64, then ARM); the last are those of any other.
TILES = {"avx512bw": Tile(7, 16, 8), "avx2": Tile(3, 8, 8), "asimddp": Tile(4, 16, 4), "": Tile(4, 16, 1)}
# Twenty models cannot tell all terms apart: those of one kernel have one number, in the ratios that they have on the Cortex-A76.
KERNELS = (("call", "operator"), ("product_tile", "product_tap"), ("product_mac",), ("dense_tile", "dense_mac"), ("depthwise_place", "depthwise_tap"),
           ("transposed_start", "transposed_tile", "transposed_tap", "transposed_mac"), ("pool_block", "average_place", "average_element", "average_tap"),
           ("padded_row", "joined_row", "resized_row", "kept_row", "swapped_block"), ("added_element", "element", "scalar_element"))  # fmt: skip
CPUINFO = Path("/proc/cpuinfo")
SOURCE = "benchmarks/fitting/this_host.py"


@dataclass(frozen=True)
class HostFit:
    """The cost model of a machine: seconds of each term, TERMS in their order; the models that it was fitted to and tested on.

    left_out: relative errors of the fitted ones, each told by a fit to the others; errors: those of the tested ones, which take `latencies` (s).
    """

    seconds: np.ndarray
    tile: Tile
    fitted: tuple[str, ...]
    left_out: np.ndarray
    tested: tuple[str, ...]
    errors: np.ndarray
    latencies: np.ndarray


def this_host() -> Stage:
    """`model.host` and its 90th percentile: errors of latencies here that took no part in the fit. Needs LiteRT."""
    return judged(measured(), tile_here())


def measured() -> dict[str, float]:
    """Seconds of a call of each chosen model on this machine: LiteRT, one thread."""
    return dict(ask("benchmarks.fitting.this_host", {"task": "measure", "engine": "litert"})["seconds"])


def chosen() -> tuple[list[str], list[str]]:
    """Names of the counted models to fit and to test, every second of those that spend most of their instructions in the same kernel: a matter of the
    Cortex-A76's instructions and of their names' SHA-256, not of how they run here."""
    counted = read_fixture().models
    names = [name for name, model in counted.items() if model.cores["cortex-a76"].instructions >= LEAST_INSTRUCTIONS]
    names = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:2 * EACH]
    most = dict(zip(names, _features(names, TILES["asimddp"]).argmax(axis=1), strict=True))
    names.sort(key=lambda name: int(most[name]))  # by hash within a kernel, as it was
    names = [f"{name} x{LONGER}" if place % 4 > 1 and has_places(name) else name for place, name in enumerate(names)]  # half of either list
    return names[::2], names[1::2]


def fit_host(seconds: Mapping[str, float], tile: Tile) -> HostFit | None:
    """The cost model of a machine on which models take `seconds` and kernels have that tile; those outside of SHORTEST_S to LONGEST_S are left out, and there
    is none where too few are left."""
    from .counted import counted_fit

    fitted, tested = ([name for name in names if SHORTEST_S <= seconds[name] <= LONGEST_S] for names in chosen())
    if len(fitted) < 2 or not tested:
        return None
    relative = _features(fitted, tile) / np.array([seconds[name] for name in fitted])[:, None]
    numbers, values = _seconds_of(relative), np.array([seconds[name] for name in tested])
    left_out = [abs(row @ _seconds_of(np.delete(relative, place, axis=0)) - 1) for place, row in enumerate(relative)]
    kernel_of = [next(place for place, kernel in enumerate(KERNELS) if term in kernel) for term in TERMS]
    return HostFit(numbers[kernel_of] * counted_fit("cortex-a76").fit.coefficients, tile, tuple(fitted), np.array(left_out), tuple(tested),
                   np.abs(_features(tested, tile) @ numbers / values - 1), values)


def judged(seconds: Mapping[str, float], tile: Tile) -> Stage:
    """`model.host` and its 90th percentile, of the latencies given; see `fit_host`."""
    fit = fit_host(seconds, tile)
    if fit is None:
        return Stage((), {"notes": ["cost model of this machine: fewer than two models to fit, or none to test, take 10 us to 20 ms"]})
    words, count = f"{SOURCE}; {in_words(fit)}", len(fit.tested)
    records = (Record("model.host", float(np.median(fit.errors)), "share", "modelled", on(), None, count, None, f"{words}; median error"),
               Record("model.host.p90", float(np.percentile(fit.errors, 90)), "share", "modelled", on(), None, count, None, f"{words}; 90th percentile"),
               Record("model.host.models", count, "models", "measured", on(), None, count, None, words))
    rows = [{"name": "this machine, models that took no part in the fit", "cells": ["model.host", "model.host.p90"]}]
    return Stage(records, {"tables": {"model_host": {"columns": ["cost model", "median error", "90th percentile"], "rows": rows, "note": words}}})


def in_words(fit: HostFit) -> str:
    """What was fitted and tested, and how."""
    return (f"fitted to {len(fit.fitted)} models, tested on {len(fit.tested)} others of {fit.latencies.min() * 1e6:.0f} to {fit.latencies.max() * 1e6:.0f} us, "
            f"LiteRT, one thread, least of {REPEATS} repeats in turn; kernels' tile {fit.tile.positions} x {fit.tile.output_channels} x "
            f"{fit.tile.input_channels}")


def tile_here() -> Tile:
    """The tile of this machine's kernels, told by its processor's flags."""
    flags = set(CPUINFO.read_text().split())
    return next(tile for flag, tile in TILES.items() if flag in flags or not flag)


def _seconds_of(relative: np.ndarray) -> np.ndarray:
    """Seconds of an instruction of each kernel, from rows of instructions over seconds: least squares, drawn to the speed of all so that a kernel which no
    fitted model has is not free."""
    typical = float(np.median(1 / relative.sum(axis=1)))
    prior = np.diag(np.full(relative.shape[1], DRAWN / typical))
    return non_negative(np.vstack([relative, prior]), np.concatenate([np.ones(len(relative)), np.full(len(prior), DRAWN)]))


def _features(names: list[str], tile: Tile) -> np.ndarray:
    """[models, KERNELS]: instructions of a Cortex-A76 in each kernel, were its tile that one."""
    from .counted import counted_fit

    places = [[TERMS.index(term) for term in kernel] for kernel in KERNELS]
    counts = np.array([list(call_terms(_works(name), tile).values()) for name in names]) * counted_fit("cortex-a76").fit.coefficients
    return np.column_stack([counts[:, kernel].sum(axis=1) for kernel in places])


@cache
def _works(name: str) -> list[Work]:
    from .counted import counted_works, works_of

    return counted_works().get(name) or works_of(_graph(name))


def _graph(name: str) -> Graph:
    name, _, factor = name.partition(" x")
    return longer(name, int(factor or 1))


def _measure(task: Task) -> dict[str, dict[str, float]]:
    """Seconds of a call of each chosen model on LiteRT, one thread: the least of REPEATS medians, taken in turn."""
    from ai_edge_litert.interpreter import Interpreter

    from export.write_tflite import tflite_bytes

    invoke, calls, least = {}, {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in (name for names in chosen() for name in names):
            file = Path(scratch) / f"{name}.tflite"
            file.write_bytes(tflite_bytes(_graph(name)))
            interpreter = Interpreter(model_path=str(file), num_threads=1)
            interpreter.allocate_tensors()
            invoke[name] = interpreter.invoke
            for _ in range(3):
                once = _seconds(interpreter.invoke, 1)
            calls[name], least[name] = max(1, round(REPEAT_S / once)), float("inf")
        for _ in range(REPEATS):
            for name, call in invoke.items():
                least[name] = min(least[name], _seconds(call, calls[name]))
    return {"seconds": least}


def _seconds(call: Callable[[], object], count: int) -> float:
    """The median of so many calls: a process that takes the core for a while spoils no repeat."""
    spent = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return float(np.median(spent))


if __name__ == "__main__":
    sys.exit(answer({"measure": _measure}))
