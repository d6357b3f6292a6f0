"""Convolutional variational autoencoder over windows of counts, with a classifying head; float or quantised by its `Layers`.

    counts [b, 3, 1040] -> convolutions, ReLU -> map [b, c, t] -> flatten -> posterior_mean [b, latent], posterior_log_variance [b, latent]
                                                     map -> maximum over time [b, c] -> dense, ReLU, dense -> logits [b, 5]
    z [b, latent] -> dense, ReLU [b, c', 67] -> transposed convolutions, ReLU -> pre-activation [b, 3, 1040], the ends of it cut off

The maximum over time makes the head independent of where in the window the light is. The pre-activation means what the observation
model says (train/losses.py): exp and softplus are no int8 operators, the host applies them by a table of 256 entries.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from edge_runtime.flagging import CLASSES

from ..configuration import ModelConfiguration
from ..shapes import MARGIN, innermost
from .layers import Layers, real

BANDS = 3


@dataclass(frozen=True)
class Posterior:
    """What the encoder says of a batch, float32: mean and log variance [b, latent], logits [b, 5]."""

    mean: torch.Tensor
    log_variance: torch.Tensor
    logits: torch.Tensor


class Trunk(nn.Module):
    """The convolutions: counts to the flattened map and its maximum over time, which latents and head stand on."""

    def __init__(self, configuration: ModelConfiguration, layers: Layers) -> None:
        super().__init__()
        self.counts = layers.counts()
        self.layers = nn.Sequential()
        source, length = BANDS, configuration.samples
        for target, kernel, stride in zip(configuration.channels, configuration.kernels, configuration.strides, strict=True):
            self.layers.append(layers.conv(source, target, kernel, stride))
            self.layers.append(layers.relu())
            source, length = target, (length - 1) // stride + 1
        self.brightest = nn.MaxPool1d(length)
        self.channels, self.length = source, length

    def forward(self, counts: torch.Tensor) -> tuple[Any, Any]:
        """Map [b, c * t] and maximum [b, c] of `counts` [b, 3, 1040], each a plain or a Brevitas tensor."""
        channel_map = self.layers(self.counts(counts))  # [b, c, t]
        return torch.flatten(channel_map, 1), torch.flatten(self.brightest(channel_map), 1)


class Encoder(nn.Module):
    """q(z | counts) and the class logits. What flies is this without `log_variance`."""

    def __init__(self, configuration: ModelConfiguration, layers: Layers) -> None:
        super().__init__()
        self.trunk = Trunk(configuration, layers)
        flat = self.trunk.channels * self.trunk.length
        self.mean = nn.Sequential(layers.dense(flat, configuration.latent), layers.output())
        self.log_variance = nn.Sequential(layers.dense(flat, configuration.latent), layers.output())
        self.head = nn.Sequential(layers.dense(self.trunk.channels, configuration.head), layers.relu(),
                                  layers.dense(configuration.head, len(CLASSES)), layers.output())

    def forward(self, counts: torch.Tensor) -> Posterior:
        """Posterior of `counts` [b, 3, 1040] float32, unsigned window codes times the preprocessing's scale."""
        flat, brightest = self.trunk(counts)
        return Posterior(real(self.mean(flat)), real(self.log_variance(flat)), real(self.head(brightest)))


class Decoder(nn.Module):
    """p(counts | z): from latents [b, latent] to the pre-activation [b, 3, 1040] of the observation model."""

    def __init__(self, configuration: ModelConfiguration, layers: Layers) -> None:
        super().__init__()
        channels = (*configuration.decoder_channels, BANDS)
        self.length = innermost(configuration)
        self.dense = nn.Sequential(layers.dense(configuration.latent, channels[0] * self.length), layers.relu())
        self.widen = nn.Sequential()
        for index, (source, target) in enumerate(pairwise(channels), start=1):
            activated = index < len(channels) - 1
            # Beyond its ends a transposed convolution finds nothing: what that spoils is made besides, and cut off.
            self.widen.append(layers.transposed(source, target, activated, 0 if activated else MARGIN << (len(channels) - 1)))
            self.widen.append(layers.relu() if activated else layers.output())

    def forward(self, latents: Any) -> torch.Tensor:
        """Pre-activation [b, 3, 1040] float32 of `latents` [b, latent], a plain or a Brevitas tensor on the grid of the posterior mean."""
        hidden = self.dense(latents)  # [b, c * length]
        return real(self.widen(hidden.view(-1, hidden.shape[1] // self.length, self.length)))


class Cvae(nn.Module):
    """Encoder and decoder. The decoder's input is put on the grid of the posterior mean: both pass the same quantiser."""

    def __init__(self, configuration: ModelConfiguration, layers: Layers) -> None:
        super().__init__()
        self.encoder = Encoder(configuration, layers)
        self.decoder = Decoder(configuration, layers)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pre-activation [b, 3, 1040] of real `latents` [b, latent], rounded to the grid of the posterior mean first where quantised."""
        return self.decoder(self.encoder.mean[1](latents))

    def forward(self, counts: torch.Tensor, noise: torch.Tensor) -> tuple[Posterior, torch.Tensor]:
        """Posterior and pre-activation for one draw z = mean + exp(log_variance / 2) * noise; `noise` [b, latent], zeros give the mean."""
        posterior = self.encoder(counts)
        return posterior, self.decode(posterior.mean + torch.exp(posterior.log_variance / 2) * noise)
