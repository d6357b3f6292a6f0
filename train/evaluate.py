"""What a trained network says of windows, how well it tells light from the rest, and the thresholds fixed on calibration scenes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from edge_runtime.flagging import CLASSES, LIGHT, STEPS, score_table
from edge_runtime.preprocess import anscombe_tables

from .configuration import ThresholdConfiguration
from .losses import kl
from .models.layers import scale_of
from .photometers import PhotometerSystem, network_input
from .run_folder import Run
from .windows import WindowSet, balanced_test

QUIET, HITS = CLASSES.index("quiet"), CLASSES.index("hits")
LIGHTS = tuple(CLASSES.index(name) for name in LIGHT)
_BATCH = 256


@dataclass(frozen=True)
class Answers:
    """What a network says of n windows.

    score, hits_score: steps of 1/16 code of the flight logits, int32 [n] where quantised, float64 [n] for the float twin. told: int64 [n], the
    class of the largest logit. latent: float32 [n, l], posterior mean. kl: float64 [n], nats. likelihood_gain: float64 [n], nats that the
    reconstruction gains over one constant rate per channel, the window's own mean. kl and likelihood_gain know no labels.
    """

    score: np.ndarray
    hits_score: np.ndarray
    told: np.ndarray
    latent: np.ndarray
    kl: np.ndarray
    likelihood_gain: np.ndarray


def answers(run: Run, kind: str, counts: np.ndarray) -> Answers:
    """What the network `kind`, "quantised" or "float_twin", of a run says of counts uint16 [n, 3, 1040], in torch, in eval mode."""
    tables = anscombe_tables()
    system = PhotometerSystem(run.configuration, kind, tables)
    system.load_arrays(run.quantised if kind == "quantised" else run.float_twin)
    system.eval()
    scale = logit_scale(run.configuration, run.quantised)
    parts: list[tuple[np.ndarray, ...]] = []
    with torch.no_grad():
        for start in range(0, len(counts), _BATCH):
            batch = counts[start:start + _BATCH]
            posterior, pre_activation = system.network(network_input(batch, tables), torch.zeros(len(batch), run.configuration.model.latent))
            real_counts = torch.from_numpy(batch.astype(np.float32))
            gain = (system.observation.log_likelihood(pre_activation, real_counts) - system.observation.log_likelihood(
                system.observation.constant(real_counts), real_counts)).sum((1, 2))
            parts.append((posterior.logits.numpy(), posterior.mean.numpy(), kl(posterior).double().numpy(), gain.double().numpy()))
    logits, latent, divergence, gain_all = (np.concatenate(part) for part in zip(*parts, strict=True))
    if kind == "quantised":
        score, hits_score = score_table(scale).scores(np.rint(logits / scale).astype(np.int8))
    else:
        score, hits_score = float_scores(logits, scale)
    return Answers(score, hits_score, logits.argmax(axis=1), latent, divergence, gain_all)


def logit_scale(configuration: Any, quantised: dict[str, np.ndarray]) -> float:
    """Scale of the quantised network's logits: real logit per code."""
    system = PhotometerSystem(configuration, "quantised", anscombe_tables())
    system.load_arrays(quantised)
    return scale_of(system.network.encoder.head[-1])


