"""The bundle: the folder that flies. It says what it holds, and it is refused, with file and field, where anything in it is not as it says.

    manifest.json   schema version, task, tensors, preprocessing tables, score, thresholds, SHA-256 of the files below, versions and seed
    model.tflite    the network for LiteRT and tflite-runtime       model.onnx   the same for ONNX Runtime
    graph.json, graph.npz   the same as plain integers, for the reference engine
    golden.npz      input and output codes that an engine must reproduce
    ground/         decoder and whole model with a manifest of their own; not flown

Attacks that are answered here, each with a test: a field missing, of another type, out of range, NaN or infinite; a newer schema; a name
that leaves the folder (`..`, absolute, a link); a byte changed in any file, the manifest included (it seals itself); a file that is empty,
a folder, too large or unpacks to too much; golden vectors of another shape or dtype, or pickled; a graph or model for other tensors than
the manifest's.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import open_npz
from .engines import Engine
from .errors import InputError
from .files import check_file, read_bytes, sha256
from .flagging import CLASSES, ScoreTable, Thresholds
from .graph import read_interface
from .preprocess import CHANNELS, FRAME_SAMPLES, SAMPLE_TIME, WINDOW_SAMPLES, CountTables

SCHEMA_VERSION = 1
TASK = "mmia"
MANIFEST = "manifest.json"
FLOWN = ("model.tflite", "model.onnx", "graph.json", "graph.npz", "golden.npz")
# Engines whose kernels round as the reference does: their golden codes must be equal to the last one. The others' differences are counted.
EXACT_ENGINES = ("reference", "litert")
_SEAL = "manifest_sha256"
_NAME = re.compile("[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")  # no part is "..", none begins with "."
_REMEDY = "export the bundle again"
_LIMIT = 64 << 20  # bytes of one file; the flight encoder's are below 100 kB, a ground model's a few MB
_MANIFEST_LIMIT = 4 << 20
_LARGEST_SCALE = float(np.finfo(np.float32).max)
_INPUT_SHAPE = (1, 1, WINDOW_SAMPLES, len(CHANNELS))


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of the network: int8 codes of `shape`, real = scale * (code - zero_point)."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    def to_document(self) -> dict[str, object]:
        """JSON form, as the manifest holds it."""
        return {"name": self.name, "shape": list(self.shape), "dtype": "int8", "scale": self.scale, "zero_point": self.zero_point}


@dataclass(frozen=True, eq=False)
class Bundle:
    """An opened bundle: everything in it was checked but that an engine computes its golden vectors, which is `verify`."""

    folder: Path
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    tables: CountTables
    score: ScoreTable
    thresholds: Thresholds
    files: Mapping[str, str]
    versions: Mapping[str, str]
    seed: int
    sha256: str


@dataclass(frozen=True)
class Verification:
    """How an engine did on the golden vectors. differing: codes that differ, by output name; largest: the greatest difference in codes."""

    engine: Mapping[str, object]
    vectors: int
    codes: int
    differing: Mapping[str, int]
    largest: int

    @property
    def identical(self) -> bool:
        """True where the engine gave every golden code."""
        return not any(self.differing.values())


def open_bundle(folder: Path) -> Bundle:
    """Open and check a bundle; every refusal is an InputError that names the file and the field."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, "folder", "is a file, a bundle is a folder" if folder.exists() else "does not exist; check the name")
    path = folder / MANIFEST
    document, data = _read_manifest(path)
    fields = _Fields(path, document)
    task = fields.text("task")
    if task != TASK:
        raise fields.wrong("task", f"is {task!r}, this runtime flies {TASK!r}")
    tensors = _tensors(fields, "inputs")
    outputs = _tensors(fields, "outputs")
    tables = _tables(fields.table("preprocessing"))
    _check_tensors(fields, tensors, outputs, tables)
    if document.get("classes") != list(CLASSES):
        raise fields.wrong("classes", f"must be {', '.join(CLASSES)}, in this order")
    score = fields.table("score")
    score_table = score.made(lambda: ScoreTable.from_document(score.document))
    thresholds = fields.table("thresholds")
    limits = thresholds.made(lambda: Thresholds.from_document(thresholds.document))
    thresholds.table("calibration")
    versions = fields.table("versions").document
    if not all(isinstance(version, str) for version in versions.values()):
        raise fields.wrong("versions", "must name a version, a string, for each package")
    seed = fields.integer("seed", 0, 1 << 63)
    files = _check_listed(folder, fields, data, FLOWN)
    return Bundle(folder, tensors[0], outputs, tables, score_table, limits, files, versions, seed, hashlib.sha256(data).hexdigest())


