"""The 2020 report's training: its input, its evidence lower bound under Beta distributions, and the score of what came out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from . import run_folder
from .configuration2020 import Configuration2020
from .loop import System
from .models.cvae2020 import Answer2020, Cvae2020
from .slices2020 import report_input, slice_set

HELD_OUT = 400  # slices on which a finished network is scored
_BATCH = 100


class System2020(System):
    """The report's network alone."""

    network: Cvae2020

    def __init__(self, configuration: Configuration2020) -> None:
        super().__init__()
        self.network = Cvae2020(configuration.model)


@dataclass(frozen=True)
class Set2020:
    """Slices to learn from, counts uint16 [k, 3, samples]. See `TrainingSet`."""

    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.counts)

    def system(self, configuration: Configuration2020, kind: str) -> System2020:
        """See `TrainingSet`; "trunk" is the only kind."""
        return System2020(configuration)

    def feed(self, network: nn.Module, configuration: Configuration2020, chosen: np.ndarray) -> None:
        """Never asked for: there are no tails."""
        raise NotImplementedError

    def loss(self, system: System2020, configuration: Configuration2020, chosen: np.ndarray, generator: torch.Generator,
             progress_made: float) -> tuple[torch.Tensor, dict[str, float]]:
        """See `TrainingSet`. In nats per slice, as the report has it."""
        settings = configuration.training
        x = torch.from_numpy(report_input(self.counts[chosen], configuration.data.direction))
        noise = torch.randn(len(x), configuration.model.latent, generator=generator)
        torch.manual_seed(int(torch.randint(1 << 31, (1,), generator=generator)))  # dropout draws from torch's own generator
        answer = system.network(x, noise)
        likelihood, divergence = log_likelihood(answer, x).sum(1), DIVERGENCES[settings.divergence](answer)
        beta = settings.beta * min(1.0, progress_made / settings.warm_up_epochs if settings.warm_up_epochs else 1.0)
        loss = (beta * divergence - likelihood).mean()
        return loss, {"slices": len(x), "log_likelihood": likelihood.sum().item(), "kl": kl(answer).sum().item(), "updates": 1}

    def row(self, sums: dict[str, float]) -> dict[str, float]:
        """See `TrainingSet`."""
        slices = sums["slices"]
        return {"updates": sums["updates"], "elbo": (sums["log_likelihood"] - sums["kl"]) / slices, "log_likelihood": sums["log_likelihood"] / slices,
                "kl": sums["kl"] / slices}


def log_likelihood(answer: Answer2020, x: torch.Tensor) -> torch.Tensor:
    """Nats of each sample [b, n] of x [b, 1, n] under Beta(exp(log alpha), exp(log beta))."""
    x, alpha, beta = x[:, 0], answer.log_alpha.exp(), answer.log_beta.exp()
    normalisation = _log_gamma(torch.logaddexp(answer.log_alpha, answer.log_beta)) - _log_gamma(answer.log_alpha) - _log_gamma(answer.log_beta)
    return normalisation + (alpha - 1) * x.log() + (beta - 1) * torch.log1p(-x)


def _log_gamma(log_a: torch.Tensor) -> torch.Tensor:
    """ln Gamma(a) = ln Gamma(1 + a) - ln a, whose gradient stays finite where float32 has no more 1 / a, at ln a below -88: training goes there."""
    return torch.lgamma(1 + log_a.exp()) - log_a


def kl(answer: Answer2020) -> torch.Tensor:
    """KL(q(z | x) || N(0, 1)) in nats per slice [b]: Kingma and Welling 2014, appendix B; so the report's notebook computes it."""
    return (answer.mean.square() + (2 * answer.log_sigma).exp() - 1 - 2 * answer.log_sigma).sum(1) / 2


def kl_as_printed(answer: Answer2020) -> torch.Tensor:
    """The same [b] without the factor 1/2, as the report prints it: twice the divergence, so that training with it is training with beta = 2.

    The print has the other sign besides, sum of 1 + ln sigma^2 - mean^2 - sigma^2. Subtracted from the likelihood that would reward a posterior far
    from the prior without bound: nobody can have trained so, and it is not offered.
    """
    return 2 * kl(answer)


DIVERGENCES = {"kl": kl, "as_printed": kl_as_printed}


def trained(run: run_folder.Run2020) -> Cvae2020:
    """The network of a finished run, in eval mode."""
    system = System2020(run.configuration)
    system.load_arrays(run.trunk)
    system.eval()
    return system.network


def training_set(configuration: Configuration2020) -> Set2020:
    """Simulated slices to learn from."""
    data = configuration.data
    return Set2020(slice_set("train", data.slices, configuration.model.samples, data.cut, configuration.seed, configuration.training.threads).counts)


def calibration(configuration: Configuration2020, folder: Path) -> dict[str, Any]:
    """The document of calibration.json: no thresholds, but the network's score on slices of events it has not seen, in nats per slice, z being the mean."""
    system = System2020(configuration)
    system.load_arrays(run_folder.read_arrays(folder / "trunk.npz"))
    system.eval()
    held_out = slice_set("calibration", HELD_OUT, configuration.model.samples, configuration.data.cut, configuration.seed, configuration.training.threads)
    sums = dict.fromkeys(("log_likelihood", "kl", "kl_as_printed"), 0.0)
    with torch.no_grad():
        for first in range(0, HELD_OUT, _BATCH):
            x = torch.from_numpy(report_input(held_out.counts[first:first + _BATCH], configuration.data.direction))
            answer = system.network(x, torch.zeros(len(x), configuration.model.latent))
            for name, values in (("log_likelihood", log_likelihood(answer, x).sum(1)), ("kl", kl(answer)), ("kl_as_printed", kl_as_printed(answer))):
                sums[name] += float(values.double().sum())
    updates = configuration.training.trunk_epochs * -(-configuration.data.slices // configuration.training.batch)
    achieved = {name: total / HELD_OUT for name, total in sums.items()} | {"updates": updates, "slices": HELD_OUT}
    return {"schema_version": run_folder.SCHEMA_VERSION, "thresholds": {}, "split": "calibration", "seed": configuration.seed, "achieved": achieved}


def told(calibration: dict[str, Any]) -> str:
    """What the calibration achieved, in a line."""
    achieved = calibration["achieved"]
    return (f"{achieved['updates']} of the report's 34,500 updates; {achieved['slices']} held-out slices: "
            f"log likelihood {achieved['log_likelihood']:.1f} nats, "
            f"KL {achieved['kl']:.2f} nats ({achieved['kl_as_printed']:.2f} as printed, without the factor 1/2)")
