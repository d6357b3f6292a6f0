"""Time per window: every engine in a process of its own, first call, hot loop and at the instrument's own pace; and what Pixie adds to the bare call.

Run as a module it is that process: `python -m benchmarks.latency '{"task": "time", "engine": ..., ...}'` prints one JSON document.
"""

import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.counts import SAMPLE_TIME, Stretch
from edge_runtime.errors import MissingError
from edge_runtime.frames import FRAME_TIME_NS
from edge_runtime.preprocess import WINDOW_SAMPLES, Windows

from .apart import Refused, Task, answer, ask
from .bare import Run, bare_call, open_bare, random_inputs, told
from .environment import on
from .results import Record, Stage

PACE = WINDOW_SAMPLES * SAMPLE_TIME  # s: one window every 10.4 ms
FRAME_PACE = FRAME_TIME_NS * 1e-9  # s: one frame of the focal surface every 40.96 ms
SWEEP_BYTES = 16 << 20  # read between paced calls: another program had the caches meanwhile
STARTS = 3  # processes per engine, each giving one first call
FEWEST = 10  # paced calls, however slow the pace
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Effort:
    """How much is measured: calls of the hot loop (and its longest duration, s), of one paced at PACE, and pairs for what Pixie adds."""

    hot_calls: int
    hot_seconds: float
    paced_calls: int
    pairs: int


EFFORT = {"demo": Effort(5_000, 1.5, 200, 4_000), "full": Effort(50_000, 30.0, 5_000, 40_000)}


def latency(folder: Path, engines: tuple[str, ...], inputs: tuple[np.ndarray, ...] | None, scratch: Path, scale: str, seed: int, prefix: str = "latency",
            pace: float = PACE, threads: int = 1) -> Stage:
    """Distributions of every engine on the model in `folder`, which may be a bare .tflite or .onnx file.

    `inputs` [n, ...], one array for each input of the model, are used in turn; None: random ones, for a bare file; `scratch` is a folder to hand
    them over. Ids begin with `prefix`: "latency" for the bundle, whose figure and table these are.

    An engine that is not installed, refuses the file or dies of it is left out and named in a note.
    """
    from .statistics import LEVELS  # here: who is timed in a process of its own shall not wait for SciPy

    handed = None
    if inputs is not None:
        handed = scratch / "inputs.npz"
        np.savez(handed, *inputs)
    records: list[Record] = []
    drawn: dict[str, Any] = {}
    rows, notes = [], []
    for engine in engines:
        runs = [_timed(folder, engine, handed, None if start else EFFORT[scale], pace, threads, seed) for start in range(STARTS)]
        missing = next((one["missing"] for one in runs if "missing" in one), None)
        if missing is not None:
            notes.append(f"engine {engine} was not timed: {missing}")
            continue
        first = runs[0]
        name, place = f"{prefix}.{engine}", on(first["description"], threads)
        source = "benchmarks/latency.py; set input, invoke, read outputs; time.perf_counter_ns"
        firsts = [float(one["first_call_us"]) for one in runs]
        records += [Record(f"{name}.first_call", float(np.median(firsts)), "µs", "measured", place, None, len(firsts), seed,
                           f"{source}; median of {len(firsts)} processes, after loading"),
                    Record(f"{name}.load", float(np.median([one["load_ms"] for one in runs])), "ms", "measured", place, None, len(firsts), seed,
                           "import of the engine and loading of the file; median over processes")]
        for mode, words in (("hot", f"closed loop, {first['warm_up']} calls before it not counted"),
                            ("paced", f"one call every {1e3 * pace:.1f} ms, {SWEEP_BYTES >> 20} MB read in between")):
            calls = np.asarray(first[mode], float)
            records += [percentile_record(f"{name}.{mode}.p{level}", calls, level, place, seed, f"{source}; {words}") for level in PERCENTILES]
        if first["late"] > 0.05 * len(first["paced"]):
            notes.append(f"engine {engine} did not keep the pace: {first['late']} of {len(first['paced'])} paced calls began late")
        drawn[engine] = {**{mode: [round(float(v), 2) for v in np.percentile(first[mode], LEVELS)] for mode in ("hot", "paced")},
                         "first_call": [round(one, 1) for one in firsts]}
        percentiles = [f"{name}.{mode}.p{level}" for mode in ("hot", "paced") for level in PERCENTILES]
        rows.append({"name": engine, "cells": [f"{name}.first_call", *percentiles, f"{name}.load"]})
    table = prefix.replace(".", "_")
    columns = ["engine", "first call", *(f"{mode} p{level}" for mode in ("hot", "paced") for level in PERCENTILES), "import and load"]
    figures: dict[str, Any] = {"notes": notes, "tables": {table: {"columns": columns, "rows": rows, "note": "Intervals: 95 %, bootstrap over calls."}}}
    if drawn and prefix == "latency":
        figures["latency"] = {"levels": list(LEVELS), "engines": drawn}
    return Stage(tuple(records), figures)


