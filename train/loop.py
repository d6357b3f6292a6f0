"""The training loop: a float trunk, then from its end two tails of the same length, data order and noise: quantised, and its float twin.

All randomness of an epoch comes from (seed, epoch), so a checkpoint after an epoch needs no state of a generator: parameters, Adam's
moments and the place in the schedule are everything, and a resumed run computes what an uninterrupted one computes, bit for bit.
"""

import json
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from edge_runtime.cli import progress
from edge_runtime.errors import InputError

from . import run_folder
from .checkpoint import CHECKPOINT, MOMENTS, PHASES, read_checkpoint
from .configuration import AnyConfiguration
from .models.layers import fold, load_float_state, load_state, measure_ranges

RANGE_WINDOWS = 2048  # windows of the range calibration
_BREVITAS_RANGE = ".act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value"


class System(nn.Module):
    """Everything that has parameters; `network` is what becomes integers, and its parameters bear the names of the run folder."""

    network: nn.Module

    def arrays(self) -> dict[str, np.ndarray]:
        """Parameters by the names of the run folder, float32."""
        return _arrays_of_state(self.state_dict())

    def load_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """The inverse of `arrays`."""
        load_state(self, {name: torch.from_numpy(arrays[_public_name(name)].copy()) for name in self.state_dict()})


class TrainingSet(Protocol):
    """What a network learns from, and how: the part of training that differs from task to task."""

    def __len__(self) -> int:
        """Number of windows."""
        ...

    def system(self, configuration: Any, kind: str) -> System:
        """A fresh system: "trunk", "quantised" or "float_twin"."""
        ...

    def feed(self, network: nn.Module, configuration: Any, chosen: np.ndarray) -> None:
        """Run the windows of index `chosen` through a network, for its ranges to be measured."""
        ...

    def loss(self, system: Any, configuration: Any, chosen: np.ndarray, generator: torch.Generator,
             progress_made: float) -> tuple[torch.Tensor, dict[str, float]]:
        """Mean loss of a batch, and sums over its windows for the history; `progress_made`: float epochs done, parts of one included."""
        ...

    def row(self, sums: dict[str, float]) -> dict[str, float]:
        """The history's columns of an epoch from its sums."""
        ...


@dataclass
class _State:
    """Where a run is: `epoch` epochs of `phase` are done."""

    phase: int = 0
    epoch: int = 0
    system: System | None = None
    optimiser: torch.optim.Optimizer | None = None
    finished: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def train(configuration: AnyConfiguration, folder: Path, data: TrainingSet, stop_after: int | None = None) -> bool:
    """Train into the started run `folder`, from its checkpoint where it has one; True when every phase is done.

    `stop_after` ends the work after so many epochs, as an interruption would. Writes checkpoint.npz after each epoch, and at the end
    quantised.npz and float_twin.npz, or trunk.npz where there are no tails, and history.json. InputError where the checkpoint is damaged or
    the loss is no longer finite.
    """
    settings = configuration.training
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(True)
    state = _restore(configuration, folder, data)
    lengths = settings.lengths
    done_now = 0
    while state.phase < len(lengths):
        if stop_after is not None and done_now == stop_after:
            return False
        if state.epoch == lengths[state.phase]:
            _finish_phase(state, configuration, data)
            continue
        absolute = state.epoch + (settings.trunk_epochs if state.phase else 0)
        row = _epoch(state, configuration, data, absolute, lengths[state.phase])
        state.epoch += 1
        state.history.append(row)
        done_now += 1
        told = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if isinstance(value, float) and name not in ("beta", "learning_rate", "seconds"))
        progress(f"{folder.name}: {row['phase']} {state.epoch}/{lengths[state.phase]}: {told}, {row['seconds']:.0f} s")
        _save(state, folder)
    for phase in PHASES[1:len(lengths)] or PHASES[:1]:  # of a network with tails the trunk is only their beginning
        run_folder.write_arrays(folder / f"{phase}.npz", state.finished[phase])
    run_folder.write_history(folder, state.history)
    return True


def _start_phase(state: _State, configuration: AnyConfiguration, data: TrainingSet) -> None:
    """A fresh system and optimiser for the phase that `state` is in."""
    torch.manual_seed(configuration.seed)
    state.system = data.system(configuration, PHASES[state.phase])
    trained = [parameter for parameter in state.system.parameters() if parameter.requires_grad]
    # Weights decay; biases, gains and ranges, one number per channel or tensor, say how large things are and must not shrink.
    groups = [{"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": configuration.training.weight_decay},
              {"params": [parameter for parameter in trained if parameter.ndim < 2], "weight_decay": 0.0}]
    state.optimiser = torch.optim.AdamW(groups, lr=configuration.training.learning_rate)


