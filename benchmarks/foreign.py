"""Files that the project did not write, made on the spot by TensorFlow, PyTorch and ONNX Runtime, and what `pixie bench` does with each of them."""

import importlib.util
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from edge_runtime.cli import PIXIE, progress
from edge_runtime.errors import InputError, MissingError

from .apart import QUIET
from .environment import on, package_version
from .results import Record, Stage

WRITERS = ("tensorflow", "torch", "onnxruntime")
SOURCE = "benchmarks/foreign.py; `pixie bench FILE` in a process of its own on files of TensorFlow, PyTorch and ONNX Runtime made on the spot"


def foreign(scratch: Path, seed: int) -> Stage:
    """`bench.foreign`, files benchmarked or refused with a reason, `bench.foreign.crashed`, all others, and one line for each file."""
    folder = scratch / "foreign"
    folder.mkdir()
    return judged(made(folder, seed), folder, seed)


def judged(files: list[Path], folder: Path, seed: int) -> Stage:
    """The same of the files given; their results go to `folder`."""
    ends = {}
    for place, file in enumerate(files, start=1):
        progress(f"[{place}/{len(files)}] {file.name}")
        ends[file.name] = _benched(file, folder / f"{file.name}.json", seed)
    counts = Counter(kind for kind, _ in ends.values())
    writers = ", ".join(f"{name} {package_version(name)}" for name in WRITERS)
    told = f"{SOURCE} ({writers}); {counts['benchmarked']} benchmarked, {counts['refused']} refused with a reason"
    records = (Record("bench.foreign", counts["benchmarked"] + counts["refused"], "count", "measured", on(), None, len(files), seed, told),
               Record("bench.foreign.crashed", counts["crashed"], "count", "measured", on(), None, len(files), seed, told))
    rows = [{"name": words, "cells": [record.id]} for words, record in zip(("benchmarked or refused with a reason", "neither"), records, strict=True)]
    notes = [f"{name}: {kind}{f': {why}' if why else ''}" for name, (kind, why) in ends.items() if kind != "benchmarked"]
    return Stage(records, {"notes": notes, "tables": {"foreign": {"columns": ["files of others", "files"], "rows": rows}}})


def made(folder: Path, seed: int, scripts: tuple[str, ...] = ("foreign_onnx", "foreign_tensorflow")) -> list[Path]:
    """All files, made in `folder`, each writer in a process of its own. MissingError where one is not installed, InputError where it does not make them."""
    for name in WRITERS:
        if importlib.util.find_spec(name) is None:
            raise MissingError(name, "module", "is not installed: pip install 'pixie-onboard[all]'")
    for script in scripts:
        child = subprocess.run([sys.executable, "-m", f"benchmarks.{script}", str(folder.absolute()), str(seed)], cwd=Path(__file__).parents[1],
                               env={**os.environ, **QUIET}, capture_output=True, text=True, check=False)
        if child.returncode:
            last = (child.stderr.strip().splitlines() or ["no word"])[-1]
            raise InputError(folder, script, f"did not make its files, exit status {child.returncode}: {last}; install the versions of constraints.txt")
    return sorted(path for path in folder.iterdir() if path.suffix in (".tflite", ".onnx"))


def _benched(file: Path, out: Path, seed: int) -> tuple[str, str]:
    """"benchmarked", "refused" or "crashed", and why not the first."""
    child = subprocess.run([*PIXIE, "bench", str(file), "--out", str(out), "--seed", str(seed)], capture_output=True, text=True, check=False)
    lines = child.stderr.strip().splitlines()
    if child.returncode == 0 and out.is_file():
        return "benchmarked", ""
    if child.returncode == InputError.status and len(lines) == 1 and not out.exists():
        return "refused", lines[0].removeprefix(f"pixie: {file}: ").replace(f"{file.parent}/", "")  # the scratch folder says nothing
    return "crashed", f"exit status {child.returncode}: {lines[-1] if lines else 'no word'}"
