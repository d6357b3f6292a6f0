"""What the sessions say of the pixels: records, tables and curves of the folds that `pixel_sessions.judged` gives."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.stats import t

from train.pixels.truth import KINDS

from .environment import on
from .results import Record, Spread, Stage
from .statistics import clopper_pearson

Found = Mapping[int, Mapping[str, Any]]  # by session what `judged` gives
Table = dict[str, Any]
SOURCE = "benchmarks/pixel_sessions.py; simulated sessions, each judged by what learned from others"
RATES = {"1e4": 1e-4, "1e5": 1e-5}
NETWORKS = {"int8": "int8 network", "float_twin": "its float twin"}
# What is measured of every method: field of `judged`, the record's name for it, unit, words.
FIELDS = (("auc", "auc", "AUC", "windows rich in confusers"), ("auc_stream", "auc_stream", "AUC", "background as it comes"),
          ("recall_1e4", "method_recall", "share", "recall at false-positive rate 1e-4, thresholds on each method's windows of the background"))


def stage(found: Found, classical: Mapping[str, str], seed: int) -> Stage:
    """Records, tables and curves of the sessions judged. classical: what the classifiers are called."""
    names = {**NETWORKS, **classical}
    methods = [name for name in names if all(name in one["methods"] for one in found.values())]
    records, rows = _methods(found, names, methods, seed)
    paired, differences, figures = _differences(found, names, methods, seed)
    operating, points = _operating(found, seed)
    least = min(one["windows"] for one in found.values())
    count = Record("pixels.operating_point", least, "count", "measured", on(), None, len(found), seed,
                   f"{SOURCE}; background pixel-windows of the session that has fewest")
    tables = {
        "pixels": {"columns": ["method", "AUC, rich in confusers", "AUC, background as it comes", "recall at 1e-4"],
                   "rows": rows + differences,
                   "note": "Mean over left-out sessions with the 95 % interval of that mean (Student's t). A window with a meteor has it in its middle, at a "
                           "matched-filter SNR of 5 or more in that pixel. All learn from the same windows, where a number stands from so many of them; the "
                           f"network from fresh noise windows besides. Recall: thresholds on background windows of the session, {_backgrounds(found, names)}. "
                           "The noise windows of the network's training were chosen with sessions 5, 6 and 14 in view."},
        "operating_points": {"columns": ["session left out", "recall at 1e-4", "recall at 1e-5"], "rows": points,
                             "note": "int8 network; thresholds on the session's own background, so that they are points of the ROC curve, not of flight."}}
    return Stage((*records, *paired, *operating, count), {**figures, "pixel_roc": _roc(found, names, methods), "tables": tables})


def _methods(found: Found, names: Mapping[str, str], methods: Iterable[str], seed: int) -> tuple[list[Record], list[Table]]:
    """The mean over sessions of every field of every method."""
    records, rows = [], []
    for name in methods:
        own = [_mean(f"pixels.{identity}.{name}", _of(found, name, field), unit, f"{SOURCE}; {words}", seed) for field, identity, unit, words in FIELDS]
        records += own
        rows.append({"name": names[name], "cells": [record.id for record in own]})
    return records, rows


def _differences(found: Found, names: Mapping[str, str], methods: list[str], seed: int) -> tuple[list[Record], list[Table], Table]:
    """The int8 network less its float twin and less the best classical method by each measure: it has to stand beside it there."""

    def less(identity: str, other: str, field: str, unit: str) -> Record:
        return _mean(identity, _of(found, "int8", field) - _of(found, other, field), unit, f"{SOURCE}; int8 less {names[other]}, paired", seed)

    records = [less("pixels.int8_vs_float", "float_twin", "auc", "AUC")]
    rows = [{"name": "int8 less float twin", "cells": ["pixels.int8_vs_float", None, None]}]
    classical = [name for name in methods if name not in NETWORKS]
    if not classical:
        return records, rows, {"confusers": _confusers(found, names, methods)}
    auc, recall = (max(classical, key=lambda name: float(_of(found, name, field).mean())) for field in ("auc", "recall_1e4"))
    records += [less("pixels.int8_vs_classical", auc, "auc", "AUC"), less("pixels.int8_vs_classical.recall", recall, "recall_1e4", "share")]
    rows.append({"name": "int8 less best classical", "cells": ["pixels.int8_vs_classical", None, "pixels.int8_vs_classical.recall"]})
    return records, rows, {"best_classical": names[auc], "confusers": _confusers(found, names, ["int8", auc, recall])}


def _operating(found: Found, seed: int) -> tuple[list[Record], list[Table]]:
    """Recall of the int8 network at the false-positive rates, thresholds from every background window of the session."""
    records, rows = [], []
    for session, one in found.items():
        n, cells = one["meteors"], [f"pixels.recall_{word}.session_{session}" for word in RATES]
        for cell, (word, rate) in zip(cells, RATES.items(), strict=True):
            hits = one["operating"][word]
            records.append(Record(cell, hits / n, "share", "measured", on("fake-quantised"), Spread(*clopper_pearson(hits, n), "95 %, Clopper-Pearson"),
                                  n, seed, f"{SOURCE}; threshold at {rate:g} of {one['windows']:,} background pixel-windows of the session"))
        rows.append({"name": f"session {session}: {one['windows']:,} background windows", "cells": cells})
    windows = sum(one["windows"] for one in found.values())
    for word in RATES:
        shares = np.array([one["operating"][word] / one["meteors"] for one in found.values()])
        records.append(_mean(f"pixels.recall_{word}.int8", shares, "share", f"{SOURCE}; mean over sessions, all {windows:,} background windows", seed))
    rows.append({"name": "mean over sessions", "cells": [f"pixels.recall_{word}.int8" for word in RATES]})
    return records, rows


def _backgrounds(found: Found, names: Mapping[str, str]) -> str:
    """How many background windows a session stand behind the thresholds: "21,252,759 for the int8 network, ..."."""
    by_number: dict[int, list[str]] = {}
    for name, words in names.items():
        own = [one["methods"][name]["background"] for one in found.values() if name in one["methods"]]
        if own:
            by_number.setdefault(min(own), []).append(words)
    return "; ".join(f"{number:,} for {', '.join(by_number[number])}" for number in sorted(by_number, reverse=True))


def _of(found: Found, method: str, field: str) -> np.ndarray:
    """One field of a method, by session."""
    return np.array([one["methods"][method][field] for one in found.values()])


def _mean(identity: str, values: np.ndarray, unit: str, source: str, seed: int) -> Record:
    """The mean over sessions and its 95 % interval, by Student's t."""
    n = len(values)
    half = float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    mean = float(values.mean())
    spread = Spread(mean - half, mean + half, f"95 %, Student's t over {n} sessions") if n > 1 else None
    return Record(identity, mean, unit, "measured", on(), spread, n, seed, source)


