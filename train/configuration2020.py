"""What a training run of the 2020 report's network is told. Its defaults are the report's own; the settings file `cvae2020` names them."""

import math
from dataclasses import dataclass, field
from typing import Any

from .settings import bounded, chosen, plain

SLICE_SAMPLES = 5000  # 50 ms
NETWORK = "cvae2020"


@dataclass(frozen=True)
class Model2020:
    """latent: dimensions of z. samples: of a channel in the input."""

    latent: int = bounded(1, 1024, 50)
    samples: int = bounded(100, 100_000, SLICE_SAMPLES)


@dataclass(frozen=True)
class Schedule2020:
    """Adam at one learning rate; no tails: this network is never quantised.

    divergence: "kl" is that of Kingma and Welling 2014; "as_printed" lacks the factor 1/2, as the report prints it (train/losses2020.py).
    """

    trunk_epochs: int = bounded(0, 100_000, 300)
    batch: int = bounded(1, 65_536, 100)
    learning_rate: float = bounded(1e-8, 1.0, 1e-4)
    beta: float = bounded(0.0, 1e6, 1.0)
    warm_up_epochs: int = bounded(0, 100_000, 0)
    divergence: str = chosen("kl", "as_printed")
    threads: int = bounded(1, 256, 2)

    weight_decay = 0.0
    gradient_limit = math.inf

    @property
    def lengths(self) -> tuple[int, ...]:
        """Epochs of the only phase."""
        return (self.trunk_epochs,)

    def rate(self, phase: int, progress_made: float, step: int) -> float:
        """The learning rate, always the same."""
        return self.learning_rate


@dataclass(frozen=True)
class Data2020:
    """slices: to learn from, 11,496 in the report. direction: its loader reversed time. cut: consecutive slices of each event, or the whole event
    with zeros behind it, which the report gave up."""

    slices: int = bounded(1, 10_000_000, 11_496)
    direction: str = chosen("reversed", "forward")
    cut: str = chosen("slices", "padded")


@dataclass(frozen=True)
class Configuration2020:
    """As `Configuration`, of the report's network."""

    network: str = chosen(NETWORK)
    seed: int = bounded(0, 2**32 - 1, 0)
    model: Model2020 = field(default_factory=Model2020)
    training: Schedule2020 = field(default_factory=Schedule2020)
    data: Data2020 = field(default_factory=Data2020)

    def to_document(self) -> dict[str, Any]:
        """The record as plain JSON values; `configuration_from_document` gives it back."""
        return plain(self)