def float_scores(logits: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Score and hits score, float64 [n], of real logits [n, 5] by the flight's definition without its rounding, in steps of logits of `scale`."""
    wide = logits.astype(np.float64)
    light = np.logaddexp.reduce(wide[:, LIGHTS], axis=1)
    score = light - np.logaddexp(wide[:, QUIET], wide[:, HITS])
    return score * STEPS / scale, (wide[:, HITS] - np.logaddexp(wide[:, QUIET], light)) * STEPS / scale


def roc_auc(signal: np.ndarray, noise: np.ndarray) -> float:
    """Share of pairs in which the signal's score is the higher one, ties half: Mann-Whitney. Scores [n] and [m]; ValueError where one is empty."""
    if not len(signal) or not len(noise):
        raise ValueError("an AUC needs signal and noise")
    ordered = np.sort(noise)
    below = np.searchsorted(ordered, signal, "left") + np.searchsorted(ordered, signal, "right")
    return float(below.mean() / 2 / len(noise))


def macro_f1(label: np.ndarray, told: np.ndarray) -> float:
    """Mean over the classes of 2 tp / (labelled + told); label and told int [n], indices in CLASSES. A class that neither names counts as 0."""
    total = 0.0
    for index in range(len(CLASSES)):
        union = int((label == index).sum() + (told == index).sum())
        total += 2 * int(((label == index) & (told == index)).sum()) / union if union else 0.0
    return total / len(CLASSES)


def recalls(label: np.ndarray, told: np.ndarray) -> dict[str, float | None]:
    """Share of each class's windows that are called by its name; None for a class without windows."""
    return {name: float((told[label == index] == index).mean()) if (label == index).any() else None for index, name in enumerate(CLASSES)}


def paired_bootstrap(scene: np.ndarray, signal: np.ndarray, first: np.ndarray, second: np.ndarray, draws: int, seed: int) -> tuple[float, float, float]:
    """AUC of scores `first` less AUC of `second` on the same windows [n], and its 95 % interval: scenes are drawn, not windows.

    `signal` bool [n], `scene` int [n]. Windows of a scene share sky and source, so they come and go together: Efron and Tibshirani 1993, section 8.
    """
    number, place = np.unique(scene, return_inverse=True)
    rng = np.random.default_rng(np.random.SeedSequence([seed, len(scene)]))
    found = np.empty(draws)
    for draw in range(draws):
        weight = np.bincount(rng.integers(len(number), size=len(number)), minlength=len(number))[place]
        found[draw] = _weighted_auc(first, signal, weight) - _weighted_auc(second, signal, weight)
    ones = np.ones(len(scene))
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return _weighted_auc(first, signal, ones) - _weighted_auc(second, signal, ones), float(low), float(high)


def _weighted_auc(score: np.ndarray, signal: np.ndarray, weight: np.ndarray) -> float:
    _, place = np.unique(score, return_inverse=True)
    positive, negative = (np.bincount(place, weight * chosen, place.max() + 1) for chosen in (signal, ~signal))
    pairs = positive.sum() * negative.sum()
    return float((positive * (np.cumsum(negative) - negative / 2)).sum() / pairs) if pairs else float("nan")


def calibrate(run_answers: Answers, windows: WindowSet, settings: ThresholdConfiguration, seed: int) -> dict[str, Any]:
    """Thresholds in steps and what they give, from windows of calibration scenes, none of them seen in training or test.

    flag: the highest at which the recall of light on balanced windows is still `settings.recall`. hits: the lowest from 0 on at which at most
    `settings.false_hits` of the quiet windows are called hits. ValueError where a kind of window is missing.
    """
    picks = balanced_test(windows, seed)
    score, label = run_answers.score[picks], windows.label[picks]
    signal, noise = np.isin(label, LIGHTS), np.isin(label, (QUIET, HITS))
    every_noise = run_answers.score[np.isin(windows.label, (QUIET, HITS))]
    flag = _highest_threshold(score[signal], settings.recall)
    hits = max(0, _lowest_threshold(run_answers.hits_score[windows.label == QUIET], settings.false_hits))
    flagged = score > flag
    achieved = {
        "signal_recall": float(flagged[signal].mean()), "noise_recall": float((~flagged)[noise].mean()),
        "signal_precision": float(signal[flagged].mean()) if flagged.any() else None,
        "noise_precision": float(noise[~flagged].mean()) if not flagged.all() else None,
        "false_flags": int((every_noise > flag).sum()), "noise_windows": len(every_noise),
        "balanced_windows": len(picks), "auc": roc_auc(score[signal], score[noise]),
    }
    thresholds = {"flag": flag, "hits": hits, "minimum_duration": settings.minimum_duration, "refractory": settings.refractory}
    return {"thresholds": thresholds, "achieved": achieved}


def _highest_threshold(signal: np.ndarray, recall: float) -> int:
    """The highest integer t for which at least `recall` of the scores is > t."""
    level = np.sort(signal)[::-1][max(int(np.ceil(recall * len(signal))) - 1, 0)]
    return int(np.ceil(level)) - 1


def _lowest_threshold(noise: np.ndarray, share: float) -> int:
    """The lowest integer t for which at most `share` of the scores is > t."""
    allowed = int(share * len(noise))
    return int(np.floor(np.sort(noise)[::-1][allowed])) if allowed < len(noise) else int(np.floor(noise.min())) - 1
