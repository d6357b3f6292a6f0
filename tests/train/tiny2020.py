"""The smallest run of the 2020 report's network: slices of 100 samples."""

from pathlib import Path

import numpy as np

from train import loop, report2020, run_folder
from train.configuration import configuration_from_document
from train.configuration2020 import Configuration2020

SETTINGS = {"network": "cvae2020", "seed": 3, "model": {"latent": 4, "samples": 100}, "training": {"trunk_epochs": 3, "batch": 8, "threads": 1},
            "data": {"slices": 24}}


def configuration(**training: object) -> Configuration2020:
    found = configuration_from_document({**SETTINGS, "training": {**SETTINGS["training"], **training}}, "test")
    assert isinstance(found, Configuration2020)
    return found


def slices(count: int = 24) -> report2020.Set2020:
    return report2020.Set2020(np.random.default_rng(1).poisson(3.0, (count, 3, 100)).astype(np.uint16))


def trained(folder: Path, stops: tuple[int | None, ...] = (None,), **training: object) -> dict[str, np.ndarray]:
    """Train into `folder`, interrupted after each of `stops` epochs, and give the parameters."""
    settings = configuration(**training)
    run_folder.start_run(folder, settings, {})
    for stop in stops:
        loop.train(settings, folder, slices(), stop)
    return run_folder.read_arrays(folder / "trunk.npz")


def finished(folder: Path) -> Path:
    """A sealed run."""
    trained(folder)
    (folder / "calibration.json").write_text('{"achieved": {}}')
    run_folder.write_checksums(folder)
    return folder
