"""A score for the model: held-out nats per sample on counts, of the true rate, our autoencoder, a smoother, the window mean and the 2020 report's network.

All on the same samples of slices without particle hits. An autoencoder's score is its evidence lower bound, the likelihood of the counts less what its
latents cost; smoother and mean leave out the very sample that they predict, so that none is scored on what it has seen.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betainc, gammaln

from edge_runtime.counts import CHANNELS
from edge_runtime.preprocess import WINDOW_SAMPLES
from train.configuration2020 import SLICE_SAMPLES

from .environment import on
from .results import Record, Stage
from .statistics import scene_bootstrap

if TYPE_CHECKING:
    from train.run_folder import Run

SLICES = {"demo": 60, "full": 600}
SCORED = SLICE_SAMPLES // WINDOW_SAMPLES * WINDOW_SAMPLES  # samples of a slice: its whole windows
_BATCH = 256  # windows
DRAWS = 8  # of z, for the expectation in the bound
WIDTHS = (5, 9, 17, 33, 65, 129, 257)  # samples of the smoother, one width a channel, chosen on calibration slices
PRIOR = 0.05  # counts that a smoother or mean has seen beforehand: else one photon in the dark would be impossible
NAMES = {"true": "the true rate", "cvae": "our autoencoder, int8", "smoother": "smoother", "mean": "window mean", "cvae2020": "the 2020 report's network"}
ORDER = tuple(NAMES)
SOURCE = "benchmarks/model_score.py; slices of held-out simulated events without particle hits"


def model_score(run_folder: Path, rival: Path | None, scale: str, seed: int) -> Stage:
    """`elbo.order`: how many steps of ORDER fail to be smaller by more than their interval; with `rival`, a run of the 2020 report's network, the last too."""
    from train.slices2020 import slice_set

    slices = slice_set("test", SLICES[scale], SLICE_SAMPLES, "slices", seed, 2, truth=True)
    calibration = slice_set("calibration", SLICES["demo"], SLICE_SAMPLES, "slices", seed, 2, truth=True)
    widths = best_widths(calibration.counts[..., :SCORED])
    counts = slices.counts[..., :SCORED]
    nats = {"true": poisson_nats(counts, slices.rate[..., :SCORED].astype(np.float64)).mean(axis=(1, 2)),
            "cvae": evidence_bound(run_folder, counts, seed),
            "smoother": np.stack([poisson_nats(counts[:, k], left_out(counts[:, k], width)) for k, width in enumerate(widths)]).mean(axis=(0, 2)),
            "mean": poisson_nats(counts, left_out_mean(counts)).mean(axis=(1, 2))}
    if rival is not None:
        nats["cvae2020"] = evidence_bound_2020(rival, slices.counts, seed)
    return told(nats, slices.event, dict(zip(CHANNELS, widths, strict=True)), seed)


def told(nats: dict[str, np.ndarray], event: np.ndarray, widths: dict[str, int], seed: int) -> Stage:
    """Records and table of nats per sample [k] by model and slice; intervals by event."""
    records: list[Record] = []
    rows: list[dict[str, Any]] = []
    for name in (name for name in ORDER if name in nats):
        values = nats[name]
        words = f"{NAMES[name]} of {', '.join(f'{width} samples at {channel}' for channel, width in widths.items())}" if name == "smoother" else NAMES[name]
        records.append(Record(f"elbo.{name}", float(values.mean()), "nats/sample", "measured", on("fake-quantised") if name == "cvae" else on(),
                              scene_bootstrap(lambda picks, values=values: float(values[picks].mean()), event, seed, 400), len(values), seed,  # type: ignore[misc]
                              f"{SOURCE}; {words}"))
        rows.append({"name": words, "cells": [f"elbo.{name}", None]})
    failed = []
    for place, (better, worse) in enumerate((a, b) for a, b in pairwise(ORDER) if a in nats and b in nats):
        step = nats[better] - nats[worse]
        spread = scene_bootstrap(lambda picks, step=step: float(step[picks].mean()), event, seed, 400)  # type: ignore[misc]
        records.append(Record(f"elbo.order.{better}_over_{worse}", float(step.mean()), "nats/sample", "measured", on(), spread, len(step), seed,
                              f"{SOURCE}; {NAMES[better]} less {NAMES[worse]}, paired by slice"))
        rows[place + 1]["cells"][1] = records[-1].id
        if spread.low <= 0:
            failed.append(f"{NAMES[better]} over {NAMES[worse]}")
    records.append(Record("elbo.order", len(failed) if len(nats) == len(ORDER) else None, "count", "measured", on(), None, len(event), seed,
                          f"{SOURCE}; steps of the order that fail: {', '.join(failed) or 'none'}" if len(nats) == len(ORDER) else
                          "a run of the 2020 report's network was not supplied: --rival RUN"))
    note = ("Mean log likelihood of one count of one channel in one sample. The autoencoders' is the evidence lower bound; smoother and mean leave out the "
            f"sample they predict. {', '.join(failed) or 'No step'} fails to be larger than its interval.")
    return Stage(tuple(records), {"tables": {"model_score": {"columns": ["model", "nats per sample", "less the one above"], "rows": rows, "note": note}}})


