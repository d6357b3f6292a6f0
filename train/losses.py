"""What a network is trained for: evidence lower bound in nats under an observation model, and the classes of the windows.

    loss = -(sum of weight log p(count | z) - beta KL) / (3 * 1040) + classification_weight * cross entropy

per window, the weights those of `sample_weights`, averaged over a batch; the first term is per sample, so that its size does not depend on the window's.
Windows whose light is too weak to be called by name (label -1) take part in the first term alone: called light they would teach the
head to flag noise, called quiet to miss light.
"""

import math
from functools import cache

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edge_runtime.preprocess import CHANNELS, LAST_COUNT

from .configuration import TrainingConfiguration
from .models.cvae import BANDS, Posterior

LARGEST_LOG_RATE = 9.0  # 8,100 counts in 10 us: beyond the dead time of every photometer, and far from overflow


HIT_SHARE = 1e-3  # of samples; a photometer sees 1e-4 in quiet places of the orbit and 6e-3 in the South Atlantic Anomaly
_LOG_FACTORIAL = torch.lgamma(torch.arange(1 << 16, dtype=torch.float64) + 1).float()  # of every uint16
_LOG_HIT = math.log(HIT_SHARE * 6 / math.pi**2) - 2 * torch.log1p(torch.arange(1 << 16, dtype=torch.float64)).float()


