"""Networks on stacks of frames [N, rows, columns]: the convolution of the paper, an LSTM, and the paper's two stages.

Zotov et al., Algorithms 2023, 16(9), 448 (arXiv 2311.14983): a network finds the chunks with a meteor, a second one its pixels in them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .classifiers import Classifier, learn
from .features import scaled
from .stacks import pixel_curves

FILTERS, WIDTHS = 24, (256, 64)  # with N = 48 and chunks of 8 x 8: the 125,465 parameters that the paper prints
HIDDEN = 64  # of the LSTM [ours]
KEPT = 0.95  # share of the meteor chunks held back in training that the first stage lets pass [ours]
HELD_BACK = 4  # every fourth chunk: of those it learned the network knows too well which have a meteor
_BATCH = 128


def convolution(frames: int, side: int) -> nn.Module:
    """Logit [k, 1] of stacks [k, frames, side, side], the frames being bands of one picture."""
    first, second = WIDTHS
    return nn.Sequential(nn.Conv2d(frames, FILTERS, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(FILTERS * (side // 2) ** 2, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, 1))


class Recurrent(nn.Module):
    """Logit [k, 1] of stacks [k, frames, side, side]: an LSTM reads frame after frame, its last state tells."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(side * side, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, stacks: torch.Tensor) -> torch.Tensor:
        """See the class."""
        told, _ = self.lstm(stacks.flatten(2))  # [k, frames, HIDDEN]
        logit: torch.Tensor = self.head(told[:, -1])
        return logit


@dataclass
class StackNetwork:
    """A classifier of stacks, uint32 counts [k, N, side, side], with labels bool [k]; `make` gives the fresh network."""

    make: Callable[[], nn.Module]
    epochs: int
    seed: int

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """See `Classifier`."""
        torch.manual_seed(self.seed)
        self._network = self.make()
        learn(self._network, torch.from_numpy(above_median(x)), torch.from_numpy(y[:, None].astype(np.float32)), self.epochs, self.seed)

    def score(self, x: np.ndarray) -> np.ndarray:
        """See `Classifier`."""
        with torch.no_grad():
            told = [self._network(torch.from_numpy(above_median(x[k:k + _BATCH])).float()) for k in range(0, len(x), _BATCH)]
        scores: np.ndarray = torch.cat(told)[:, 0].numpy().astype(np.float64)
        return scores


@dataclass
class TwoStage:
    """`first` judges chunks, counts uint32 [k, N, 8, 8]; `second` the pixels of those that pass, the rest score -inf: labels int8, scores float64 [k, 64].

    A label is 1 for a pixel that sees a meteor, 0 for one that sees none; -1 is not learned from.
    """

    first: Classifier
    second: Classifier

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """See `Classifier`; the threshold between the stages lets KEPT of the meteor chunks pass that the first has not learned."""
        lit = (y == 1).any(axis=1)
        held = np.arange(len(x)) % HELD_BACK == 0
        self.first.fit(x[~held], lit[~held])
        score = self.first.score(x)
        self._threshold = np.quantile(score[held & lit], 1 - KEPT)
        passed = score >= self._threshold
        label = y[passed].ravel()
        self.second.fit(scaled(pixel_curves(x[passed])[label >= 0]), label[label >= 0] == 1)

    def score(self, x: np.ndarray) -> np.ndarray:
        """See `Classifier`."""
        passed = self.first.score(x) >= self._threshold
        scores = np.full((len(x), x[0, 0].size), -np.inf)
        if passed.any():
            scores[passed] = self.second.score(scaled(pixel_curves(x[passed]))).reshape(-1, x[0, 0].size)
        return scores


def above_median(counts: np.ndarray) -> np.ndarray:
    """How far each pixel-frame lies above its pixel's median, by the largest such in its stack: float16 [k, N, rows, columns] of counts so.

    So a bright meteor looks like a faint one. Chosen of six scalings by the chunk network's AUC on session 6, and again of three on session 5: what it
    says of these two is a little too good. Half precision resolves a thousandth, and a whole frame takes 221 kB.
    """
    wide = counts.astype(np.float32)  # exact: a frame counts less than 2^22
    wide -= np.median(wide, axis=1, keepdims=True)
    wide /= np.maximum(np.abs(wide).max(axis=(1, 2, 3), keepdims=True), 1)
    return wide.astype(np.float16)
