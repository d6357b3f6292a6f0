"""tflite-runtime 2.14, the last of its line: TFLite's built-in kernels, which round twice and so differ from XNNPACK's by a code here and there.

Never in one process with TensorFlow: both bring the same C++ symbols, and loading a model fails. It believes its files (a damaged one may
end the process), so only load what a bundle's SHA-256 vouches for.
"""

from pathlib import Path

from ..errors import MissingError
from .interpreter import TfliteEngine


def load_tflite_runtime(folder: Path, threads: int) -> TfliteEngine:
    """Load model.tflite; errors as told in `engines.load`."""
    try:
        from tflite_runtime import __version__
        from tflite_runtime.interpreter import Interpreter
    except ModuleNotFoundError as missing:
        raise MissingError("tflite-runtime", "engine", "is not installed: pip install tflite-runtime, or choose another engine") from missing
    return TfliteEngine(Interpreter, folder, threads, "tflite-runtime", __version__, "tflite_runtime")
