"""The golden model as an engine: the integer graph in NumPy, nothing else needed."""

from pathlib import Path

import numpy as np

from ..graph import Executor, read_graph
from . import Codes


class ReferenceEngine:
    """Runs any number of items at once: inputs int8 [n, ...] give outputs int8 [n, ...]. Threads are those of NumPy's BLAS."""

    name = "reference"

    def __init__(self, folder: Path) -> None:
        self._run = Executor(read_graph(folder)).run
        self.description = {"name": self.name, "version": f"numpy {np.__version__}", "kernel_set": "xnnpack", "delegated_operators": None}

    def run(self, *codes: Codes) -> tuple[Codes, ...]:
        """The outputs of the graph for inputs int8 [n, ...]; ValueError where number, shape or dtype is another."""
        return self._run(*codes)

    def input_buffer(self) -> None:
        """None: the executor reads the caller's array."""
        return None
