"""Inference engines behind one face: the reference executor, LiteRT, tflite-runtime and ONNX Runtime. Each imports its package only when it is loaded.

`folder` is a bundle or an export: it holds graph.json and graph.npz, model.tflite and model.onnx. Whatever the engine, it takes and gives
the codes of graph.json, channels-last.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

NAMES = ("reference", "litert", "tflite-runtime", "onnxruntime")
Codes = NDArray[np.int8]


class Engine(Protocol):
    """A loaded network. Not for use from several threads at once.

    `description`: name, version, kernel_set (the kernels of which "bit-exact" is said) and delegated_operators (how many of the network's
    operators run on a delegate, None where the engine knows no delegates).
    """

    @property
    def name(self) -> str:
        """One of `NAMES`."""
        ...

    @property
    def description(self) -> Mapping[str, Any]:
        """As told above."""
        ...

    def run(self, *codes: Codes) -> tuple[Codes, ...]:
        """The outputs in the order of the graph, int8, each the caller's own, for inputs int8 of the graph's shapes (batch 1)."""
        ...

    def input_buffer(self) -> Codes | None:
        """The engine's own memory of the first input, int8 of the graph's shape, for codes to be written to and then given to `run`; or None."""
        ...


def load(name: str, folder: Path, threads: int = 1) -> Engine:
    """Load the network of a folder into an engine.

    InputError naming file and field where a file is refused or its inputs and outputs are not those of graph.json; MissingError where the
    engine's package is not installed.
    """
    folder = Path(folder)
    if name == "reference":
        from .reference import ReferenceEngine

        return ReferenceEngine(folder)
    if name == "litert":
        from .litert import load_litert

        return load_litert(folder, threads)
    if name == "tflite-runtime":
        from .tflite_runtime import load_tflite_runtime

        return load_tflite_runtime(folder, threads)
    if name == "onnxruntime":
        from .onnxruntime import OnnxEngine

        return OnnxEngine(folder, threads)
    raise InputError("command line", "engine", f"is {name!r}, known are {', '.join(NAMES)}")
