"""The network of the 2020 report, layer by layer, in float: what ours is measured against. 990,690 parameters with 50 latents.

Engell and Joergensen, "Transient Luminous Event detection with Unsupervised Convolutional Variational Auto-Encoder", 2020, and the notebook that
was published with it: 337 nm, UV and 777.4 nm end to end in time, one channel of 3 x 5,000 samples.

    x [b, 1, 15000] -> 4 convolutions -> [b, 3, 233] -> dense 699-500-250 -> mean, log sigma [b, latent] each
    z [b, latent] -> dense 250-500-699 -> [b, 3, 233] -> 5 transposed convolutions -> [b, 1, 30000] = log alpha, log beta [b, 15000] each

The numbers are those of its slices of 5,000 samples; whole events padded with zeros only make it longer.
"""

from dataclasses import dataclass

import torch
from torch import nn

from ..configuration2020 import Model2020
from ..shapes import innermost2020


@dataclass(frozen=True)
class Answer2020:
    """Posterior mean and log sigma [b, latent]; log alpha and log beta [b, 15000] of the Beta distributions of all samples."""

    mean: torch.Tensor
    log_sigma: torch.Tensor
    log_alpha: torch.Tensor
    log_beta: torch.Tensor


class Cvae2020(nn.Module):
    """See the module."""

    def __init__(self, model: Model2020) -> None:
        super().__init__()
        latent, length, innermost = model.latent, 3 * model.samples, innermost2020(model.samples)
        flat = 3 * innermost
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 3, 4), nn.ReLU(), nn.MaxPool1d(2), nn.BatchNorm1d(3),
            nn.Conv1d(3, 15, 4, stride=2), nn.ReLU(), nn.MaxPool1d(2), nn.BatchNorm1d(15),
            nn.Conv1d(15, 9, 4, stride=2), nn.ReLU(), nn.MaxPool1d(2), nn.BatchNorm1d(9),
            nn.Conv1d(9, 3, 4, stride=2), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(),
            nn.Linear(flat, 500), nn.ReLU(), nn.Linear(500, 250), nn.ReLU(), nn.Linear(250, 2 * latent))
        self.decoder = nn.Sequential(
            nn.Linear(latent, 250), nn.ReLU(), nn.Linear(250, 500), nn.ReLU(), nn.Linear(500, flat), nn.ReLU(), nn.Unflatten(1, (3, innermost)),
            nn.ConvTranspose1d(3, 9, 4, stride=2), nn.ReLU(), nn.Upsample(scale_factor=2), nn.BatchNorm1d(9),
            nn.ConvTranspose1d(9, 15, 4, stride=2), nn.ReLU(), nn.Upsample(scale_factor=2), nn.BatchNorm1d(15),
            nn.ConvTranspose1d(15, 3, 4, stride=2), nn.ReLU(), nn.Upsample(length - 3), nn.BatchNorm1d(3),
            nn.ConvTranspose1d(3, 3, 4, stride=2, output_padding=1), nn.ReLU(), nn.BatchNorm1d(3),
            nn.ConvTranspose1d(3, 1, 4))

    def forward(self, x: torch.Tensor, noise: torch.Tensor) -> Answer2020:
        """What it says of x [b, 1, 15000] for one draw z = mean + exp(log sigma) * noise; `noise` [b, latent], zeros give the mean."""
        mean, log_sigma = self.encoder(x).chunk(2, dim=1)
        log_alpha, log_beta = self.decoder(mean + log_sigma.exp() * noise)[:, 0].chunk(2, dim=1)
        return Answer2020(mean, log_sigma, log_alpha, log_beta)
