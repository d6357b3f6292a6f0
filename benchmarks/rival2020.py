"""Our reconstruction beside that of the 2020 report's network: on simulated slices, after as many samples seen, and on its published slices."""

from pathlib import Path

import numpy as np

from edge_runtime.counts import CHANNELS
from edge_runtime.preprocess import WINDOW_SAMPLES
from train.configuration2020 import SLICE_SAMPLES

from .compression import error_in_sigma, worst_channel
from .environment import on
from .material import Material
from .model_score import SCORED, SLICES
from .recorded import read_supplied
from .results import Record, Stage

SOURCE = "benchmarks/rival2020.py; slices of held-out simulated events without particle hits"
PUBLISHED = ("bright_pulses", "uv_pulse")  # slices of which the report's reconstruction is known
INNER = slice(SLICE_SAMPLES // 20, SLICE_SAMPLES - SLICE_SAMPLES // 20)


def beats_2020(material: Material, rival: Path) -> Stage:
    """`cvae.beats_2020`: rms error of the int8 whole model less that of the 2020 report's network, signal windows of the same slices, worst channel."""
    from train.instruments.mmia.scene import significance
    from train.run_folder import read_run, read_run2020
    from train.slices2020 import slice_set, windows_of
    from train.windows import SIGNAL_SNR

    assert material.run is not None  # for the type checker: asked for with a run only
    slices = slice_set("test", SLICES[material.scale], SLICE_SAMPLES, "slices", material.seed, 2, truth=True)
    windows, rate = (windows_of(values[..., :SCORED]) for values in (slices.counts, slices.rate))
    theirs = windows_of(reconstructed_2020(rival, slices.counts)[..., :SCORED])
    ours = material.decoded(material.told(np.ascontiguousarray(windows))[0])
    dark = np.repeat(np.median(slices.rate, axis=2), SCORED // WINDOW_SAMPLES, axis=0)[:, :, None]
    signal = np.array([significance(own - sky, sky).sum() >= SIGNAL_SNR**2 for own, sky in zip(rate, dark, strict=True)])  # light above the slice's median
    event = np.repeat(slices.event, SCORED // WINDOW_SAMPLES)
    own_error, their_error = (error_in_sigma(values, rate)[signal] for values in (ours, theirs))
    records = worst_channel("cvae.beats_2020", own_error, their_error, event[signal], material.seed,
                            f"{SOURCE}; rms error of the int8 whole model less that of the 2020 report's network, signal windows")
    report = read_run2020(rival)
    own, other = read_run(material.run).configuration, report.configuration
    seen = {"ours": own.data.train_scenes * 4 * WINDOW_SAMPLES * (own.training.trunk_epochs + own.training.tail_epochs),
            "report": other.data.slices * other.model.samples * other.training.trunk_epochs}
    updates = other.training.trunk_epochs * -(-other.data.slices // other.training.batch)
    records += [Record(f"cvae.samples_seen.{name}", value, "count", "measured", on(), None, 1, material.seed, f"{SOURCE}; samples of a channel in training, "
                       "repeats counted") for name, value in seen.items()]
    achieved = report.calibration["achieved"]
    records += [Record(f"cvae2020.{name}", achieved[name], "nats/slice", "measured", on(), None, achieved["slices"], material.seed,
                       f"train/report2020.py; posterior of held-out slices against the prior, {words}")
                for name, words in (("kl", "Kingma and Welling 2014"), ("kl_as_printed", "as the report prints it without the factor 1/2, its sign mended"))]
    rows = [{"name": f"error less that of the 2020 report's network after {updates:,} of its 34,500 updates, worst channel", "cells": ["cvae.beats_2020"]},
            *({"name": f"the same at {channel}", "cells": [f"cvae.beats_2020.{channel}"]} for channel in CHANNELS),
            {"name": "samples of a channel seen in training, ours", "cells": ["cvae.samples_seen.ours"]},
            {"name": "and the 2020 report's", "cells": ["cvae.samples_seen.report"]},
            {"name": "KL divergence of the report's network, nats per slice", "cells": ["cvae2020.kl"]},
            {"name": "the same by the formula as printed: twice that, so training with it is training with beta = 2", "cells": ["cvae2020.kl_as_printed"]}]
    return Stage(tuple(records), {"tables": {"rival2020": {"columns": ["beside the 2020 report's network", "value"], "rows": rows}}})


def published(material: Material, folder: Path) -> Stage:
    """Root mean square difference to the recorded counts, in counts, of our reconstruction and of the published one, whole slice and inner 90 %."""
    path = folder / "mmia" / "slices.npz"
    records, rows = [], []
    for name in PUBLISHED:
        counts = read_supplied(path, name, (3, SLICE_SAMPLES))
        theirs = counts_of_scaled(read_supplied(path, f"{name}_2020_reconstruction", (3, SLICE_SAMPLES)).astype(np.float64)[None])[0]
        ours = reconstructed(material, counts[None])[0]
        for number, channel in enumerate(CHANNELS):
            for words, part in (("whole", slice(None)), ("inner", INNER)):
                cells = []
                for whose, values in (("ours", ours), ("report", theirs)):
                    rms = float(np.sqrt(np.mean((values[number, part] - counts[number, part].astype(np.float64)) ** 2)))
                    identity = f"recorded.reconstruction.{name}.{channel}.{words}.{whose}"
                    records.append(Record(identity, rms, "counts", "measured" if whose == "ours" else "published", on("litert") if whose == "ours" else
                                          "their network", None, SLICE_SAMPLES, None, f"{path.name}, {name}: rms difference to the recorded counts"))
                    cells.append(identity)
                rows.append({"name": f"{name.replace('_', ' ')}, {channel}, {'whole slice' if words == 'whole' else 'inner 90 %'}", "cells": cells})
    note = "Recorded counts are noisy: their own photon noise is in every difference. The published reconstructions' largest values lie at their edges."
    return Stage(tuple(records), {"tables": {"published": {"columns": ["recorded slice", "ours", "published in 2020"], "rows": rows, "note": note}}})


def reconstructed(material: Material, counts: np.ndarray) -> np.ndarray:
    """Expected counts float64 [k, 3, n] that our int8 whole model makes of slices uint16 [k, 3, n], in windows laid end to end.

    The last window begins where it ends with the slice: each sample is taken from the first window that holds it.
    """
    last = counts.shape[2] - WINDOW_SAMPLES
    starts = [*range(0, last, WINDOW_SAMPLES), last]
    windows = np.stack([counts[:, :, first:first + WINDOW_SAMPLES] for first in starts])  # [windows of a slice, k, 3, 1040]
    believed = material.decoded(material.told(windows.reshape(-1, *windows.shape[2:]))[0]).reshape(windows.shape)
    found = np.empty(counts.shape)
    for first, window in reversed(list(zip(starts, believed, strict=True))):
        found[:, :, first:first + WINDOW_SAMPLES] = window
    return found


def reconstructed_2020(rival: Path, counts: np.ndarray) -> np.ndarray:
    """Expected counts float64 [k, 3, 5000] that the report's network makes of slices uint16 [k, 3, 5000], z being the mean."""
    import torch

    from train.report2020 import trained
    from train.run_folder import read_run2020
    from train.slices2020 import by_channel, report_input

    run = read_run2020(rival)
    network = trained(run)
    parts = []
    with torch.no_grad():
        for first in range(0, len(counts), 50):
            x = torch.from_numpy(report_input(counts[first:first + 50], run.configuration.data.direction))
            answer = network(x, torch.zeros(len(x), run.configuration.model.latent))
            parts.append(torch.sigmoid(answer.log_alpha - answer.log_beta).double().numpy())  # alpha / (alpha + beta)
    return counts_of_scaled(by_channel(np.concatenate(parts), run.configuration.data.direction))


def counts_of_scaled(scaled: np.ndarray) -> np.ndarray:
    """Counts, not rounded, of scaled flux [k, 3, n]: the inverse of the dead-time law."""
    from train.instruments.mmia.constants import DEAD_TIME, FLUX_PER_COUNT, SAMPLE_TIME
    from train.slices2020 import LARGEST_FLUX

    flux = scaled * LARGEST_FLUX
    found: np.ndarray = flux / (FLUX_PER_COUNT[:, None] + flux * (DEAD_TIME / SAMPLE_TIME)[:, None])
    return found
