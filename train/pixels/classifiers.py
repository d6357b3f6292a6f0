"""The classifiers of the study: scikit-learn's and xgboost's as they come, and perceptrons by the recipe of its slides."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    import torch

BATCH = 128  # with Adam, binary cross-entropy, sigmoids and an exponential decay of the rate, as on the slides
LEARNING_RATE, DECAY = 2e-3, 0.93  # of Adam, and what is left of it after each epoch [ours: the slides print none]
NEIGHBOURS, TREES = 15, 200  # [ours]
CORES = 2  # that a forest grows on


class Classifier(Protocol):
    """Learns from x [k, ...] and y [k, ...], of the shapes and dtypes of the view it is used with; then scores float64 of y's shape, higher for meteors."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """Learn."""

    def score(self, x: np.ndarray) -> np.ndarray:
        """Scores of x."""


@dataclass
class Library:
    """A classifier of scikit-learn's interface behind a scaling to unit variance; `make(seed)` gives a fresh one."""

    make: Callable[[], object]

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """See `Classifier`."""
        from joblib import parallel_config
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        # Trees grow side by side, but score one by one: on several cores their votes are added in an order of chance, and so are the last bits.
        with parallel_config("threading", n_jobs=CORES):
            self._model = make_pipeline(StandardScaler(), self.make()).fit(x, y)

    def score(self, x: np.ndarray) -> np.ndarray:
        """See `Classifier`."""
        chance: np.ndarray = self._model.predict_proba(x)[:, 1]
        return chance.astype(np.float64)


def logistic(seed: int) -> Library:
    """Logistic regression with scikit-learn's own penalty."""
    from sklearn.linear_model import LogisticRegression

    return Library(lambda: LogisticRegression(max_iter=1000, random_state=seed))


def neighbours(seed: int) -> Library:
    """The NEIGHBOURS nearest curves of the training set."""
    from sklearn.neighbors import KNeighborsClassifier

    return Library(lambda: KNeighborsClassifier(NEIGHBOURS))


def forest(seed: int, trees: int = TREES) -> Library:
    """A random forest."""
    from sklearn.ensemble import RandomForestClassifier

    return Library(lambda: RandomForestClassifier(trees, min_samples_leaf=3, random_state=seed))


def boosted(seed: int) -> Library:
    """Gradient-boosted trees of xgboost, on one core: where another process takes part of the second, its threads wait for each other most of the time."""
    from xgboost import XGBClassifier

    return Library(lambda: XGBClassifier(n_estimators=TREES, max_depth=5, learning_rate=0.1, n_jobs=1, random_state=seed))


def learn(network: "torch.nn.Module", x: "torch.Tensor", y: "torch.Tensor", epochs: int, seed: int) -> None:
    """Train a network that gives logits [k, outputs] for inputs x [k, ...] and targets y float32 [k, outputs], by the recipe above.

    One thread: of networks this small several wait for each other longer than they compute.
    """
    import torch

    torch.set_num_threads(1)
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, DECAY)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x), generator=generator).split(BATCH):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(x[chosen].float()), y[chosen])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        schedule.step()


@dataclass
class Perceptron:
    """Dense layers of `widths` with ReLU between, input first, 1 or 2 outputs last, trained for `epochs`; two outputs are one for each class."""

    widths: tuple[int, ...]
    epochs: int
    seed: int

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        """See `Classifier`."""
        import torch
        from torch import nn

        self._mean, self._spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
        torch.manual_seed(self.seed)
        layers: list[nn.Module] = []
        for source, target in zip(self.widths[:-1], self.widths[1:], strict=True):
            layers += [nn.Linear(source, target), nn.ReLU()]
        self._network = nn.Sequential(*layers[:-1])
        targets = torch.from_numpy(np.column_stack([~y, y] if self.widths[-1] == 2 else [y]).astype(np.float32))
        learn(self._network, torch.from_numpy(self._scaled(x)), targets, self.epochs, self.seed)

    def score(self, x: np.ndarray) -> np.ndarray:
        """See `Classifier`."""
        import torch

        with torch.no_grad():
            told = self._network(torch.from_numpy(self._scaled(x))).numpy().astype(np.float64)
        scores: np.ndarray = told[:, -1] - (told[:, 0] if self.widths[-1] == 2 else 0)
        return scores

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = ((x - self._mean) / self._spread).astype(np.float32)
        return scaled