def verify(bundle: Bundle, engine: Engine) -> Verification:
    """Run the golden vectors through an engine and compare every code; InputError where either has other tensors than the manifest."""
    inputs, expected = read_golden(bundle)
    differing = {spec.name: 0 for spec in bundle.outputs}
    largest = 0
    for index in range(len(inputs)):
        found = engine.run(inputs[index:index + 1])
        given, promised = [(output.dtype.name, output.shape) for output in found], [("int8", spec.shape) for spec in bundle.outputs]
        if given != promised:
            raise InputError(bundle.folder, f"engine {engine.name}", f"gives {given}, the manifest says {promised}; {_REMEDY}")
        for spec, output, golden in zip(bundle.outputs, found, expected, strict=True):
            difference = np.abs(output[0].astype(np.int16) - golden[index])
            differing[spec.name] += int(np.count_nonzero(difference))
            largest = max(largest, int(difference.max()))
    codes = len(inputs) * sum(math.prod(spec.shape) for spec in bundle.outputs)
    return Verification(engine.description, len(inputs), codes, differing, largest)


def read_golden(bundle: Bundle) -> tuple[npt.NDArray[np.int8], tuple[npt.NDArray[np.int8], ...]]:
    """Golden inputs int8 [k, 1, 1040, 3] and, per output of the manifest, its codes int8 [k, ...]; InputError where they are not that."""
    path = bundle.folder / "golden.npz"
    with open_npz(path, _LIMIT) as archive:
        names = ("inputs", *(spec.name for spec in bundle.outputs))
        if sorted(archive.members) != sorted(names):
            raise InputError(path, "arrays", f"are {', '.join(archive.members) or 'none'}, must be {', '.join(names)}; {_REMEDY}")
        k = archive.members["inputs"].shape[0] if archive.members["inputs"].shape else 0
        if k < 1:
            raise InputError(path, "inputs", f"hold no vector; {_REMEDY}")
        for name, shape in zip(names, (bundle.input.shape, *(spec.shape for spec in bundle.outputs)), strict=True):
            member = archive.members[name]
            if member.dtype != np.int8 or member.shape != (k, *shape[1:]):
                raise InputError(path, name, f"is {member.dtype} {list(member.shape)}, must be int8 {[k, *shape[1:]]}; {_REMEDY}")
        arrays = [archive.read(name) for name in names]
    return arrays[0], tuple(arrays[1:])


def check_graph(bundle: Bundle) -> None:
    """Refuse (InputError) where the inputs and outputs of graph.json are not those of the manifest; engines compare their own file with graph.json."""
    interface = read_interface(bundle.folder)
    for field, tensors, specs in (("inputs", interface.inputs, (bundle.input,)), ("outputs", interface.outputs, bundle.outputs)):
        found = [TensorSpec(tensor.name, tensor.shape, float(tensor.scale[0]), tensor.zero_point) for tensor in tensors]
        if found != list(specs):
            raise InputError(bundle.folder / "graph.json", field, f"are {_described(found)}, the manifest says {_described(specs)}; {_REMEDY}")


