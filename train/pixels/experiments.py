"""The experiments of the study, each a table of methods, with the slides' own figure beside where they print one.

The slides: mean ROC AUC over the left-out sessions 5-9 and 11-14 (Mini-EUSO, perceptrons and classical classifiers on 48-vectors).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from edge_runtime.frames import PIXELS

from ..instruments.minieuso.configuration import SESSIONS
from ..instruments.minieuso.constants import TUBE_PIXELS
from .classifiers import TREES, Classifier, Perceptron, boosted, forest, logistic, neighbours
from .curves import Curves
from .features import FEATURES, five_features, scaled
from .stacks import N, Stacks

View = Callable[..., tuple[np.ndarray, np.ndarray]]
_WIDTHS = (32, 64, 96, 128)
# AUC by session left out, in the order of SESSIONS, where the slides print them.
SLIDES_BY_SESSION = {"k-nearest neighbours, scaled curve": (0.9772, 0.9848, 0.9468, 0.9869, 0.9333, 0.9907, 0.9808, 0.9647, 0.9901),
                     "k-nearest neighbours, both": (0.9774, 0.9853, 0.9468, 0.9874, 0.9427, 0.9917, 0.9806, 0.9664, 0.9902)}
_ONE = (6,)  # left out where one fold is enough to see a network fail


@dataclass(frozen=True)
class Method:
    """One row of a table.

    make: the classifier, of a seed. view: what it gets of a set: x [k, ...] and labels, 1 for a meteor, 0 for none, less for neither. slides: their
    mean AUC, None where they print none. learns, judged: the sets, "curves", "showers", "chunks" or "frames". sessions: each is left out once.
    """

    name: str
    make: Callable[[int], Classifier]
    view: View
    slides: float | None = None
    learns: str = "curves"
    judged: str = "curves"
    sessions: tuple[int, ...] = tuple(SESSIONS)


@dataclass(frozen=True)
class Experiment:
    """One table. `train`: the sessions that it trains on, where that is not all but the one left out."""

    name: str
    title: str
    methods: tuple[Method, ...]
    train: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Scale:
    """How much of the study is run.

    meteors, others: curves with and without a meteor in all nine sessions together. epochs: of every network. chunks, frames: stacks of each
    session, every fourth and every second with a meteor. sessions: left out by the methods on chunks and showers.
    """

    meteors: int
    others: int
    epochs: int
    chunks: int
    frames: int
    sessions: tuple[int, ...] = tuple(SESSIONS)
    trees: int = TREES  # of a forest


# "paper" has the sizes that the slides print, the smaller for meteors: 1,100 meteors of 3 to 4 pixels cannot give the larger. The others keep the share.
SCALES = {"demo": Scale(450, 4_500, 6, 120, 24, (9, 14), 60), "middle": Scale(4_527, 55_473, 20, 500, 100), "paper": Scale(43_896, 537_864, 30, 2_000, 150)}


def experiments(scale: Scale) -> dict[str, Experiment]:
    """Every experiment by its name."""
    def perceptron(*widths: int) -> Callable[[int], Classifier]:
        return partial(Perceptron, widths, scale.epochs)

    trees = partial(forest, trees=scale.trees)
    curve, features, curve_and_features = of_curves(scaled), of_curves(five_features), of_curves(both)
    grid = tuple(Method(f"48-{a}-{b}-1", perceptron(48, a, b, 1), curve, 0.9638 if (a, b) == (96, 32) else None) for a, b in product(_WIDTHS, _WIDTHS))
    deeper = tuple(Method("-".join(map(str, widths)), perceptron(*widths), curve)
                   for widths in ((48, 96, 64, 32, 1), (48, 64, 64, 64, 1), (48, 96, 96, 32, 32, 1)))
    classical = tuple(
        Method(f"{name}, {seen}", make, view, slides)
        for name, make, figures in (("k-nearest neighbours", neighbours, (0.9728, 0.960, 0.9742)), ("random forest", trees, (0.964, 0.958, None)),
                                    ("XGBoost", boosted, (0.701, 0.966, None)), ("logistic regression", logistic, (0.737, 0.956, None)))
        for seen, view, slides in zip(("scaled curve", "five features", "both"), (curve, features, curve_and_features), figures, strict=True)
    )
    n = len(FEATURES)
    small = tuple(Method("-".join(map(str, widths)), perceptron(*widths), features, 0.960 if len(widths) == 5 else None)
                  for widths in ((n, 16, 2), (n, 8, 8, 2), (n, 8, 8, 8, 2)))
    centring = tuple(Method(f"{name}, {'peak in the middle' if centred else 'peak anywhere'}", make, of_curves(scaled, centred=centred))
                     for name, make in (("48-96-32-1", perceptron(48, 96, 32, 1)), ("k-nearest neighbours", neighbours), ("logistic regression", logistic))
                     for centred in (False, True))
    window = tuple(Method(f"N = {length}, {length}-96-32-1", perceptron(length, 96, 32, 1), of_curves(scaled, length), 0.9638 if length == 48 else None)
                   for length in (8, 16, 24, 32, 40, 48, 56, 64))
    pair = (Method("48-96-32-1", perceptron(48, 96, 32, 1), curve, 0.9698, sessions=(6,)), Method("k-nearest neighbours", neighbours, curve, sessions=(6,)))
    cnn = (Method("whole frame 48x48x48", partial(_convolution, PIXELS, scale.epochs), stack, 0.523, "frames", "frames", _ONE),
           Method("chunks 8x8x48", partial(_convolution, TUBE_PIXELS, scale.epochs), stack, None, "chunks", "chunks", scale.sessions))
    lstm = (Method("whole frame 48x48x48", partial(_recurrent, scale.epochs), stack, 0.75, "frames", "frames", _ONE),)
    stages = (Method("chunks, then 48-96-32-1 on their pixels", partial(_two_stage, scale.epochs), pixels_in_chunks, None, "chunks", "chunks", scale.sessions),
              Method("48-96-32-1 on all pixels", perceptron(48, 96, 32, 1), all_pixels, None, "chunks", "chunks", scale.sessions))
    air = tuple(Method(f"{name}, learned on {'showers' if learns == 'showers' else 'meteors'}", make, view, None, learns, "showers", scale.sessions)
                for name, make, view in (("48-96-32-1", perceptron(48, 96, 32, 1), curve), ("k-nearest neighbours", neighbours, curve),
                                         ("random forest, five features", trees, features), ("XGBoost, five features", boosted, features),
                                         ("logistic regression, five features", logistic, features))
                for learns in ("curves", "showers"))
    tables = (
        Experiment("mlp-grid", "Perceptrons on 48-vectors: first and second layer, and more layers", grid + deeper),
        Experiment("classical", "Classical classifiers on curves, on five features, on both", classical),
        Experiment("features", "Small perceptrons on five features", small),
        Experiment("centring", "Curves with the meteor's peak in the middle, which no stream offers, against anywhere", centring),
        Experiment("window", "Length of the curve", window),
        Experiment("pair-5-6", "Trained on session 5, tested on session 6", pair, (5,)),
        Experiment("cnn", "Convolution on stacks of whole frames and of chunks: is a meteor anywhere in the stack", cnn),
        Experiment("lstm", "LSTM on stacks of whole frames: is a meteor anywhere in the stack", lstm),
        Experiment("two-stage", "Pixels of chunks: those of the chunks that a first network keeps, against all", stages),
        Experiment("air-showers", "Tracks at the speed of light, 2.5 us a frame: what was learned on meteors, and on such curves", air),
    )
    return {table.name: table for table in tables}


def of_curves(look: Callable[[np.ndarray], np.ndarray], length: int = N, centred: bool = False) -> View:
    """View of curves, of meteors or showers: `look` of their counts [k, length], and labels bool [k]."""
    def view(curves: Curves) -> tuple[np.ndarray, np.ndarray]:
        return look(curves.counts(length, centred)), curves.meteor

    return view


def stack(stacks: Stacks) -> tuple[np.ndarray, np.ndarray]:
    """Counts uint32 [k, N, side, side] and labels bool [k] of stacks."""
    return stacks.counts, stacks.meteor


def pixels_in_chunks(stacks: Stacks) -> tuple[np.ndarray, np.ndarray]:
    """Counts uint32 [k, N, 8, 8] of chunks and labels int8 [k, 64] of their pixels."""
    return stacks.counts, stacks.pixels


def all_pixels(stacks: Stacks) -> tuple[np.ndarray, np.ndarray]:
    """Scaled curves float32 [p, N] and labels bool [p] of the p pixels with a label, chunk by chunk."""
    known = stacks.pixels.ravel() >= 0
    return scaled(stacks.curves()[known]), stacks.pixels.ravel()[known] == 1


def both(counts: np.ndarray) -> np.ndarray:
    """Scaled curve and features side by side, float32 [k, N + 5]."""
    return np.column_stack([scaled(counts), five_features(counts)])


# PyTorch takes two seconds to import: whoever asks only what experiments there are does not wait for it.
def _convolution(side: int, epochs: int, seed: int) -> Classifier:
    from .stack_networks import StackNetwork, convolution

    return StackNetwork(partial(convolution, N, side), epochs, seed)


def _recurrent(epochs: int, seed: int) -> Classifier:
    from .stack_networks import Recurrent, StackNetwork

    return StackNetwork(partial(Recurrent, PIXELS), epochs, seed)


def _two_stage(epochs: int, seed: int) -> Classifier:
    from .stack_networks import TwoStage

    return TwoStage(_convolution(TUBE_PIXELS, epochs, seed), Perceptron((N, 96, 32, 1), epochs, seed))
