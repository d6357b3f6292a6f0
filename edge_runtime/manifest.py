"""A manifest: JSON that seals itself, whose fields are taken out one by one, each refused by name where it is not what it must be."""

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .files import check_file, read_bytes, sha256

SCHEMA_VERSION = 1
LIMIT = 64 << 20  # bytes of one file; a flight network's are below 100 kB, a ground model's a few MB
REMEDY = "export the bundle again"
_SEAL = "manifest_sha256"
_NAME = re.compile("[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")  # no part is "..", none begins with "."
_MANIFEST_LIMIT = 4 << 20
_LARGEST_SCALE = float(np.finfo(np.float32).max)


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


def sealed(document: Mapping[str, object]) -> bytes:
    """A manifest as it is written: compact JSON, one field a line, with the SHA-256 of its own bytes in which that value stands as 64
    zeros.

    So a changed byte is found in the manifest too, and the manifest names the SHA-256 of everything else.
    """
    zeros = "0" * 64
    lines = [f"{json.dumps(key)}: {json.dumps(value, allow_nan=False, separators=(',', ':'))}" for key, value in document.items()]
    text = "{\n" + ",\n".join([*lines, f'"{_SEAL}": "{zeros}"']) + "\n}\n"
    return text.replace(zeros, hashlib.sha256(text.encode()).hexdigest()).encode()


def read_manifest(path: Path) -> tuple[dict[str, Any], bytes]:
    """A manifest whose schema version we know, and its bytes.

    The seal is not compared here but last, in `check_listed`: where a field fails its own check, that is better news than "changed".
    """
    data = read_bytes(path, _MANIFEST_LIMIT)
    try:
        document = json.loads(data, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(path, "JSON", f"cannot be read ({error}); the file is damaged, {REMEDY}") from error
    if not isinstance(document, dict):
        raise InputError(path, "JSON", f"is {type(document).__name__}, must be an object; {REMEDY}")
    version = document.get("schema_version")
    if type(version) is not int or version < 1:
        raise InputError(path, "schema_version", f"is {version!r}, must be {SCHEMA_VERSION}; {REMEDY}")
    if version > SCHEMA_VERSION:
        raise InputError(path, "schema_version", f"is {version}, newer than this runtime knows ({SCHEMA_VERSION}); update edge_runtime")
    return document, data


def check_listed(folder: Path, fields: "Fields", data: bytes, required: tuple[str, ...]) -> Mapping[str, str]:
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
        check_file(path, LIMIT)
    seal = fields.text(_SEAL)
    if len(seal) != 64 or data.count(seal.encode()) != 1 or hashlib.sha256(data.replace(seal.encode(), b"0" * 64)).hexdigest() != seal:
        raise fields.wrong(_SEAL, "does not fit the manifest, which was changed after export")
    for name, digest in listed.items():
        if sha256(folder / name) != digest:
            raise InputError(folder / name, "SHA-256", f"differs from {fields.path.name}: the file was changed after export; {REMEDY}")
    return listed


class Fields:
    """A JSON object whose fields are taken out one by one, each with its type; `prefix` is its place in the file."""

    def __init__(self, path: Path, document: Mapping[str, Any], prefix: str = "") -> None:
        self.path, self.document, self.prefix = path, document, prefix

    def wrong(self, field: str, reason: str) -> InputError:
        """A refusal of a field."""
        return InputError(self.path, self.prefix + field, f"{reason}; {REMEDY}")

    def made(self, make: Any) -> Any:
        """What `make` gives; its ValueError, `field: reason`, becomes an InputError with the field's place."""
        try:
            return make()
        except ValueError as error:
            field, _, reason = str(error).partition(": ")
            raise self.wrong(field, reason) from error

    def table(self, field: str) -> "Fields":
        """A field that is an object."""
        value = self.document.get(field)
        if not isinstance(value, dict):
            raise self.wrong(field, "is missing or no object")
        return Fields(self.path, value, f"{self.prefix}{field}.")

    def text(self, field: str) -> str:
        """A field that is text."""
        value = self.document.get(field)
        if not isinstance(value, str) or not value:
            raise self.wrong(field, f"is {value!r}, must be text")
        return value

    def integer(self, field: str, low: int, high: int) -> int:
        """A field that is an integer of low to high."""
        value = self.document.get(field)
        if type(value) is not int or not low <= value <= high:  # bool is an int to Python, not to us
            raise self.wrong(field, f"is {value!r}, must be an integer of {low} to {high}")
        return value

    def scale(self, field: str) -> float:
        """A field that is a scale: finite, > 0 and the exact value of a float32."""
        value = self.document.get(field)
        if type(value) is not float or not 0 < value < math.inf:
            raise self.wrong(field, f"is {value!r}, must be finite and > 0")
        if value > _LARGEST_SCALE or float(np.float32(value)) != value:
            raise self.wrong(field, f"is {value!r}, must be a float32's exact value")
        return value


def tensors(fields: Fields, field: str) -> tuple[TensorSpec, ...]:
    """The tensors that a manifest lists under a field."""
    rows = fields.document.get(field)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise fields.wrong(field, "must be a list of tensors")
    found = []
    for index, row in enumerate(rows):
        at = Fields(fields.path, row, f"{field}[{index}].")
        shape = row.get("shape")
        if not isinstance(shape, list) or not shape or not all(type(length) is int and 0 < length < 1 << 31 for length in shape):
            raise at.wrong("shape", f"is {shape!r}, must be a list of positive integers")
        if row.get("dtype") != "int8":
            raise at.wrong("dtype", f"is {row.get('dtype')!r}, must be 'int8'")
        found.append(TensorSpec(at.text("name"), tuple(shape), at.scale("scale"), at.integer("zero_point", -128, 127)))
    return tuple(found)


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is there twice")
    return fields