def _roc(found: Found, names: Mapping[str, str], methods: list[str]) -> dict[str, Any]:
    """Mean recall over sessions at common false-positive rates; the int8 network's from every window."""
    rates = np.logspace(-6, 0, 121)

    def mean_recall(curves: list[Mapping[str, list[float]]]) -> list[float]:
        found_at = []
        for curve in curves:
            order = np.argsort(curve["fpr"], kind="stable")
            fpr, recall = np.array(curve["fpr"])[order], np.maximum.accumulate(np.array(curve["recall"])[order])
            place = np.searchsorted(fpr, rates, "right") - 1
            found_at.append(np.where(place >= 0, recall[np.maximum(place, 0)], 0.0))
        return [round(float(value), 5) for value in np.mean(found_at, axis=0)]

    curves = []
    for name in methods:
        own = [one["methods"][name] for one in found.values()]
        lowest = 1 / min(one["background"] for one in own)
        kept = rates >= lowest
        recall = np.array(mean_recall(own))[kept]
        curves.append({"name": names[name], "fpr": rates[kept].tolist(), "recall": recall.tolist(),
                       "auc": round(float(np.mean([one["methods"][name]["auc_stream"] for one in found.values()])), 5)})
    return {"curves": curves, "windows": min(one["windows"] for one in found.values()),
            "note": f"mean over {len(found)} left-out sessions; each curve begins where its background windows end"}


def _confusers(found: Found, names: Mapping[str, str], methods: list[str]) -> dict[str, Any]:
    """Background windows flagged at a false-positive rate of 1e-4, by what is in them."""
    rows = [{"name": names[name], "counts": np.sum([one["methods"][name]["flagged"] for one in found.values()], axis=0)[:-1].tolist()}
            for name in dict.fromkeys(methods)]
    return {"kinds": list(KINDS[:-1]), "rows": rows, "windows": np.sum([one["kinds"] for one in found.values()], axis=0)[:-1].tolist(),
            "note": "at a false-positive rate of 1e-4 in each session, subset of the background"}
