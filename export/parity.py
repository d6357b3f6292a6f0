"""The proof that the files compute the same integers: parameters compared number by number between ONNX and TFLite, codes compared between engines.

The parameters are read from both files anew, by the names that the constants have in both and by the arrangement that each standard gives
them; nothing of `read_onnx` or `write_tflite` is used, so that a mistake there shows here.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.engines import Engine, load
from edge_runtime.errors import MissingError
from edge_runtime.files import read_bytes, write_file
from edge_runtime.graph.structure import Graph

SCHEMA_VERSION = 1
OPTIMISED = "onnxruntime_all"  # ONNX Runtime at its own default level, whose fused kernels round otherwise; "onnxruntime" is ORT_DISABLE_ALL, as flown
PAIRS = (("reference", "litert"), ("reference", "tflite-runtime"), ("reference", "onnxruntime"), ("reference", OPTIMISED),
         ("onnxruntime", OPTIMISED))  # fmt: skip
_TFLITE_LIMIT = 256 << 20  # bytes


@dataclass(frozen=True)
class Comparison:
    """So many numbers compared, so many of them differing, by at most `greatest` (codes only); None where nothing could be compared, `on` says why.

    `on`: what was compared, names to versions and kernel sets.
    """

    name: str
    compared: int | None
    differing: int | None
    greatest: int | None
    on: Mapping[str, str]


def compare_codes(folder: Path, windows: NDArray[np.int8] | Sequence[NDArray[np.int8]],
                  pairs: Iterable[tuple[str, str]] = PAIRS) -> list[Comparison]:
    """Run the network of `folder` on `windows` int8 [n, ...] (one array for each input) in each engine and compare their output codes.

    Gives one comparison for each pair and output, named "codes.FIRST.SECOND.OUTPUT". An engine that is not installed leaves None. InputError
    where a file of the folder is refused.
    """
    from edge_runtime.graph.storage import read_graph

    folder, pairs = Path(folder), tuple(pairs)
    inputs = (windows,) if isinstance(windows, np.ndarray) else tuple(windows)
    results = {name: _outputs(folder, name, inputs) for name in dict.fromkeys(chain.from_iterable(pairs))}
    comparisons = []
    for first, second in pairs:
        for index, output in enumerate(read_graph(folder).outputs):
            name = f"codes.{first}.{second}.{output}"
            missing = [result for result in (results[first], results[second]) if isinstance(result, str)]
            if missing:
                comparisons.append(Comparison(name, None, None, None, {"missing": missing[0]}))
                continue
            (on_first, codes_first), (on_second, codes_second) = results[first], results[second]
            differences = np.abs(codes_first[index].astype(np.int16) - codes_second[index])
            comparisons.append(Comparison(name, differences.size, int(np.count_nonzero(differences)), int(differences.max(initial=0)),
                                          {first: on_first, second: on_second}))
    return comparisons


def random_windows(graph: Graph, count: int, seed: int) -> list[NDArray[np.int8]]:
    """Codes int8 [count, ...] for each input of the graph: uniform over all 256, the first window all -128 and the second all 127."""
    random = np.random.default_rng(seed)
    windows = [random.integers(-128, 128, (count, *graph.tensors[name].shape[1:])).astype(np.int8) for name in graph.inputs]
    for codes in windows:
        codes[:1], codes[1:2] = -128, 127
    return windows


def compare_parameters(onnx_path: Path, tflite_path: Path) -> list[Comparison]:
    """Compare every weight, bias and scale of the two files; names "parameters.weights", "parameters.biases", "parameters.scales".

    Weights: integer by integer, each in the place that the standards give it; where a Reshape behind a dense layer lets its rows lie
    channels-first or channels-last, either order counts. Biases: int32 by int32. Scales: float32 bits of weights, of biases and of the
    activations that both files name, with their zero points. A parameter of the ONNX file that the TFLite file lacks counts as differing.
    InputError where a file cannot be read.
    """
    from .parity_onnx import layers_of_onnx
    from .parity_tflite import ABSENT, layers_of_tflite

    source, target = layers_of_onnx(Path(onnx_path)), layers_of_tflite(read_bytes(Path(tflite_path), _TFLITE_LIMIT), Path(tflite_path))
    on = {"onnx": version("onnx"), "schema": f"ai-edge-litert {version('ai-edge-litert')}"}
    counts = {"weights": [0, 0], "biases": [0, 0], "scales": [0, 0]}

    def count(kind: str, wanted: NDArray[Any], found: NDArray[Any]) -> None:
        counts[kind][0] += wanted.size
        counts[kind][1] += _differing(wanted, found)

    waiting = list(target.layers)
    for layer in source.layers:
        index = next((index for index, (name, _) in enumerate(waiting) if _is_named(name, layer.weights_name)), None)
        found = ABSENT if index is None else waiting.pop(index)[1]
        wanted = min(layer.arrangements, key=lambda arranged: _differing(arranged.weights, found.weights))
        count("weights", wanted.weights, found.weights)
        count("biases", wanted.bias, found.bias if wanted.bias.dtype == np.int32 else found.bias.astype(np.float32) * found.bias_scales)
        count("scales", wanted.weight_scales, _spread(found.weight_scales, wanted.weight_scales.size))
        count("scales", wanted.bias_scales, _spread(found.bias_scales, wanted.bias_scales.size))
    for names, scale, zero_point, needed in source.activations:
        tensor = next((target.activations[name] for name in names if name in target.activations), None)
        if tensor is not None or needed:
            count("scales", np.array([scale]), np.array([tensor[0]] if tensor is not None and tensor[1] == zero_point else [], np.float32))
    return [Comparison(f"parameters.{kind}", compared, differing, None, on) for kind, (compared, differing) in counts.items()]


def write_parity(path: Path, comparisons: Iterable[Comparison]) -> None:
    """Write parity.json: {"schema_version": 1, "records": [{"name", "compared", "differing", "greatest", "on"}]}."""
    document = {"schema_version": SCHEMA_VERSION, "records": [asdict(comparison) for comparison in comparisons]}
    write_file(Path(path), json.dumps(document, indent=1) + "\n")


def _outputs(folder: Path, name: str, inputs: tuple[NDArray[np.int8], ...]) -> Any:
    """(what ran it, one array [n, ...] for each output), or why the engine is missing."""
    try:
        engine = _engine(folder, name)
    except MissingError as missing:
        return str(missing)
    runs = [engine.run(*(codes[k : k + 1] for codes in inputs)) for k in range(len(inputs[0]))]
    return f"{engine.description['version']}, {engine.description['kernel_set']}", [np.concatenate(output) for output in zip(*runs, strict=True)]


def _engine(folder: Path, name: str) -> Engine:
    if name == OPTIMISED:
        from edge_runtime.engines.onnxruntime import OnnxEngine

        return OnnxEngine(folder, level="all")
    return load(name, folder)


def _is_named(found: str, name: str) -> bool:
    """Whether a constant of the TFLite file is the one of this name, with a number behind it where it lies there in several arrangements."""
    return found == name or (found.startswith(f"{name}:") and found[len(name) + 1 :].isdigit())


def _differing(wanted: NDArray[Any], found: NDArray[Any]) -> int:
    """How many numbers differ, floats in any bit; all, where the shapes do."""
    if wanted.shape != found.shape:
        return wanted.size
    if wanted.dtype.kind == "f":
        return int(np.count_nonzero(wanted.astype(np.float32).view(np.uint32) != found.astype(np.float32).view(np.uint32)))
    return int(np.count_nonzero(wanted != found))


def _spread(scales: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Scales of one file at as many channels as the other: one for all, or equal ones."""
    if scales.size and np.all(scales == scales[:1]):
        return np.broadcast_to(scales[:1], size)
    return scales
