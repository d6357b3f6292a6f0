"""One engine on one file: latency, its parts, batches, threads, operators and memory. What an engine cannot do or does not tell stands in a note."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import environment, mlperf_tiny
from .apart import Refused, ask
from .latency import Effort, described, latency, percentile_record
from .results import Record, Spread, Stage
from .statistics import percentile_spread

STARTS = 3  # processes whose memory is read
ITEMS = (1, 2, 4, 8, 16, 32, 64)
SLOW_US = 1e5  # a batch whose call takes longer is the last that is tried
SHORT = {"demo": (1_000, 0.4), "full": (20_000, 5.0)}  # calls and at most seconds of parts, of a batch and of a number of threads
OPERATOR_SECONDS = {"demo": 4.0, "full": 40.0}
COARSE = 20  # steps of the clock: a call that is shorter is known to 5 % at best
ENGINES_NOTE = "Delegated: operators of the file that a delegate runs; a dash where the engine does not tell."


@dataclass(frozen=True)
class Job:
    """What is measured. `file`: what the engine reads; `wanted_threads` None: one, and a sweep; `pace` in s."""

    slug: str
    engine: str
    file: Path
    wanted_threads: int | None
    pace: float
    scale: str
    seed: int

    @property
    def threads(self) -> int:
        """Of all measurements but the sweep."""
        return self.wanted_threads or 1

    def ask(self, task: str, module: str = "benchmarks.probes", **more: Any) -> dict[str, Any]:
        """The answer of a process of its own; Refused where there is none."""
        common = {"task": task, "engine": self.engine, "path": str(self.file.resolve()), "seed": self.seed, "threads": self.threads}
        return ask(module, {**common, **more})


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def everything(job: Job) -> list[Stage]:
    """All of it; Refused where the engine does not take the file."""
    facts, on = _facts(job)
    timed = _latency(job)
    steps: tuple[tuple[str, Callable[[Job, str], Stage]], ...] = (
        ("parts of a call", _parts), ("batches", _batches), ("threads", _threads), ("times of operators", _operators), ("memory", _memory))
    return [timed, facts, *(_tried(words, step, job, on) for words, step in steps)]


def mlperf(job: Job) -> list[Stage]:
    """Calls in a second as MLPerf Tiny takes them; Refused where the engine does not take the file."""
    facts, on = _facts(job)
    rates = job.ask("mlperf")["per_second"]
    name = f"mlperf_of.{job.slug}.{job.engine}"
    calls = mlperf_tiny.WINDOWS * mlperf_tiny.CALLS
    middle, words = float(np.median(rates)), f"least and greatest of {len(rates)} windows"
    source = f"benchmarks/probes.py; {mlperf_tiny.WARM_UP} calls to warm up, {calls:,} in {mlperf_tiny.WINDOWS} windows, inputs set before; median window"
    records = (Record(name, middle, "per second", "measured", on, Spread(min(rates), max(rates), words), calls, job.seed, source),
               Record(f"{name}.us", 1e6 / middle, "µs", "measured", on, Spread(1e6 / max(rates), 1e6 / min(rates), words), calls, job.seed, source))
    row = {"name": job.engine, "cells": [record.id for record in records]}
    note = "The calls of MLPerf Tiny's anomaly detection, not its harness: no submission, and no accuracy or energy is claimed."
    return [Stage(records, _table("mlperf_of", job, ["engine", "inferences", "time of one"], [row], note)), facts]


def _tried(words: str, step: Callable[[Job, str], Stage], job: Job, on: str) -> Stage:
    try:
        return step(job, on)
    except Refused as reason:
        return _noted(job, f"no {words}: {reason}")


def _facts(job: Job) -> tuple[Stage, str]:
    """The engine and what the file takes and gives; and `on` of the records."""
    told = job.ask("describe")
    description = told["description"]
    on = environment.on(described(description), job.threads)
    name = f"engine_of.{job.slug}.{job.engine}"
    records = tuple(Record(f"{name}.{end}", description[end], "operators", "measured", on, None, 1, job.seed, "benchmarks/bare.py; what the engine says")
                    for end in ("operators", "delegated_operators") if description[end] is not None)
    ends = "; ".join(f"{side} {', '.join(_end(one) for one in told[side])}" for side in ("inputs", "outputs"))
    row = {"name": f"{job.engine} {description['version']}, kernel set {description['kernel_set']}",
           "cells": [*(record.id for record in records), *[None] * (2 - len(records))]}
    note = f"As {job.engine} has them: {ends}. {ENGINES_NOTE}"
    return Stage(records, _table("engine_of", job, ["engine", "operators", "delegated"], [row], note)), on


def _latency(job: Job) -> Stage:
    with tempfile.TemporaryDirectory() as scratch:
        stage = latency(job.file, (job.engine,), None, Path(scratch), job.scale, job.seed, f"latency_of.{job.slug}", job.pace, job.threads)
    if not stage.records:
        raise Refused("; ".join(stage.figures["notes"]))
    notes = [f"{job.slug}: {note}" for note in stage.figures["notes"]]
    call_ns = next(float(record.value or 0) for record in stage.records if record.id.endswith(".hot.p50")) * 1e3
    step_ns = environment.timer_resolution_ns()
    if call_ns < COARSE * step_ns:
        notes.append(f"{job.slug}: a call on {job.engine} lasts {call_ns:.0f} ns, steps of the clock {step_ns} ns; MLPerf Tiny's way times many at once")
    return Stage(stage.records, {**stage.figures, "notes": notes})


def _parts(job: Job, on: str) -> Stage:
    calls, seconds = SHORT[job.scale]
    told = job.ask("parts", calls=calls, seconds=seconds)
    source = "benchmarks/probes.py; closed loop, each part timed apart, so their sum holds the clock three times"
    records = [percentile_record(f"parts_of.{job.slug}.{job.engine}.{part}", np.asarray(spent), 50, on, job.seed, source) for part, spent in told.items()]
    row = {"name": job.engine, "cells": [record.id for record in records]}
    note = "Medians of a closed loop. ONNX Runtime: through an IO binding, whose set takes the array over without a copy."
    return Stage(tuple(records), _table("parts_of", job, ["engine", "set inputs", "invoke", "get outputs"], [row], note))


def _batches(job: Job, on: str) -> Stage:
    calls, seconds = SHORT[job.scale]
    records: list[Record] = []
    rows, notes = [], []
    for items in ITEMS:
        try:
            spent = np.asarray(job.ask("batch", items=items, calls=calls, seconds=seconds)["us"])
        except Refused as reason:
            notes.append(f"{job.slug} on {job.engine}: no batch of {items}: {reason}")
            break
        name = f"batch_of.{job.slug}.{job.engine}.{items}"
        call = percentile_record(name, spent, 50, on, job.seed, f"benchmarks/probes.py; {items} items in a call, closed loop; median")
        records += [call, replace(call, id=f"{name}.item", value=(call.value or 0) / items, spread=call.spread and replace(
            call.spread, low=call.spread.low / items, high=call.spread.high / items), source=f"{call.source} over {items} items")]
        rows.append({"name": f"{job.engine}, {items} item{'s' if items > 1 else ''}", "cells": [name, f"{name}.item"]})
        if (call.value or 0) > SLOW_US:
            break
    return Stage(tuple(records), {**_table("batch_of", job, ["engine and batch", "a call", "an item"], rows), "notes": notes})


def _threads(job: Job, on: str) -> Stage:
    if job.wanted_threads is not None:
        return Stage(())
    if job.engine == "reference":
        return _noted(job, "no threads: the engine takes no number of them")
    calls, seconds = SHORT[job.scale]
    effort = Effort(calls, seconds, 0, 0)
    records: list[Record] = []
    rows = []
    for count in _counts(cores()):
        told = job.ask("time", "benchmarks.latency", folder=str(job.file.resolve()), inputs=None, pace=job.pace, threads=count, effort=asdict(effort))
        name = f"threads_of.{job.slug}.{job.engine}.{count}"
        record = percentile_record(name, np.asarray(told["hot"]), 50, environment.on(told["description"], count), job.seed,
                                   "benchmarks/latency.py; closed loop; median")
        gain = (records[0].value or 0) / record.value if records and record.value else 1.0
        records += [record, replace(record, id=f"{name}.gain", value=gain, unit="x", spread=None, source="median of one thread over this one")]
        rows.append({"name": f"{job.engine}, {count} thread{'s' if count > 1 else ''}", "cells": [name, f"{name}.gain"]})
    return Stage(tuple(records), _table("threads_of", job, ["engine and threads", "a call, hot", "times faster"], rows))


def _operators(job: Job, on: str) -> Stage:
    if job.engine == "reference":
        return _noted(job, "no times of operators: the engine gives none")
    profiled = job.engine == "onnxruntime"
    calls, _ = SHORT[job.scale]
    told = job.ask("profiled" if profiled else "cut", "benchmarks.per_operator", seconds=OPERATOR_SECONDS[job.scale], calls=calls)
    name = f"operators_of.{job.slug}.{job.engine}"
    source = "benchmarks/per_operator.py; " + (
        "mean of ONNX Runtime's own profile, whole µs rounded down" if profiled else "what the call grows by when the file is cut behind this operator; median")
    call = [(f"{name}.call", "the call, without operators", told["call"])] if "call" in told else []
    records, rows = [], []
    for identity, words, spent in (*call, *((f"{name}.{number}", f"{number} {kind}", spent)
                                            for number, (kind, spent) in enumerate(zip(told["names"], told["us"], strict=True)))):
        if spent is not None:
            records.append((_mean if profiled else _median_of_rounds)(identity, np.asarray(spent, float), on, job.seed, source))
        rows.append({"name": words, "cells": [None if spent is None else identity]})
    note = ("ONNX Runtime's own profile, after its optimiser: mean, whole µs rounded down, and slower for being watched." if profiled else
            "The interpreter shows Python no profiler: the file was cut behind each operator, and a time is what the call grows by with it. "
            "Operators that the engine joins show at the first of them, and the next may show less than nothing. A dash: the engine takes no file that "
            "ends there; the time is in that of the next.")
    table = {"columns": ["operator", "time"], "rows": rows, "note": note}
    return Stage(tuple(records), {"tables": {f"operators_of_{job.slug}_{job.engine}": table}})


def _memory(job: Job, on: str) -> Stage:
    name, source = f"memory_of.{job.slug}.{job.engine}", "benchmarks/probes.py"
    alone = [job.ask("memory", path=None)["peak_kb"] / 1e3 for _ in range(STARTS)]
    loaded = [job.ask("memory")["peak_kb"] / 1e3 for _ in range(STARTS)]
    base = float(np.median(alone))
    added = [one - base for one in loaded]

    def record(end: str, values: list[float], words: str) -> Record:
        spread = Spread(min(values), max(values), f"least and greatest of {STARTS} processes")
        return Record(f"{name}.{end}", float(np.median(values)), "MB", "measured", on, spread, STARTS, job.seed, f"{source}; VmHWM; {words}")

    records = [record("added", added, "the file loaded and run, less the engine's process"), record("process", alone, "NumPy and the engine imported, no file")]
    notes = []
    if job.engine in ("litert", "tflite-runtime"):
        try:
            size = job.ask("arena")["bytes"]
            records.append(Record(f"{name}.arena", size, "bytes", "measured", on, None, 1, job.seed,
                                  f"{source}; memory that the interpreter's plan gives computed tensors, places shared counted once, no delegate"))
        except Refused as reason:
            notes.append(f"{job.slug} on {job.engine}: no tensor arena: {reason}")
    cells = [record.id for record in records]
    row = {"name": job.engine, "cells": [*cells, *[None] * (3 - len(cells))]}
    note = (f"Peak of resident memory, medians of {STARTS} processes. Arena: the interpreter's own plan without a delegate, whose tensors it does not show; "
            "ONNX Runtime tells none, see the modelled bytes under sizes.")
    columns = ["engine", "peak above the engine's process", "the engine's process", "tensor arena"]
    return Stage(tuple(records), {**_table("memory_of", job, columns, [row], note), "notes": notes})


def _median_of_rounds(name: str, values: np.ndarray, on: str, seed: int, source: str) -> Record:
    spread = replace(percentile_spread(values, 50, seed), what=f"95 %, bootstrap over {values.size} rounds")
    return Record(name, float(np.median(values)), "µs", "measured", on, spread, values.size, seed, source)


def _mean(name: str, values: np.ndarray, on: str, seed: int, source: str) -> Record:
    middle, half = float(values.mean()), 1.96 * float(values.std()) / values.size**0.5
    spread = Spread(middle - half, middle + half, f"95 %, of the mean over {values.size} calls")
    return Record(name, middle, "µs", "measured", on, spread, values.size, seed, source)


def _counts(most: int) -> list[int]:
    """Numbers of threads that are tried: all up to 8, then doubled."""
    return sorted({count for count in range(1, most + 1) if count <= 8 or count & (count - 1) == 0} | {most})


def _table(what: str, job: Job, columns: list[str], rows: list[dict[str, Any]], note: str = "") -> Mapping[str, Any]:
    return {"tables": {f"{what}_{job.slug}": {"columns": columns, "rows": rows, "note": note}}} if rows else {}


def _noted(job: Job, words: str) -> Stage:
    return Stage((), {"notes": [f"{job.slug} on {job.engine}: {words}"]})


def _end(given: Mapping[str, Any]) -> str:
    return f"{given['name']} {given['dtype']} {'×'.join(map(str, given['shape'])) or 'single'}"