def check_ground(folder: Path) -> int:
    """Check the files of a bundle's `ground/`, where it has one; gives their number. InputError as for the bundle itself."""
    ground = Path(folder) / "ground"
    if not ground.exists():
        return 0
    document, data = _read_manifest(ground / MANIFEST)
    return len(_check_listed(ground, _Fields(ground / MANIFEST, document), data, ()))


def sealed(document: Mapping[str, object]) -> bytes:
    """A manifest as it is written: compact JSON, one field a line, with the SHA-256 of its own bytes in which that value stands as 64
    zeros.

    So a changed byte is found in the manifest too, and the manifest names the SHA-256 of everything else.
    """
    zeros = "0" * 64
    lines = [f"{json.dumps(key)}: {json.dumps(value, allow_nan=False, separators=(',', ':'))}" for key, value in document.items()]
    text = "{\n" + ",\n".join([*lines, f'"{_SEAL}": "{zeros}"']) + "\n}\n"
    return text.replace(zeros, hashlib.sha256(text.encode()).hexdigest()).encode()


def _read_manifest(path: Path) -> tuple[dict[str, Any], bytes]:
    """A manifest whose schema version we know, and its bytes.

    The seal is not compared here but last, in `_check_listed`: where a field fails its own check, that is better news than "changed".
    """
    data = read_bytes(path, _MANIFEST_LIMIT)
    try:
        document = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(path, "JSON", f"cannot be read ({error}); the file is damaged, {_REMEDY}") from error
    if not isinstance(document, dict):
        raise InputError(path, "JSON", f"is {type(document).__name__}, must be an object; {_REMEDY}")
    version = document.get("schema_version")
    if type(version) is not int or version < 1:
        raise InputError(path, "schema_version", f"is {version!r}, must be {SCHEMA_VERSION}; {_REMEDY}")
    if version > SCHEMA_VERSION:
        raise InputError(path, "schema_version", f"is {version}, newer than this runtime knows ({SCHEMA_VERSION}); update edge_runtime")
    return document, data


def _check_listed(folder: Path, fields: "_Fields", data: bytes, required: tuple[str, ...]) -> Mapping[str, str]:
    """The `files` of a manifest, name to SHA-256: every one lies in the folder and is unchanged, and so is the manifest itself."""
    listed = fields.table("files").document
    for name in required:
        if name not in listed:
            raise fields.wrong(f"files.{name}", "is missing")
    root = os.path.realpath(folder)
    for name, digest in listed.items():
        if not isinstance(digest, str) or not re.fullmatch("[0-9a-f]{64}", digest):
            raise fields.wrong(f"files.{name}", f"is {digest!r}, must be a SHA-256 in 64 hexadecimal digits")
        path = folder / name
        # Judged by its parts first, so that nothing outside is even looked at; then by where links lead.
        if not _NAME.fullmatch(name) or not Path(os.path.realpath(path)).is_relative_to(root):  # Path.resolve raises on a loop of links
            raise fields.wrong(f"files.{name}", "leads out of the folder; a bundle's files lie within it")
        check_file(path, _LIMIT)
    seal = fields.text(_SEAL)
    if len(seal) != 64 or data.count(seal.encode()) != 1 or hashlib.sha256(data.replace(seal.encode(), b"0" * 64)).hexdigest() != seal:
        raise fields.wrong(_SEAL, "does not fit the manifest, which was changed after export")
    for name, digest in listed.items():
        if sha256(folder / name) != digest:
            raise InputError(folder / name, "SHA-256", f"differs from {fields.path.name}: the file was changed after export; {_REMEDY}")
    return listed


