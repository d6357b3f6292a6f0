"""How the fitted numbers of the profiles come about: non-negative least squares on relative errors, and each model's error when it is left out.

Everything here takes arrays and records; `pixie fit` brings the counted instructions and the published latencies and writes the profiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_ROUNDS, _NEAR = 3, 0.05  # distances below 5 % weigh alike

@dataclass(frozen=True)
class Fit:
    """Coefficients [c], and for each of the k rows the value told when the row (or its whole group) took no part in the fit."""

    coefficients: Floats
    left_out: Floats

    def errors(self, values: Floats) -> Floats:
        """Relative distances [k] of what was told without a row from its true value."""
        return np.abs(self.left_out / values - 1)


def fit_left_out(features: Floats, values: Floats, groups: Sequence[str]) -> Fit:
    """Least squares of relative errors with coefficients >= 0: features [k, c], values [k] > 0, groups [k] names that are left out together."""
    left_out = np.empty(len(values))
    names = np.asarray(groups)
    for name in dict.fromkeys(groups):
        out = names == name
        left_out[out] = features[out] @ non_negative(features[~out] / values[~out, None], np.ones(np.count_nonzero(~out)))
    return Fit(non_negative(features / values[:, None], np.ones(len(values))), left_out)


def non_negative(matrix: Floats, target: Floats) -> Floats:
    """x >= 0 [c] that minimises |matrix x - target|^2, matrix [k, c]: Lawson and Hanson, Solving Least Squares Problems, 1974, ch. 23."""
    size = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(size > 0, size, 1)  # columns differ by ten powers of ten
    x, passive = np.zeros(scaled.shape[1]), np.zeros(scaled.shape[1], bool)
    for _ in range(10 * scaled.shape[1]):
        gradient = scaled.T @ (target - scaled @ x)
        gradient[passive | (size == 0)] = -np.inf
        if gradient.max(initial=-np.inf) <= 1e-12 * np.abs(target).sum():
            break
        passive[gradient.argmax()] = True
        while True:
            trial = np.zeros_like(x)
            trial[passive] = np.linalg.lstsq(scaled[:, passive], target, rcond=None)[0]
            if trial[passive].min() > 0:
                x = trial
                break
            falling = passive & (trial <= 0)
            step = np.min(x[falling] / (x[falling] - trial[falling]))
            x = x + step * (trial - x)
            passive &= x > 1e-15
            x[~passive] = 0
    return x / np.where(size > 0, size, 1)


def least_absolute(matrix: Floats, target: Floats) -> Floats:
    """x >= 0 [c] for which the sum of |matrix x - target| is small, matrix [k, c]: least squares weighted anew by the distances they left, a few times."""
    weights = np.ones(len(matrix))
    for _ in range(_ROUNDS):
        x = non_negative(matrix * weights[:, None], target * weights)
        weights = 1 / np.sqrt(np.maximum(np.abs(matrix @ x - target), _NEAR))
    return non_negative(matrix * weights[:, None], target * weights)


def amdahl(threads: NDArray[np.int64], seconds: Floats, groups: Sequence[str]) -> float:
    """The serial share s of t(n) = t(1) (s + (1 - s) / n) that fits runs [k] of several models (groups) on several threads best, to 0.001."""
    names, shares = np.asarray(groups), np.linspace(0, 1, 1001)
    squares = np.zeros(len(shares))
    for name in dict.fromkeys(groups):
        mine = names == name
        told = np.log(shares[:, None] + (1 - shares[:, None]) / threads[mine])
        off = np.log(seconds[mine]) - told
        squares += ((off - off.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)  # t(1) is free
    return float(shares[squares.argmin()])
