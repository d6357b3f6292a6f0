"""Engines run in processes of their own: one that dies of a file ends its process, not ours, and no engine warms up another."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_runtime.errors import PixieError

LIMIT_S = 1800.0  # of one task; a hundred times what the longest at full scale takes
REFUSED = 3  # exit status of a task whose answer is why there is none
QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "ORT_DISABLE_TELEMETRY": "1"}
Task = Mapping[str, Any]


class Refused(Exception):
    """An engine is not installed, refuses the file or died of it; the text says which and why."""


def ask(module: str, task: Task) -> dict[str, Any]:
    """The answer of `python -m MODULE TASK`, one JSON document each way; `task` names the "task" and, where one runs, the "engine".

    Refused where there is none for a reason of the engine's or the file's; RuntimeError, a defect of ours, where it ends otherwise.
    """
    name = task.get("engine", task["task"])
    try:
        finished = subprocess.run([sys.executable, "-m", module, json.dumps(task)], capture_output=True, text=True, env={**os.environ, **QUIET},
                                  cwd=Path(__file__).parents[1], timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Refused(f"{name} was stopped after {LIMIT_S:.0f} s without an answer") from None
    if finished.returncode < 0:
        raise Refused(f"{name} died of it ({signal.Signals(-finished.returncode).name})")
    if finished.returncode not in (0, REFUSED) or not finished.stdout:
        raise RuntimeError(f"{name} ended with {finished.returncode}: {finished.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    if finished.returncode == REFUSED:
        raise Refused(answer["reason"])
    return answer


def answer(tasks: Mapping[str, Callable[[Task], Mapping[str, Any]]]) -> int:
    """The other end of `ask`: do the task named on the command line, print what it gives and return the exit status."""
    task = json.loads(sys.argv[1])
    try:
        told, status = tasks[task["task"]](task), 0
    except (PixieError, ModuleNotFoundError) as error:
        # Whoever asked names the file.
        told, status = {"reason": str(error).removeprefix(f"{task.get('path', task.get('folder'))}: ").removeprefix("model: ")}, REFUSED
    print(json.dumps(told))
    return status
