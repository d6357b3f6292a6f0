"""The two files of a graph: graph.json says all but the codes of constants, graph.npz holds those, one array each, by the tensor's name.

graph.json: {"schema_version": 1, "tensors": [{"name", "shape", "dtype", "scale": [...], "zero_point", "channel_axis", "constant"}],
"operators": [{"kind", "inputs", "outputs", "attributes"}], "inputs": [names], "outputs": [names]}. A scale is a float32 in so many digits
that it comes back bit for bit.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import files
from ..errors import InputError
from .structure import Graph, Operator, Tensor

SCHEMA_VERSION = 1
DOCUMENT, CONSTANTS = "graph.json", "graph.npz"
_DOCUMENT_LIMIT = 8 << 20
_CONSTANTS_LIMIT = 64 << 20
_LONGEST = 1 << 24  # an axis; what a whole tensor may hold is checked with the graph
_DTYPES: dict[str, np.dtype[Any]] = {"int8": np.dtype("int8"), "int32": np.dtype("<i4")}


@dataclass(frozen=True)
class Interface:
    """What a graph takes and gives, read without its constants."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def write_graph(graph: Graph, folder: Path) -> None:
    """Check the graph and write graph.json and graph.npz into a folder, the same bytes for the same graph.

    InputError for a graph that is not whole or a folder that cannot be written to.
    """
    from .checks import check_graph

    folder = Path(folder)
    check_graph(graph, folder / DOCUMENT)
    files.write_file(folder / CONSTANTS, _pack_constants(graph))
    files.write_file(folder / DOCUMENT, json.dumps(_document(graph), indent=1) + "\n")


def read_graph(folder: Path) -> Graph:
    """The graph of a folder, checked through and through; InputError naming file and field."""
    from .checks import check_graph

    folder = Path(folder)
    path = folder / DOCUMENT
    document = files.read_json(path, _DOCUMENT_LIMIT)
    entries = _tensor_entries(path, document)
    tensors = _tensors(path, entries)
    constants = [name for name, entry in zip(tensors, entries, strict=True) if _boolean(path, f"tensors of {name}", entry, "constant")]
    codes = _unpack_constants(folder / CONSTANTS, {name: tensors[name] for name in constants})
    for name in constants:
        old = tensors[name]
        tensors[name] = Tensor(name, old.shape, old.dtype, old.scale, old.zero_point, old.channel_axis, codes[name])
    graph = Graph(tensors, _operators(path, document), _names(path, document, "inputs"), _names(path, document, "outputs"))
    check_graph(graph, path)
    return graph


def read_interface(folder: Path) -> Interface:
    """Inputs and outputs of the graph of a folder, for engines whose constants lie in a file of their own.

    InputError naming file and field.
    """
    path = Path(folder) / DOCUMENT
    document = files.read_json(path, _DOCUMENT_LIMIT)
    tensors = _tensors(path, _tensor_entries(path, document))
    ends: list[tuple[Tensor, ...]] = []
    for field in ("inputs", "outputs"):
        names = _names(path, document, field)
        for index, name in enumerate(names):
            if name not in tensors or tensors[name].dtype != "int8" or tensors[name].scale.shape != (1,):
                raise InputError(path, f"{field}[{index}]", f"is {name!r}, must name an int8 tensor with one scale; export again")
        ends.append(tuple(tensors[name] for name in names))
    return Interface(*ends)


def _document(graph: Graph) -> dict[str, Any]:
    tensors = [
        {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype, "scale": [float(scale) for scale in tensor.scale],
         "zero_point": int(tensor.zero_point), "channel_axis": tensor.channel_axis, "constant": tensor.codes is not None}
        for tensor in graph.tensors.values()
    ]  # fmt: skip
    operators = [
        {"kind": operator.kind, "inputs": list(operator.inputs), "outputs": list(operator.outputs),
         "attributes": {name: list(value) if isinstance(value, tuple) else value for name, value in sorted(operator.attributes.items())}}
        for operator in graph.operators
    ]  # fmt: skip
    ends = {"inputs": list(graph.inputs), "outputs": list(graph.outputs)}
    return {"schema_version": SCHEMA_VERSION, "tensors": tensors, "operators": operators, **ends}


