"""checkpoint.npz of an interrupted run, checked at the door with NumPy alone: --resume refuses a damaged one before torch is imported.

    place                        JSON in bytes: phase (index in PHASES), epoch (done in that phase), history (a row per epoch so far)
    system/NAME                  parameters of the phase's network; the trunk's with its batch statistics
    optimiser/step, exp_avg, exp_avg_sq   Adam's state, one vector each over all trained parameters
    PHASE/NAME                   parameters of every finished phase
"""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import InputError

from .configuration import AnyConfiguration
from .run_folder import check_shapes, read_arrays
from .shapes import AnyModel, float_shapes, range_shapes, trunk_shapes

CHECKPOINT = "checkpoint.npz"
PHASES = ("trunk", "quantised", "float_twin")
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
# Ends of names that Adam has no state for.
UNTRAINED = (".running_mean", ".running_var", ".num_batches_tracked", "encoder.trunk.counts.range_log2", "codes.range_log2")
_REMEDY = "train again"


@dataclass(frozen=True)
class Checkpoint:
    """Where a run was interrupted, and its arrays by part ("system", "optimiser", and the finished phases) and name."""

    phase: int
    epoch: int
    history: list[dict[str, Any]]
    parts: dict[str, dict[str, np.ndarray]]


def read_checkpoint(folder: Path, configuration: AnyConfiguration) -> Checkpoint | None:
    """The checkpoint of a run, None where no epoch was finished; InputError where it is damaged or of another configuration."""
    path = Path(folder) / CHECKPOINT
    if not os.path.lexists(path):  # a dangling link is no "none": training would begin again and replace it
        return None
    arrays = read_arrays(path)
    phase, epoch, history = _place(path, arrays.pop("place", None), configuration)
    names = ("system", "optimiser", *PHASES[:phase])
    parts: dict[str, dict[str, np.ndarray]] = {name: {} for name in names}
    for name, values in arrays.items():
        part, _, rest = name.partition("/")
        if part not in parts:
            raise InputError(path, name, f"is not in the checkpoint of phase {PHASES[phase]}; {_REMEDY}")
        parts[part][rest] = values
    shapes = trunk_shapes(configuration.model) if phase == 0 else _shapes(phase, configuration.model)
    check_shapes(path, parts["system"], shapes, "system/")
    for finished in range(phase):
        check_shapes(path, parts[PHASES[finished]], _shapes(finished, configuration.model), f"{PHASES[finished]}/")
    trained = [math.prod(shape) for name, shape in shapes.items() if not name.endswith(UNTRAINED)]
    check_shapes(path, parts["optimiser"], {"step": (len(trained),), **dict.fromkeys(MOMENTS[1:], (sum(trained),))}, "optimiser/")
    return Checkpoint(phase, epoch, history, parts)


def _shapes(phase: int, model: AnyModel) -> dict[str, tuple[int, ...]]:
    """Of the network that a phase leaves behind."""
    return float_shapes(model) | (range_shapes(model) if PHASES[phase] == "quantised" else {})


def _place(path: Path, values: np.ndarray | None, configuration: AnyConfiguration) -> tuple[int, int, list[dict[str, Any]]]:
    if values is None or values.dtype != np.uint8:
        raise InputError(path, "place", f"is missing or no uint8; {_REMEDY}")
    try:
        place = json.loads(values.tobytes())
    except (ValueError, RecursionError) as error:
        raise InputError(path, "place", f"is no JSON ({error}); {_REMEDY}") from error
    if not isinstance(place, dict):
        raise InputError(path, "place", f"is {type(place).__name__}, must be an object; {_REMEDY}")
    lengths = configuration.training.lengths
    phase, epoch, history = place.get("phase"), place.get("epoch"), place.get("history")
    if type(phase) is not int or not 0 <= phase < len(lengths):
        raise InputError(path, "place.phase", f"is {phase!r}, must be 0 to {len(lengths) - 1}; {_REMEDY}")
    length = lengths[phase]
    if type(epoch) is not int or not 1 <= epoch <= length:
        raise InputError(path, "place.epoch", f"is {epoch!r}, must be 1 to {length}; {_REMEDY}")
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        raise InputError(path, "place.history", f"must be a list of rows; {_REMEDY}")
    return phase, epoch, history
