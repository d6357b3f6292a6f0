"""What a process of its own finds out about one engine and one file, besides its latency: `python -m benchmarks.probes '{"task": ..., "engine": ...}'`."""

import importlib
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import InputError

from .apart import Task, answer
from .bare import MODULES, Bare, open_bare, random_inputs, told
from .mlperf_tiny import CALLS, WARM_UP, WINDOWS


def describe(task: Task) -> dict[str, Any]:
    """The engine and what the file takes and gives, after one call."""
    bare = _opened(task)
    return {"description": dict(bare.description), "inputs": [asdict(given) for given in bare.inputs], "outputs": [asdict(given) for given in bare.outputs]}


def parts(task: Task) -> dict[str, Any]:
    """µs of setting the inputs, of the call and of getting the outputs, each apart, in a closed loop."""
    bare = _opened(task)
    inputs, clock = random_inputs(bare.inputs, task["seed"]), time.perf_counter_ns
    spent: dict[str, list[float]] = {"set": [], "invoke": [], "get": []}
    end = clock() + int(task["seconds"] * 1e9)
    for number in range(WARM_UP + task["calls"]):
        given = inputs[number % len(inputs)]
        start = clock()
        bare.set(*given)
        handed = clock()
        bare.invoke()
        computed = clock()
        bare.get()
        stop = clock()
        if number >= WARM_UP or stop > end:
            for name, span in (("set", handed - start), ("invoke", computed - handed), ("get", stop - computed)):
                spent[name].append(span / 1e3)
        if stop > end:
            break
    return spent


def batch(task: Task) -> dict[str, Any]:
    """µs of each call for so many items at once; InputError where the file does not take them."""
    bare, items, clock = _opened(task), task["items"], time.perf_counter_ns
    single = [given.shape for given in bare.outputs]
    bare.batch(items)
    inputs = random_inputs(bare.inputs, task["seed"], items)
    with told(task["engine"], Path(task["path"])):
        found = bare.run(*inputs[0])
    shapes = [one.shape for one in found]
    if any(shape != (before[0] * items, *before[1:]) for shape, before in zip(shapes, single, strict=True) if before):
        raise InputError(task["path"], "batch", f"cannot be resized: {items} items give outputs of {shapes}, one gives {single}")
    spent, end = [], clock() + int(task["seconds"] * 1e9)
    for number in range(WARM_UP + task["calls"]):
        given = inputs[number % len(inputs)]
        start = clock()
        bare.run(*given)
        stop = clock()
        if number >= WARM_UP or stop > end:
            spent.append((stop - start) / 1e3)
        if stop > end:
            break
    return {"us": spent}


def memory(task: Task) -> dict[str, Any]:
    """Peak resident kB of this process: with the engine alone where `path` is None, else with the file loaded and run."""
    if task["path"] is None:
        importlib.import_module(MODULES[task["engine"]][1])
    else:
        bare = _opened(task)
        given, = random_inputs(bare.inputs, task["seed"])[:1]
        for _ in range(WARM_UP):
            bare.run(*given)
    with open("/proc/self/status", encoding="ascii") as file:
        return {"peak_kb": next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))}


def arena(task: Task) -> dict[str, Any]:
    """Bytes of memory that LiteRT's plan gives the tensors that are computed, without a delegate: those that share a place count once.

    A delegate keeps tensors of its own, which the interpreter does not show.
    """
    bare: Any = open_bare(task["engine"], Path(task["path"]), delegates=False)
    interpreter = bare.interpreter
    fresh = type(interpreter)(model_path=task["path"])  # before its tensors are allocated only constants have a place
    constants = {detail["index"] for detail in fresh.get_tensor_details() if _place(fresh, detail["index"])}
    places = [_place(interpreter, detail["index"]) for detail in interpreter.get_tensor_details() if detail["index"] not in constants]
    total = reach = 0
    for start, stop in sorted(place for place in places if place is not None):
        total += max(0, stop - max(start, reach))
        reach = max(reach, stop)
    return {"bytes": total}


def mlperf(task: Task) -> dict[str, Any]:
    """Calls in a second in each window, the inputs set before it: MLPerf Tiny times inference alone."""
    bare = _opened(task)
    inputs = random_inputs(bare.inputs, task["seed"])
    bare.set(*inputs[0])
    for _ in range(WARM_UP):
        bare.invoke()
    rates = []
    for window in range(WINDOWS):
        bare.set(*inputs[window % len(inputs)])
        start = time.perf_counter_ns()
        for _ in range(CALLS):
            bare.invoke()
        rates.append(CALLS / (time.perf_counter_ns() - start) * 1e9)
    return {"per_second": rates}


def _opened(task: Task) -> Bare:
    """The engine with the file, after one call: what an engine refuses it may refuse only then."""
    path = Path(task["path"])
    bare = open_bare(task["engine"], path, task.get("threads", 1))
    given = random_inputs(bare.inputs, task["seed"])[0]
    with told(task["engine"], path):
        bare.run(*given)
    return bare


def _place(interpreter: Any, index: int) -> tuple[int, int] | None:
    """First and last address of a tensor, None where it has none."""
    try:
        view = interpreter.tensor(index)()
    except ValueError:
        return None
    if not isinstance(view, np.ndarray):  # a single number comes as a copy
        return None
    return view.ctypes.data, view.ctypes.data + view.nbytes


if __name__ == "__main__":
    sys.exit(answer({"describe": describe, "parts": parts, "batch": batch, "memory": memory, "arena": arena, "mlperf": mlperf}))
