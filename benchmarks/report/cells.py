"""From records to what a table, a tile or a sentence shows of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..results import Record, Results

DECIMALS = {"AUC": 4, "F1": 3, "share": 3, "sigma": 2, "bits/sample": 3, "µs": 1, "ms": 2, "MB": 2, "times real time": 0, "per hour": 2, "mag": 1, "x": 2}
UNITS = {"AUC": "", "F1": "", "share": "", "count": "", "x": "×"}  # where another one than the record's is shown
TRACK_LIMIT = "tracks.limit."  # and the method: the faintest magnitude at which half of the meteors become tracks
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Cell:
    """A number in a table: what is shown, its interval and, when pointed at, where it comes from."""

    text: str
    unit: str
    spread: str
    source: str


def cell(record: Record | None) -> Cell:
    """A record as a table shows it; "not measured" where there is none."""
    # A limit without a value was measured: there is no magnitude at which half are found.
    if record is None or (record.value is None and not record.id.startswith(TRACK_LIMIT)):
        return Cell("not measured", "", "", "")
    facts = [record.how, record.on, f"n = {record.n:,}" if record.n is not None else "", record.spread.what if record.spread else "", record.source]
    source = "; ".join(fact for fact in facts if fact)
    if record.value is None:
        return Cell("at none", "", "", source)
    spread = f"{number(record.spread.low, record.unit)} – {number(record.spread.high, record.unit)}" if record.spread else ""
    return Cell(number(record.value, record.unit), UNITS.get(record.unit, record.unit), spread, source)


def number(value: float | int, unit: str) -> str:
    """A value with the decimals that its unit deserves."""
    if isinstance(value, int):
        return f"{value:,}"
    decimals = DECIMALS.get(unit, 3)
    if abs(value) >= 100:
        decimals = min(decimals, 0 if abs(value) >= 1000 else 1)
    if value and abs(value) < 0.5 * 10**-decimals:
        return f"{value:.2g}".replace("-", MINUS)
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def table(results: Results, data: Mapping[str, Any]) -> dict[str, Any]:
    """A table of record ids becomes one of cells, so that no number in it can lack its provenance."""
    rows = [(row["name"], [None if name is None else cell(results.record(name)) for name in row["cells"]]) for row in data["rows"]]
    return {"title": data.get("title", ""), "columns": data["columns"], "rows": rows, "note": data.get("note", ""), "units": data.get("units", True)}


def flat(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The environment line by line, as name and text."""
    lines = []
    for name, value in environment.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {one}" for key, one in value.items())
        lines.append((name.replace("_", " "), "not told by this machine" if value is None else str(value)))
    return lines
