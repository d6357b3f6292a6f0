"""Latency of any model file: an .onnx (read into the integer graph, so every engine runs it) or a .tflite (the two TFLite interpreters)."""

import re
import shutil
from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.errors import InputError

from .latency import latency
from .results import Stage

INPUTS = 16  # random inputs that the loops go round


def model_file(path: Path, scratch: Path, scale: str, seed: int) -> Stage:
    """Latency of one file on the engines that can read it, ids `latency_of.STEM.`; InputError where it is no model we can read."""
    prefix = f"latency_of.{re.sub(r'[^A-Za-z0-9_]+', '_', path.stem)}_{path.suffix[1:]}"
    rng = np.random.default_rng(seed)
    if path.suffix == ".tflite":
        return latency(path, ("litert", "tflite-runtime"), _tflite_inputs(path, rng), scratch, scale, seed, prefix)
    from export.read_onnx import read_onnx
    from export.write_bundle import write_network

    graph = read_onnx(path)
    folder = scratch / prefix
    folder.mkdir()
    write_network(graph, folder)
    shutil.copy(path, folder / "model.onnx")
    inputs = tuple(rng.integers(-128, 128, (INPUTS, *graph.tensors[name].shape[1:])).astype(np.int8) for name in graph.inputs)
    return latency(folder, engines.NAMES, inputs, scratch, scale, seed, prefix)


def _tflite_inputs(path: Path, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    from ai_edge_litert.interpreter import Interpreter

    try:
        details = Interpreter(model_path=str(path)).get_input_details()
    except ValueError as error:
        raise InputError(path, "model", f"LiteRT refuses it ({error}); is it a whole .tflite file?") from error
    inputs = []
    for detail in details:
        shape, dtype = (INPUTS, *detail["shape"][1:]), np.dtype(detail["dtype"])
        low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (0, 1)
        inputs.append(rng.integers(low, high, shape, dtype, endpoint=True) if dtype.kind in "iu" else rng.random(shape).astype(dtype))
    return tuple(inputs)
