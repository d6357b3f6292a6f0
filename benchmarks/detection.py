"""Flagging quality on held-out simulated scenes: the flight file, its float twin, the post-training int8 file, the label-free score, and the rivals.

All see the same windows. Which window is signal is the simulator's truth (matched-filter SNR), the threshold is the one of the bundle, fixed on
calibration scenes; intervals come from drawing scenes again, because windows of a scene share sky and source.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.counts import SAMPLE_TIME
from edge_runtime.errors import MissingError
from edge_runtime.flagging import CLASSES, LIGHT
from train.evaluate import answers, float_scores, logit_scale, macro_f1, paired_bootstrap, roc_auc
from train.rivals import RIVALS, FiveWay
from train.run_folder import read_run
from train.windows import window_set

from .environment import on
from .material import Material
from .post_training import post_training_logits
from .results import Record, Spread, Stage
from .statistics import confusion, precision_recall_curve, roc_curve, scene_bootstrap, wilson

QUIET, HITS = CLASSES.index("quiet"), CLASSES.index("hits")
SNR_EDGES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0, 200.0)
SOURCE = "benchmarks/detection.py; held-out simulated scenes"
DRAWS = 1_000
FIVE_WAY_SCENES = {"demo": 400, "full": 2_000}  # of the calibration split: the cuts get as much as the thresholds
CURVES = 4  # the network and its best rivals in the ROC figure: more lines would hide each other


@dataclass(frozen=True)
class Told:
    """What one method says of the test windows: `score` [w], higher is more like light; `label` int [w], index in CLASSES, or None."""

    id: str
    name: str
    score: np.ndarray
    label: np.ndarray | None = None


@dataclass(frozen=True)
class Truth:
    """The simulator's truth: masks bool [w] and label, scene int [w]. `balanced`: indices of equal numbers of signal, quiet and hits windows."""

    signal: np.ndarray
    quiet: np.ndarray
    hits: np.ndarray
    label: np.ndarray
    snr: np.ndarray
    scene: np.ndarray
    balanced: np.ndarray


def truth_of(material: Material) -> Truth:
    """The truth about the test windows."""
    from train.windows import balanced_test

    test = material.test
    return Truth(np.isin(test.label, [CLASSES.index(name) for name in LIGHT]), test.label == QUIET, test.label == HITS, test.label.astype(np.int64),
                 test.snr, test.scene, balanced_test(test, material.seed))


def detection(material: Material) -> Stage:
    """Gates `score.*` and `int8.auc_difference`, the rivals' scores on the same windows, curves, confusion, weak light and the latent map."""
    truth = truth_of(material)
    logits = material.flight[1]
    score = material.bundle.score.scores(logits)[0]
    flight = Told("detection", "int8 network", score, logits.argmax(axis=1))
    rivals = told_by_rivals(material)
    relatives, notes = told_by_relatives(material)
    parts = [separation([flight, *relatives, *rivals], truth, material.seed), at_threshold(flight, truth, material),
             differences(flight, relatives, rivals, truth, material.seed)]
    figures: dict[str, Any] = {
        "roc": curves(flight, rivals, truth, material.bundle.thresholds.flag),
        "confusion": {"classes": list(CLASSES), "counts": confusion_of(flight, truth).tolist()},
        "efficiency": efficiency(flight, material.bundle.thresholds.flag, rivals, truth),
        "latents": latent_map(material.flight[0], truth, material.seed),
        "rival_names": {rival.id.removeprefix("rival."): rival.name for rival in rivals},
        "tables": tables(flight, relatives, rivals),
        "notes": notes,
    }
    if material.run is not None:
        figures["windows"] = examples(material, truth)
    return Stage(tuple(record for part in parts for record in part), figures)


