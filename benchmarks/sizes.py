"""Bytes of what flies and of what stays: `flight.bytes` is the model, its tables and the manifest; the rest of the bundle is listed apart."""

from pathlib import Path

from edge_runtime.bundle import FLOWN, MANIFEST

from .results import Record, Stage

FLIGHT = ("model.tflite", MANIFEST)  # the preprocessing and score tables stand in the manifest


def sizes(bundle: Path, flight: str = "flight.bytes") -> Stage:
    """Bytes of every file of a bundle, counted as the file system gives them; the record of what flies is called `flight`."""
    names = (MANIFEST, *FLOWN)
    by_name = {name: (bundle / name).stat().st_size for name in names}
    ground = sum(file.stat().st_size for file in (bundle / "ground").rglob("*") if file.is_file())
    totals = {flight: ("flies: model.tflite and manifest with its tables", flight_bytes(bundle)),
              "bytes.bundle": ("the bundle without ground/", sum(by_name.values()))}
    if ground:
        totals["bytes.ground"] = ("ground/: decoder and whole model", ground)
    records = [Record(name, value, "bytes", "measured", "file system", None, 1, None, words) for name, (words, value) in totals.items()]
    records += [Record(f"bytes.{name.replace('.', '_')}", size, "bytes", "measured", "file system", None, 1, None, name) for name, size in by_name.items()]
    rows = [{"name": name + (" (flies)" if name in FLIGHT else ""), "cells": [f"bytes.{name.replace('.', '_')}"]} for name in names]
    rows += [{"name": words, "cells": [name]} for name, (words, _) in totals.items()]
    return Stage(tuple(records), {"tables": {"files": {"columns": ["file", "bytes"], "rows": rows}}})


def flight_bytes(bundle: Path) -> int:
    """Bytes of what flies of a bundle."""
    return sum((bundle / name).stat().st_size for name in FLIGHT)
