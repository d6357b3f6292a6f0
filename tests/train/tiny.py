"""The smallest run that is one: a network of a few hundred parameters on a few dozen windows."""

from pathlib import Path

import numpy as np

from train import loop, photometers, run_folder
from train.configuration import Configuration, configuration_from_document

SETTINGS = {
    "seed": 3,
    "model": {"channels": [4, 4], "kernels": [5, 3], "strides": [4, 4], "latent": 3, "head": 4, "decoder_channels": [4, 4, 4, 4]},
    "training": {"trunk_epochs": 2, "tail_epochs": 2, "threads": 1, "batch": 16},
    "data": {"train_scenes": 12, "calibration_scenes": 60},
}


def configuration(**model: object) -> Configuration:
    return configuration_from_document({**SETTINGS, "model": {**SETTINGS["model"], **model}}, "test")


def windows(seed: int = 0, count: int = 40) -> photometers.PhotometerSet:
    """Counts with a bright block in some windows, labels of every class and weak ones."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.5, (count, 3, 1040)).astype(np.uint16)
    label = np.resize(np.array([0, 1, 2, 3, 4, -1], np.int8), count)
    for w in np.flatnonzero(label >= 2):
        counts[w, label[w] - 2, 300:360] += rng.poisson(9.0, 60).astype(np.uint16)
    return photometers.PhotometerSet(counts, label)


Arrays = dict[str, np.ndarray]


def trained(folder: Path, settings: Configuration | None = None, stops: tuple[int | None, ...] = (None,)) -> tuple[Arrays, Arrays]:
    """Train the tiny network into `folder`, interrupted after each of `stops` epochs, and give its two sets of parameters."""
    settings = settings or configuration()
    run_folder.start_run(folder, settings, {})
    for stop in stops:
        loop.train(settings, folder, windows(), stop)
    return run_folder.read_arrays(folder / "quantised.npz"), run_folder.read_arrays(folder / "float_twin.npz")


def finished(folder: Path) -> Path:
    """A sealed tiny run."""
    trained(folder)
    (folder / "calibration.json").write_text('{"thresholds": {"flag": 10, "hits": 5, "minimum_duration": 1, "refractory": 1040}}')
    run_folder.write_checksums(folder)
    return folder
