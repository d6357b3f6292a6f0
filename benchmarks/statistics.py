"""The intervals that stand beside the numbers: bootstrap for percentiles, Wilson and Clopper-Pearson for shares, resampled scenes for differences."""

from collections.abc import Callable

import numpy as np

from .results import Spread

LEVELS = (0.0, 0.5, 1.0, 2.5, *range(5, 95, 5), 95.0, 97.5, 99.0, 99.5, 99.9, 100.0)  # per cent; the tail is what a scheduler asks about


def percentile_spread(draws: np.ndarray, level: float, seed: int, resamples: int = 400) -> Spread:
    """95 % interval of percentile `level` of `draws` [n] float64, by resampling the calls (an order statistic, so drawn as ranks)."""
    ordered = np.sort(np.asarray(draws, np.float64))
    ranks = np.random.default_rng(seed).binomial(ordered.size, level / 100, resamples).clip(0, ordered.size - 1)
    low, high = np.percentile(ordered[ranks], (2.5, 97.5))
    return Spread(float(low), float(high), f"95 %, bootstrap over {ordered.size} calls")


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of `hits` in `n`: Wilson, J. Am. Stat. Assoc. 22 (1927) 209. (0, 1) where n is 0."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.959964, hits / n
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


def clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of `hits` in `n`: Clopper and Pearson, Biometrika 26 (1934) 404."""
    from scipy.stats import beta  # here: a board that only times a model needs no SciPy

    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0


def scene_bootstrap(statistic: Callable[[np.ndarray], float], scene: np.ndarray, seed: int, resamples: int = 400) -> Spread:
    """95 % interval of `statistic(indices of windows)` when whole scenes are drawn again with replacement; `scene` [w] int.

    Windows of one scene share sky and source: drawing windows one by one would claim more than was seen.
    """
    low, high = np.nanpercentile(scene_draws(statistic, scene, seed, resamples), (2.5, 97.5))
    return Spread(float(low), float(high), f"95 %, bootstrap by scene ({np.unique(scene).size} scenes, {resamples} resamples)")


def scene_draws(statistic: Callable[[np.ndarray], float], scene: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """`statistic` of each draw of whole scenes, float64 [resamples]; see `scene_bootstrap`."""
    rng = np.random.default_rng(seed)
    order = np.argsort(scene, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(scene[order])) + 1)
    return np.array([statistic(np.concatenate([groups[pick] for pick in rng.integers(len(groups), size=len(groups))])) for _ in range(resamples)])


def confusion(truth: np.ndarray, told: np.ndarray, classes: int) -> np.ndarray:
    """Counts int64 [classes, classes], row the truth, column what was told."""
    return np.bincount(truth.astype(np.int64) * classes + told, minlength=classes * classes).reshape(classes, classes)


def roc_curve(positive: np.ndarray, negative: np.ndarray, points: int = 160) -> tuple[list[float], list[float]]:
    """False and true positive rates over all thresholds, thinned to about `points` evenly along the curve."""
    thresholds = np.unique(np.concatenate([positive, negative]))[::-1]
    true = 1 - np.searchsorted(np.sort(positive), thresholds, "left") / positive.size
    false = 1 - np.searchsorted(np.sort(negative), thresholds, "left") / negative.size
    false, true = np.r_[0, false], np.r_[0, true]
    return _thin(false, true, points)


def precision_recall_curve(positive: np.ndarray, negative: np.ndarray, points: int = 160) -> tuple[list[float], list[float]]:
    """Recall and precision over all thresholds, thinned to about `points`."""
    thresholds = np.unique(np.concatenate([positive, negative]))[::-1]
    true = positive.size - np.searchsorted(np.sort(positive), thresholds, "left")
    false = negative.size - np.searchsorted(np.sort(negative), thresholds, "left")
    return _thin(true / positive.size, true / np.maximum(true + false, 1), points)


def _thin(x: np.ndarray, y: np.ndarray, points: int) -> tuple[list[float], list[float]]:
    way = np.r_[0, np.cumsum(np.hypot(np.diff(x), np.diff(y)))]
    keep = np.unique(np.searchsorted(way, np.linspace(0, way[-1], points)).clip(0, x.size - 1))
    keep = np.unique(np.r_[0, keep, x.size - 1])
    return [round(float(v), 5) for v in x[keep]], [round(float(v), 5) for v in y[keep]]