def percentile_record(name: str, calls: np.ndarray, level: int, place: str, seed: int, source: str) -> Record:
    """A percentile of calls in µs with its interval; no value where not one call is expected beyond it."""
    from .statistics import percentile_spread

    if level > 50 and calls.size * (100 - level) < 100:
        return Record(name, None, "µs", "measured", place, None, calls.size, seed, f"{source}; too few calls for this percentile")
    return Record(name, float(np.percentile(calls, level)), "µs", "measured", place, percentile_spread(calls, level, seed), calls.size, seed, source)


def hot_loop(model: Path, inputs: tuple[np.ndarray, ...], scratch: Path, scale: str) -> tuple[np.ndarray, str]:
    """µs of each call, float64 [n], of the bare LiteRT interpreter on a .tflite file in a closed loop, one thread; and the engine in words.

    inputs, scratch: as in `latency`. MissingError where LiteRT is not installed.
    """
    np.savez(scratch / "inputs.npz", *inputs)
    found = _timed(model, "litert", scratch / "inputs.npz", replace(EFFORT[scale], paced_calls=0), PACE)
    if "missing" in found:
        raise MissingError("ai-edge-litert", "engine", f"was not timed: {found['missing']}")
    return np.asarray(found["hot"], float), "litert, bare interpreter"


def pixel_windows(seed: int, frames: int = 16) -> np.ndarray:
    """Inputs of a pixel network, int8 [frames, 1, 2304, 48]: successive windows of a simulated scene."""
    from edge_runtime.pixels import WINDOW_FRAMES
    from train.instruments.minieuso.scene import Scene
    from train.pixels.windows import successive_windows

    return successive_windows(Scene(9, WINDOW_FRAMES + frames, seed))


def added(bundle: Path, counts: np.ndarray, scratch: Path, scale: str, seed: int) -> Stage:
    """`runtime.added_us`: counts to flag through the streaming loop less the bare engine call, interleaved in one process; counts uint16 [3, n]."""
    from .statistics import percentile_spread

    np.save(scratch / "counts.npy", counts)
    found = ask(__name__, {"task": "added", "folder": str(bundle.resolve()), "counts": str(scratch / "counts.npy"), "pairs": EFFORT[scale].pairs})
    whole, bare = np.asarray(found["whole_us"]), np.asarray(found["bare_us"])
    extra, place = whole - bare, on(found["description"])
    source = ("benchmarks/latency.py; pairs in one process, order alternating: (Windows.push, Flagger.window) less (set_tensor, invoke, get_tensor) "
              "on the same window")
    measured = (("runtime.added_us", "added by Pixie to the bare engine call", extra), ("runtime.window_us", "counts to flag", whole),
                ("runtime.bare_us", "bare engine call", bare))
    records, rows = [], []
    for name, words, values in measured:
        for identity, level in ((name, 50), (f"{name}.p99", 99)):
            records.append(Record(identity, float(np.percentile(values, level)), "µs", "measured", place, percentile_spread(values, level, seed),
                                  values.size, seed, source))
            rows.append({"name": f"{words}, one window, p{level}", "cells": [identity]})
    return Stage(tuple(records), {"tables": {"runtime": {"columns": ["what", "value"], "rows": rows}}})


def _timed(folder: Path, engine: str, inputs: Path | None, effort: Effort | None, pace: float, threads: int = 1, seed: int = 0) -> dict[str, Any]:
    """What a process of its own says of one engine: loading and first call, and with an effort its loops."""
    task = {"task": "time", "folder": str(folder.resolve()), "engine": engine, "inputs": inputs and str(inputs), "pace": pace, "threads": threads, "seed": seed}
    return _process({**task, "effort": effort and asdict(effort)})


def _process(task: dict[str, Any]) -> dict[str, Any]:
    try:
        return ask(__name__, task)
    except Refused as reason:
        return {"missing": str(reason)}