def separation(methods: list[Told], truth: Truth, seed: int) -> list[Record]:
    """AUC of every method against quiet, hits and both on the balanced windows, and macro F1 where it names classes."""
    records = []
    picks = truth.balanced
    for method in methods:
        for word, noise in (("quiet", truth.quiet), ("hits", truth.hits), ("noise", truth.quiet | truth.hits)):
            statistic = auc_of(method.score[picks], truth.signal[picks], noise[picks])
            records.append(Record(f"{method.id}.auc_{word}", statistic(np.arange(picks.size)), "AUC", "measured", on(),
                                  scene_bootstrap(statistic, truth.scene[picks], seed), int((truth.signal | noise)[picks].sum()), seed,
                                  f"{SOURCE}; signal (SNR >= 5) against {word.replace('noise', 'quiet and hits')}, balanced"))
        if method.label is not None:
            named = np.flatnonzero(truth.label >= 0)
            statistic = f1_of(method.label[named], truth.label[named])
            records.append(Record(f"{method.id}.macro_f1", statistic(np.arange(named.size)), "F1", "measured", on(),
                                  scene_bootstrap(statistic, truth.scene[named], seed, 200), named.size, seed, f"{SOURCE}; five classes, all named windows"))
    return records


def auc_of(score: np.ndarray, signal: np.ndarray, noise: np.ndarray) -> Callable[[np.ndarray], float]:
    """AUC as a function of which windows are taken."""
    return lambda picks: roc_auc(score[picks][signal[picks]], score[picks][noise[picks]])


def f1_of(told: np.ndarray, label: np.ndarray) -> Callable[[np.ndarray], float]:
    """Macro F1 as a function of which windows are taken."""
    return lambda picks: macro_f1(label[picks], told[picks])


def at_threshold(flight: Told, truth: Truth, material: Material) -> list[Record]:
    """`score.*`: precision and recall of signal and of noise on the balanced windows, at the bundle's one threshold."""
    picks, seed = truth.balanced, material.seed
    flagged, signal, scene = (flight.score > material.bundle.thresholds.flag)[picks], truth.signal[picks], truth.scene[picks]
    found = []
    for name, chosen, right in (("signal_precision", flagged, signal), ("noise_precision", ~flagged, ~signal), ("signal_recall", signal, flagged),
                                ("noise_recall", ~signal, ~flagged)):
        statistic = share_of(right, chosen)
        found.append(Record(f"score.{name}", statistic(np.arange(picks.size)), "share", "measured", on("litert"),
                            scene_bootstrap(statistic, scene, seed), int(chosen.sum()), seed,
                            f"{SOURCE}; {signal.sum():,} signal, equally many quiet and hits windows, half of the hits in each rate regime; "
                            f"threshold {material.bundle.thresholds.flag} of the bundle, from calibration scenes"))
    return found


def share_of(right: np.ndarray, among: np.ndarray) -> Callable[[np.ndarray], float]:
    """Share of `right` among `among` as a function of which windows are taken."""
    return lambda picks: float(right[picks][among[picks]].mean()) if among[picks].any() else float("nan")


def differences(flight: Told, relatives: list[Told], rivals: list[Told], truth: Truth, seed: int) -> list[Record]:
    """`int8.auc_difference` and the lead over the best rival against quiet: paired, the same scenes drawn for both."""
    picks = truth.balanced

    def paired(name: str, other: Told, noise: np.ndarray, words: str) -> Record:
        taken = picks[(truth.signal | noise)[picks]]
        value, low, high = paired_bootstrap(truth.scene[taken], truth.signal[taken], flight.score[taken], other.score[taken], DRAWS, seed)
        scenes = np.unique(truth.scene[taken]).size
        spread = Spread(low, high, f"95 %, paired bootstrap by scene ({scenes} scenes, {DRAWS} draws)")
        return Record(name, value, "AUC", "measured", on(), spread, taken.size, seed, f"{SOURCE}; {words}")

    noise = truth.quiet | truth.hits
    twin = {method.id: method for method in relatives}
    records = []
    if "float_twin" in twin:
        records.append(paired("int8.auc_difference", twin["float_twin"], noise, "int8 flight file less its float twin (same seed, data, schedule)"))
    if "post_training" in twin:
        records.append(paired("int8.over_post_training", twin["post_training"], noise,
                              "int8 flight file less TensorFlow's post-training int8 file of the float twin"))
    if rivals:
        best = max(rivals, key=lambda rival: auc_of(rival.score[picks], truth.signal[picks], truth.quiet[picks])(np.arange(picks.size)))
        records.append(paired("detection.auc_quiet_over_best_rival", best, truth.quiet, f"int8 flight file less {best.name}, signal against quiet"))
    return records


