"""What the pixel network learns from, and how: windows of codes and the binary cross entropy of the study's recipe."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edge_runtime.pixels import WINDOW_FRAMES, PixelCodes

from ..configuration import PixelConfiguration
from ..loop import System
from ..models.layers import layers_of, real, scale_of
from ..models.pixel_network import PixelNetwork


class PixelSystem(System):
    """The pixel network alone."""

    network: PixelNetwork

    def __init__(self, configuration: PixelConfiguration, kind: str) -> None:
        super().__init__()
        self.network = PixelNetwork(configuration.model, layers_of(kind, PixelCodes().scale))


@dataclass(frozen=True)
class PixelSet:
    """Windows to learn from: codes int8 [w, 48], meteor bool [w]. See `TrainingSet`."""

    codes: np.ndarray
    meteor: np.ndarray

    def __len__(self) -> int:
        return len(self.meteor)

    def system(self, configuration: PixelConfiguration, kind: str) -> PixelSystem:
        """See `TrainingSet`."""
        return PixelSystem(configuration, kind)

    def feed(self, network: nn.Module, configuration: PixelConfiguration, chosen: np.ndarray) -> None:
        """See `TrainingSet`."""
        network(network_input(self.codes[chosen]))

    def loss(self, system: PixelSystem, configuration: PixelConfiguration, chosen: np.ndarray, generator: torch.Generator,
             progress_made: float) -> tuple[torch.Tensor, dict[str, float]]:
        """See `TrainingSet`."""
        smoothing = configuration.training.smoothing
        noise = noise_input(configuration.training.noise, generator)
        meteor = torch.cat([torch.from_numpy(self.meteor[chosen].astype(np.float32)), torch.zeros(len(noise))])
        logit = system.network(torch.cat([network_input(self.codes[chosen]), noise]))[:, 0, 0]
        loss = functional.binary_cross_entropy_with_logits(logit, meteor * (1 - 2 * smoothing) + smoothing)
        return loss, {"windows": len(chosen), "correct": ((logit > 0) == (meteor > 0))[:len(chosen)].sum().item()}

    def row(self, sums: dict[str, float]) -> dict[str, float]:
        """See `TrainingSet`."""
        return {"accuracy": sums["correct"] / sums["windows"]}


def network_input(codes: np.ndarray) -> torch.Tensor:
    """What the network takes for codes int8 [b, 48]: float32 [b, 48, 1], real values."""
    return torch.from_numpy(codes.astype(np.float32) * np.float32(PixelCodes().scale))[:, :, None]


def noise_input(windows: int, generator: torch.Generator) -> torch.Tensor:
    """What the network takes for a steady pixel, float32 [windows, 48, 1]: Poisson noise of ten thousand counts, which is normal, as `PixelCodes` codes it."""
    z = torch.randn(windows, WINDOW_FRAMES, 1, generator=generator)
    scale = PixelCodes().scale
    return torch.round(torch.copysign(torch.sqrt(1 + z.abs()) - 1, z) * (2 / scale)) * scale


class Frozen:
    """The quantised network with its weights rounded once, not at every call: the same numbers as in Brevitas, twenty times as fast.

    All scales are powers of two, so every product and sum is exact in float32 and their order does not matter.
    """

    def __init__(self, system: PixelSystem) -> None:
        network, modules = system.network.eval(), list[Any](system.network.layers)
        self.scale = scale_of(modules[-1])  # of the logit
        self._layers: list[tuple[torch.Tensor, torch.Tensor, float]] = []
        with torch.no_grad():
            inputs: Any = network.codes(torch.zeros(1, modules[0].in_channels, 1))
            for convolution, quantiser in zip(modules[::2], modules[1::2], strict=True):
                weight, found = convolution.quant_weight().value[:, :, 0], convolution(inputs)
                self._layers.append((weight.T.contiguous(), real(found)[0, :, 0] - weight @ real(inputs)[0, :, 0], scale_of(quantiser)))
                inputs = quantiser(found)

    def logit_codes(self, codes: np.ndarray) -> np.ndarray:
        """Codes int8 [w] of the logits of codes int8 [w, 48]."""
        with torch.no_grad():
            value = torch.from_numpy(codes.astype(np.float32) * np.float32(PixelCodes().scale))
            for place, (weight, bias, scale) in enumerate(self._layers):
                low, high = (-128, 127) if place == len(self._layers) - 1 else (0, 255)
                value = torch.addmm(bias, value, weight).div_(scale).round_().clamp_(low, high)
                if place < len(self._layers) - 1:
                    value.mul_(scale)
        return value[:, 0].numpy().astype(np.int8)


def scores(system: PixelSystem, codes: np.ndarray) -> np.ndarray:
    """Logits float32 [w] of codes int8 [w, 48] by a float network, in eval mode."""
    system.eval()
    with torch.no_grad():
        parts = [system.network(network_input(codes[first:first + 65_536]))[:, 0, 0].numpy() for first in range(0, len(codes), 65_536)]
    return np.concatenate(parts)
