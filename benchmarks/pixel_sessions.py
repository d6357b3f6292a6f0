"""Pixels, session by session: the int8 network, its float twin and the classical classifiers on the windows of a session that none of them saw.

At full scale every session is left out in turn, and network and classifiers learn from the same windows of the others. At demo scale the run's
own network is judged on the sessions that it did not learn from, without classifiers: their learning takes too long for a demo.
"""

import multiprocessing
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import beta, t

from edge_runtime.files import new_file
from edge_runtime.pixels import WINDOW_FRAMES, PixelCodes, stretch_codes
from train.evaluate import roc_auc
from train.instruments.minieuso.configuration import SESSIONS
from train.instruments.minieuso.scene import FILE_FRAMES, Scene
from train.pixels.classifiers import TREES, Library, boosted, logistic, neighbours
from train.pixels.experiments import both, five_features, scaled
from train.pixels.truth import KINDS, LONGEST, Noise
from train.pixels.windows import PixelWindowSet, joined, pixel_windows, stretch_of

from .environment import on
from .kept_jobs import Job, run_kept
from .results import Record, Spread, Stage
from .statistics import roc_curve

SOURCE = "benchmarks/pixel_sessions.py; simulated sessions, each judged by what learned from others"
RATES = {"1e4": 1e-4, "1e5": 1e-5}
SUBSET = 34_000  # background windows of a file on which classifiers, too slow for all of them, are judged
SOME_WINDOWS = 30_000  # that neighbours know and each tree of a forest grows on: with all of them these two alone would take hours
_BINS = 160  # points of a ROC curve
Score = Callable[[np.ndarray, np.ndarray], np.ndarray]  # codes int8 [w, 48], counts uint32 [w, 48] -> [w]
CLASSICAL: Mapping[str, tuple[str, Callable[[int], Any], Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "knn": ("k-nearest neighbours, curve and features", lambda seed: _Few(neighbours(seed), seed), lambda codes, counts: both(counts)),
    "forest": ("random forest, curve and features", lambda seed: _forest(seed), lambda codes, counts: both(counts)),
    "xgboost": ("XGBoost, curve and features", boosted, lambda codes, counts: both(counts)),
    "xgboost_curve": ("XGBoost, scaled curve", boosted, lambda codes, counts: scaled(counts)),
    "xgboost_codes": ("XGBoost on the network's own codes", boosted, lambda codes, counts: codes.astype(np.float32)),
    "logistic": ("logistic regression, five features", logistic, lambda codes, counts: five_features(counts)),
}
NETWORKS = {"int8": "int8 network", "float_twin": "its float twin"}


@dataclass(frozen=True)
class Effort:
    """Windows of each session to learn from and to be judged on, files of background, epochs of trunk and tails."""

    meteors: int
    others: int
    test_meteors: int
    test_others: int
    files: int
    trunk_epochs: int
    tail_epochs: int


FULL = Effort(1_500, 15_000, 1_000, 10_000, 3, 10, 4)
DEMO = replace(FULL, test_meteors=500, test_others=5_000)


def leave_one_out(kept: Path, seed: int, effort: Effort = FULL) -> Stage:
    """All gates of the pixels; what networks and what classifiers say of a session is kept in `kept` when it is done: a long run goes on where it was cut
    off."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:  # made once, learned from eight times
        list(pool.map(partial(_make_windows, kept, seed, effort), SESSIONS))
    jobs: list[Job] = [(f"session-{session}-{learner.__name__}", learner, (session, kept, seed, effort))
                       for session in SESSIONS for learner in (networks, classifiers)]
    found = run_kept(jobs, kept, f"{seed} {effort}")
    return stage({session: together(found[f"session-{session}-networks"], found[f"session-{session}-classifiers"]) for session in SESSIONS}, seed)


def together(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What networks and what classifiers say of one session, which is the same windows to both."""
    return {**ours, "methods": {**ours["methods"], **theirs["methods"]}}


def of_run(run_folder: Path, seed: int, effort: Effort = DEMO) -> Stage:
    """The gates that a run's own network can show, on the sessions that it did not learn from."""
    from train.run_folder import read_run

    learned = read_run(run_folder).configuration.data.sessions
    left = [session for session in SESSIONS if session not in learned]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.map(partial(_of_run, run_folder, seed, effort), left)
        return stage(dict(zip(left, found, strict=True)), seed)


def _of_run(run_folder: Path, seed: int, effort: Effort, session: int) -> dict[str, Any]:
    from train.run_folder import read_run

    run = read_run(run_folder)
    return judged(session, _networks(run.configuration, run.quantised, run.float_twin), seed, effort)


def _windows(kept: Path, seed: int, effort: Effort, session: int) -> PixelWindowSet:
    """Windows of a session to learn from, as `_make_windows` left them."""
    with np.load(_windows_file(kept, seed, effort, session)) as archive:
        return PixelWindowSet(**{name: archive[name] for name in archive.files})


def _make_windows(kept: Path, seed: int, effort: Effort, session: int) -> None:
    file = _windows_file(kept, seed, effort, session)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with new_file(file) as temporary:
            np.savez(temporary, **vars(pixel_windows(session, effort.meteors, effort.others, seed)))


def _windows_file(kept: Path, seed: int, effort: Effort, session: int) -> Path:
    return kept / f"windows-{session}-{seed}-{effort.meteors}-{effort.others}.npz"


def networks(session: int, kept: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Network and twin learn from all sessions but one, and are judged on that one."""
    from train.configuration import PixelConfiguration, PixelDataConfiguration, PixelSchedule
    from train.loop import train
    from train.pixels.training import PixelSet
    from train.run_folder import read_arrays, start_run

    others = tuple(number for number in SESSIONS if number != session)
    windows = joined([_windows(kept, seed, effort, number) for number in others])
    configuration = PixelConfiguration(seed=seed, training=PixelSchedule(trunk_epochs=effort.trunk_epochs, tail_epochs=effort.tail_epochs),
                                       data=PixelDataConfiguration(sessions=others, calibration_sessions=(session,)))
    with tempfile.TemporaryDirectory(prefix="pixie-fold-") as scratch:
        folder = Path(scratch) / "run"
        start_run(folder, configuration, {})
        train(configuration, folder, PixelSet(windows.codes, windows.meteor))
        methods = _networks(configuration, read_arrays(folder / "quantised.npz"), read_arrays(folder / "float_twin.npz"))
    return judged(session, methods, seed, effort)


def classifiers(session: int, kept: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """The classical classifiers learn from the same windows, and are judged on the same."""
    windows = joined([_windows(kept, seed, effort, number) for number in SESSIONS if number != session])
    methods: dict[str, Score] = {}
    for name, (_, make, view) in CLASSICAL.items():
        classifier = make(seed)
        classifier.fit(view(windows.codes, windows.counts), windows.meteor)
        methods[name] = partial(_told, classifier, view)
    return judged(session, methods, seed, effort)


def _told(classifier: Any, view: Callable[[np.ndarray, np.ndarray], np.ndarray], codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    scores: np.ndarray = classifier.score(view(codes, counts))
    return scores


@dataclass
class _Few:
    """A classifier that learns from SOME_WINDOWS of what it is given."""

    classifier: Library
    seed: int

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        some = np.random.default_rng(self.seed).permutation(len(x))[:SOME_WINDOWS]
        self.classifier.fit(x[some], y[some])

    def score(self, x: np.ndarray) -> np.ndarray:
        return self.classifier.score(x)


def _forest(seed: int) -> Library:
    from sklearn.ensemble import RandomForestClassifier

    return Library(lambda: RandomForestClassifier(TREES, min_samples_leaf=3, max_samples=SOME_WINDOWS, random_state=seed))


def _networks(configuration: Any, quantised: dict[str, np.ndarray], float_twin: dict[str, np.ndarray]) -> dict[str, Score]:
    """Scores of the quantised network, codes of its logits, which parity gates tie to the flight file; and of its float twin."""
    import torch

    from train.pixels.training import Frozen, PixelSystem, scores

    torch.set_num_threads(1)
    system, twin = PixelSystem(configuration, "quantised"), PixelSystem(configuration, "float_twin")
    system.load_arrays(quantised)
    twin.load_arrays(float_twin)
    frozen = Frozen(system)
    return {"int8": lambda codes, counts: frozen.logit_codes(codes), "float_twin": lambda codes, counts: scores(twin, codes)}


def judged(session: int, methods: Mapping[str, Score], seed: int, effort: Effort) -> dict[str, Any]:
    """What every method says of a session: AUC on windows rich in confusers; on background as it comes recall at false-positive rates, the ROC curve and
    which kinds of windows are flagged. The networks see every background window, classifiers SUBSET of each file."""
    rich = pixel_windows(session, effort.test_meteors, effort.test_others, seed + 1_000)
    score = {name: method(rich.codes, rich.counts).astype(np.float64) for name, method in methods.items()}
    background, histogram, kinds = _background(session, methods, seed, effort.files)
    found: dict[str, Any] = {"meteors": int(rich.meteor.sum()), "others": int((~rich.meteor).sum()), "windows": int(histogram.sum()),
                             "subset": len(kinds), "kinds": np.bincount(kinds, minlength=len(KINDS)).tolist(), "methods": {}}
    for name, own in score.items():
        meteor, dark = own[rich.meteor], background[name]
        limit = np.sort(dark)[::-1][int(RATES["1e4"] * len(dark))]
        fpr, recall = roc_curve(meteor, dark, _BINS)
        found["methods"][name] = {"auc": roc_auc(meteor, own[~rich.meteor]), "auc_stream": roc_auc(meteor, dark), "recall_1e4": float((meteor > limit).mean()),
                                  "flagged": np.bincount(kinds[dark > limit], minlength=len(KINDS)).tolist(), "fpr": fpr, "recall": recall}
    if "int8" not in methods:
        return found
    above = histogram.sum() - np.cumsum(histogram)
    found["operating"] = {word: int((score["int8"][rich.meteor] > int(np.argmax(above <= rate * histogram.sum())) - 128).sum()) for word, rate in RATES.items()}
    points = np.flatnonzero(np.diff(above, prepend=histogram.sum()))
    meteor = score["int8"][rich.meteor]
    found["int8_roc"] = {"fpr": (above[points] / histogram.sum()).tolist(), "recall": [float((meteor > code - 128).mean()) for code in points]}
    return found


def _background(session: int, methods: Mapping[str, Score], seed: int, files: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Of meteor-free files: scores of all methods on a subset of the windows, codes int8 of all as counts [256], and the kind of each of the subset."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    histogram, kinds = np.zeros(256, np.int64), []
    for file in range(files):
        scene = Scene(session, FILE_FRAMES, int(np.random.SeedSequence([seed, session, 9, file]).generate_state(1)[0]), meteors=0)
        stretch = stretch_of(scene)
        codes, age = stretch_codes(PixelCodes(), stretch)
        for k in range(WINDOW_FRAMES - 1, FILE_FRAMES if "int8" in methods else 0):
            full = age[k] >= WINDOW_FRAMES
            logits = methods["int8"](np.ascontiguousarray(codes[k + 1 - WINDOW_FRAMES:k + 1].T), np.empty(0)).astype(np.int64)
            histogram += np.bincount(logits[full] + 128, minlength=256)
        rng = np.random.default_rng([seed, session, file])
        last, pixel = rng.integers(LONGEST, FILE_FRAMES, 2 * SUBSET), rng.integers(0, codes.shape[1], 2 * SUBSET)
        taken = np.flatnonzero(age[last, pixel] >= WINDOW_FRAMES)[:SUBSET]
        last, pixel = last[taken], pixel[taken]
        frames = last[:, None] + np.arange(1 - WINDOW_FRAMES, 1)
        some_codes, some_counts = codes[frames, pixel[:, None]], stretch.sums.reshape(FILE_FRAMES, -1)[frames, pixel[:, None]]
        for name, method in methods.items():
            parts[name].append(method(some_codes, some_counts).astype(np.float64))
        kinds.append(Noise(scene).strongest(last + 1 - LONGEST, pixel))
    return {name: np.concatenate(one) for name, one in parts.items()}, histogram, np.concatenate(kinds)


def stage(found: Mapping[int, dict[str, Any]], seed: int) -> Stage:
    """Records, tables and curves of the sessions judged."""
    names = {**NETWORKS, **{name: words for name, (words, *_) in CLASSICAL.items()}}
    methods = [name for name in names if all(name in one["methods"] for one in found.values())]
    classical = [name for name in methods if name in CLASSICAL]
    of = {field: {name: np.array([one["methods"][name][field] for one in found.values()]) for name in methods} for field in ("auc", "auc_stream", "recall_1e4")}
    windows, least = sum(one["windows"] for one in found.values()), min(one["windows"] for one in found.values())
    records: list[Record] = []
    rows = []
    for name in methods:
        cells = []
        for field, unit, words in (("auc", "AUC", "windows rich in confusers"), ("auc_stream", "AUC", "background as it comes"),
                                   ("recall_1e4", "share", "recall at false-positive rate 1e-4, subset of the background")):
            identity = f"pixels.{'recall_subset' if field == 'recall_1e4' else field}.{name}"
            records.append(_mean(identity, of[field][name], unit, f"{SOURCE}; {words}", seed))
            cells.append(identity)
        rows.append({"name": names[name], "cells": cells})
    records.append(_mean("pixels.int8_vs_float", of["auc"]["int8"] - of["auc"]["float_twin"], "AUC", f"{SOURCE}; int8 less float twin, paired", seed))
    figures: dict[str, Any] = {"tables": {}}
    if classical:
        # The best by each measure: the network has to stand beside it there.
        best = {field: max(classical, key=lambda name: float(of[field][name].mean())) for field in ("auc", "recall_1e4")}
        for identity, field, unit in (("pixels.int8_vs_classical", "auc", "AUC"), ("pixels.int8_vs_classical.recall", "recall_1e4", "share")):
            records.append(_mean(identity, of[field]["int8"] - of[field][best[field]], unit, f"{SOURCE}; int8 less {names[best[field]]}, paired", seed))
        figures["best_classical"] = names[best["auc"]]
        figures["confusers"] = _confusers(found, names, ["int8", best["auc"], best["recall_1e4"]])
    figures["pixel_roc"] = _roc(found, names, methods)
    operating = []
    for session, one in found.items():
        cells = []
        for word in RATES:
            hits, n = one["operating"][word], one["meteors"]
            low, high = clopper_pearson(hits, n)
            records.append(Record(f"pixels.recall_{word}.session_{session}", hits / n, "share", "measured", on("fake-quantised"),
                                  Spread(low, high, "95 %, Clopper-Pearson"), n, seed, f"{SOURCE}; threshold at {RATES[word]:g} of {one['windows']:,} "
                                  "background pixel-windows of the session"))
            cells.append(f"pixels.recall_{word}.session_{session}")
        operating.append({"name": f"session {session}: {one['windows']:,} background windows", "cells": cells})
    for word in RATES:
        shares = np.array([one["operating"][word] / one["meteors"] for one in found.values()])
        records.append(_mean(f"pixels.recall_{word}.int8", shares, "share", f"{SOURCE}; mean over sessions, all {windows:,} background windows", seed))
    operating.append({"name": "mean over sessions", "cells": [f"pixels.recall_{word}.int8" for word in RATES]})
    records.append(Record("pixels.operating_point", least, "count", "measured", on(), None, len(found), seed,
                          f"{SOURCE}; background pixel-windows of the session that has fewest"))
    extra = [{"name": "int8 less float twin", "cells": ["pixels.int8_vs_float", None, None]}]
    if classical:
        extra.append({"name": "int8 less best classical", "cells": ["pixels.int8_vs_classical", None, "pixels.int8_vs_classical.recall"]})
    figures["tables"] = {
        "pixels": {"columns": ["method", "AUC, rich in confusers", "AUC, background as it comes", "recall at 1e-4"], "rows": rows + extra,
                   "note": "Mean over left-out sessions with the 95 % interval of that mean (Student's t). A window with a meteor has it in its middle, at a "
                           "matched-filter SNR of 5 or more in that pixel. All learn from the same windows; neighbours and the trees of the forest from "
                           f"{SOME_WINDOWS:,} of them. The noise windows of the network's training were chosen with sessions 5, 6 and 14 in view."},
        "operating_points": {"columns": ["session left out", "recall at 1e-4", "recall at 1e-5"], "rows": operating,
                             "note": "int8 network; thresholds on the session's own background, so that they are points of the ROC curve, not of flight."}}
    return Stage(tuple(records), figures)


def clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of `hits` in `n`: Clopper and Pearson, Biometrika 26 (1934) 404."""
    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0


def _mean(identity: str, values: np.ndarray, unit: str, source: str, seed: int) -> Record:
    """The mean over sessions and its 95 % interval, by Student's t."""
    n = len(values)
    half = float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    mean = float(values.mean())
    spread = Spread(mean - half, mean + half, f"95 %, Student's t over {n} sessions") if n > 1 else None
    return Record(identity, mean, unit, "measured", on(), spread, n, seed, source)


def _roc(found: Mapping[int, dict[str, Any]], names: Mapping[str, str], methods: list[str]) -> dict[str, Any]:
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
        own = [one["int8_roc"] if name == "int8" else one["methods"][name] for one in found.values()]
        lowest = 1 / min(one["windows"] if name == "int8" else one["subset"] for one in found.values())
        kept = rates >= lowest
        recall = np.array(mean_recall(own))[kept]
        curves.append({"name": names[name], "fpr": rates[kept].tolist(), "recall": recall.tolist(),
                       "auc": round(float(np.mean([one["methods"][name]["auc_stream"] for one in found.values()])), 5)})
    return {"curves": curves, "windows": min(one["windows"] for one in found.values()),
            "note": f"mean over {len(found)} left-out sessions; each curve begins where its background windows end"}


def _confusers(found: Mapping[int, dict[str, Any]], names: Mapping[str, str], methods: list[str]) -> dict[str, Any]:
    """Background windows flagged at a false-positive rate of 1e-4, by what is in them."""
    rows = [{"name": names[name], "counts": np.sum([one["methods"][name]["flagged"] for one in found.values()], axis=0)[:-1].tolist()}
            for name in dict.fromkeys(methods)]
    return {"kinds": list(KINDS[:-1]), "rows": rows, "windows": np.sum([one["kinds"] for one in found.values()], axis=0)[:-1].tolist(),
            "note": "at a false-positive rate of 1e-4 in each session, subset of the background"}
