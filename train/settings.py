"""Records of settings: fields with bounds, made from plain values and checked at the door. What settings there are is told in configuration.py."""

import dataclasses
import difflib
from dataclasses import field
from typing import Any

from edge_runtime.errors import InputError


def bounded(low: float, high: float, default: Any) -> Any:
    """A field whose value, or whose every element, must lie in [low, high]."""
    return field(default=default, metadata={"low": low, "high": high})


def chosen(*words: str) -> Any:
    """A field whose value must be one of `words`; the first is its default."""
    return field(default=words[0], metadata={"choices": words})


def plain(record: Any) -> dict[str, Any]:
    """A record of records as JSON values: tuples are lists there."""
    return {name: plain(value) if dataclasses.is_dataclass(value) else list(value) if isinstance(value, tuple) else value
            for name, value in vars(record).items()}


def record_of(kind: Any, document: Any, file: object, prefix: str) -> Any:
    """A record of dataclass `kind` from plain values, missing ones at their defaults; InputError names `file` and, after `prefix`, the field."""
    if not isinstance(document, dict):
        raise InputError(file, prefix.rstrip(".") or "document", f"is {type(document).__name__}, must be a table of settings")
    known = {entry.name: entry for entry in dataclasses.fields(kind)}
    for key in document:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)
            raise InputError(file, prefix + str(key), f"is not a setting; the nearest is {prefix}{near[0]}")
    return kind(**{key: _value(known[key], value, file, prefix + key) for key, value in document.items()})


def _value(entry: "dataclasses.Field[Any]", value: Any, file: object, name: str) -> Any:
    if dataclasses.is_dataclass(entry.type):
        return record_of(entry.type, value, file, name + ".")
    if "choices" in entry.metadata:
        if value not in entry.metadata["choices"]:
            raise InputError(file, name, f"is {value!r}, must be one of {', '.join(entry.metadata['choices'])}")
        return value
    low, high = entry.metadata["low"], entry.metadata["high"]
    if isinstance(entry.default, tuple):
        if not isinstance(value, list) or not 1 <= len(value) <= 16:
            raise InputError(file, name, f"is {value!r}, must be a list of 1 to 16 integers")
        return tuple(_number(element, int, low, high, file, f"{name}[{index}]") for index, element in enumerate(value))
    return _number(value, type(entry.default), low, high, file, name)


def _number(value: Any, kind: type, low: float, high: float, file: object, name: str) -> Any:
    wanted = "an integer" if kind is int else "a number"
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        raise InputError(file, name, f"is {value!r}, must be {wanted}")
    if not low <= value <= high:  # false for NaN too; math.isfinite would choke on an integer of 400 digits
        raise InputError(file, name, f"is {value!r}, must be finite and between {low:g} and {high:g}")
    return kind(value)
