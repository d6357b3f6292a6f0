"""Results: every number is a record that says how, on what, how often and from where; a gate is a record with a bound that it must hold."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edge_runtime.errors import InputError
from edge_runtime.files import read_json, write_file

SCHEMA_VERSION = 1
HOW = ("measured", "emulated", "modelled", "published")
OPERATIONS = ("==", "<=", "<", ">=", ">")
TASKS = ("mmia", "minieuso", "model")
LIMIT = 8 << 20  # bytes of a results file
FIGURES_LIMIT = 2 << 20  # bytes of the figures' data in it: a report is for reading, not an archive


@dataclass(frozen=True)
class Spread:
    """How far the value may be off: `low` and `high` in the record's unit, `what` names the interval ("95 %, bootstrap by scene")."""

    low: float
    high: float
    what: str


@dataclass(frozen=True)
class Record:
    """One number of a report. `value` is None where it was not measured, never 0.

    `how` is one of HOW; `on` names device, runtime, versions and threads; `n` counts what the value rests on (calls, windows, files);
    `source` says which code or publication it came from.
    """

    id: str
    value: float | int | None
    unit: str
    how: str
    on: str
    spread: Spread | None = None
    n: int | None = None
    seed: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Gate:
    """A claim: `value` `op` `bound`. `holds` is None only where the data for it were not supplied."""

    id: str
    value: float | int | None
    op: str
    bound: float | int
    holds: bool | None