def poisson_nats(counts: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Log likelihood of counts under Poisson(rate), float64 of the same shape."""
    found: np.ndarray = counts * np.log(np.maximum(rate, 1e-9)) - rate - gammaln(counts.astype(np.float64) + 1)
    return found


def left_out(counts: np.ndarray, width: int) -> np.ndarray:
    """Rate for each sample of counts [k, n] from the `width` - 1 around it (fewer at the ends), float64."""
    half, n = width // 2, counts.shape[1]
    sums = np.cumsum(np.pad(counts.astype(np.float64), ((0, 0), (1, 0))), axis=1)
    place = np.arange(n)
    low, high = np.maximum(place - half, 0), np.minimum(place + half + 1, n)
    found: np.ndarray = (sums[:, high] - sums[:, low] - counts + PRIOR) / (high - low - 1 + PRIOR)
    return found


def left_out_mean(counts: np.ndarray) -> np.ndarray:
    """Rate for each sample of counts [k, 3, n] from the others of its window and channel, float64."""
    windows = counts.reshape(*counts.shape[:2], -1, WINDOW_SAMPLES).astype(np.float64)
    others = windows.sum(axis=3, keepdims=True) - windows
    found: np.ndarray = ((others + PRIOR) / (WINDOW_SAMPLES - 1 + PRIOR)).reshape(counts.shape)
    return found


def best_widths(counts: np.ndarray) -> list[int]:
    """Of WIDTHS the one for each channel of counts [k, 3, n] that predicts best."""
    return [max(WIDTHS, key=lambda width: float(poisson_nats(counts[:, k], left_out(counts[:, k], width)).mean())) for k in range(len(CHANNELS))]


def evidence_bound(run_folder: Path, counts: np.ndarray, seed: int) -> np.ndarray:
    """Nats per sample [k] of the quantised network's bound on counts uint16 [k, 3, n], n whole windows: see `window_bounds`."""
    from train.run_folder import read_run
    from train.slices2020 import windows_of

    run = read_run(run_folder)
    found: np.ndarray = window_bounds(run, windows_of(counts, run.configuration.model.samples), seed).reshape(len(counts), -1).sum(axis=1)
    return found / counts[0].size


def window_bounds(run: "Run", windows: np.ndarray, seed: int) -> np.ndarray:
    """Nats [w] of the quantised network's bound on windows uint16 [w, 3, t]: mean over DRAWS of z of the likelihood, less KL."""
    import torch

    from edge_runtime.preprocess import anscombe_tables
    from train.losses import kl
    from train.photometers import PhotometerSystem, network_input

    system = PhotometerSystem(run.configuration, "quantised", anscombe_tables())
    system.load_arrays(run.quantised)
    system.eval()
    generator = torch.Generator().manual_seed(seed)
    bounds = np.empty(len(windows))
    batch = max(1, _BATCH * WINDOW_SAMPLES // windows.shape[2])
    with torch.no_grad():
        for first in range(0, len(windows), batch):
            own = np.ascontiguousarray(windows[first:first + batch])
            codes, real = network_input(own, anscombe_tables()), torch.from_numpy(own.astype(np.float32))
            likelihood = np.zeros(len(own))
            for _ in range(DRAWS):
                posterior, pre_activation = system.network(codes, torch.randn(len(own), run.configuration.model.latent, generator=generator))
                likelihood += system.observation.log_likelihood(pre_activation, real).sum((1, 2)).double().numpy() / DRAWS
            bounds[first:first + batch] = likelihood - kl(posterior).double().numpy()
    return bounds


def evidence_bound_2020(run_folder: Path, counts: np.ndarray, seed: int, scored: Sequence[int] | None = None) -> np.ndarray:
    """The same of the 2020 report's network, about the first `scored` samples (SCORED unless told) of each slice uint16 [k, 3, t].

    Its Beta distributions are of scaled flux; a count's likelihood is what they give to the flux between its neighbours', half way to each. Its KL is
    shared out over the slice, or where `scored` is told over those samples alone: what lies behind them is padding.
    """
    import torch

    from train.report2020 import kl, trained
    from train.run_folder import read_run2020
    from train.slices2020 import by_channel, report_input

    run = read_run2020(run_folder)
    network = trained(run)
    generator = torch.Generator().manual_seed(seed)
    edges = [_edges(k) for k in range(len(CHANNELS))]
    found = np.empty(len(counts))
    with torch.no_grad():
        for k, own in enumerate(counts):
            length = min(SCORED, own.shape[1]) if scored is None else scored[k]
            x = torch.from_numpy(report_input(own[None], run.configuration.data.direction))
            nats = np.zeros((len(own), length))
            for _ in range(DRAWS):
                answer = network(x, torch.randn(1, run.configuration.model.latent, generator=generator))
                alpha, beta = (by_channel(values.exp().double().numpy(), run.configuration.data.direction)[0, :, :length]
                               for values in (answer.log_alpha, answer.log_beta))
                for channel in range(len(CHANNELS)):
                    low, high = edges[channel][own[channel, :length]], edges[channel][own[channel, :length] + 1]
                    share = betainc(alpha[channel], beta[channel], high) - betainc(alpha[channel], beta[channel], low)
                    nats[channel] += np.log(np.maximum(share, 1e-300)) / DRAWS
            found[k] = nats.mean() - float(kl(answer)) / (own.size if scored is None else nats.size)
    return found


def _edges(channel: int) -> np.ndarray:
    """Scaled flux [limit + 2] between which a count of a channel lies: from 0, half way between the fluxes of neighbouring counts, to 1."""
    from train.instruments.mmia.flux import count_limit, counts_to_flux
    from train.slices2020 import LARGEST_FLUX

    flux = counts_to_flux(np.arange(count_limit(channel) + 1), channel) / LARGEST_FLUX
    found: np.ndarray = np.minimum(np.concatenate([[0.0], (flux[1:] + flux[:-1]) / 2, [1.0]]), 1.0)
    return found
