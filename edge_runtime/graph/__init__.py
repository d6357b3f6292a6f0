"""The quantised network as plain integers: structure, table of operators, files, and the NumPy executor that is the golden model.

Names are imported at their first use: an engine that only compares its file with graph.json carries neither table nor executor in memory.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checks import check_graph
    from .executor import Executor, run
    from .storage import Interface, read_graph, read_interface, write_graph
    from .structure import Graph, Operator, Tensor

__all__ = ["Executor", "Graph", "Interface", "Operator", "Tensor", "check_graph", "read_graph", "read_interface", "run", "write_graph"]

_MODULE_OF_NAME = {
    "check_graph": "checks", "Executor": "executor", "run": "executor", "Interface": "storage", "read_graph": "storage",
    "read_interface": "storage", "write_graph": "storage", "Graph": "structure", "Operator": "structure", "Tensor": "structure",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF_NAME:
        raise AttributeError(f"module {__name__} has no {name}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULE_OF_NAME[name]}", __name__), name)