def _tensor_entries(path: Path, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    version = document.get("schema_version")
    if version != SCHEMA_VERSION or type(version) is not int:
        raise InputError(path, "schema_version", f"is {version!r}, this program reads {SCHEMA_VERSION}; update it, or export again")
    return _entries(path, document, "tensors")


def _entries(path: Path, document: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    entries = document.get(field)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(path, field, "must be a list of objects; export again")
    return entries


def _names(path: Path, entry: Mapping[str, Any], field: str, where: str = "") -> tuple[str, ...]:
    names = entry.get(field)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(path, where + field, "must be a list of tensor names; export again")
    return tuple(names)


def _boolean(path: Path, where: str, entry: Mapping[str, Any], field: str) -> bool:
    value = entry.get(field)
    if not isinstance(value, bool):
        raise InputError(path, f"{where}.{field}", "must be true or false; export again")
    return value


def _tensors(path: Path, entries: list[dict[str, Any]]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for index, entry in enumerate(entries):
        tensor = _tensor(path, f"tensors[{index}]", entry)
        if tensor.name in tensors:
            raise InputError(path, f"tensors[{index}].name", f"{tensor.name!r} is there twice; export again")
        tensors[tensor.name] = tensor
    return tensors


def _tensor(path: Path, where: str, entry: Mapping[str, Any]) -> Tensor:
    name, dtype, shape, axis, zero_point = (entry.get(field) for field in ("name", "dtype", "shape", "channel_axis", "zero_point"))
    if not isinstance(name, str):
        raise InputError(path, f"{where}.name", "must be text; export again")
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise InputError(path, f"{where}.dtype", f"is {dtype!r}, must be int8 or int32; export again")
    if not isinstance(shape, list) or not all(type(length) is int and 0 < length <= _LONGEST for length in shape):
        raise InputError(path, f"{where}.shape", f"must be a list of lengths 1 .. {_LONGEST}; export again")
    if type(zero_point) is not int:
        raise InputError(path, f"{where}.zero_point", "must be integer; export again")
    if axis is not None and type(axis) is not int:
        raise InputError(path, f"{where}.channel_axis", "must be integer or null; export again")
    return Tensor(name, tuple(shape), dtype, _scale(path, where, entry.get("scale")), zero_point, axis)


def _scale(path: Path, where: str, values: object) -> NDArray[np.float32]:
    if not isinstance(values, list) or not values or not all(type(value) in (int, float) and 0 < value < 3e38 for value in values):
        raise InputError(path, f"{where}.scale", "must be a list of numbers, finite and > 0; export again")
    scale = np.array(values, np.float32)
    if not np.array_equal(scale.astype(np.float64), np.array(values, np.float64)):
        raise InputError(path, f"{where}.scale", "holds a number that is no float32: rounding it here would break the parity; export again")
    return scale


def _operators(path: Path, document: Mapping[str, Any]) -> tuple[Operator, ...]:
    operators = []
    for index, entry in enumerate(_entries(path, document, "operators")):
        where = f"operators[{index}]."
        kind, attributes = entry.get("kind"), entry.get("attributes")
        if not isinstance(kind, str):
            raise InputError(path, f"{where}kind", "must be text; export again")
        if not isinstance(attributes, dict):
            raise InputError(path, f"{where}attributes", "must be an object; export again")
        frozen = {name: tuple(value) if isinstance(value, list) else value for name, value in attributes.items()}
        operators.append(Operator(kind, _names(path, entry, "inputs", where), _names(path, entry, "outputs", where), frozen))
    return tuple(operators)


def _pack_constants(graph: Graph) -> bytes:
    """A NumPy .npz with fixed time stamps."""
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for tensor in graph.tensors.values():
            if tensor.codes is not None:
                array = io.BytesIO()
                np.lib.format.write_array(array, np.ascontiguousarray(tensor.codes, _DTYPES[tensor.dtype]), version=(1, 0))
                archive.writestr(zipfile.ZipInfo(f"{tensor.name}.npy"), array.getvalue())
    return packed.getvalue()


def _unpack_constants(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """The arrays of exactly these tensors; nothing is unpacked that is not of their shape and dtype."""
    from ..arrays import open_npz

    with open_npz(path, _CONSTANTS_LIMIT) as archive:
        odd = sorted(set(archive.members) ^ set(tensors))
        if odd:
            raise InputError(path, odd[0], f"is either no constant of {DOCUMENT} or lacks here; export again")
        for name, member in archive.members.items():
            shape, dtype = tensors[name].shape, _DTYPES[tensors[name].dtype]
            if member.shape != shape or member.dtype != dtype:
                raise InputError(path, name, f"is {member.dtype} {list(member.shape)}, must be {dtype} {list(shape)}; export again")
        return {name: archive.read(name) for name in tensors}
