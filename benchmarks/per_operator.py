"""Time of each operator of a file, in a process of its own: `python -m benchmarks.per_operator '{"task": "cut", ...}'`.

TFLite's interpreter shows Python no profiler. So the file is cut behind each operator, and an operator's time is what the call grows by when it is
added. Engines that join operators (XNNPACK: PAD and CONV_2D) may show the time at the first of them and less than none at the second; the sum is that
of the whole call. ONNX Runtime profiles itself, in whole microseconds rounded down, and is slower for it.
"""

import json
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import InputError
from edge_runtime.files import read_bytes

from .apart import Task, answer
from .bare import LIMIT, open_bare, random_inputs, told

MOST_OPERATORS, MOST_BYTES = 300, 1 << 30  # of a file, and of all its cuts together: more would not be measured in a minute
ROUNDS, BLOCK_S = 25, 200e-6  # measurements of each cut, in turn; about how long one lasts
WARM_UP = 3  # calls before each
_OUTPUTS, _OPERATORS = 8, 10  # places of SubGraph.outputs and .operators in its table: tensorflow/compiler/mlir/lite/schema/schema.fbs


def cut(task: Task) -> dict[str, Any]:
    """µs by which the call grows with each operator, one value a round, and of a call without any: {"names", "call": [r], "us": [n][r]}.

    An operator behind which the engine takes no end (XNNPACK: a DEQUANTIZE of half floats) has None: its time is in that of the next.
    """
    path = Path(task["path"])
    data = read_bytes(path, LIMIT)
    names = _names(path, data)
    if len(names) > MOST_OPERATORS or len(names) * len(data) > MOST_BYTES:
        raise InputError(path, "operators", f"are {len(names)} of a file of {len(data):,} bytes, too many to cut it behind each")
    with tempfile.TemporaryDirectory() as folder:
        calls = {}
        for keep in range(len(names) + 1):
            part = Path(folder) / f"{keep}.tflite"
            part.write_bytes(cut_behind(data, keep))
            try:
                bare = open_bare(task["engine"], part, task["threads"])
                with told(task["engine"], path):
                    bare.set(*random_inputs(bare.inputs, task["seed"])[0])
                    bare.invoke()
            except InputError:
                if keep in (0, len(names)):
                    raise
                continue
            calls[keep] = bare.invoke
        rounds = _in_turn(list(calls.values()), task["seconds"])
    grown = dict(zip(list(calls)[1:], np.diff(rounds, axis=1).T.tolist(), strict=True))
    return {"names": names, "call": rounds[:, 0].tolist(), "us": [grown.get(keep) for keep in range(1, len(names) + 1)]}


def profiled(task: Task) -> dict[str, Any]:
    """µs of each node of an ONNX file as ONNX Runtime's own profile has them: {"names", "us": [n][calls]}."""
    import onnxruntime

    path = Path(task["path"])
    with tempfile.TemporaryDirectory() as folder, told(task["engine"], path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = task["threads"], 1, 3
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        bare = open_bare("onnxruntime", path, task["threads"])
        given = dict(zip((end.name for end in session.get_inputs()), random_inputs(bare.inputs, task["seed"])[0], strict=True))
        end = time.perf_counter() + task["seconds"]
        calls = 0
        while calls < 10 * WARM_UP or (time.perf_counter() < end and calls < task["calls"]):
            session.run(None, given)
            calls += 1
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes: dict[tuple[int, str, str], list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            arguments = event["args"]
            nodes.setdefault((int(arguments["node_index"]), arguments["op_name"], event["name"].removesuffix("_kernel_time")), []).append(event["dur"])
    return {"names": [kind for _, kind, _ in nodes], "us": [spent[WARM_UP:] for spent in nodes.values()]}


def cut_behind(data: bytes, keep: int) -> bytes:
    """A TFLite file that ends after its first `keep` operators; its outputs are what the others would have read.

    Only the list of operators is shortened and a list of outputs added at the end: constants keep their places, and with them their alignment.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.Model.GetRootAs(data, 0).Subgraphs(0)
    operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    made = {int(tensor) for operator in operators[:keep] for tensor in operator.OutputsAsNumpy()}
    read = {int(tensor) for operator in operators[keep:] for tensor in operator.InputsAsNumpy()} | set(graph.OutputsAsNumpy().tolist())
    outputs = sorted(made & read) or [graph.Inputs(0)]
    table, shorter = graph._tab, bytearray(data)
    struct.pack_into("<I", shorter, table.Vector(table.Offset(_OPERATORS)) - 4, keep)
    shorter += bytes(-len(shorter) % 4)
    field = table.Pos + table.Offset(_OUTPUTS)
    struct.pack_into("<I", shorter, field, len(shorter) - field)
    return bytes(shorter + struct.pack(f"<I{len(outputs)}i", len(outputs), *outputs))


def _names(path: Path, data: bytes) -> list[str]:
    """Kinds of the operators of the first subgraph, in their order."""
    from ai_edge_litert import schema_py_generated as schema

    words = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    if graph is None or graph.OperatorsLength() == 0 or graph.InputsLength() == 0:
        raise InputError(path, "operators", "are none that take an input; nothing can be cut")
    codes = [model.OperatorCodes(graph.Operators(index).OpcodeIndex()) for index in range(graph.OperatorsLength())]
    return [words.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown") for code in codes]


def _in_turn(calls: list[Any], seconds: float) -> np.ndarray:
    """µs of each call, float64 [rounds, calls], each the mean of a block; in turn, so that what slows the machine slows them alike."""
    clock = time.perf_counter_ns
    alone = []
    for call in calls:
        start = clock()
        call()
        alone.append((clock() - start) / 1e9)
    blocks = [max(1, min(200, round(BLOCK_S / max(one, 1e-9)))) for one in alone]
    once = sum((WARM_UP + block) * one for block, one in zip(blocks, alone, strict=True))
    rounds = np.empty((max(3, min(ROUNDS, int(seconds / once))), len(calls)))
    for row in rounds:
        for place, (call, block) in enumerate(zip(calls, blocks, strict=True)):
            for _ in range(WARM_UP):
                call()
            start = clock()
            for _ in range(block):
                call()
            row[place] = (clock() - start) / 1e3 / block
    return rounds


if __name__ == "__main__":
    sys.exit(answer({"cut": cut, "profiled": profiled}))
