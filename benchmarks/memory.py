"""Resident memory of the flight process over ten minutes of stream, and how many times faster than the instrument it is.

The stream is fed through a pipe, so what is measured is the command as it runs on board: `python -m edge_runtime flag BUNDLE -`.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.counts import SAMPLE_TIME

from .environment import on, package_version
from .results import Record, Spread, Stage

MINUTES = 10
SAMPLES_PER_MINUTE = round(60 / SAMPLE_TIME)
REPEATS = {"demo": 1, "full": 3}
BARE_REPEATS = 3
ROOT = Path(__file__).parents[1]
# The engine as its own documentation uses it: import, load, one call. Nothing of ours is imported; then the peak is told.
BARE = """
import sys
import numpy
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
detail = interpreter.get_input_details()[0]
interpreter.set_tensor(detail["index"], numpy.zeros(detail["shape"], detail["dtype"]))
interpreter.invoke()
for output in interpreter.get_output_details():
    interpreter.get_tensor(output["index"])
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")][0])
"""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class StreamRun:
    """One run over the stream, with start-up: wall clock and processor time in s, peak resident kB after the first minute and at the end.

    `candidates`: lines of the catalogue.
    """

    seconds: float
    cpu_seconds: float
    minute_kb: int
    peak_kb: int
    candidates: int


def memory(bundle: Path, counts: np.ndarray, scale: str, seed: int) -> Stage:
    """`runtime.added_rss_mb`, its growth, and `runtime.realtime`; `counts` uint16 [3, n] are repeated until ten minutes are full."""
    bare = sorted(bare_peak_kb(bundle / "model.tflite") for _ in range(BARE_REPEATS))
    runs = [stream_run(bundle, counts, MINUTES) for _ in range(REPEATS[scale])]
    place = on(f"litert {package_version('ai-edge-litert')}")
    base = bare[len(bare) // 2]
    samples = MINUTES * SAMPLES_PER_MINUTE
    source = (f"benchmarks/memory.py; VmHWM of /proc/PID/status; `python -m edge_runtime flag BUNDLE -` over 3 x {samples:,} samples through a pipe, "
              f"simulated mix of {counts.shape[1] * SAMPLE_TIME:.1f} s over and over; {runs[0].candidates} candidates")
    added = [(run.peak_kb - base) / 1e3 for run in runs]
    growth = [(run.peak_kb - run.minute_kb) / 1e3 for run in runs]
    factors = [MINUTES * 60 / run.seconds for run in runs]

    def worst(name: str, values: list[float], unit: str, pick: float, words: str) -> Record:
        spread = Spread(min(values), max(values), f"least and greatest of {len(values)} runs") if len(values) > 1 else None
        return Record(name, pick, unit, "measured", place, spread, len(values), seed, words)

    bare_words = f"numpy and ai_edge_litert imported, the same file loaded and run once; median of {BARE_REPEATS} processes, VmHWM"
    rows = [{"name": words, "cells": [name]} for name, words in (
        ("runtime.realtime", "counts to catalogue, ten minutes of stream"), ("runtime.realtime.cpu", "the same by processor time, undisturbed by others"),
        ("runtime.added_rss_mb", "peak resident memory above the bare engine"),
        ("runtime.added_rss_mb.growth", "of it, gained after the first minute"), ("runtime.peak_rss_mb", "peak resident memory, whole process"),
        ("runtime.bare_rss_mb", "the same of a process with NumPy and the engine alone"))]
    return Stage((
        worst("runtime.added_rss_mb", added, "MB", max(added), f"{source}; less {base / 1e3:.1f} MB of the bare engine's process"),
        worst("runtime.added_rss_mb.growth", growth, "MB", max(growth), f"{source}; peak at the end less peak after the first minute"),
        worst("runtime.peak_rss_mb", [run.peak_kb / 1e3 for run in runs], "MB", max(run.peak_kb for run in runs) / 1e3, source),
        worst("runtime.bare_rss_mb", [kb / 1e3 for kb in bare], "MB", base / 1e3, bare_words),
        worst("runtime.realtime", factors, "times real time", min(factors), f"{source}; instrument time over wall clock, start-up included"),
        worst("runtime.realtime.cpu", [MINUTES * 60 / run.cpu_seconds for run in runs], "times real time", min(MINUTES * 60 / run.cpu_seconds for run in runs),
              f"{source}; instrument time over processor time: what is left of the wall clock's factor when nothing else runs"),
    ), {"tables": {"runtime": {"columns": ["what", "value"], "rows": rows}}})


def bare_peak_kb(model: Path) -> int:
    """Peak resident kB of a process that imports NumPy and LiteRT, loads `model` and runs it once."""
    finished = subprocess.run([sys.executable, "-c", BARE, str(model)], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return int(finished.stdout.splitlines()[-1])


def stream_run(bundle: Path, counts: np.ndarray, minutes: float) -> StreamRun:
    """Feed `minutes` of stream made of `counts` uint16 [3, n] to the flight command; RuntimeError where it ends otherwise than with 0."""
    block = np.ascontiguousarray(counts.T, "<u2").tobytes()
    total, first = (round(span * SAMPLES_PER_MINUTE) * 2 * counts.shape[0] for span in (minutes, min(1.0, minutes / 2)))
    with tempfile.TemporaryDirectory(prefix="pixie-stream-") as name:
        catalogue = Path(name) / "catalogue.jsonl"
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "edge_runtime", "flag", str(bundle.resolve()), "-", "--engine", "litert", "--out", str(catalogue)],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT)
        assert process.stdin is not None and process.stderr is not None  # for the type checker: both are pipes
        minute_kb, peak_kb, cpu_seconds = 0, 0, 0.0
        try:
            for written in range(0, total, len(block)):
                process.stdin.write(block[:min(len(block), total - written)])
                if not minute_kb and written >= first:
                    minute_kb = _peak_kb(process.pid)
            peak_kb = _peak_kb(process.pid)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it ended early; its status and words say why
        while process.poll() is None:
            peak_kb = max(peak_kb, _peak_kb(process.pid))
            cpu_seconds = max(cpu_seconds, _cpu_seconds(process.pid))
            time.sleep(0.001)
        seconds = time.perf_counter() - start
        words = process.stderr.read().decode()
        process.stderr.close()
        if process.returncode:
            raise RuntimeError(f"flag ended with {process.returncode}: {words.strip()[-2000:]}")
        with open(catalogue, encoding="utf-8") as file:
            return StreamRun(seconds, cpu_seconds, minute_kb, peak_kb, sum(1 for _ in file))


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process in s, user and system, 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()  # after the command's name, which may hold blanks
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_kb(pid: int) -> int:
    """VmHWM of a process in kB, 0 where it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), 0)
    except OSError:
        return 0
