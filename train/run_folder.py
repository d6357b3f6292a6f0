"""The folder of a training run, RUN/: written file by file, each whole or not at all, and checked at the door with NumPy alone.

    configuration.json   schema version, task, configuration, versions of the packages that trained
    checkpoint.npz       the state after the last epoch: all that --resume needs
    quantised.npz        the parameters of the quantisation-aware network       \\
    float_twin.npz       those of its float twin                                 | when trained to the end
    trunk.npz            instead of both: of a network that is float alone       |
    history.json         one row per epoch                                       |
    calibration.json     thresholds and the scenes they come from                |
    checksums.json       SHA-256 of the files above, written last               /

An array file carries the SHA-256 of its own content, so a byte changed anywhere is found whatever the zip's own checks see.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.arrays import open_npz
from edge_runtime.errors import InputError
from edge_runtime.files import check_file, read_json, sha256, write_file

from .configuration import TASKS, AnyConfiguration, configuration_from_document, task_of
from .configuration2020 import Configuration2020
from .shapes import float_shapes, range_shapes

SCHEMA_VERSION = 1
MARKER = "configuration.json"
LARGEST_FILE = 256 << 20
LARGEST_RANGE_LOG2 = 32
DIGEST = "sha256"


@dataclass(frozen=True)
class Run:
    """A finished run: parameters by name, float32, and the JSON documents. Its configuration's kind tells its task."""

    folder: Path
    configuration: Any  # Configuration or PixelConfiguration
    versions: dict[str, str]
    quantised: dict[str, np.ndarray]
    float_twin: dict[str, np.ndarray]
    history: list[dict[str, Any]]
    calibration: dict[str, Any]


@dataclass(frozen=True)
class Run2020:
    """As `Run`, of the 2020 report's network: its parameters are `trunk`."""

    folder: Path
    configuration: Configuration2020
    versions: dict[str, str]
    trunk: dict[str, np.ndarray]
    history: list[dict[str, Any]]
    calibration: dict[str, Any]


def start_run(folder: Path, configuration: AnyConfiguration, versions: dict[str, str]) -> None:
    """Make RUN/ with its configuration. InputError where the folder exists and holds anything."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        remedy = "give --resume to go on with it, or name another folder" if (folder / MARKER).is_file() else "it is not ours to replace; name another folder"
        raise InputError(folder, "folder", f"exists and is not empty: {remedy}")
    if folder.is_symlink() and not folder.exists():
        raise InputError(folder, "folder", "is a link to what does not exist; name another folder")
    if not folder.parent.is_dir():
        raise InputError(folder, "folder", f"cannot be made: {folder.parent} does not exist; make it first")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(folder, "folder", f"cannot be made ({error.strerror}); name another folder") from error
    document = {"schema_version": SCHEMA_VERSION, "task": task_of(configuration), "configuration": configuration.to_document(), "versions": versions}
    write_file(folder / MARKER, json.dumps(document, indent=1, allow_nan=False) + "\n")


def read_started(folder: Path) -> tuple[Any, dict[str, str]]:
    """Configuration and versions of a started run; InputError where the folder is no run, of a newer schema or damaged."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, "folder", "is a file, must be the folder of a run" if folder.exists() else "does not exist; train first")
    path = folder / MARKER
    document = read_json(path)
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(path, "schema_version", f"is {version!r}, must be {SCHEMA_VERSION}; the folder is no run of pixie train")
    if version > SCHEMA_VERSION:
        raise InputError(path, "schema_version", f"is {version}, this version of Pixie reads up to {SCHEMA_VERSION}; update Pixie or train again")
    task = document.get("task")
    if task not in TASKS:
        raise InputError(path, "task", f"is {task!r}, must be one of {', '.join(TASKS)}")
    versions = document.get("versions")
    if not isinstance(versions, dict) or not all(isinstance(value, str) for value in versions.values()):
        raise InputError(path, "versions", "must be a table of strings; train again")
    settings = document.get("configuration")
    if not isinstance(settings, dict):
        raise InputError(path, "configuration", "is missing; train again")
    return configuration_from_document(settings, path, task), versions


def write_history(folder: Path, history: list[dict[str, Any]]) -> None:
    """Write history.json: one row per epoch, in the order they were trained."""
    write_file(folder / "history.json", json.dumps({"schema_version": SCHEMA_VERSION, "epochs": history}, indent=1, allow_nan=False) + "\n")


def results_of(configuration: AnyConfiguration) -> tuple[str, ...]:
    """The files of a finished run that its checksums list."""
    arrays = ("trunk.npz",) if isinstance(configuration, Configuration2020) else ("quantised.npz", "float_twin.npz")
    return MARKER, *arrays, "history.json", "calibration.json"


def write_checksums(folder: Path) -> None:
    """Seal a finished run: checksums.json, after every file it lists."""
    configuration, _ = read_started(folder)
    document = {"schema_version": SCHEMA_VERSION, "files": {name: sha256(folder / name) for name in results_of(configuration)}}
    write_file(folder / "checksums.json", json.dumps(document, indent=1) + "\n")


