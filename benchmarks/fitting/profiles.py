"""What the fits say of each profile, and how it is written into the profile's file."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_runtime.files import write_file
from hw_profiles.profile import FOLDER, Number, Profile, names, profile, profile_text, stated

from .counted import CORES, coefficients, counted_fit
from .edgetpu import edgetpu_rows, fit_edgetpu, row_errors
from .held_out import Judged, fitted_rows, held_out, judged, table
from .processors import Ratios, cycles_per_instruction, cycles_per_mac, serial_share

TABLE = "hw_profiles/tables/published.toml"
KNOWN = 5  # latencies of an Edge TPU's host, that its two numbers are known by more than two
LEVEL = 80  # per cent of what was left out that `model_error` covers, as the cost model takes it
MACHINE = "host"  # fitted and validated by what runs on it: benchmarks/host.py
ALONE = "raspberry-pi-3b-plus"  # too few rows to spare any: each is told by the other


def fitted() -> dict[str, dict[str, Number]]:
    """The fitted numbers of each profile's own file, by its stem, with status and source."""
    found: dict[str, dict[str, Number]] = {}
    instructions = cycles_per_instruction()
    for core in CORES:
        counted, (share, threaded) = counted_fit(core), serial_share(core)
        source = f"least squares of relative errors over {counted.source}"
        numbers = {name: fitted_number(value, "instr", source, len(counted.names)) for name, value in coefficients(counted).items()}
        error = f"{LEVEL} % of the models left out one by one are told this well (mean {counted.errors.mean():.1%}, worst {counted.errors.max():.0%}), " \
                f"{counted.source}"  # fmt: skip
        numbers["model_error"] = fitted_number(np.percentile(counted.errors, LEVEL), "share", error, len(counted.names))
        numbers["cycles_per_instruction_int8"] = _ratio(instructions[core], "1", "published latency x clock / instructions of the cost model")
        numbers["serial_share"] = fitted_number(share, "share", f"published latencies on 1 to 4 threads, {TABLE}", threaded)
        found[f"{core}-litert"] = numbers
    for name, ratios in cycles_per_mac().items():
        found[name] = {"cycles_per_mac": _ratio(ratios, "cycle/MAC", "published latency x clock / MAC")}
    return found | _edgetpu()


def validations() -> dict[str, tuple[str, Number]]:
    """For each board with rows that no fit saw: in words what its estimates, as the files stand, were compared with, and their mean error."""
    found: dict[str, list[Judged]] = {}
    for one in judged(tuple(row for row in table() if row.name in held_out())):
        found.setdefault(one.row.profile, []).append(one)
    told = {name: _validation(f"{len(rows)} published latencies that took no part in the fit, of {_listed(one.row.network for one in rows)} ({TABLE})",
                              float(np.mean([one.error for one in rows])), len(rows)) for name, rows in found.items()}  # fmt: skip
    alone = cycles_per_instruction()["cortex-a53"]
    words = f"published latencies of {_listed(alone.networks)}, each told from the other ({TABLE})"
    return {**told, ALONE: _validation(words, alone.error, len(alone.networks))}


def write(numbers: Mapping[str, Mapping[str, Number]]) -> None:
    """Write the numbers into the profiles, then what the profiles are validated by."""
    for stem, own in numbers.items():
        before = stated(_file(stem))
        _save(stem, replace(before, numbers={**own, **{name: number for name, number in before.numbers.items() if name not in own}}))
    for stem, (words, error) in validations().items():
        before = stated(_file(stem))
        _save(stem, replace(before, validation=words, numbers={**before.numbers, "validation_error": error}))


def stale(numbers: Mapping[str, Mapping[str, Number]]) -> list[str]:
    """What the profiles do not say as the fits do, one line each."""
    lines = []
    for stem, own in numbers.items():
        said = stated(_file(stem)).numbers
        lines += [f"{stem}: {name} is {said[name].value if name in said else 'missing'}, the fit says {number.value}"
                  for name, number in own.items() if name not in said or not _same(said[name], number)]
    validated = validations()
    lines += [f"{name}: says that it is validated, and no published latency is its own" for name in names()
              if name not in (*validated, MACHINE) and profile(name).validation != "none"]
    for stem, (words, error) in validated.items():
        before = stated(_file(stem))
        if before.validation != words or "validation_error" not in before.numbers or not _same(before.numbers["validation_error"], error):
            lines.append(f"{stem}: validation differs from {error.value:.3g} of {words}")
    return lines


def fitted_number(value: float, unit: str, source: str, n: int) -> Number:
    """A fitted number of four digits, from n rows."""
    return Number(_rounded(value), unit, "fitted", source, n=n)


def _edgetpu() -> dict[str, dict[str, Number]]:
    fit, rows = fit_edgetpu(), edgetpu_rows(fitted_rows())
    errors, known = row_errors(rows), np.array([sum(other.profile == row.profile for other in rows) >= KNOWN for row in rows])
    models = len({row.network for row in rows})
    words = f"least sum of relative errors over {len(rows)} published latencies of {models} models on {len(fit.call_s)} hosts, {TABLE}"
    error = f"{LEVEL} % of these latencies are told this well by a fit without them; half of those of hosts with {KNOWN} or more {np.median(errors[known]):.1%}"
    array = {"operator_overhead_s": (fit.operator_s, "s", words), "parameter_cache_bytes": (fit.cache_bytes, "B", words),
             "systolic_cycle_factor": (fit.cycle_factor, "1", f"cycles over those of an array that is never idle, {words}"),
             "model_error": (np.percentile(errors, LEVEL), "share", error)}
    found = {"edgetpu": {name: fitted_number(value, unit, source, len(rows)) for name, (value, unit, source) in array.items()}}
    for host, call in fit.call_s.items():
        own = sum(row.profile == host for row in rows)
        found[host] = {"call_overhead_s": fitted_number(call, "s", words, own), "link_bytes_per_s": fitted_number(1 / fit.byte_s[host], "B/s", words, own)}
        if own >= KNOWN:
            least = f"{LEVEL} % of the {known.sum()} latencies of hosts with {KNOWN} or more are told this well by a fit without them"
            found[host]["model_error"] = fitted_number(np.percentile(errors[known], LEVEL), "share", least, int(known.sum()))
    return found


def _ratio(ratios: Ratios, unit: str, what: str) -> Number:
    source = f"{what}, geometric mean over {_listed(ratios.networks)}, {TABLE}; spread of one network more, by Student's t of all such devices together"
    low, high = ratios.spread
    return Number(_rounded(ratios.mean), unit, "fitted", source, (_rounded(low), _rounded(high)), len(ratios.networks))


def _validation(words: str, error: float, n: int) -> tuple[str, Number]:
    return words, fitted_number(error, "share", "mean error of these latencies", n)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _same(said: Number, fit: Number) -> bool:
    """Equal but for the last digits, in which processors differ."""
    mine, its = ((one.value, *(one.spread or ())) for one in (said, fit))
    return (len(mine) == len(its) and all(abs(one - other) <= 2e-3 * max(abs(one), abs(other)) for one, other in zip(mine, its, strict=True))
            and replace(said, value=0.0, spread=None) == replace(fit, value=0.0, spread=None))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _file(stem: str) -> Path:
    return FOLDER / f"{stem}.toml"


def _save(stem: str, profile: Profile) -> None:
    write_file(_file(stem), profile_text(profile))
