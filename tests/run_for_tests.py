"""A run folder of the right form, for tests that need one and no training: its weights are noise."""

import json
import math
from pathlib import Path

import numpy as np

from edge_runtime.files import write_file
from train import checkpoint, run_folder
from train.configuration import Configuration

THRESHOLDS = {"flag": 0, "hits": 0, "minimum_duration": 1, "refractory": 1040}


def make_run(folder: Path, configuration: Configuration | None = None) -> Path:
    """Write a finished run to `folder`, which is made, with the checkpoint of an interruption after the first quantised epoch."""
    configuration = configuration or Configuration()
    run_folder.start_run(folder, configuration, {"numpy": np.__version__})
    rng = np.random.default_rng(3)
    shapes = run_folder.float_shapes(configuration.model)
    weights = {name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    ranges = {name: np.ones(shape, np.float32) for name, shape in run_folder.range_shapes(configuration.model).items()}
    run_folder.write_arrays(folder / "quantised.npz", weights | ranges)
    run_folder.write_arrays(folder / "float_twin.npz", weights)
    run_folder.write_history(folder, [])
    write_file(folder / "calibration.json", json.dumps({"schema_version": 1, "thresholds": THRESHOLDS}))
    run_folder.write_checksums(folder)
    write_checkpoint(folder, configuration, phase=1, epoch=1)
    return folder


def write_checkpoint(folder: Path, configuration: Configuration, phase: int, epoch: int) -> None:
    """Write checkpoint.npz as it stands after `epoch` epochs of `phase`."""
    model = configuration.model
    plain, quantised = run_folder.float_shapes(model), run_folder.float_shapes(model) | run_folder.range_shapes(model)
    system = (checkpoint.trunk_shapes(model), quantised, plain)[phase]
    parts = {"system": system, **dict(zip(checkpoint.PHASES[:phase], (plain, quantised), strict=False))}
    arrays = {f"{part}/{name}": np.ones(shape, np.int64 if name.endswith("num_batches_tracked") else np.float32)
              for part, shapes in parts.items() for name, shape in shapes.items()}
    trained = [math.prod(shape) for name, shape in system.items() if not name.endswith(checkpoint.UNTRAINED)]
    arrays["optimiser/step"] = np.ones(len(trained), np.float32)
    arrays |= {f"optimiser/{name}": np.zeros(sum(trained), np.float32) for name in checkpoint.MOMENTS[1:]}
    arrays["place"] = np.frombuffer(json.dumps({"phase": phase, "epoch": epoch, "history": [{}]}).encode(), np.uint8)
    run_folder.write_arrays(folder / checkpoint.CHECKPOINT, arrays)
