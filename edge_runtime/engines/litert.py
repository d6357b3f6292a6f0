"""LiteRT, the default on board: its default kernels are XNNPACK's, which the reference engine reproduces code for code."""

from pathlib import Path

from ..errors import MissingError
from .interpreter import TfliteEngine


def load_litert(folder: Path, threads: int) -> TfliteEngine:
    """Load model.tflite; errors as told in `engines.load`."""
    try:
        from ai_edge_litert import __version__
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as missing:
        raise MissingError("ai-edge-litert", "engine", "is not installed: pip install ai-edge-litert, or choose another engine") from missing
    return TfliteEngine(Interpreter, folder, threads, "litert", __version__, "xnnpack")
