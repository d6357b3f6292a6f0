"""A training run becomes a bundle: the network that flies, its manifest and golden vectors; what stays on the ground in `ground/` beside it."""

import io
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle import FLOWN, MANIFEST
from edge_runtime.files import new_folder, sha256, write_file
from edge_runtime.graph import Executor, write_graph
from edge_runtime.graph.structure import Graph
from edge_runtime.manifest import SCHEMA_VERSION, TensorSpec, sealed

from . import photometer_manifest, pixel_manifest

_PACKAGES = ("torch", "brevitas", "onnx", "flatbuffers", "ai-edge-litert", "numpy", "pixie-onboard")


def write_bundle(source_run: Path, folder: Path) -> Path:
    """Write the bundle of a finished run to `folder` and give its path; the same run gives the same bytes.

    The folder is written whole or not at all, and replaces only an older bundle. InputError where the run is damaged or does not fit the
    task, MissingError where the disk is full.
    """
    from train.configuration import task_of
    from train.run_folder import read_run

    run = read_run(Path(source_run))
    task: ModuleType = pixel_manifest if task_of(run.configuration) == "minieuso" else photometer_manifest
    task.thresholds_of(run)  # refused now, not after torch has come
    from .onnx_export import INPUTS, OUTPUTS, export_onnx, modules_of_run
    from .read_onnx import read_onnx

    with new_folder(Path(folder), marker=MANIFEST) as temporary:
        flown = None
        for name, (module, example) in modules_of_run(run).items():
            place = temporary if flown is None else temporary / "ground" / name  # the first one flies
            place.mkdir(parents=True, exist_ok=True)
            export_onnx(module, example, place / "model.onnx", (INPUTS[name],), OUTPUTS[name])
            graph = read_onnx(place / "model.onnx")
            write_network(graph, place)
            flown = flown or graph
        assert flown is not None  # for the type checker: a run has a network
        write_manifest(temporary, flown, task.fields_of_run(run, flown), task.golden_inputs(run.configuration.seed), {**run.versions, **_versions()},
                       run.configuration.seed)
        ground = temporary / "ground"
        if ground.is_dir():
            files = sorted(path for path in ground.rglob("*") if path.is_file())
            document = {"schema_version": SCHEMA_VERSION, "files": {path.relative_to(ground).as_posix(): sha256(path) for path in files}}
            write_file(ground / MANIFEST, sealed(document))
    return Path(folder)


def write_network(graph: Graph, folder: Path) -> None:
    """Write graph.json, graph.npz and model.tflite of a graph."""
    from .write_tflite import tflite_bytes

    write_graph(graph, folder)
    write_file(folder / "model.tflite", tflite_bytes(graph))


def write_manifest(folder: Path, graph: Graph, fields: Mapping[str, object], inputs: npt.NDArray[np.int8], versions: Mapping[str, str], seed: int) -> None:
    """Write golden.npz and then manifest.json into a folder that holds the other files that fly.

    `fields`: what the task's own module says. `inputs` int8 [k, ...] are the golden vectors' inputs; their outputs are the reference engine's.
    """
    outputs = Executor(graph).run(inputs)
    buffer = io.BytesIO()
    np.savez(buffer, inputs=inputs, **dict(zip(graph.outputs, outputs, strict=True)))
    write_file(folder / "golden.npz", buffer.getvalue())
    document = {
        "schema_version": SCHEMA_VERSION,
        "task": fields["task"],
        "inputs": [_spec(graph, name) for name in graph.inputs],
        "outputs": [_spec(graph, name) for name in graph.outputs],
        **fields,
        "files": {name: sha256(folder / name) for name in FLOWN},
        "versions": dict(sorted(versions.items())),
        "seed": seed,
    }
    write_file(folder / MANIFEST, sealed(document))


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
