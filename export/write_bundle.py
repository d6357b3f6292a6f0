"""A training run becomes a bundle: the encoder that flies, its manifest and golden vectors; decoder and whole model in `ground/` beside it."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle import FLOWN, MANIFEST, SCHEMA_VERSION, TASK, TensorSpec, sealed
from edge_runtime.errors import InputError
from edge_runtime.files import new_folder, sha256, write_file
from edge_runtime.flagging import CLASSES, SCORE_DEFINITION, Thresholds, score_table
from edge_runtime.graph import Executor, write_graph
from edge_runtime.graph.structure import Graph
from edge_runtime.preprocess import CHANNELS, FRAME_SAMPLES, SAMPLE_TIME, WINDOW_SAMPLES, CountTables, anscombe_tables

if TYPE_CHECKING:
    from train.run_folder import Run

GOLDEN_SCENES = 16  # one cycle of the scenes' kinds, one window of each
PREPROCESSING = "2 sqrt(n + 3/8) - 2 sqrt(3/8) (Anscombe 1948), in codes by table; counts above the last entry take its code"
_PACKAGES = ("torch", "brevitas", "onnx", "flatbuffers", "ai-edge-litert", "numpy", "pixie-onboard")


def write_bundle(source_run: Path, folder: Path) -> Path:
    """Write the bundle of a finished run to `folder` and give its path; the same run gives the same bytes.

    The folder is written whole or not at all, and replaces only an older bundle. InputError where the run is damaged or does not fit the
    task, MissingError where the disk is full.
    """
    from train.run_folder import read_run

    from .onnx_export import INPUTS, OUTPUTS, export_onnx, modules_of_run
    from .read_onnx import read_onnx

    run = read_run(Path(source_run))
    thresholds, calibration = thresholds_of(run)
    with new_folder(Path(folder), marker=MANIFEST) as temporary:
        graphs = {}
        for name, (module, example) in modules_of_run(run).items():
            place = temporary if name == "encoder" else temporary / "ground" / name
            place.mkdir(parents=True, exist_ok=True)
            export_onnx(module, example, place / "model.onnx", (INPUTS[name],), OUTPUTS[name])
            graphs[name] = read_onnx(place / "model.onnx")
            write_network(graphs[name], place)
        logit_scale = float(graphs["encoder"].tensors["logits"].scale[0])
        if calibration.get("logit_scale") != logit_scale:
            raise InputError(run.folder / "calibration.json", "logit_scale", f"is {calibration.get('logit_scale')}, the network's is {logit_scale}: "
                             "the thresholds were fixed for other logits; train again")
        write_manifest(temporary, graphs["encoder"], anscombe_tables(), golden_inputs(run.configuration.seed), thresholds, calibration,
                       {**run.versions, **_versions()}, run.configuration.seed)
        ground = temporary / "ground"
        files = sorted(path for path in ground.rglob("*") if path.is_file())
        document = {"schema_version": SCHEMA_VERSION, "files": {path.relative_to(ground).as_posix(): sha256(path) for path in files}}
        write_file(ground / MANIFEST, sealed(document))
    return Path(folder)


def write_network(graph: Graph, folder: Path) -> None:
    """Write graph.json, graph.npz and model.tflite of a graph."""
    from .write_tflite import tflite_bytes

    write_graph(graph, folder)
    write_file(folder / "model.tflite", tflite_bytes(graph))


def write_manifest(folder: Path, graph: Graph, tables: CountTables, inputs: npt.NDArray[np.int8], thresholds: Thresholds,
                   calibration: Mapping[str, object], versions: Mapping[str, str], seed: int) -> None:
    """Write golden.npz and then manifest.json into a folder that holds the other files that fly.

    `inputs` int8 [k, 1, 1040, 3] are the golden vectors' inputs; their outputs are the reference engine's.
    """
    outputs = Executor(graph).run(inputs)
    buffer = io.BytesIO()
    np.savez(buffer, inputs=inputs, **dict(zip(graph.outputs, outputs, strict=True)))
    write_file(folder / "golden.npz", buffer.getvalue())
    preprocessing = {"definition": PREPROCESSING, "channels": list(CHANNELS), "sample_time": SAMPLE_TIME, "window_samples": WINDOW_SAMPLES,
                     "frame_samples": FRAME_SAMPLES, **tables.to_document()}
    logit_scale = float(graph.tensors["logits"].scale[0])
    document = {
        "schema_version": SCHEMA_VERSION,
        "task": TASK,
        "inputs": [_spec(graph, name) for name in graph.inputs],
        "outputs": [_spec(graph, name) for name in graph.outputs],
        "preprocessing": preprocessing,
        "classes": list(CLASSES),
        "score": {"definition": SCORE_DEFINITION, **score_table(logit_scale).to_document()},
        "thresholds": {**thresholds.to_document(), "calibration": dict(calibration)},
        "files": {name: sha256(folder / name) for name in FLOWN},
        "versions": dict(sorted(versions.items())),
        "seed": seed,
    }
    write_file(folder / MANIFEST, sealed(document))


def golden_inputs(seed: int) -> npt.NDArray[np.int8]:
    """Inputs int8 [k, 1, 1040, 3] of the golden vectors: windows of held-out scenes, then codes that no scene gives.

    The extremes are all darkest, all brightest, alternating, a ramp up, a ramp down, and noise over all codes: they drive the accumulators
    further than light does.
    """
    from train.windows import window_set

    windows = window_set("test", GOLDEN_SCENES, seed)
    first = np.unique(windows.scene, return_index=True)[1]
    scenes = np.ascontiguousarray(anscombe_tables().quantise(windows.counts[first]).transpose(0, 2, 1))[:, None]  # [k, 1, 1040, 3]
    return np.concatenate([scenes, extreme_inputs(seed)])


def extreme_inputs(seed: int) -> npt.NDArray[np.int8]:
    """Six inputs int8 [6, 1, 1040, 3] at the ends of what codes can be."""
    shape = (1, WINDOW_SAMPLES, len(CHANNELS))
    ramp = np.broadcast_to((np.arange(WINDOW_SAMPLES) % 256 - 128)[None, :, None], shape)
    alternating = np.broadcast_to(np.where(np.arange(WINDOW_SAMPLES) % 2, 127, -128)[None, :, None], shape)
    noise = np.random.default_rng(seed).integers(-128, 128, shape)
    extremes = np.stack([np.full(shape, -128), np.full(shape, 127), alternating, ramp, ramp[:, ::-1], noise])
    codes: npt.NDArray[np.int8] = extremes.astype(np.int8)
    return codes


def thresholds_of(run: "Run") -> tuple[Thresholds, dict[str, object]]:
    """Thresholds of a run's calibration.json, and all else that stands there: where they come from. InputError where they are not to be had."""
    path = run.folder / "calibration.json"
    found = run.calibration.get("thresholds")
    if not isinstance(found, dict):
        raise InputError(path, "thresholds", "is missing or no object; train again")
    try:
        thresholds = Thresholds.from_document(found)
    except ValueError as error:
        field, _, reason = str(error).partition(": ")
        raise InputError(path, f"thresholds.{field}", f"{reason}; train again") from error
    digest = hashlib.sha256((run.folder / "calibration.json").read_bytes()).hexdigest()
    return thresholds, {**{name: value for name, value in run.calibration.items() if name != "thresholds"}, "sha256": digest}


def _spec(graph: Graph, name: str) -> dict[str, object]:
    tensor = graph.tensors[name]
    return TensorSpec(name, tensor.shape, float(tensor.scale[0]), tensor.zero_point).to_document()


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