def _time_engine(task: Task) -> dict[str, Any]:
    name, path, handed = task["engine"], Path(task["folder"]), task["inputs"]
    start = time.perf_counter_ns()
    engine: Any = _engine(name, path, task["threads"]) if path.is_dir() and handed else open_bare(name, path, task["threads"])
    opened = time.perf_counter_ns()
    inputs, run = random_inputs(engine.inputs, task["seed"]) if handed is None else _handed(handed), engine.run
    with told(name, path):
        ready = time.perf_counter_ns()
        run(*inputs[0])
        first = time.perf_counter_ns()
    found: dict[str, Any] = {"load_ms": (opened - start) / 1e6, "first_call_us": (first - ready) / 1e3, "description": described(engine.description)}
    if task["effort"]:
        effort = Effort(**task["effort"])
        warm_up = _loop(run, inputs, 1_000, 0.3)
        found |= {"warm_up": len(warm_up), "hot": _loop(run, inputs, effort.hot_calls, effort.hot_seconds)}
        calls = max(FEWEST, round(effort.paced_calls * PACE / task["pace"])) if effort.paced_calls else 0
        found["paced"], found["late"] = _paced(run, inputs, calls, task["pace"])
    return found


def _engine(name: str, folder: Path, threads: int) -> Any:
    from edge_runtime import engines

    return engines.load(name, folder, threads)


def _handed(file: str) -> list[tuple[np.ndarray, ...]]:
    with np.load(file) as archive:
        together = [archive[name] for name in archive.files]
    return [tuple(np.ascontiguousarray(one[number:number + 1]) for one in together) for number in range(len(together[0]))]


def _loop(run: Run, inputs: list[tuple[np.ndarray, ...]], calls: int, seconds: float) -> list[float]:
    """µs of each call, until `calls` are made or `seconds` are over."""
    spent, clock, end = [], time.perf_counter_ns, time.perf_counter_ns() + int(seconds * 1e9)
    for number in range(calls):
        given = inputs[number % len(inputs)]
        start = clock()
        run(*given)
        stop = clock()
        spent.append((stop - start) / 1e3)
        if stop > end:
            break
    return spent


def _paced(run: Run, inputs: list[tuple[np.ndarray, ...]], calls: int, pace: float) -> tuple[list[float], int]:
    """µs of each call, one every `pace` seconds, and how many began late; in between the caches are swept and the process sleeps.

    Calls that cannot keep the pace end after twice the time that they should take.
    """
    spent, late, clock, sweep = [], 0, time.perf_counter_ns, np.ones(SWEEP_BYTES >> 3, np.int64)
    due = clock()
    end = due + 2 * calls * int(pace * 1e9)
    for number in range(calls):
        given = inputs[number % len(inputs)]
        sweep.sum()
        due += int(pace * 1e9)
        left = (due - clock()) / 1e9
        late += left < 0
        time.sleep(max(0.0, left))
        start = clock()
        run(*given)
        stop = clock()
        spent.append((stop - start) / 1e3)
        if stop > end:
            break
    return spent, late


def _time_added(task: Task) -> dict[str, Any]:
    from ai_edge_litert.interpreter import Interpreter

    from edge_runtime import engines
    from edge_runtime.bundle import open_photometers
    from edge_runtime.stream import Flagger

    counts, folder = np.load(task["counts"]), Path(task["folder"])
    bundle = open_photometers(folder)
    engine = engines.load("litert", folder, threads=1)
    flagger, tiler = Flagger(bundle, engine), Windows()
    call = bare_call(Interpreter(model_path=str(folder / "model.tflite"), num_threads=1))
    windows = counts.shape[1] // WINDOW_SAMPLES
    stretches = [np.ascontiguousarray(counts[:, number * WINDOW_SAMPLES:(number + 1) * WINDOW_SAMPLES]) for number in range(windows)]
    codes = [np.ascontiguousarray(bundle.tables.quantise(part).T)[None, None] for part in stretches]
    clock = time.perf_counter_ns

    def whole(number: int) -> int:
        part = stretches[number % windows]
        start = clock()
        for window in tiler.push(Stretch(part, None, number * WINDOW_SAMPLES // 8320, number * WINDOW_SAMPLES)):
            flagger.window(window)
        return clock() - start

    def bare(number: int) -> int:
        window = codes[number % windows]
        start = clock()
        call(window)
        return clock() - start

    spent: dict[str, list[float]] = {"whole_us": [], "bare_us": []}
    warm_up, pairs = 300, task["pairs"]
    for number in range(warm_up + pairs):
        pair = (whole(number), bare(number)) if number % 2 else (bare(number), whole(number))[::-1]
        if number >= warm_up:
            spent["whole_us"].append(pair[0] / 1e3)
            spent["bare_us"].append(pair[1] / 1e3)
    return {**spent, "description": described(engine.description), "windows": flagger.windows}


def described(description: Any) -> str:
    """An engine's description in words."""
    return ", ".join(f"{value}" if key == "name" else f"{key.replace('_', ' ')} {value}" for key, value in dict(description).items()
                     if value is not None)


if __name__ == "__main__":
    sys.exit(answer({"time": _time_engine, "added": _time_added}))