def _finish_phase(state: _State, configuration: AnyConfiguration, data: TrainingSet) -> None:
    if state.system is None:  # a trunk of 0 epochs
        _start_phase(state, configuration, data)
    assert state.system is not None
    state.finished[PHASES[state.phase]] = _arrays_of_state(fold(state.system)) if state.phase == 0 else state.system.arrays()
    trunk = state.finished["trunk"]
    state.phase, state.epoch = state.phase + 1, 0
    if state.phase == len(configuration.training.lengths):
        return
    _start_phase(state, configuration, data)
    float_system = data.system(configuration, "float_twin")
    float_system.load_arrays(trunk)
    if PHASES[state.phase] == "float_twin":
        state.system.load_arrays(trunk)
        return
    chosen = np.sort(np.random.default_rng([configuration.seed, 1]).permutation(len(data))[:RANGE_WINDOWS])
    ranges = measure_ranges(float_system.network, lambda network: data.feed(network, configuration, chosen))
    load_float_state(state.system, float_system.state_dict(), {f"network.{name}": value for name, value in ranges.items()})


def _epoch(state: _State, configuration: AnyConfiguration, data: TrainingSet, absolute: int, length: int) -> dict[str, Any]:
    """One pass over `data`; the row of the history. `absolute` seeds order and noise, `length` is the phase's number of epochs."""
    if state.system is None:
        _start_phase(state, configuration, data)
    system, optimiser = state.system, state.optimiser
    assert system is not None and optimiser is not None
    settings, started = configuration.training, time.perf_counter()
    order = np.random.default_rng([configuration.seed, 2, absolute]).permutation(len(data))
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence([configuration.seed, 3, absolute]).generate_state(1)[0]))
    steps = math.ceil(len(order) / settings.batch)
    sums: dict[str, float] = {"loss": 0.0}
    system.train()
    for step in range(steps):
        chosen = order[step * settings.batch:(step + 1) * settings.batch]
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(state.phase, (state.epoch * steps + step) / (length * steps), state.epoch * steps + step)
        loss, told = data.loss(system, configuration, chosen, generator, absolute + (step + 1) / steps)
        if not torch.isfinite(loss):
            raise InputError("configuration", "training.learning_rate", f"the loss became {float(loss)} in epoch {absolute}; choose a smaller learning rate")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(system.parameters(), settings.gradient_limit)
        optimiser.step()
        for name, value in (("loss", loss.item() * len(chosen)), *told.items()):
            sums[name] = sums.get(name, 0.0) + value
    return {"phase": PHASES[state.phase], "epoch": state.epoch, "windows": len(order), "learning_rate": optimiser.param_groups[0]["lr"],
            "loss": sums["loss"] / len(order), **data.row(sums), "seconds": round(time.perf_counter() - started, 3)}


def _save(state: _State, folder: Path) -> None:
    assert state.system is not None and state.optimiser is not None
    arrays = {f"system/{name}": value for name, value in state.system.arrays().items()}
    moments = state.optimiser.state_dict()["state"]
    for name in MOMENTS:  # one vector each, in the order of the parameters
        arrays[f"optimiser/{name}"] = np.concatenate([moments[index][name].numpy().ravel() for index in sorted(moments)])
    for phase, finished in state.finished.items():
        arrays.update({f"{phase}/{name}": value for name, value in finished.items()})
    place = {"phase": state.phase, "epoch": state.epoch, "history": state.history}
    arrays["place"] = np.frombuffer(json.dumps(place, allow_nan=False).encode(), np.uint8)
    run_folder.write_arrays(folder / CHECKPOINT, arrays)


def _restore(configuration: AnyConfiguration, folder: Path, data: TrainingSet) -> _State:
    found = read_checkpoint(folder, configuration)
    if found is None:
        return _State()
    state = _State(found.phase, found.epoch, history=found.history, finished={phase: found.parts[phase] for phase in PHASES[:found.phase]})
    _start_phase(state, configuration, data)
    assert state.system is not None and state.optimiser is not None
    state.system.load_arrays(found.parts["system"])
    document = state.optimiser.state_dict()
    parameters = [parameter for group in state.optimiser.param_groups for parameter in group["params"]]
    document["state"] = {index: {} for index in range(len(parameters))}
    for name in MOMENTS:
        shapes = [() if name == "step" else tuple(parameter.shape) for parameter in parameters]
        pieces = np.split(found.parts["optimiser"][name], np.cumsum([math.prod(shape) for shape in shapes])[:-1])
        for index, (piece, shape) in enumerate(zip(pieces, shapes, strict=True)):
            document["state"][index][name] = torch.from_numpy(piece.reshape(shape).copy())
    state.optimiser.load_state_dict(document)
    return state


def _arrays_of_state(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {_public_name(name): value.detach().numpy().copy() for name, value in state.items()}


def _public_name(name: str) -> str:
    return name.removeprefix("network.").replace(_BREVITAS_RANGE, ".range_log2")
