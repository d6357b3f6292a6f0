"""The experiments of the study on light curves, each a table of methods, with the slides' own figure beside where they print one.

The slides: mean ROC AUC over the left-out sessions 5-9 and 11-14 (Mini-EUSO, perceptrons and classical classifiers on 48-vectors).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from .classifiers import Classifier, Perceptron, boosted, forest, logistic, neighbours
from .features import FEATURES, five_features, scaled

View = Callable[[np.ndarray], np.ndarray]
_WIDTHS = (32, 64, 96, 128)


@dataclass(frozen=True)
class Method:
    """One row of a table: what is made of counts uint32 [k, N], and what learns from that. `slides`: their mean AUC, None where they print none."""

    name: str
    make: Callable[[int], Classifier]  # of a seed
    view: View
    slides: float | None = None
    length: int = 48
    centred: bool = False


@dataclass(frozen=True)
class Experiment:
    """One table. `only`: the sessions that it tests on and trains on, where that is not each left out in turn."""

    name: str
    title: str
    methods: tuple[Method, ...]
    train: tuple[int, ...] | None = None
    test: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Scale:
    """How much of the study is run: curves with and without a meteor in all nine sessions together, epochs of a perceptron."""

    meteors: int
    others: int
    epochs: int


# "paper" has the sizes that the slides print, the smaller for meteors: 1,100 meteors of 3 to 4 pixels cannot give the larger. The others keep the share.
SCALES = {"demo": Scale(450, 4_500, 8), "middle": Scale(4_527, 55_473, 20), "paper": Scale(43_896, 537_864, 30)}


def experiments(epochs: int) -> dict[str, Experiment]:
    """Every experiment by its name; perceptrons learn for `epochs`."""
    def perceptron(*widths: int) -> Callable[[int], Classifier]:
        return partial(Perceptron, widths, epochs)

    grid = tuple(Method(f"48-{a}-{b}-1", perceptron(48, a, b, 1), scaled, 0.9638 if (a, b) == (96, 32) else None) for a, b in product(_WIDTHS, _WIDTHS))
    deeper = tuple(Method("-".join(map(str, widths)), perceptron(*widths), scaled)
                   for widths in ((48, 96, 64, 32, 1), (48, 64, 64, 64, 1), (48, 96, 96, 32, 32, 1)))
    classical = tuple(
        Method(f"{name}, {seen}", make, view, slides)
        for name, make, figures in (("k-nearest neighbours", neighbours, (0.9728, 0.960, 0.9742)), ("random forest", forest, (0.964, 0.958, None)),
                                    ("XGBoost", boosted, (0.701, 0.966, None)), ("logistic regression", logistic, (0.737, 0.956, None)))
        for seen, view, slides in zip(("scaled curve", "five features", "both"), (scaled, five_features, both), figures, strict=True)
    )
    n = len(FEATURES)
    small = tuple(Method("-".join(map(str, widths)), perceptron(*widths), five_features, 0.960 if len(widths) == 5 else None)
                  for widths in ((n, 16, 2), (n, 8, 8, 2), (n, 8, 8, 8, 2)))
    centring = tuple(Method(f"{name}, {'peak in the middle' if centred else 'peak anywhere'}", make, scaled, None, 48, centred)
                     for name, make in (("48-96-32-1", perceptron(48, 96, 32, 1)), ("k-nearest neighbours", neighbours), ("logistic regression", logistic))
                     for centred in (False, True))
    window = tuple(Method(f"N = {length}, {length}-96-32-1", perceptron(length, 96, 32, 1), scaled, 0.9638 if length == 48 else None, length)
                   for length in (8, 16, 24, 32, 40, 48, 56, 64))
    pair = (Method("48-96-32-1", perceptron(48, 96, 32, 1), scaled, 0.9698), Method("k-nearest neighbours", neighbours, scaled))
    tables = (
        Experiment("mlp-grid", "Perceptrons on 48-vectors: first and second layer, and more layers", grid + deeper),
        Experiment("classical", "Classical classifiers on curves, on five features, on both", classical),
        Experiment("features", "Small perceptrons on five features", small),
        Experiment("centring", "Curves with the meteor's peak in the middle, which no stream offers, against anywhere", centring),
        Experiment("window", "Length of the curve", window),
        Experiment("pair-5-6", "Trained on session 5, tested on session 6", pair, (5,), (6,)),
    )
    return {table.name: table for table in tables}


def both(counts: np.ndarray) -> np.ndarray:
    """Scaled curve and features side by side, float32 [k, N + 5]."""
    return np.column_stack([scaled(counts), five_features(counts)])