def curves(flight: Told, rivals: list[Told], truth: Truth, threshold: int) -> dict[str, Any]:
    """ROC against quiet and hits, and precision-recall against both, of the network and its best rivals."""
    picks = truth.balanced
    signal, quiet, hits = (mask[picks] for mask in (truth.signal, truth.quiet, truth.hits))
    strongest = sorted(rivals, key=lambda rival: -roc_auc(rival.score[picks][signal], rival.score[picks][quiet | hits]))[:CURVES - 1]
    found: dict[str, Any] = {"quiet": [], "hits": [], "precision_recall": []}
    for method in (flight, *strongest):
        score = method.score[picks]
        for word, noise in (("quiet", quiet), ("hits", hits)):
            false, true = roc_curve(score[signal], score[noise])
            found[word].append({"name": _short_name(method), "fpr": false, "tpr": true, "auc": round(roc_auc(score[signal], score[noise]), 5)})
        recall, precision = precision_recall_curve(score[signal], score[quiet | hits])
        found["precision_recall"].append({"name": _short_name(method), "recall": recall, "precision": precision})
    flagged = flight.score[picks] > threshold
    found["operating_point"] = {"recall": float(flagged[signal].mean()), "precision": float(signal[flagged].mean()) if flagged.any() else 0.0}
    return found


def confusion_of(method: Told, truth: Truth) -> np.ndarray:
    """Confusion matrix int64 [5, 5] over the windows that have a class."""
    assert method.label is not None  # for the type checker
    named = truth.label >= 0
    return confusion(truth.label[named], method.label[named], len(CLASSES))


def efficiency(flight: Told, threshold: int, rivals: list[Told], truth: Truth) -> dict[str, Any]:
    """Share of windows with light that is flagged, by SNR, weak light included; the best rival at the network's own false positive rate."""
    noise = truth.quiet | truth.hits
    methods = [(flight, float(threshold))]
    if rivals:
        best = max(rivals, key=lambda rival: roc_auc(rival.score[truth.signal], rival.score[noise]))
        # As many false alarms as the network: otherwise the two curves would not be comparable.
        methods.append((best, float(np.quantile(best.score[noise], 1 - (flight.score[noise] > threshold).mean(), method="higher"))))
    lit = ~noise
    places, found = np.digitize(truth.snr, SNR_EDGES) - 1, []
    kept = [place for place in range(len(SNR_EDGES) - 1) if (lit & (places == place)).sum() >= 10]
    for method, level in methods:
        hits = [int((method.score[lit & (places == place)] > level).sum()) for place in kept]
        counts = [int((lit & (places == place)).sum()) for place in kept]
        intervals = [wilson(hit, count) for hit, count in zip(hits, counts, strict=True)]
        name = _short_name(method) if method is flight else f"{_short_name(method)}, as many false alarms"
        found.append({"name": name, "n": counts, "efficiency": [round(hit / count, 4) for hit, count in zip(hits, counts, strict=True)],
                      "low": [round(low, 4) for low, _ in intervals], "high": [round(high, 4) for _, high in intervals]})
    centres = [round(float(np.sqrt(SNR_EDGES[place] * SNR_EDGES[place + 1])), 3) for place in kept]
    return {"snr": centres, "signal_from": 5.0, "curves": found}


def latent_map(latent: np.ndarray, truth: Truth, seed: int, points: int = 1_200) -> dict[str, Any]:
    """int8 posterior means on their first two principal axes, some windows of every class."""
    rng = np.random.default_rng(seed)
    share = points // len(CLASSES)
    picks = np.concatenate([rng.permutation(np.flatnonzero(truth.label == number))[:share] for number in range(len(CLASSES))])
    centred = latent.astype(np.float64) - latent.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]  # the sign of an axis is free: fix it, or the map may flip
    return {"classes": list(CLASSES), "label": truth.label[picks].tolist(), "points": np.round(centred[picks] @ axes[:2].T, 1).tolist(),
            "explained": np.round(singular**2 / np.maximum((singular**2).sum(), 1e-12), 4)[:2].tolist()}


