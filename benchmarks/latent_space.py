"""Figure 6 of the 2020 report for our network: the int8 latents embedded by t-SNE and as a feature map, and how well they keep classes apart."""

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_runtime.flagging import CLASSES

from .environment import on
from .material import Material
from .results import Record, Stage
from .statistics import scene_bootstrap

EMBEDDED, MAPPED = 300, 40  # windows of each class in the t-SNE and in the feature map
PERPLEXITY = 30  # of t-SNE: how many neighbours a window is held close to
NEIGHBOURS = 10
SOURCE = "benchmarks/latent_space.py; held-out simulated scenes"
_BATCH = 500  # windows whose distances to all others are held at a time


def latent_space(material: Material) -> Stage:
    """`latents.neighbours.int8`, and of windows of the test scenes, equally many of each class, the t-SNE and the feature map."""
    test, latents = material.test, material.flight[0]
    picks = equal_numbers(test.label, material.seed)
    taken = picks.ravel()
    share, chance = neighbours(latents[taken], test.label[taken], test.scene[taken])
    statistic = class_mean(share, test.label[taken])
    record = Record("latents.neighbours.int8", statistic(np.arange(taken.size)), "share", "measured", on("litert"),
                    scene_bootstrap(statistic, test.scene[taken], material.seed), taken.size, material.seed,
                    f"{SOURCE}; share of a window's own class among the {NEIGHBOURS} windows of other scenes with the nearest int8 latents, mean over "
                    f"classes, equally many windows of each; by chance {chance:.3f}; scenes drawn again, each window with the neighbours it has")
    table = {"columns": ["neighbours in the latent space", "value"],
             "rows": [{"name": f"of a window's {NEIGHBOURS} nearest from other scenes, those of its own class", "cells": [record.id]}],
             "note": f"By chance it would be {chance:.3f}. All latents and all {taken.size:,} windows, not the picture of them."}
    return Stage((record,), {"tsne": tsne(latents, test.label, picks[:, :EMBEDDED].ravel(), material.seed),
                             "features": features(material, picks[:, :MAPPED].ravel()), "tables": {"neighbours": table}})


def equal_numbers(label: np.ndarray, seed: int) -> np.ndarray:
    """Indices int64 [classes, n] of windows of each class in random order, as many as the scarcest has; label [w], index in CLASSES or -1."""
    rng = np.random.default_rng(seed)
    pools = [rng.permutation(np.flatnonzero(label == number)) for number in range(len(CLASSES))]
    n = min(len(pool) for pool in pools)
    return np.stack([pool[:n] for pool in pools])


def neighbours(codes: np.ndarray, label: np.ndarray, scene: np.ndarray) -> tuple[np.ndarray, float]:
    """Share of its own class among the NEIGHBOURS nearest of each window, float64 [w], and its mean were neighbours drawn by lot; codes int8 [w, k].

    Windows of its own scene are no neighbours: they show the same sky and source. Codes are whole numbers and distances often equal: those at
    the last place count in equal parts, so that no order of the windows decides.
    """
    real = codes.astype(np.float64)
    square = (real**2).sum(axis=1)
    found, chance = np.empty(len(codes)), np.empty(len(codes))
    for first in range(0, len(codes), _BATCH):
        own = slice(first, first + _BATCH)
        away = square[own, None] + square - 2 * real[own] @ real.T  # squares of distances [b, w]: whole numbers, so equal ones are found equal
        other = scene[own, None] != scene
        away[~other] = np.inf
        same = other & (label[own, None] == label)
        last = np.partition(away, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1, None]
        nearer, tied = away < last, away == last
        of_tied = (same & tied).sum(axis=1) / tied.sum(axis=1)
        found[own] = ((same & nearer).sum(axis=1) + of_tied * (NEIGHBOURS - nearer.sum(axis=1))) / NEIGHBOURS
        chance[own] = same.sum(axis=1) / other.sum(axis=1)
    return found, float(chance.mean())


def class_mean(share: np.ndarray, label: np.ndarray) -> Callable[[np.ndarray], float]:
    """Mean over classes of the mean share of their windows, as a function of which windows are taken."""
    return lambda picks: float(np.mean([share[picks][label[picks] == number].mean() for number in range(len(CLASSES))]))


def tsne(latents: np.ndarray, label: np.ndarray, picks: np.ndarray, seed: int) -> dict[str, Any]:
    """t-SNE (van der Maaten and Hinton, J. Mach. Learn. Res. 9 (2008) 2579) of latents [w, k] of the windows `picks` [n], in the plane and in space."""
    from sklearn.manifold import TSNE

    def embedded(dimensions: int) -> list[list[float]]:
        found = TSNE(dimensions, perplexity=PERPLEXITY, init="pca", random_state=seed).fit_transform(latents[picks].astype(np.float64))
        return np.round(found.astype(np.float64), 1).tolist()

    return {"classes": list(CLASSES), "label": label[picks].tolist(), "plane": embedded(2), "space": embedded(3)}


def features(material: Material, picks: np.ndarray) -> dict[str, Any]:
    """Posterior means of the windows `picks` [n], one row each, in units of the prior's standard deviation."""
    mean = material.bundle.outputs[0]
    values = mean.scale * (material.flight[0][picks].astype(np.float64) - mean.zero_point)
    return {"classes": list(CLASSES), "label": material.test.label[picks].tolist(), "values": np.round(values, 2).tolist()}