@dataclass(frozen=True)
class Results:
    """What one run of the benchmarks found. `figures` holds the data that the report draws, under one name each.

    `task` is one of TASKS: the instrument whose network was measured, or "model" for any file; one without it is of the time when there was only MMIA.
    """

    scale: str
    seed: int
    made: str
    environment: Mapping[str, Any]
    records: tuple[Record, ...] = ()
    gates: tuple[Gate, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    task: str = "mmia"

    def value(self, record_id: str) -> float | int | None:
        """Value of a record, None where there is none of that id or it was not measured."""
        found = self.record(record_id)
        return None if found is None else found.value

    def record(self, record_id: str) -> Record | None:
        """The record of that id, or None."""
        return next((record for record in self.records if record.id == record_id), None)

    def with_prefix(self, prefix: str) -> tuple[Record, ...]:
        """All records whose id starts with `prefix`, in order."""
        return tuple(record for record in self.records if record.id.startswith(prefix))


@dataclass(frozen=True)
class Stage:
    """What one benchmark hands back: its records and the data of its figures."""

    records: tuple[Record, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)

    def on_seed(self, seed: int) -> "Stage":
        """The same stage with `seed` in every record that has none."""
        return replace(self, records=tuple(record if record.seed is not None else replace(record, seed=seed) for record in self.records))


def write_results(results: Results, path: Path) -> None:
    """Write results.json whole or not at all. ValueError, a defect of ours, where two records share an id, a number is not
    finite or the figures' data are too large."""
    names = [record.id for record in results.records]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two records share an id: {twice}")
    size = len(json.dumps(dict(results.figures)))
    if size > FIGURES_LIMIT:
        raise ValueError(f"the figures' data take {size} bytes, at most {FIGURES_LIMIT} are kept")
    write_file(path, json.dumps(to_document(results), allow_nan=False, indent=1) + "\n")


def read_results(path: Path) -> Results:
    """Read results.json; InputError naming the field where it is malformed, of a newer schema or holds a number that is not finite."""
    document = read_json(path, LIMIT)
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InputError(path, "schema_version", f"is {version!r}, must be {SCHEMA_VERSION}; is this a results file of `pixie bench`?")
    if version > SCHEMA_VERSION:
        raise InputError(path, "schema_version", f"is {version}, this Pixie reads up to {SCHEMA_VERSION}; use a newer Pixie")
    where = _not_finite(document, "")
    if where:
        raise InputError(path, where, "is not a finite number; run `pixie bench` again")
    door = _Door(path)
    results = Results(
        scale=door.text(document, "scale"), seed=door.integer(document, "seed"), made=door.text(document, "made"),
        environment=door.mapping(document, "environment"), figures=door.mapping(document, "figures"),
        records=tuple(door.record(item, f"records[{index}]") for index, item in enumerate(door.items(document, "records"))),
        gates=tuple(door.gate(item, f"gates[{index}]") for index, item in enumerate(door.items(document, "gates"))),
        task=door.word(document, "task", "", TASKS) if "task" in document else "mmia")
    door.no_duplicates("records", [record.id for record in results.records])
    door.no_duplicates("gates", [gate.id for gate in results.gates])
    return results


def to_document(results: Results) -> dict[str, Any]:
    """The JSON form of results."""
    return {"schema_version": SCHEMA_VERSION, **asdict(results)}


def stage_to_document(stage: Stage) -> dict[str, Any]:
    """The JSON form of one stage, kept beside results that are still in the making."""
    return asdict(stage)


def stage_from_document(document: Mapping[str, Any], path: Path) -> Stage:
    """A stage from its JSON form; InputError where it is malformed."""
    door = _Door(path)
    return Stage(tuple(door.record(item, f"records[{index}]") for index, item in enumerate(door.items(document, "records"))),
                 door.mapping(document, "figures"))


@dataclass(frozen=True)
class _Door:
    """Checks of a results file, each refusal naming the field."""

    path: Path

    def refuse(self, name: str, found: object, expected: str) -> InputError:
        return InputError(self.path, name, f"is {str(found)[:60]!r}, must be {expected}; run `pixie bench` again")

    def text(self, item: Mapping[str, Any], name: str, prefix: str = "") -> str:
        value = item.get(name)
        if not isinstance(value, str):
            raise self.refuse(prefix + name, value, "text")
        return value

    def integer(self, item: Mapping[str, Any], name: str, prefix: str = "") -> int:
        value = item.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refuse(prefix + name, value, "an integer")
        return value

    def number(self, item: Mapping[str, Any], name: str, prefix: str) -> float | int:
        value = item.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.refuse(prefix + name, value, "a number")
        return value

    def mapping(self, item: Mapping[str, Any], name: str, prefix: str = "") -> Mapping[str, Any]:
        value = item.get(name)
        if not isinstance(value, dict):
            raise self.refuse(prefix + name, value, "an object")
        return value

    def items(self, item: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
        value = item.get(name)
        if not isinstance(value, list):
            raise self.refuse(name, value, "a list")
        for index, entry in enumerate(value):
            if not isinstance(entry, dict):
                raise self.refuse(f"{name}[{index}]", entry, "an object")
        return value

    def word(self, item: Mapping[str, Any], name: str, prefix: str, words: Iterable[str]) -> str:
        value = self.text(item, name, prefix)
        if value not in words:
            raise self.refuse(prefix + name, value, f"one of {', '.join(words)}")
        return value

    def record(self, item: Mapping[str, Any], where: str) -> Record:
        prefix = f"{where}."
        spread = item.get("spread")
        return Record(
            id=self.text(item, "id", prefix), value=None if item.get("value") is None else self.number(item, "value", prefix),
            unit=self.text(item, "unit", prefix), how=self.word(item, "how", prefix, HOW), on=self.text(item, "on", prefix),
            spread=None if spread is None else self.spread(self.mapping(item, "spread", prefix), f"{prefix}spread."),
            n=None if item.get("n") is None else self.integer(item, "n", prefix),
            seed=None if item.get("seed") is None else self.integer(item, "seed", prefix), source=self.text(item, "source", prefix))

    def spread(self, item: Mapping[str, Any], prefix: str) -> Spread:
        low, high = self.number(item, "low", prefix), self.number(item, "high", prefix)
        if low > high:
            raise self.refuse(f"{prefix}low", low, f"at most high ({high})")
        return Spread(low, high, self.text(item, "what", prefix))

    def gate(self, item: Mapping[str, Any], where: str) -> Gate:
        prefix = f"{where}."
        holds = item.get("holds")
        if holds is not None and not isinstance(holds, bool):
            raise self.refuse(f"{prefix}holds", holds, "true, false or null")
        return Gate(self.text(item, "id", prefix), None if item.get("value") is None else self.number(item, "value", prefix),
                    self.word(item, "op", prefix, OPERATIONS), self.number(item, "bound", prefix), holds)

    def no_duplicates(self, name: str, ids: list[str]) -> None:
        if len(set(ids)) != len(ids):
            twice = next(one for one in ids if ids.count(one) > 1)
            raise self.refuse(name, twice, "there once")


def _not_finite(value: object, where: str) -> str | None:
    """Where in a JSON document the first number stands that is not finite, None where all are."""
    if isinstance(value, float) and not math.isfinite(value):
        return where
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1 << 63:
        return where
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found = _not_finite(child, f"{where}[{key}]" if isinstance(key, int) else f"{where}.{key}" if where else key)
        if found:
            return found
    return None