def read_run(folder: Path) -> Run:
    """A finished run, everything checked: checksums, names, shapes and dtypes of the arrays after the configuration, finite values.

    InputError names the file and the field, and where the run is one of the 2020 report's network, which is float alone.
    """
    folder = Path(folder)
    configuration, versions = read_started(folder)
    if isinstance(configuration, Configuration2020):
        raise InputError(folder / MARKER, "configuration.network", f"is {configuration.network!r}, a float network to measure ours against: "
                         "it has no int8 twin, so it is neither exported nor benchmarked; name a run of another configuration")
    _check_sums(folder, configuration)
    shapes = float_shapes(configuration.model)
    quantised = read_arrays(folder / "quantised.npz")
    check_shapes(folder / "quantised.npz", quantised, shapes | range_shapes(configuration.model))
    float_twin = read_arrays(folder / "float_twin.npz")
    check_shapes(folder / "float_twin.npz", float_twin, shapes)
    for name, value in quantised.items():
        if name.endswith(".range_log2") and abs(value) > LARGEST_RANGE_LOG2:
            raise InputError(folder / "quantised.npz", name, f"is {float(value)}, must be -{LARGEST_RANGE_LOG2} to {LARGEST_RANGE_LOG2}; train again")
    return Run(folder, configuration, versions, quantised, float_twin, _history(folder), read_json(folder / "calibration.json"))


def read_run2020(folder: Path) -> Run2020:
    """As `read_run`, of the 2020 report's network; InputError where the run is of another one."""
    folder = Path(folder)
    configuration, versions = read_started(folder)
    if not isinstance(configuration, Configuration2020):
        raise InputError(folder / MARKER, "configuration.network", "is missing: no run of the 2020 report's network; train one with --config cvae2020")
    _check_sums(folder, configuration)
    trunk = read_arrays(folder / "trunk.npz")
    check_shapes(folder / "trunk.npz", trunk, float_shapes(configuration.model))
    return Run2020(folder, configuration, versions, trunk, _history(folder), read_json(folder / "calibration.json"))


def _check_sums(folder: Path, configuration: AnyConfiguration) -> None:
    if not (folder / "checksums.json").is_file():
        raise InputError(folder / "checksums.json", "file", "does not exist: the run is not finished; train on with --resume")
    sums = read_json(folder / "checksums.json").get("files")
    results = results_of(configuration)
    if not isinstance(sums, dict) or sorted(sums) != sorted(results):
        raise InputError(folder / "checksums.json", "files", f"must list exactly {', '.join(results)}; train again")
    for name in results:
        check_file(folder / name, LARGEST_FILE)
        if sha256(folder / name) != sums[name]:
            raise InputError(folder / name, "SHA-256", "differs from checksums.json: the file was changed after training; train again")


def _history(folder: Path) -> list[dict[str, Any]]:
    history = read_json(folder / "history.json").get("epochs")
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        raise InputError(folder / "history.json", "epochs", "must be a list of rows; train again")
    return history


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write named arrays as .npz, whole or not at all, with the SHA-256 of their content beside them; the same bytes for the same arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **{DIGEST: np.frombuffer(_digest(arrays), np.uint8)}, **arrays)
    write_file(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of `write_arrays`. InputError where the file is missing, damaged, holds objects, or a float that is not finite."""
    with open_npz(path, LARGEST_FILE) as archive:
        arrays = {name: archive.read(name) for name in archive.members}
    digest = arrays.pop(DIGEST, None)
    if digest is None or digest.tobytes() != _digest(arrays):
        raise InputError(path, DIGEST, "does not fit the content: the file was changed after it was written; train again")
    for name, value in arrays.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise InputError(path, name, "holds a value that is not finite; train again with a smaller learning rate")
    return arrays


def check_shapes(path: Path, arrays: dict[str, np.ndarray], shapes: dict[str, tuple[int, ...]], prefix: str = "") -> None:
    """InputError unless `arrays` are exactly those of `shapes`, float32 but for the counts of batches; `prefix` is the names' place in the file."""
    for name in sorted(shapes.keys() - arrays.keys()):
        raise InputError(path, prefix + name, "is missing; train again")
    for name in sorted(arrays.keys() - shapes.keys()):
        raise InputError(path, prefix + name, "is not an array of this configuration's network; train again")
    for name, shape in shapes.items():
        dtype = np.dtype(np.int64 if name.endswith(".num_batches_tracked") else np.float32)
        if arrays[name].shape != shape or arrays[name].dtype != dtype:
            found = f"{arrays[name].dtype} {list(arrays[name].shape)}"
            raise InputError(path, prefix + name, f"is {found}, must be {dtype} {list(shape)}; train again")


def _digest(arrays: dict[str, np.ndarray]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {value.dtype.str} {arrays[name].shape}\n".encode())
        digest.update(value.tobytes())
    return digest.digest()
