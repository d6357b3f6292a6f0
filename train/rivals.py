"""The simplest things that could do the network's work, on the same windows: what it has to be measured against.

Every rival takes counts uint16 [w, 3, 1040] and gives one score per window, float64 [w], higher is more like light.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.tree import DecisionTreeClassifier

WIDTHS = (8, 32, 128)  # samples: 80 us, 0.32 ms and 1.28 ms, from the fastest BLUE to a deep flash
CLIP_RANK = 8  # a channel is clipped at its 8th largest sample: at 600 hits a second a window holds about 6
BLOCKS = 8  # the background is the lowest mean of so many blocks, so that light in one of them does not count as background
TREES, DEPTH = 200, 8  # of the boosted rival; on calibration scenes depths 5 and 6 are worse and twice as many trees no better
_CHUNK = 1024  # windows at a time: the running sums are float64


@dataclass(frozen=True)
class Rival:
    """One rival: `id` in records, `name` in the report."""

    id: str
    name: str
    score: Callable[[np.ndarray], np.ndarray]


def always_noise(counts: np.ndarray) -> np.ndarray:
    """0 for every window: what is right most of the time, light being rare."""
    return np.zeros(len(counts))


def peak(counts: np.ndarray) -> np.ndarray:
    """Largest count of any channel: a photometer's peak_value, as the flight computer keeps it per frame."""
    return counts.max(axis=(1, 2)).astype(np.float64)


def integral(counts: np.ndarray) -> np.ndarray:
    """Sum of all counts: a photometer's integral_value, as the flight computer keeps it per frame."""
    return counts.sum(axis=(1, 2), dtype=np.float64)


def boxcar_plain(counts: np.ndarray) -> np.ndarray:
    """Sum over channels of the greatest significance of any boxcar, see `boxcar_significance`."""
    return boxcar_significance(counts).max(axis=2).sum(axis=1)


def boxcar_clipped(counts: np.ndarray) -> np.ndarray:
    """The same after clipping each channel at its 8th largest sample: single-sample hits vanish, light of eight samples stays."""
    return boxcar_significance(clipped(counts)).max(axis=2).sum(axis=1)


def clipped(counts: np.ndarray) -> np.ndarray:
    """Counts [w, 3, t] with each channel limited to its own 8th largest sample; same dtype."""
    limit = np.partition(counts, -CLIP_RANK, axis=2)[:, :, -CLIP_RANK]
    return np.minimum(counts, limit[:, :, None])


def boxcar_significance(counts: np.ndarray) -> np.ndarray:
    """Greatest (sum - w b) / sqrt(w b + 1) of boxcars of w = 8, 32, 128 samples, float64 [windows, 3, 3] by channel and width.

    b: lowest mean of 8 blocks of the window, per channel. The 1 keeps the darkest channel's single photon from being an event.
    """
    found = np.empty((len(counts), counts.shape[1], len(WIDTHS)))
    for start in range(0, len(counts), _CHUNK):
        part = counts[start:start + _CHUNK].astype(np.float64)
        length = part.shape[2] // BLOCKS * BLOCKS
        background = part[:, :, :length].reshape(*part.shape[:2], BLOCKS, -1).mean(axis=3).min(axis=2)  # [chunk, 3]
        sums = np.concatenate([np.zeros((*part.shape[:2], 1)), np.cumsum(part, axis=2)], axis=2)
        for index, width in enumerate(WIDTHS):
            expected = width * background
            largest = (sums[:, :, width:] - sums[:, :, :-width]).max(axis=2)
            found[start:start + _CHUNK, :, index] = (largest - expected) / np.sqrt(expected + 1)
    return found


RIVALS = (
    Rival("always_noise", "always noise", always_noise),
    Rival("peak", "peak of the window", peak),
    Rival("integral", "integral of the window", integral),
    Rival("boxcar_plain", "boxcar excess 8/32/128", boxcar_plain),
    Rival("boxcar_clipped", "boxcar excess 8/32/128, clipped at the 8th largest sample", boxcar_clipped),
)


class FiveWay:
    """Five classes without a network: a decision tree of cuts on the clipped boxcars, their widths and channel ratios, and the clipped-off excess."""

    def __init__(self, counts: np.ndarray, label: np.ndarray, seed: int) -> None:
        """Fit to counts uint16 [w, 3, 1040] and label int [w], index in CLASSES; -1 takes no part."""
        named = label >= 0
        self._tree = DecisionTreeClassifier(max_depth=8, min_samples_leaf=20, class_weight="balanced", random_state=seed)
        self._tree.fit(five_way_features(counts[named]), label[named])

    def told(self, counts: np.ndarray) -> np.ndarray:
        """Class int64 [w] of counts uint16 [w, 3, 1040]."""
        return self._tree.predict(five_way_features(counts)).astype(np.int64)


class Boosted:
    """Five classes without a network: gradient-boosted trees on what the cuts of `FiveWay` are made on."""

    def __init__(self, counts: np.ndarray, label: np.ndarray, seed: int) -> None:
        """Fit to counts uint16 [w, 3, 1040] and label int [w], index in CLASSES; -1 takes no part. Each class has to be among them."""
        from xgboost import XGBClassifier

        named = label >= 0
        # On one core: where another process takes part of a second one, its threads wait for each other most of the time.
        self._trees = XGBClassifier(n_estimators=TREES, max_depth=DEPTH, learning_rate=0.1, n_jobs=1, random_state=seed)
        self._trees.fit(five_way_features(counts[named]), label[named])

    def told(self, counts: np.ndarray) -> np.ndarray:
        """Class int64 [w] of counts uint16 [w, 3, 1040]."""
        return self._trees.predict(five_way_features(counts)).astype(np.int64)


def five_way_features(counts: np.ndarray) -> np.ndarray:
    """What the cuts are made on, float64 [w, 18]: clipped boxcars by channel and width (9), ratios of widths per channel (3), ratios of the
    channels' best boxcars (3), and how far each channel's largest sample stands above its 8th largest (3)."""
    boxcars = boxcar_significance(clipped(counts))  # [w, 3, 3]
    best = np.log(np.maximum(boxcars.max(axis=2), 0.1))  # [w, 3]
    widths = np.log(np.maximum(boxcars[:, :, 0], 0.1)) - np.log(np.maximum(boxcars[:, :, 2], 0.1))
    ratios = np.stack([best[:, 0] - best[:, 1], best[:, 0] - best[:, 2], best[:, 1] - best[:, 2]], axis=1)
    ordered = np.partition(counts, (-CLIP_RANK, -1), axis=2)
    spike = ordered[:, :, -1].astype(np.float64) - ordered[:, :, -CLIP_RANK]
    return np.concatenate([boxcars.reshape(len(counts), -1), widths, ratios, spike], axis=1)