def examples(material: Material, truth: Truth) -> list[dict[str, Any]]:
    """One test window of each class, of middling brightness, with the decoder's reconstruction and the true rate; in their true scale."""
    found = []
    for name in ("lightning", "blue", "uv", "hits", "quiet"):
        places = np.flatnonzero(truth.label == CLASSES.index(name))
        if places.size == 0:
            continue
        order = places[np.argsort(truth.snr[places] if name in LIGHT else material.test.counts[places].max(axis=(1, 2)), kind="stable")]
        place = int(order[len(order) * 2 // 3])
        found.append({"title": f"{name}, SNR {truth.snr[place]:.0f}" if name in LIGHT else name, "step_s": SAMPLE_TIME,
                      "counts": material.test.counts[place].tolist(),
                      "rate": _short(material.test.rate[place]), "reconstruction": _short(material.reconstruction[place])})
    return found


def tables(flight: Told, relatives: list[Told], rivals: list[Told]) -> dict[str, Any]:
    """Layout of the rivals' and of the relatives' table, by record id."""
    def row(method: Told) -> dict[str, Any]:
        cells = [*(f"{method.id}.auc_{word}" for word in ("quiet", "hits", "noise")), f"{method.id}.macro_f1" if method.label is not None else None]
        return {"name": method.name, "cells": cells}

    columns = ["score", "signal / quiet, AUC", "signal / hits, AUC", "signal / both, AUC", "five classes, macro F1"]
    lead = [{"name": "int8 less best rival", "cells": ["detection.auc_quiet_over_best_rival", None, None, None]}] if rivals else []
    relatives_rows = [row(method) for method in (flight, *relatives)]
    have = {method.id for method in relatives}
    pairs = (("float_twin", "int8.auc_difference", "int8 less float twin, paired"),
             ("post_training", "int8.over_post_training", "int8 less post-training, paired"))
    relatives_rows += [{"name": words, "cells": [None, None, name, None]} for owner, name, words in pairs if owner in have]
    return {"rivals": {"columns": columns, "rows": [row(flight), *(row(rival) for rival in rivals), *lead],
                       "note": "Same windows, balanced: equal numbers of signal, quiet and hits. Intervals: 95 %, scenes drawn again. The five-way "
                               "entry of a rival is a tree of cuts on boxcars, widths and channel ratios, fitted on calibration scenes."},
            "precision": {"columns": columns, "rows": relatives_rows,
                          "note": "Float twin: same seed, data and schedule without quantisation. The label-free scores never saw a label."}}


def _short_name(method: Told) -> str:
    """What fits into a legend."""
    return method.id.removeprefix("rival.").replace("_", " ") if method.id.startswith("rival.") else method.name


def _short(values: np.ndarray) -> list[list[float]]:
    return [[float(f"{value:.3g}") for value in row] for row in values]


def told_by_rivals(material: Material) -> list[Told]:
    """The rivals of train.rivals; the five-way cuts are fitted on calibration scenes and stand beside the best rival's score."""
    counts = material.test.counts
    calibration = window_set("calibration", FIVE_WAY_SCENES[material.scale], material.seed)
    cuts = FiveWay(calibration.counts, calibration.label, material.seed).told(counts)
    best = "boxcar_clipped"  # whose boxcars the cuts are made on
    return [Told(f"rival.{rival.id}", rival.name, rival.score(counts), cuts if rival.id == best else None) for rival in RIVALS]


def told_by_relatives(material: Material) -> tuple[list[Told], list[str]]:
    """Of a run: float twin, post-training int8 file and label-free scores, and notes on what could not be had."""
    if material.run is None:
        return [], ["no run was given: no float twin, no post-training file and no label-free score to compare with"]
    run, counts = read_run(material.run), material.test.counts
    twin, own = answers(run, "float_twin", counts), answers(run, "quantised", counts)
    found, notes = [Told("float_twin", "its float twin", twin.score, twin.told)], []
    try:
        logits = post_training_logits(material)
        found.append(Told("post_training", "post-training int8 (TensorFlow)", float_scores(logits, logit_scale(run.configuration, run.quantised))[0],
                          logits.argmax(axis=1)))
    except MissingError as missing:
        notes.append(f"no post-training int8 file: {missing}")
    return [*found, Told("label_free.kl", "label-free: KL", own.kl), Told("label_free.gain", "label-free: likelihood gain", own.likelihood_gain)], notes