class ObservationModel(nn.Module):
    """p(counts | pre-activation), each [b, 3, t]; what a model must answer."""

    def log_likelihood(self, pre_activation: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Nats of each sample [b, 3, t], float32; `counts` float32 [b, 3, t]."""
        raise NotImplementedError

    def expected_counts(self, pre_activation: np.ndarray) -> np.ndarray:
        """Mean counts per sample, float64, of pre-activations of any shape: the table on the host."""
        raise NotImplementedError

    def constant(self, counts: torch.Tensor) -> torch.Tensor:
        """Pre-activation [b, 3, 1] of one constant rate per channel, the mean of `counts` [b, 3, t]: what a reconstruction has to beat."""
        raise NotImplementedError


class Poisson(ObservationModel):
    """Counts ~ Poisson(exp(pre-activation)), the detector's own law; down to 0.004 counts per sample no approximation helps."""

    def log_likelihood(self, pre_activation: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """See `ObservationModel`."""
        log_rate = pre_activation.clamp(max=LARGEST_LOG_RATE)
        # log n! by a table: counts are integers, and torch.lgamma took a fifteenth of a training step.
        return counts * log_rate - log_rate.exp() - _LOG_FACTORIAL[counts.long()]

    def expected_counts(self, pre_activation: np.ndarray) -> np.ndarray:
        """See `ObservationModel`."""
        return np.exp(np.minimum(pre_activation.astype(np.float64), LARGEST_LOG_RATE))

    def constant(self, counts: torch.Tensor) -> torch.Tensor:
        """See `ObservationModel`. A channel without a count has the rate of half a count."""
        return counts.mean(2, keepdim=True).clamp(min=0.5 / counts.shape[2]).log()


class HitPoisson(Poisson):
    """The same but for one sample in a thousand, in which a particle leaves n counts with probability 6 / pi^2 / (n + 1)^2, whatever the light.

    Particles are none of the light, and no latent is to be spent on them: under `Poisson` one sample of 100 counts in the dark costs 400 nats, here 16.
    """

    def log_likelihood(self, pre_activation: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """See `ObservationModel`."""
        log_rate = pre_activation.clamp(max=LARGEST_LOG_RATE)
        light = counts * log_rate - log_rate.exp() - _LOG_FACTORIAL[counts.long()] + math.log1p(-HIT_SHARE)
        return torch.logaddexp(light, _LOG_HIT[counts.long()])


class Gaussian(ObservationModel):
    """2 sqrt(counts + 3/8) ~ Normal(pre-activation, sigma), one learned sigma per channel: the density is one of the transformed counts."""

    def __init__(self) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.zeros(BANDS, 1))

    def log_likelihood(self, pre_activation: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """See `ObservationModel`."""
        squares = (_anscombe(counts) - pre_activation).square()
        return -(squares / (2 * (2 * self.log_sigma).exp()) + self.log_sigma + math.log(2 * math.pi) / 2)

    def expected_counts(self, pre_activation: np.ndarray) -> np.ndarray:
        """See `ObservationModel`."""
        return np.maximum(np.maximum(pre_activation.astype(np.float64), 0) ** 2 / 4 - 3 / 8, 0)

    def constant(self, counts: torch.Tensor) -> torch.Tensor:
        """See `ObservationModel`."""
        return _anscombe(counts).mean(2, keepdim=True)


class OptimalGaussian(Gaussian):
    """The same with sigma^2 = mean square error of the batch, per channel: the sigma-VAE of Rybkin 2021, equation 7, soft-clipped at e^-6."""

    def __init__(self) -> None:
        nn.Module.__init__(self)  # no learned sigma

    def log_likelihood(self, pre_activation: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """See `ObservationModel`."""
        squares = (_anscombe(counts) - pre_activation).square()
        log_sigma = squares.mean((0, 2), keepdim=True)[0].clamp(min=1e-12).log() / 2  # [3, 1]
        log_sigma = -6 + functional.softplus(log_sigma + 6)
        return -(squares / (2 * (2 * log_sigma).exp()) + log_sigma + math.log(2 * math.pi) / 2)


class BetaDistribution(ObservationModel):
    """(counts + 1/2) / 1056 ~ Beta(m c, (1 - m) c), m = sigmoid(pre-activation), c a learned concentration per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.log_concentration = nn.Parameter(torch.full((BANDS, 1), 5.0))

    def log_likelihood(self, pre_activation: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """See `ObservationModel`."""
        x = (counts.clamp(max=LAST_COUNT) + 0.5) / (LAST_COUNT + 1)
        mean, concentration = torch.sigmoid(pre_activation.clamp(-12, 12)), self.log_concentration.exp()
        a, b = mean * concentration, (1 - mean) * concentration
        normalisation = torch.lgamma(concentration) - torch.lgamma(a) - torch.lgamma(b)
        return normalisation + (a - 1) * x.log() + (b - 1) * torch.log1p(-x)

    def expected_counts(self, pre_activation: np.ndarray) -> np.ndarray:
        """See `ObservationModel`."""
        return np.maximum((LAST_COUNT + 1) / (1 + np.exp(-pre_activation.astype(np.float64))) - 0.5, 0)

    def constant(self, counts: torch.Tensor) -> torch.Tensor:
        """See `ObservationModel`."""
        return torch.logit(((counts.clamp(max=LAST_COUNT) + 0.5) / (LAST_COUNT + 1)).mean(2, keepdim=True))


MODELS: dict[str, type[ObservationModel]] = {"poisson": Poisson, "hit_poisson": HitPoisson, "gaussian": Gaussian, "optimal_gaussian": OptimalGaussian,
                                             "beta": BetaDistribution}


@cache  # the same for every step of a training
def sample_weights(settings: TrainingConfiguration, samples: int) -> torch.Tensor:
    """What each sample's likelihood counts in training, float32 [3, samples]: the UV channel's by `uv_weight`, a twentieth at either end by `edge_weight`."""
    weights = torch.ones(BANDS, samples)
    weights[CHANNELS.index("uv")] *= settings.uv_weight
    edge = samples // 20
    weights[:, :edge] *= settings.edge_weight
    weights[:, samples - edge:] *= settings.edge_weight
    return weights


def kl(posterior: Posterior) -> torch.Tensor:
    """KL(q(z | counts) || N(0, 1)) in nats per window [b], summed over the latent: Kingma and Welling 2014, appendix B."""
    mean, log_variance = posterior.mean, posterior.log_variance
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross entropy in nats of the windows whose label is not -1; 0 where there are none."""
    named = labels >= 0
    if not named.any():
        return logits.sum() * 0
    return functional.cross_entropy(logits[named], labels[named])


def _anscombe(counts: torch.Tensor) -> torch.Tensor:
    return 2 * (counts + 3 / 8).sqrt()
