"""Time per window: every engine in a process of its own, first call, hot loop and at the instrument's own pace; and what Pixie adds to the bare call.

Run as a module it is that process: `python -m benchmarks.latency '{"folder": ..., "engine": ..., ...}'` prints one JSON document.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.counts import SAMPLE_TIME, Stretch
from edge_runtime.errors import MissingError
from edge_runtime.frames import FRAME_TIME_NS
from edge_runtime.preprocess import WINDOW_SAMPLES, Windows

from .environment import on
from .results import Record, Stage
from .statistics import LEVELS, percentile_spread

PACE = WINDOW_SAMPLES * SAMPLE_TIME  # s: one window every 10.4 ms
FRAME_PACE = FRAME_TIME_NS * 1e-9  # s: one frame of the focal surface every 40.96 ms
SWEEP_BYTES = 16 << 20  # read between paced calls: another program had the caches meanwhile
Run = Callable[..., object]
STARTS = 3  # processes per engine, each giving one first call
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Effort:
    """How much is measured: calls of the hot loop (and its longest duration, s), of one paced at PACE, and pairs for what Pixie adds."""

    hot_calls: int
    hot_seconds: float
    paced_calls: int
    pairs: int


EFFORT = {"demo": Effort(5_000, 1.5, 200, 4_000), "full": Effort(50_000, 30.0, 5_000, 40_000)}


def latency(folder: Path, engines: tuple[str, ...], inputs: tuple[np.ndarray, ...], scratch: Path, scale: str, seed: int, prefix: str = "latency",
            pace: float = PACE) -> Stage:
    """Distributions of every engine on the model in `folder`, which may be a bare .tflite file.

    `inputs` [n, ...], one array for each input of the model, are used in turn; `scratch` is a folder to hand them over. Ids begin with
    `prefix`: "latency" for the bundle, whose figure and table these are.

    An engine that is not installed, or refuses the file, is left out and named in a note.
    """
    np.savez(scratch / "inputs.npz", *inputs)
    records: list[Record] = []
    drawn: dict[str, Any] = {}
    rows, notes = [], []
    for engine in engines:
        told = [_timed(folder, engine, scratch / "inputs.npz", None if start else EFFORT[scale], pace) for start in range(STARTS)]
        if "missing" in told[0]:
            notes.append(f"engine {engine} was not timed: {told[0]['missing']}")
            continue
        first = told[0]
        name, place = f"{prefix}.{engine}", on(first["description"])
        source = "benchmarks/latency.py; set input, invoke, read outputs; time.perf_counter_ns"
        firsts = [float(one["first_call_us"]) for one in told]
        records += [Record(f"{name}.first_call", float(np.median(firsts)), "µs", "measured", place, None, len(firsts), seed,
                           f"{source}; median of {len(firsts)} processes, after loading"),
                    Record(f"{name}.load", float(np.median([one["load_ms"] for one in told])), "ms", "measured", place, None, len(firsts), seed,
                           "import of the engine and loading of the file; median over processes")]
        for mode, words in (("hot", f"closed loop, {first['warm_up']} calls before it not counted"),
                            ("paced", f"one call every {1e3 * pace:.1f} ms, {SWEEP_BYTES >> 20} MB read in between")):
            calls = np.asarray(first[mode], float)
            for level in PERCENTILES:
                records.append(Record(f"{name}.{mode}.p{level}", float(np.percentile(calls, level)), "µs", "measured", place,
                                      percentile_spread(calls, level, seed), calls.size, seed, f"{source}; {words}"))
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


def hot_loop(model: Path, inputs: tuple[np.ndarray, ...], scratch: Path, scale: str) -> tuple[np.ndarray, str]:
    """µs of each call, float64 [n], of the bare LiteRT interpreter on a .tflite file in a closed loop, one thread; and the engine in words.

    inputs, scratch: as in `latency`. MissingError where LiteRT is not installed.
    """
    np.savez(scratch / "inputs.npz", *inputs)
    told = _timed(model, "litert", scratch / "inputs.npz", replace(EFFORT[scale], paced_calls=0), PACE)
    if "missing" in told:
        raise MissingError("ai-edge-litert", "engine", f"was not timed: {told['missing']}")
    return np.asarray(told["hot"], float), told["description"]


def pixel_windows(seed: int, frames: int = 16) -> np.ndarray:
    """Inputs of a pixel network, int8 [frames, 1, 2304, 48]: successive windows of a simulated scene."""
    from edge_runtime.pixels import WINDOW_FRAMES
    from train.instruments.minieuso.scene import Scene
    from train.pixels.windows import successive_windows

    return successive_windows(Scene(9, WINDOW_FRAMES + frames, seed))


def added(bundle: Path, counts: np.ndarray, scratch: Path, scale: str, seed: int) -> Stage:
    """`runtime.added_us`: counts to flag through the streaming loop less the bare engine call, interleaved in one process; counts uint16 [3, n]."""
    np.save(scratch / "counts.npy", counts)
    told = _process({"task": "added", "folder": str(bundle.resolve()), "counts": str(scratch / "counts.npy"), "pairs": EFFORT[scale].pairs})
    whole, bare = np.asarray(told["whole_us"]), np.asarray(told["bare_us"])
    extra, place = whole - bare, on(told["description"])
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


def _timed(folder: Path, engine: str, inputs: Path, effort: Effort | None, pace: float) -> dict[str, Any]:
    """What a process of its own says of one engine: loading and first call, and with an effort its loops."""
    told = {"task": "time", "folder": str(folder.resolve()), "engine": engine, "inputs": str(inputs), "pace": pace}
    return _process({**told, "effort": effort and asdict(effort)})


def _process(task: dict[str, Any]) -> dict[str, Any]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    finished = subprocess.run([sys.executable, "-m", "benchmarks.latency", json.dumps(task)], capture_output=True, text=True, env=environment,
                              cwd=Path(__file__).parents[1], check=False)
    if finished.returncode == 3:
        return {"missing": finished.stderr.strip().splitlines()[-1]}
    if finished.returncode:
        raise RuntimeError(f"timing {task.get('engine', 'the loop')} ended with {finished.returncode}: {finished.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return answer


def _time_engine(task: dict[str, Any]) -> dict[str, Any]:
    with np.load(task["inputs"]) as archive:
        together = [archive[name] for name in archive.files]
    inputs = [tuple(np.ascontiguousarray(one[number:number + 1]) for one in together) for number in range(len(together[0]))]
    start = time.perf_counter_ns()
    run, description = _runner(task["engine"], Path(task["folder"]))
    loaded = time.perf_counter_ns()
    run(*inputs[0])
    first = time.perf_counter_ns()
    told: dict[str, Any] = {"load_ms": (loaded - start) / 1e6, "first_call_us": (first - loaded) / 1e3, "description": description}
    if task["effort"]:
        effort = Effort(**task["effort"])
        warm_up = _loop(run, inputs, 1_000, 0.3)
        told |= {"warm_up": len(warm_up), "hot": _loop(run, inputs, effort.hot_calls, effort.hot_seconds),
                 "paced": _paced(run, inputs, round(effort.paced_calls * PACE / task["pace"]), task["pace"])}
    return told


def _runner(engine_name: str, path: Path) -> tuple[Run, str]:
    """What runs one window, and what it is: one of our engines on a folder, or the bare interpreter on a .tflite file."""
    if path.is_dir():
        from edge_runtime import engines

        engine = engines.load(engine_name, path, threads=1)
        return engine.run, _described(engine.description)
    module = importlib.import_module({"litert": "ai_edge_litert.interpreter", "tflite-runtime": "tflite_runtime.interpreter"}[engine_name])
    return bare_call(module.Interpreter(model_path=str(path), num_threads=1)), f"{engine_name}, bare interpreter"


def bare_call(interpreter: Any) -> Run:
    """Set, invoke and get as the engine's own documentation does it."""
    interpreter.allocate_tensors()
    sources = [detail["index"] for detail in interpreter.get_input_details()]
    targets = [detail["index"] for detail in interpreter.get_output_details()]

    def run(*inputs: np.ndarray) -> list[np.ndarray]:
        for source, values in zip(sources, inputs, strict=True):
            interpreter.set_tensor(source, values)
        interpreter.invoke()
        return [interpreter.get_tensor(target) for target in targets]

    return run


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


def _paced(run: Run, inputs: list[tuple[np.ndarray, ...]], calls: int, pace: float) -> list[float]:
    """µs of each call, one every `pace` seconds; in between the caches are swept and the process sleeps."""
    spent, clock, sweep = [], time.perf_counter_ns, np.ones(SWEEP_BYTES >> 3, np.int64)
    due = clock()
    for number in range(calls):
        given = inputs[number % len(inputs)]
        sweep.sum()
        due += int(pace * 1e9)
        time.sleep(max(0.0, (due - clock()) / 1e9))
        start = clock()
        run(*given)
        spent.append((clock() - start) / 1e3)
    return spent


def _time_added(task: dict[str, Any]) -> dict[str, Any]:
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
    return {**spent, "description": _described(engine.description), "windows": flagger.windows}


def _described(description: Any) -> str:
    return ", ".join(f"{value}" if key == "name" else f"{key.replace('_', ' ')} {value}" for key, value in dict(description).items())


def _main() -> int:
    from edge_runtime.errors import PixieError

    task = json.loads(sys.argv[1])
    try:
        told = {"time": _time_engine, "added": _time_added}[task["task"]](task)
    except (PixieError, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        return 3
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
