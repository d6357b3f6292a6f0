"""Stands in for an engine's process that ends in one way or another: `python -m tests.benchmarks.dying_engine TASK`."""

import os
import signal
import sys
import time

from benchmarks.apart import Task, answer
from edge_runtime.errors import InputError


def refuse(task: Task) -> dict[str, str]:
    raise InputError(task["path"], "model", "LiteRT refuses it (no reason)")


def die(task: Task) -> dict[str, str]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def fail(task: Task) -> dict[str, str]:
    raise KeyError("a defect of ours")


def hang(task: Task) -> dict[str, str]:
    time.sleep(60)
    return {}


def talk(task: Task) -> dict[str, str]:
    print("an engine's own words")
    return {"said": task["engine"]}


if __name__ == "__main__":
    sys.exit(answer({"refuse": refuse, "die": die, "fail": fail, "hang": hang, "talk": talk}))
