"""The network that looks at every pixel in every frame: a perceptron on the codes of 48 frames; float or quantised by its `Layers`.

    codes [b, 48, p] -> convolution of kernel 1, ReLU -> ... -> logit [b, 1, p]

p pixels lie beside each other as the samples of a time series do elsewhere: a convolution of kernel 1 is one dense layer on each of them.
So the flight file has a static batch of 2,304 pixels in a single call, and everything that converts and runs convolutions serves it.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import nn

from edge_runtime.pixels import WINDOW_FRAMES

from ..configuration import PixelModelConfiguration
from .layers import Layers, real


class PixelNetwork(nn.Module):
    """Log odds of a meteor in the middle of a pixel's window."""

    def __init__(self, configuration: PixelModelConfiguration, layers: Layers) -> None:
        super().__init__()
        self.codes = layers.codes()
        self.layers = nn.Sequential()
        for source, target in pairwise((WINDOW_FRAMES, *configuration.hidden, 1)):
            self.layers.append(layers.conv(source, target, 1, 1))
            self.layers.append(layers.relu() if len(self.layers) <= 2 * len(configuration.hidden) else layers.output())

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Logit [b, 1, p] float32 of `codes` [b, 48, p] float32, real values."""
        logit: Any = self.layers(self.codes(codes))
        return real(logit)
