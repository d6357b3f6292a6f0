"""The golden model as an engine: the integer graph in NumPy, nothing else needed."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..graph import Executor, read_graph
from ..graph.operators import Refused
from ..graph.storage import DOCUMENT
from . import Codes


class ReferenceEngine:
    """Runs any number of items at once: inputs int8 [n, ...] give outputs int8 [n, ...]. Threads are those of NumPy's BLAS.

    `kernel_set`: whose codes it gives, one of `graph.operators.KERNEL_SETS`; InputError naming the operator where they are not reproduced.
    """

    name = "reference"

    def __init__(self, folder: Path, kernel_set: str = "xnnpack") -> None:
        try:
            self._run = Executor(read_graph(folder), kernel_set).run
        except Refused as refused:
            raise InputError(Path(folder) / DOCUMENT, refused.field, str(refused)) from refused
        self.description = {"name": self.name, "version": f"numpy {np.__version__}", "kernel_set": kernel_set, "delegated_operators": None}

    def run(self, *codes: Codes) -> tuple[Codes, ...]:
        """The outputs of the graph for inputs int8 [n, ...]; ValueError where number, shape or dtype is another."""
        return self._run(*codes)

    def input_buffer(self) -> None:
        """None: the executor reads the caller's array."""
        return None
