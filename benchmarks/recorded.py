"""Recorded slices of the instrument, where somebody has them: nothing was ever fitted to them, so they are the only test that is not our own simulator's."""

import os
import zipfile
from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.bundle import open_photometers
from edge_runtime.counts import Stretch
from edge_runtime.errors import InputError
from edge_runtime.files import check_file
from edge_runtime.flagging import LIGHT, Candidate
from edge_runtime.stream import Flagger

from .environment import on
from .results import Record, Stage

SLICES = ("bright_pulses", "uv_pulse", "quiet", "particle_hits")
VARIABLE = "PIXIE_RECORDED"


def recorded_folder(named: Path | None) -> Path | None:
    """The folder with mmia/slices.npz: the one named, else that of $PIXIE_RECORDED, else None."""
    return named or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)


def read_slices(folder: Path) -> dict[str, np.ndarray]:
    """The four recorded slices, uint16 [3, n] each; InputError where the file or one of them is missing or of another kind."""
    path = folder / "mmia" / "slices.npz"
    slices = {name: read_supplied(path, name, (3, None)) for name in SLICES}
    for name, counts in slices.items():
        if counts.dtype != np.uint16 or not counts.shape[1]:
            raise InputError(path, name, f"is {counts.dtype} {list(counts.shape)}, must be uint16 [3, n]")
    return slices


def recorded(bundle_folder: Path, folder: Path) -> Stage:
    """`recorded.*`: what the flight loop makes of each slice."""
    bundle = open_photometers(bundle_folder)
    engine = engines.load("litert", bundle.folder)
    flagger, path = Flagger(bundle, engine), folder / "mmia" / "slices.npz"
    found = {name: list(flagger.flag([Stretch(counts, None, 0, 0)])) for name, counts in read_slices(folder).items()}
    values = {
        "bright_pulses": int(any(candidate.class_name in LIGHT for candidate in found["bright_pulses"])),
        "uv_pulse": int(any(candidate.class_name == "uv" for candidate in found["uv_pulse"])),
        "quiet": len(found["quiet"]),
        "particle_hits": sum(candidate.class_name != "hits" for candidate in found["particle_hits"]),
    }
    records = tuple(Record(f"recorded.{name}", values[name], "count", "measured", on("litert"), None, 1, None,
                           f"{path.name}, recorded slice {name}: {_told(found[name])}") for name in SLICES)
    rows = [{"name": f"{name.replace('_', ' ')}: {_told(found[name])}", "cells": [f"recorded.{name}"]} for name in SLICES]
    return Stage(records, {"tables": {"recorded": {"columns": ["recorded slice, 50 ms each: candidates", "value of the gate"], "rows": rows,
                                                   "note": "Recorded in 2019; used here and nowhere else."}}})


def _told(candidates: list[Candidate]) -> str:
    told = (f"{one.class_name} at {one.sample_start}–{one.sample_end}, score {one.score}" for one in candidates)
    return "; ".join(told) or "no candidate"


def read_supplied(path: Path, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """An array of a supplied file; InputError where it is missing or of another shape."""
    check_file(path, 64 << 20)
    try:
        with np.load(path, allow_pickle=False) as archive:
            if name not in archive.files:
                raise InputError(path, name, "is missing; copy the file again")
            values: np.ndarray = archive[name]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(path, "npz", f"cannot be read ({error}); copy it again") from error
    if values.ndim != len(shape) or any(want is not None and want != have for want, have in zip(shape, values.shape, strict=True)):
        raise InputError(path, name, f"has shape {list(values.shape)}, must be {list(shape)}")
    return values
