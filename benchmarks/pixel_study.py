"""The study's tables in the report, and the simulator held against them and against a recorded frame."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import poisson

from edge_runtime.errors import InputError
from edge_runtime.frames import FRAME_GTU, PIXELS
from edge_runtime.masking import DEAD
from train.instruments.minieuso.configuration import SESSIONS, Configuration
from train.instruments.minieuso.constants import TUBE_PIXELS
from train.instruments.minieuso.scene import Scene

from .environment import on
from .recorded import read_supplied
from .results import Record, Stage

SLIDES = "the slides of the study that is repeated"
RAW_AUC, FEATURES_AUC = 0.85, 0.93  # logistic regression on the scaled curve stays below the first, on five features it is above the second


def study(folder: Path, scale: str) -> Stage:
    """The study's tables as records, and its two checks of the simulator: ids `study.EXPERIMENT.METHOD...`, `pixels.simulator.raw`, `.features`.

    InputError where results of `scale` "full" would rest on a study at demo scale.
    """
    from train.pixels.study import kept_tables

    records: list[Record] = []
    tables: dict[str, Any] = {}
    for table in kept_tables(folder):
        name, own_scale = table.experiment.name, str(table.key["scale"])
        if (scale, own_scale) == ("full", "demo"):
            raise InputError(folder / f"{name}.json", "scale", "is demo, too small for --scale full; run pixie study minieuso all --scale middle")
        source = f"pixie study minieuso {name} --scale {own_scale}; each session left out in turn, simulated"
        seed, rows = int(str(table.key["seed"])), []
        for number, row in enumerate(table.rows()):
            found, own_rows = _row(f"study.{name}.{number}", row, table.sessions, source, seed)
            records += found
            rows += own_rows
        tables[f"study_{name.replace('-', '_')}"] = {"title": table.experiment.title, "units": False, "rows": rows,
                                                    "columns": ["method", *map(str, table.sessions), "mean", "spread", "recall at 1e-3", "slides"]}
        if name == "classical":
            mean = {str(row["method"]): float(str(row["mean"])) for row in table.rows()}
            for identity, method in (("pixels.simulator.raw", "logistic regression, scaled curve"),
                                     ("pixels.simulator.features", "logistic regression, five features")):
                records.append(Record(identity, mean[method], "AUC", "measured", on(), None, len(table.sessions), seed, f"{source}; {method}"))
    return Stage(tuple(records), {"tables": tables})


def _row(stem: str, row: dict[str, Any], sessions: tuple[int, ...], source: str, seed: int) -> tuple[list[Record], list[dict[str, Any]]]:
    """Records of one method, and its rows in the table: ours, and the slides' by session where they print them."""
    from train.pixels.experiments import SLIDES_BY_SESSION

    auc, theirs = row["auc"], "their recordings"
    found: list[Record | None] = [
        Record(f"{stem}.session_{session}", float(auc[str(session)]), "AUC", "measured", on(), None, 1, seed, f"{source}; {row['method']}")
        if auc.get(str(session)) is not None else None for session in sessions]
    for field, unit, how, said in (("mean", "AUC", "measured", source), ("spread", "AUC", "measured", f"{source}; standard deviation over sessions"),
                                   ("recall_1e3", "share", "measured", f"{source}; recall at a false-positive rate of 1e-3"),
                                   ("slides", "AUC", "published", SLIDES)):
        found.append(None if row[field] is None else Record(f"{stem}.{field}", float(row[field]), unit, how, on() if how == "measured" else theirs, None,
                                                            len(auc), seed, said))
    rows = [{"name": str(row["method"]), "cells": [None if record is None else record.id for record in found]}]
    records = [record for record in found if record is not None]
    if row["method"] in SLIDES_BY_SESSION:
        printed = [Record(f"{stem}.slides.session_{session}", value, "AUC", "published", theirs, None, 1, None, SLIDES)
                   for session, value in zip(sessions, SLIDES_BY_SESSION[row["method"]], strict=True)]
        records += printed
        rows.append({"name": "the slides", "cells": [*(record.id for record in printed), None, None, None, None]})
    return records, rows


def simulator(checks: Stage, recorded: Path | None) -> Stage:
    """`pixels.simulator`: how many checks fail, of the study's two and, where a recorded frame is supplied, of its level, tubes and dead pixels."""
    value = {record.id: record.value for record in checks.records}
    failed, said = [], []
    for identity, holds in (("pixels.simulator.raw", lambda auc: auc < RAW_AUC), ("pixels.simulator.features", lambda auc: auc > FEATURES_AUC)):
        if value.get(identity) is None:
            missing = "the study's table `classical` was not supplied: --study DIR"
            return Stage((Record("pixels.simulator", None, "count", "measured", on(), None, None, None, missing),))
        failed += [] if holds(value[identity]) else [identity]
    records = []
    if recorded is not None and (recorded / "minieuso_d3_frame").is_dir():
        frame = read_supplied(recorded / "minieuso_d3_frame" / "minieuso_d3_frame0.npz", "counts_per_gtu", (PIXELS, PIXELS))
        ranges = [_looks(Scene(session, 1, seed).sums()[0] / FRAME_GTU) for session in SESSIONS for seed in range(3)]
        # Nine detectors are too few to show how many pixels may be dead: the law says it, by which the simulator draws them.
        dead = tuple(map(float, poisson.interval(0.95, Configuration().dead_pixels)))
        for name, own in _looks(frame).items():
            low, high = dead if name == "dead_pixels" else (min(one[name] for one in ranges), max(one[name] for one in ranges))
            failed += [] if low <= own <= high else [name]
            said.append(f"{name.replace('_', ' ')} {own:.3g} (simulated {low:.3g} to {high:.3g})")
            records.append(Record(f"pixels.simulator.recorded_{name}", own, "", "measured", "recorded frame of 2019-12-31", None, 1, None,
                                  f"simulated sessions: {low:.4g} to {high:.4g}"))
    told = (f"logistic regression on the scaled curve below {RAW_AUC}, on five features above {FEATURES_AUC}; recorded frame: "
            f"{'; '.join(said) or 'not supplied'}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    records.append(Record("pixels.simulator", len(failed), "count", "measured", on(), None, 2 + len(said), None, told))
    rows = [{"name": f"the simulator's checks that fail: {told}", "cells": ["pixels.simulator"]}]
    return Stage(tuple(records), {"tables": {"recorded": {"columns": ["check", "value"], "rows": rows}}})


def _looks(means: np.ndarray) -> dict[str, float]:
    """Of a frame of counts per GTU: level, relative deviation between tubes, relative deviation within them, dead pixels."""
    live = means > DEAD * np.median(means)  # as the board tells dead pixels: the recorded frame was read off a picture, where 0 is nearly 0
    tubes = PIXELS // TUBE_PIXELS
    masked = np.where(live, means, np.nan).reshape(tubes, TUBE_PIXELS, tubes, TUBE_PIXELS)
    median = np.nanmedian(masked, axis=(1, 3))
    within = np.nanstd(masked / median[:, None, :, None], axis=(1, 3))
    return {"level": float(np.median(means[live])), "tube_steps": float(median.std() / median.mean()), "pixel_noise": float(np.median(within)),
            "dead_pixels": float(np.count_nonzero(~live))}
