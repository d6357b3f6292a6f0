"""`pixie merge`: results of several machines as one, so that one report shows them beside each other.

The first file's records keep their ids and its gates their verdicts: the report is its. A record of another machine gets the machine's name behind its id,
unless it is the same, like the bytes of a file. A table of one column of values gets a column for each machine, any other a row.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_runtime.errors import InputError

from .results import Record, Results, read_results

MERGED = "machines"  # in the environment of what was merged
SAME = ("value", "unit", "how", "on", "spread")  # of records that are one


@dataclass(frozen=True)
class _Machine:
    """One file's results. `ids`: what each of its records is called in the whole."""

    name: str
    results: Results
    ids: Mapping[str, str]

    def row(self, row: Mapping[str, Any]) -> list[str | None]:
        return [None if cell is None else self.ids.get(cell, cell) for cell in row["cells"]]


def merge(paths: Sequence[Path]) -> Results:
    """The files' results together. InputError for fewer than two, a malformed or newer file, one that is merged already, another task or a machine twice."""
    if len(paths) < 2:
        raise InputError("command line", "RESULTS.json", "is one file; name those of two machines or more")
    machines: list[_Machine] = []
    records: dict[str, Record] = {}
    for path in paths:
        results = read_results(path)
        name = _name(path, results)
        _refuse(path, name, results, machines)
        ids = {}
        for record in results.records:
            identity = record.id
            before = records.get(identity)
            if machines and (before is None or any(getattr(before, field) != getattr(record, field) for field in SAME)):
                identity = f"{record.id}@{_slug(name)}"
            ids[record.id] = identity
            records[identity] = replace(record, id=identity)
        machines.append(_Machine(name, results, ids))
    first = machines[0].results
    environment = {MERGED: ", ".join(machine.name for machine in machines), **{
        f"{machine.name}: {key}": value for machine in machines
        for key, value in {"scale": machine.results.scale, "made": machine.results.made, **machine.results.environment}.items()}}
    try:
        figures = _figures(machines)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(", ".join(map(str, paths)), "figures", f"are malformed in one of them ({type(error).__name__}: {error}); bench again") from error
    return replace(first, environment=environment, records=tuple(records.values()), figures=figures)


def _name(path: Path, results: Results) -> str:
    """What a machine is called: the hardware profile that was named for it, else its processor."""
    if MERGED in results.environment:
        raise InputError(path, f"environment.{MERGED}", "shows that it is merged already; name the files that it was made of")
    for key in ("profile", "cpu"):
        name = results.environment.get(key)
        if isinstance(name, str) and name:
            return name
    raise InputError(path, "environment.cpu", "is missing, so the machine has no name; run `pixie bench` there again, with --profile")


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _refuse(path: Path, name: str, results: Results, machines: Sequence[_Machine]) -> None:
    if _slug(name) in (_slug(machine.name) for machine in machines):
        raise InputError(path, "environment", f"is of {name!r}, like a file before it; name the newer alone, or bench two boards with --profile each")
    if machines and results.task != machines[0].results.task:
        raise InputError(path, "task", f"is {results.task!r}, that of the first file {machines[0].results.task!r}; merge results of one command")


def _figures(machines: Sequence[_Machine]) -> dict[str, Any]:
    """The first file's drawings; everybody's tables, models and notes."""
    titles = dict.fromkeys(title for machine in machines for title in machine.results.figures.get("tables", {}))
    figures = {**machines[0].results.figures, "tables": {title: _table(title, machines) for title in titles}}
    figures["notes"] = [f"{machine.name}: {note}" for machine in machines for note in machine.results.figures.get("notes", [])]
    models = {model["slug"]: model for machine in reversed(machines) for model in machine.results.figures.get("models", [])}
    return {**figures, "models": list(models.values())} if models else figures


def _table(title: str, machines: Sequence[_Machine]) -> dict[str, Any]:
    """One table of all machines that have it; rows of one name belong together, in the order in which they come first."""
    having = [(machine, machine.results.figures["tables"][title]) for machine in machines if title in machine.results.figures.get("tables", {})]
    whole = dict(having[0][1])
    names = dict.fromkeys(row["name"] for _, table in having for row in table["rows"])
    cells = {(machine.name, row["name"]): machine.row(row) for machine, table in having for row in table["rows"]}
    told = {name: _apart([(machine.name, cells[machine.name, name]) for machine, _ in having if (machine.name, name) in cells]) for name in names}
    if all(len(rows) == 1 for rows in told.values()) and len(having) > 1 and all(rows[0][0] == "" for rows in told.values()):
        return {**whole, "rows": [{"name": name, "cells": rows[0][1]} for name, rows in told.items()]}
    if len(whole["columns"]) == 2:
        columns = [whole["columns"][0], *(machine.name for machine, _ in having)]
        rows = [{"name": name, "cells": [(cells.get((machine.name, name)) or [None])[0] for machine, _ in having]} for name in names]
        return {**whole, "columns": columns, "rows": rows}
    return {**whole, "rows": [{"name": f"{name}, {machine}" if machine else name, "cells": found} for name, rows in told.items() for machine, found in rows]}


def _apart(rows: list[tuple[str, list[str | None]]]) -> list[tuple[str, list[str | None]]]:
    """Machines and their cells; one row without a machine where all have the same."""
    return [("", rows[0][1])] if len(rows) > 1 and all(found == rows[0][1] for _, found in rows) else rows
