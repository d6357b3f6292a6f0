"""Hardware profiles: one TOML file per device and runtime, in which every number has a value, a unit, a status and a source."""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import InputError

SCHEMA_VERSION = 1
STATUSES = ("published", "measured", "fitted", "datasheet", "assumed")
_LARGEST_FILE = 1 << 20


@dataclass(frozen=True)
class Number:
    """One fact about a device: `value` in SI `unit`, how it is known, from where, and its spread (same unit) over `n` repeats."""

    value: float
    unit: str
    status: str
    source: str
    spread: tuple[float, float] | None = None  # 5th and 95th percentile
    n: int | None = None


@dataclass(frozen=True)
class Profile:
    """A device with the runtime that its numbers belong to: software alone moves one board by a factor of three."""

    name: str
    device: str
    runtime: str
    date: str
    numbers: dict[str, Number]


def read_profile(path: Path) -> Profile:
    """Read and check a profile. InputError names file and field where one is missing, unknown, of the wrong type or not finite."""
    path = Path(path)
    if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
        raise InputError(path, "file", f"must be a profile of at most {_LARGEST_FILE} bytes; check the name")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, "TOML", f"cannot be read ({error}); mend the line") from error
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(path, "schema_version", f"is {version!r}, this Pixie reads {SCHEMA_VERSION}; update Pixie or the profile")
    texts = {key: _text(path, key, document) for key in ("name", "device", "runtime", "date")}
    _refuse_unknown(path, "top level", document, {"schema_version", "numbers", *texts})
    numbers = document.get("numbers")
    if not isinstance(numbers, dict) or not numbers:
        raise InputError(path, "numbers", "is missing or empty; a profile without a number says nothing")
    return Profile(**texts, numbers={key: _number(path, f"numbers.{key}", entry) for key, entry in numbers.items()})


def profile_text(profile: Profile) -> str:
    """The TOML text that `read_profile` reads back to an equal profile."""
    lines = [f"schema_version = {SCHEMA_VERSION}"]
    lines += [f"{key} = {_quoted(getattr(profile, key))}" for key in ("name", "device", "runtime", "date")]
    for key, number in profile.numbers.items():
        lines += ["", f"[numbers.{key}]", f"value = {number.value!r}", f"unit = {_quoted(number.unit)}",
                  f"status = {_quoted(number.status)}", f"source = {_quoted(number.source)}"]
        if number.spread is not None:
            lines.append(f"spread = [{number.spread[0]!r}, {number.spread[1]!r}]")
        if number.n is not None:
            lines.append(f"n = {number.n}")
    return "\n".join(lines) + "\n"


def _number(path: Path, field: str, entry: object) -> Number:
    if not isinstance(entry, dict):
        raise InputError(path, field, "must be a table with value, unit, status and source")
    _refuse_unknown(path, field, entry, {"value", "unit", "status", "source", "spread", "n"})
    status = _text(path, "status", entry, field)
    if status not in STATUSES:
        raise InputError(path, f"{field}.status", f"is {status!r}, must be one of {', '.join(STATUSES)}")
    spread = entry.get("spread")
    if spread is not None:
        if not isinstance(spread, list) or len(spread) != 2:
            raise InputError(path, f"{field}.spread", "must be two numbers, the 5th and the 95th percentile")
        spread = (_finite(path, f"{field}.spread", spread[0]), _finite(path, f"{field}.spread", spread[1]))
    n = entry.get("n")
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
        raise InputError(path, f"{field}.n", f"is {n!r}, must be a number of repeats >= 1")
    return Number(_finite(path, f"{field}.value", entry.get("value")), _text(path, "unit", entry, field), status,
                  _text(path, "source", entry, field), spread, n)


def _text(path: Path, key: str, table: dict[str, object], field: str = "") -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InputError(path, f"{field}.{key}".lstrip("."), "is missing or empty; every profile and every number states it")
    return value


def _finite(path: Path, field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(path, field, f"is {value!r}, must be a finite number")
    return float(value)


def _refuse_unknown(path: Path, field: str, table: dict[str, object], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise InputError(path, f"{field}.{unknown[0]}", f"is not a field of a profile; known are {', '.join(sorted(known))}")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
