"""Classical transforms that a reconstruction from so few bytes has to beat: principal components and thresholded wavelets, of transformed counts.

Both work on 2 sqrt(n + 3/8), whose noise is 1 whatever the rate: Anscombe, Biometrika 35 (1948) 246. Neither knows the true rate.
"""

import numpy as np
import pywt
from sklearn.decomposition import PCA

WAVELET = "haar"  # of haar, db2, sym4 and db4 the one with the least errors on calibration scenes
_MODE = "zero"  # how pywt goes on beyond the ends: the mean is taken off before, and any other mode makes light of the last samples
COEFFICIENT_BITS = 20  # of a wavelet coefficient: 12 for its place among 3 x 1,040, 8 for its value
MEAN_BYTES = 2  # of a channel's mean


class Components:
    """PCA with as many int8 coefficients as the network has latents, learned from windows of training scenes."""

    def __init__(self, counts: np.ndarray, number: int, seed: int) -> None:
        """Fit to `windows` of counts uint16 [w, 3, t]."""
        self._pca = PCA(number, svd_solver="randomized", random_state=seed)
        found = self._pca.fit_transform(_anscombe(counts).reshape(len(counts), -1))
        self._scale = np.abs(found).max(axis=0) / 127
        self.windows = len(counts)

    def believed(self, counts: np.ndarray) -> np.ndarray:
        """Counts per sample float32 [w, 3, t] that are believed once the coefficients have come."""
        codes = np.rint(self._pca.transform(_anscombe(counts).reshape(len(counts), -1)) / self._scale).clip(-128, 127)
        return _inverse(self._pca.inverse_transform(codes * self._scale).reshape(counts.shape))


def wavelet(counts: np.ndarray, payload: int, kind: str = WAVELET) -> np.ndarray:
    """Counts per sample float32 [w, 3, t] believed from `payload` bytes a window: each channel's mean, and the rest for the largest coefficients.

    Those below the universal threshold, sqrt(2 ln N) of a noise of 1, are none: Donoho and Johnstone, Biometrika 81 (1994) 425.

    The values are not rounded to the 8 bits they are counted with: the rival is given the benefit of the doubt.
    """
    values = _anscombe(counts)
    mean = values.mean(axis=2, keepdims=True)
    kept = max(0, (8 * (payload - MEAN_BYTES * counts.shape[1])) // COEFFICIENT_BITS)
    parts = pywt.wavedec(values - mean, kind, mode=_MODE, axis=2)
    ends = np.cumsum([part.shape[2] for part in parts])[:-1]
    joined = np.concatenate(parts, axis=2)
    flat = joined.reshape(len(counts), -1)
    limit = np.partition(np.abs(flat), -kept, axis=1)[:, -kept, None] if kept else np.inf
    flat[np.abs(flat) < np.maximum(limit, np.sqrt(2 * np.log(flat.shape[1])))] = 0
    back = pywt.waverec(np.split(joined, ends, axis=2), kind, mode=_MODE, axis=2)
    return _inverse(mean + back[:, :, :counts.shape[2]])


def _anscombe(counts: np.ndarray) -> np.ndarray:
    return 2 * np.sqrt(counts.astype(np.float32) + np.float32(3 / 8))


def _inverse(values: np.ndarray) -> np.ndarray:
    """Counts per sample whose transform has the mean `values`: closed form of Makitalo and Foi, IEEE Trans. Image Process. 20 (2011) 2697, eq. 10."""
    d = np.maximum(values.astype(np.float64), 2 * np.sqrt(3 / 8))
    root = np.sqrt(3 / 2)
    return np.maximum(d**2 / 4 + root / 4 / d - 11 / 8 / d**2 + 5 / 8 * root / d**3 - 1 / 8, 0).astype(np.float32)
