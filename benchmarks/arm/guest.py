"""What runs inside the emulated Python, and in this one to compare: LiteRT on seeded inputs, and runs of known length for the counting plugin.

    python guest.py FOLDER      names of models on stdin, a line each

For each NAME it writes FOLDER/NAME.outputs and prints {"name", "litert", "numpy", "python"} as a line of JSON, FOLDER/NAME.tflite being the
model. It runs alone, copied beside its Python: nothing of the project is imported.
"""

import gc
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

INPUTS = 100
# Runs in inferences, a mark after each. The first let CPython fit its bytecode to what it meets; in the pairs that follow, LONG less SHORT is what counts.
SHORT, LONG, PAIRS = 1, 3, 4
LENGTHS = (1,) * 16 + (SHORT, LONG) * PAIRS


def load(model: Path) -> Any:
    """LiteRT with its default kernels (XNNPACK) and one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def outputs(interpreter: Any) -> bytes:
    """The codes of all outputs, one inference after another, for INPUTS inputs drawn evenly from -128 .. 127 with seed 0."""
    draw = np.random.default_rng(0)
    given, taken = ([detail["index"] for detail in details] for details in (interpreter.get_input_details(), interpreter.get_output_details()))
    shapes = [detail["shape"] for detail in interpreter.get_input_details()]
    found = []
    for _ in range(INPUTS):
        for index, shape in zip(given, shapes, strict=True):
            interpreter.set_tensor(index, draw.integers(-128, 128, shape, np.int8))
        interpreter.invoke()
        found += [interpreter.get_tensor(index).tobytes() for index in taken]
    return b"".join(found)


def count(interpreter: Any) -> None:
    """Run LENGTHS, and call getsid after each: count.c takes that for a mark."""
    for length in LENGTHS:
        for _ in range(length):
            interpreter.invoke()
        os.getsid(0)


def main() -> None:
    """See the top of the file."""
    from ai_edge_litert import __version__

    folder = Path(sys.argv[1])
    versions = {"litert": __version__, "numpy": np.__version__, "python": f"{platform.python_version()} {platform.machine()}"}
    gc.disable()  # a collection in the middle of a run would be counted with it
    for name in sys.stdin.read().split():
        interpreter = load(folder / f"{name}.tflite")
        (folder / f"{name}.outputs").write_bytes(outputs(interpreter))
        count(interpreter)
        print(json.dumps({"name": name, **versions}), flush=True)


if __name__ == "__main__":
    main()