class _Fields:
    """A JSON object whose fields are taken out one by one, each with its type; `prefix` is its place in the file."""

    def __init__(self, path: Path, document: Mapping[str, Any], prefix: str = "") -> None:
        self.path, self.document, self.prefix = path, document, prefix

    def wrong(self, field: str, reason: str) -> InputError:
        return InputError(self.path, self.prefix + field, f"{reason}; {_REMEDY}")

    def made(self, make: Any) -> Any:
        """What `make` gives; its ValueError, `field: reason`, becomes an InputError with the field's place."""
        try:
            return make()
        except ValueError as error:
            field, _, reason = str(error).partition(": ")
            raise self.wrong(field, reason) from error

    def table(self, field: str) -> "_Fields":
        value = self.document.get(field)
        if not isinstance(value, dict):
            raise self.wrong(field, "is missing or no object")
        return _Fields(self.path, value, f"{self.prefix}{field}.")

    def text(self, field: str) -> str:
        value = self.document.get(field)
        if not isinstance(value, str) or not value:
            raise self.wrong(field, f"is {value!r}, must be text")
        return value

    def integer(self, field: str, low: int, high: int) -> int:
        value = self.document.get(field)
        if type(value) is not int or not low <= value <= high:  # bool is an int to Python, not to us
            raise self.wrong(field, f"is {value!r}, must be an integer of {low} to {high}")
        return value

    def scale(self, field: str) -> float:
        value = self.document.get(field)
        if type(value) is not float or not 0 < value < math.inf:
            raise self.wrong(field, f"is {value!r}, must be finite and > 0")
        if value > _LARGEST_SCALE or float(np.float32(value)) != value:
            raise self.wrong(field, f"is {value!r}, must be a float32's exact value")
        return value


def _tensors(fields: _Fields, field: str) -> tuple[TensorSpec, ...]:
    rows = fields.document.get(field)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise fields.wrong(field, "must be a list of tensors")
    tensors = []
    for index, row in enumerate(rows):
        at = _Fields(fields.path, row, f"{field}[{index}].")
        shape = row.get("shape")
        if not isinstance(shape, list) or not shape or not all(type(length) is int and 0 < length < 1 << 31 for length in shape):
            raise at.wrong("shape", f"is {shape!r}, must be a list of positive integers")
        if row.get("dtype") != "int8":
            raise at.wrong("dtype", f"is {row.get('dtype')!r}, must be 'int8'")
        tensors.append(TensorSpec(at.text("name"), tuple(shape), at.scale("scale"), at.integer("zero_point", -128, 127)))
    return tuple(tensors)


def _tables(fields: _Fields) -> CountTables:
    fixed = {"channels": list(CHANNELS), "sample_time": SAMPLE_TIME, "window_samples": WINDOW_SAMPLES, "frame_samples": FRAME_SAMPLES}
    for field, value in fixed.items():
        if fields.document.get(field) != value:
            raise fields.wrong(field, f"is {fields.document.get(field)!r}, this runtime cuts windows with {value!r}")
    tables: CountTables = fields.made(lambda: CountTables.from_document(fields.document))
    return tables


def _check_tensors(fields: _Fields, tensors: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], tables: CountTables) -> None:
    if len(tensors) != 1 or tensors[0].shape != _INPUT_SHAPE:
        raise fields.wrong("inputs", f"are {_described(tensors)}, must be one tensor {list(_INPUT_SHAPE)}")
    for field, value, table in (("scale", tensors[0].scale, tables.scale), ("zero_point", tensors[0].zero_point, tables.zero_point)):
        if value != table:
            raise fields.wrong(f"inputs[0].{field}", f"is {value}, but preprocessing.{field} is {table}")
    if [spec.name for spec in outputs] != ["posterior_mean", "logits"]:
        raise fields.wrong("outputs", f"are {_described(outputs)}, must be posterior_mean and logits")
    if len(outputs[0].shape) != 2 or outputs[0].shape[0] != 1:
        raise fields.wrong("outputs[0].shape", f"is {list(outputs[0].shape)}, must be [1, latent]")
    if outputs[1].shape != (1, len(CLASSES)):
        raise fields.wrong("outputs[1].shape", f"is {list(outputs[1].shape)}, must be [1, {len(CLASSES)}]")


def _described(tensors: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} {list(spec.shape)} scale {spec.scale!r} zero point {spec.zero_point}" for spec in tensors)


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is there twice")
    return fields
