"""Recall by class on what is hard to tell apart, by SNR, of the int8 flight file and of the five-way cuts without a network."""

import numpy as np

from edge_runtime.flagging import CLASSES

from .environment import on
from .material import Material
from .results import Record, Spread, Stage
from .statistics import wilson

NUMBER = {"demo": 60, "full": 1_000}  # windows of a kind
SNR = ((5, 10), (10, 30), (30, np.inf))
SOURCE = "benchmarks/hard_scenes.py; windows of benchmarks/hard_windows.py, in which the kind's own light has a matched-filter SNR of 5 or more"


def hard_scenes(material: Material) -> Stage:
    """Share of each kind's windows called by its class and flagged as light; `hard.KIND`, `.flagged`, `.rival`, and `.LOW_HIGH` by SNR."""
    from train.rivals import FiveWay
    from train.windows import window_set

    from .hard_windows import KINDS, hard_windows

    calibration = window_set("calibration", NUMBER[material.scale] * 2, material.seed)
    rival = FiveWay(calibration.counts, calibration.label, material.seed)
    table, flag = material.bundle.score, material.bundle.thresholds.flag
    records, rows = [], []
    for kind, hard in KINDS.items():
        windows = hard_windows(kind, NUMBER[material.scale], material.seed)
        logits = material.told(windows.counts)[1]
        right = logits.argmax(axis=1) == windows.label
        cells = []
        for suffix, hits, place, words in (("", right, on("litert"), "called by their class"),
                                           (".flagged", table.scores(logits)[0] > flag, on("litert"), "flagged as light"),
                                           (".rival", rival.told(windows.counts) == windows.label, on(), "called by their class, cuts without a network"),
                                           *((f".{low}_{high:g}", right[(windows.snr >= low) & (windows.snr < high)], on("litert"),
                                              f"called by their class, SNR {low} to {high:g}") for low, high in SNR)):
            n = len(hits)
            records.append(Record(f"hard.{kind}{suffix}", float(hits.mean()) if n else None, "share", "measured", place,
                                  Spread(*wilson(int(hits.sum()), n), "95 %, Wilson") if n else None, n, material.seed, f"{SOURCE}; {hard.words}: {words}"))
            cells.append(records[-1].id)
        rows.append({"name": f"{hard.words}: {CLASSES[hard.label]}", "cells": cells})
    columns = ["hard windows, and the class they are of", "called so", "flagged", "called so by cuts", "SNR 5 to 10", "10 to 30", "above 30"]
    note = "Cuts: a decision tree on clipped boxcars, their widths and ratios, learned from calibration windows. Nothing was learned from these kinds."
    return Stage(tuple(records), {"tables": {"hard": {"columns": columns, "rows": rows, "note": note, "units": False}}})
