"""What the photometers' autoencoder learns from, and how: windows of counts, an evidence lower bound and the classes' cross entropy."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from edge_runtime.preprocess import CountTables, anscombe_tables

from . import losses
from .configuration import Configuration
from .loop import System
from .models.cvae import BANDS, Cvae
from .models.layers import layers_of


class PhotometerSystem(System):
    """The autoencoder and its observation model (a learned sigma or concentration)."""

    network: Cvae

    def __init__(self, configuration: Configuration, kind: str, tables: CountTables) -> None:
        super().__init__()
        self.network = Cvae(configuration.model, layers_of(kind, tables.scale))
        self.observation = losses.MODELS[configuration.model.observation]()


@dataclass(frozen=True)
class PhotometerSet:
    """Windows to learn from: counts uint16 [w, 3, 1040], label int8 [w] (index in CLASSES, -1 for light too weak to name). See `TrainingSet`."""

    counts: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def system(self, configuration: Configuration, kind: str) -> PhotometerSystem:
        """See `TrainingSet`."""
        system = PhotometerSystem(configuration, kind, anscombe_tables())
        if kind == "trunk":
            # The decoder starts from the dark, not from one count per sample: the first epochs are not spent on the mean rate.
            with torch.no_grad():
                system.network.decoder.widen[-2].bias.fill_(-1.0)  # type: ignore[operator,union-attr]
        return system

    def feed(self, network: nn.Module, configuration: Configuration, chosen: np.ndarray) -> None:
        """See `TrainingSet`."""
        generator, tables = torch.Generator().manual_seed(configuration.seed), anscombe_tables()
        for start in range(0, len(chosen), 256):
            batch = network_input(self.counts[chosen[start:start + 256]], tables)
            network(batch, torch.randn(len(batch), configuration.model.latent, generator=generator))

    def loss(self, system: PhotometerSystem, configuration: Configuration, chosen: np.ndarray, generator: torch.Generator,
             progress_made: float) -> tuple[torch.Tensor, dict[str, float]]:
        """See `TrainingSet`."""
        settings = configuration.training
        counts, labels = self.counts[chosen], torch.from_numpy(self.label[chosen].astype(np.int64))
        noise = torch.randn(len(chosen), configuration.model.latent, generator=generator)
        beta = settings.beta * min(1.0, progress_made / settings.warm_up_epochs if settings.warm_up_epochs else 1.0)
        posterior, pre_activation = system.network(network_input(counts, anscombe_tables()), noise)
        log_likelihood = system.observation.log_likelihood(pre_activation, torch.from_numpy(counts.astype(np.float32)))
        divergence, classes = losses.kl(posterior), losses.cross_entropy(posterior.logits, labels)
        weighted = (log_likelihood * losses.sample_weights(settings, counts.shape[2])).sum((1, 2))
        loss = (beta * divergence - weighted).mean() / (BANDS * counts.shape[2]) + settings.classification_weight * classes
        named = int((labels >= 0).sum())
        return loss, {"windows": len(chosen), "named": named, "log_likelihood": log_likelihood.sum().item(), "kl": divergence.sum().item(),
                      "cross_entropy": classes.item() * named, "correct": (posterior.logits.argmax(1) == labels).sum().item()}

    def row(self, sums: dict[str, float]) -> dict[str, float]:
        """See `TrainingSet`."""
        windows, named = sums["windows"], max(sums["named"], 1)
        return {"elbo": (sums["log_likelihood"] - sums["kl"]) / windows, "log_likelihood": sums["log_likelihood"] / windows, "kl": sums["kl"] / windows,
                "cross_entropy": sums["cross_entropy"] / named, "accuracy": sums["correct"] / named}


def network_input(counts: np.ndarray, tables: CountTables) -> torch.Tensor:
    """What the network takes for `counts` uint16 [b, 3, t]: float32 [b, 3, t], unsigned codes times the scale."""
    return torch.from_numpy(tables.dequantise(tables.quantise(counts)))
