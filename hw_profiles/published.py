"""Latencies that others have published, each row with its source: what the cost model is fitted to and what its intervals are held against.

A table of `published.toml` states once what its rows share; a row states what is its own and may state any field anew.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from edge_runtime.errors import InputError
from edge_runtime.files import read_bytes

from .known_networks import networks

SCHEMA_VERSION = 1
FILE = Path(__file__).parent / "tables" / "published.toml"
DTYPES = ("int8", "float32")
_LARGEST_FILE = 1 << 20


@dataclass(frozen=True)
class Row:
    """One network's call on one board: `latency_s` as published, mean, median or minimum as the `note` says.

    name: "network@board@tag@threads", by which rows are chosen, so none may change without need. network: a name of `known_networks`. profile: the hardware
    profile of the board, or of the one nearest to it. same_runtime: whether `runtime` is the profile's own. clock_hz, energy_j: None where not published.
    """

    name: str
    network: str
    board: str
    profile: str
    runtime: str
    same_runtime: bool
    threads: int
    latency_s: float
    source: str
    dtype: str = "int8"
    clock_hz: float | None = None
    energy_j: float | None = None
    note: str = ""


_TEXTS, _WORDS, _NUMBERS = ("runtime", "source", "note"), ("network", "board", "profile", "tag"), ("latency_s", "clock_hz", "energy_j")
_FIELDS = {*_TEXTS, *_WORDS, *_NUMBERS, "same_runtime", "threads", "dtype"}
_OPTIONAL = {"note", "clock_hz", "energy_j", "dtype"}


def rows(path: Path = FILE) -> tuple[Row, ...]:
    """All rows in the order of the file. InputError names table, row and field where one is missing, unknown, of the wrong type or said twice."""
    path = Path(path)
    try:
        document = tomllib.loads(read_bytes(path, _LARGEST_FILE).decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: of TOML, of UTF-8, of an integer with thousands of digits
        raise InputError(path, "TOML", f"cannot be read ({error}); mend the line") from error
    version, tables = document.get("schema_version"), document.get("tables")
    if version != SCHEMA_VERSION:
        raise InputError(path, "schema_version", f"is {version!r}, this Pixie reads {SCHEMA_VERSION}; update Pixie or the table")
    if set(document) != {"schema_version", "tables"} or not isinstance(tables, list):
        raise InputError(path, "top level", "must be schema_version and [[tables]] alone")
    found: dict[str, Row] = {}
    for number, table in enumerate(tables):
        shared = _table(path, f"tables[{number}]", table)
        for place, own in enumerate(shared.pop("rows")):
            field = f"tables[{number}].rows[{place}]"
            row = _row(path, field, {**shared, **_table(path, field, own)})
            if row.name in found:
                raise InputError(path, field, f"is the second row named {row.name!r}; give its table another tag")
            found[row.name] = row
    return tuple(found.values())


def _table(path: Path, field: str, table: object) -> dict[str, Any]:
    """A table with its rows, or a row: a new dict of known fields."""
    nested = ("rows",) if field.endswith("]") and ".rows" not in field else ()
    if not isinstance(table, dict) or not all(isinstance(table.get(key), list) and table[key] for key in nested):
        raise InputError(path, field, "must be a table with rows" if nested else "must be a table")
    unknown = sorted(set(table) - _FIELDS - set(nested))
    if unknown:
        raise InputError(path, f"{field}.{unknown[0]}", f"is not a field of the table; known are {', '.join(sorted(_FIELDS))}")
    return dict(table)


def _row(path: Path, field: str, row: Mapping[str, Any]) -> Row:
    def refuse(key: str, demand: str) -> NoReturn:
        raise InputError(path, f"{field}.{key}", f"is {row[key]!r}, {demand}" if key in row else f"is missing, {demand}")

    for key in sorted(_FIELDS - _OPTIONAL - set(row)):
        refuse(key, "every row or its table states it")
    for key in _TEXTS:
        if key in row and (not isinstance(row[key], str) or not row[key].strip()):
            refuse(key, "must be a text that is not empty")
    for key in _WORDS:
        if not isinstance(row[key], str) or not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", row[key]):
            refuse(key, "must be of small letters, digits, '.' and '-': it is part of a name")
    for key in _NUMBERS:
        if key in row and (isinstance(row[key], bool) or not isinstance(row[key], int | float) or not 0 < row[key] < 1e300):
            refuse(key, "must be a number above 0")
    if isinstance(row["threads"], bool) or not isinstance(row["threads"], int) or not 1 <= row["threads"] <= 1024:
        refuse("threads", "must be a whole number from 1")
    if not isinstance(row["same_runtime"], bool):
        refuse("same_runtime", "must be true or false")
    if row.get("dtype", DTYPES[0]) not in DTYPES:
        refuse("dtype", f"must be one of {', '.join(DTYPES)}")
    known = networks()
    if row["network"] not in known:
        refuse("network", f"no known network; nearest: {', '.join(get_close_matches(row['network'], known, cutoff=0)) or 'none'}")
    values: dict[str, Any] = {key: float(value) if key in _NUMBERS else value for key, value in row.items() if key != "tag"}
    return Row("@".join((row["network"], row["board"], row["tag"], str(row["threads"]))), **values)
