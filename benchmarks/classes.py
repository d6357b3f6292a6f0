"""The five classes named by the int8 flight file and by what names them without a network, on the same held-out windows."""

from collections.abc import Callable, Mapping

import numpy as np

from edge_runtime.flagging import CLASSES
from train.evaluate import macro_f1
from train.rivals import Boosted, FiveWay
from train.windows import window_set

from .detection import FIVE_WAY_SCENES
from .environment import on
from .material import Material
from .results import Record, Stage
from .statistics import scene_bootstrap

TRAIN_SCENES = {"demo": 400, "full": 6_000}  # that the boosted trees learn from
CHOICE_SCENES = {"demo": 400, "full": 2_000}  # of the calibration split, on which the better rival is found
NAMES = {"int8": "int8 network", "boosted": "boosted trees on boxcars, widths and ratios", "five_way": "a tree of cuts on the same"}
PARTS = ("macro", *CLASSES)
Statistic = Callable[[np.ndarray], float]  # of the indices of the windows taken
SOURCE = "benchmarks/classes.py; held-out simulated scenes, all named windows"


def classes(material: Material) -> Stage:
    """`score.classes`: macro F1 of the int8 flight file less that of the better rival; `.CLASS` the same of one class, `classes.METHOD.*` of each method."""
    rivals, best = fitted(material)
    test = material.test
    told = {"int8": material.flight[1].argmax(axis=1), **{name: rival.told(test.counts) for name, rival in rivals.items()}}
    note = ("Windows with a name only: light of SNR 5 or more, hits, quiet. Both rivals see clipped boxcars, their widths and channel ratios. The boosted "
            f"trees learned from {TRAIN_SCENES[material.scale]:,} training scenes, the cuts from {FIVE_WAY_SCENES[material.scale]:,} calibration scenes; the "
            f"best rival is the one of greater macro F1 on {CHOICE_SCENES[material.scale]:,} other calibration scenes.")
    return compared(told, best, test.label.astype(np.int64), test.scene, material.seed, note)


def fitted(material: Material) -> tuple[dict[str, Boosted | FiveWay], str]:
    """The rivals by name, each after learning, and the name of the better one by macro F1 on calibration scenes that none of them learned from."""
    scale, seed = material.scale, material.seed
    train = window_set("train", TRAIN_SCENES[scale], seed)
    calibration = window_set("calibration", FIVE_WAY_SCENES[scale] + CHOICE_SCENES[scale], seed)
    # The scenes of the cuts in `detection`; a tree judged on the windows that it learned from would be chosen for its memory.
    seen = calibration.scene < FIVE_WAY_SCENES[scale]
    rivals: dict[str, Boosted | FiveWay] = {"boosted": Boosted(train.counts, train.label, seed),
                                            "five_way": FiveWay(calibration.counts[seen], calibration.label[seen], seed)}
    judged = ~seen & (calibration.label >= 0)
    counts, label = calibration.counts[judged], calibration.label[judged]
    return rivals, max(rivals, key=lambda name: macro_f1(label, rivals[name].told(counts)))


def compared(told: Mapping[str, np.ndarray], best: str, label: np.ndarray, scene: np.ndarray, seed: int, note: str) -> Stage:
    """Records and table of what each method of NAMES calls the windows, int [w], beside label int [w], -1 where a window has no name, and scene int [w]."""
    named = np.flatnonzero(label >= 0)

    def record(identity: str, statistic: Statistic, place: str, words: str) -> Record:
        return Record(identity, statistic(np.arange(named.size)), "F1", "measured", place, scene_bootstrap(statistic, scene[named], seed), named.size, seed,
                      f"{SOURCE}; {words}")

    parts = {name: {part: f1_of(label[named], told[name][named], part) for part in PARTS} for name in NAMES}
    records, rows = [], []
    for name, words in NAMES.items():
        records += [record(f"classes.{name}.{part}", parts[name][part], on("litert" if name == "int8" else ""), words) for part in PARTS]
        rows.append({"name": words, "cells": [f"classes.{name}.{part}" for part in PARTS]})
    ahead = {part: "score.classes" if part == "macro" else f"score.classes.{part}" for part in PARTS}
    words = f"int8 less best rival: {NAMES[best]}"
    records += [record(ahead[part], less(parts["int8"][part], parts[best][part]), on("litert"), f"{words}, paired") for part in PARTS]
    rows.append({"name": words, "cells": list(ahead.values())})
    return Stage(tuple(records), {"tables": {"classes": {"columns": ["method", "macro F1", *CLASSES], "rows": rows, "note": note}}})


def f1_of(label: np.ndarray, told: np.ndarray, part: str) -> Statistic:
    """F1 of the class `part`, or "macro", as a function of which windows are taken; 0 for a class that neither label nor told, int [w], names."""
    if part == "macro":
        return lambda picks: macro_f1(label[picks], told[picks])
    own, said = label == CLASSES.index(part), told == CLASSES.index(part)
    return lambda picks: 2 * float((own & said)[picks].sum()) / max(int(own[picks].sum() + said[picks].sum()), 1)


def less(first: Statistic, second: Statistic) -> Statistic:
    """The difference of two, on the same windows."""
    return lambda picks: first(picks) - second(picks)
