"""What a light curve is turned into before a classifier sees it: itself, scaled to 0..1, or five numbers about its shape."""

import numpy as np

SMOOTHING = 5  # frames of the fixed window
FEATURES = ("peak", "second_peak", "peak_place", "second_place", "variance")


def scaled(counts: np.ndarray) -> np.ndarray:
    """Each curve from 0, its lowest, to 1, its highest count; float32 [k, n] of counts [k, n]. A curve without any difference is 0."""
    wide = counts.astype(np.float64)
    low = wide.min(axis=1, keepdims=True)
    shape: np.ndarray = ((wide - low) / np.maximum(wide.max(axis=1, keepdims=True) - low, 1)).astype(np.float32)
    return shape


def five_features(counts: np.ndarray) -> np.ndarray:
    """Float32 [k, 5] in the order of FEATURES of counts [k, n]: the two highest peaks of the smoothed curve, their places as shares of the curve,
    and its variance.

    The five of the study's slides. The curve is first brought to mean 0 and standard deviation 1, so that noise, which smoothing takes away,
    has low peaks and a small variance. A peak is higher than what lies before it and not lower than what follows; a second one that is
    not there has height 0 and place 0.
    """
    wide = counts.astype(np.float64)
    wide -= wide.mean(axis=1, keepdims=True)
    spread = wide.std(axis=1, keepdims=True)
    wide /= np.where(spread > 0, spread, 1)
    n = counts.shape[1]
    total = np.cumsum(np.pad(wide, ((0, 0), (SMOOTHING // 2 + 1, SMOOTHING // 2)), mode="edge"), axis=1)
    smooth = (total[:, SMOOTHING:] - total[:, :-SMOOTHING]) / SMOOTHING  # [k, n]
    before = np.pad(smooth, ((0, 0), (1, 0)), constant_values=-np.inf)[:, :-1]
    after = np.pad(smooth, ((0, 0), (0, 1)), constant_values=-np.inf)[:, 1:]
    peaks = np.where((smooth > before) & (smooth >= after), smooth, -np.inf)
    place = np.argsort(-peaks, axis=1, kind="stable")[:, :2]  # [k, 2]
    height = np.take_along_axis(peaks, place, axis=1)
    there = np.isfinite(height)
    height, place = np.where(there, height, 0), np.where(there, place / n, 0)
    return np.column_stack([height, place, smooth.var(axis=1)]).astype(np.float32)
