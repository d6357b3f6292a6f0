"""The cost of a network on a board: the cost model of its profile, the accelerator's rules for what it takes and the host's for the rest."""

from collections.abc import Collection
from dataclasses import replace

from edge_runtime.errors import InputError
from hw_profiles.cost_model import Estimate, estimate
from hw_profiles.network import Network, Tensor
from hw_profiles.profile import Profile, profile


def estimate_on(network: Network, device: Profile, threads: int = 1, batch: int = 1, partial: bool = False) -> Estimate:
    """As `hw_profiles.cost_model.estimate`, with what it raises; `device` must have a cost model. An open batch is one item.

    InputError for more threads than its cost model knows.
    """
    check_threads(device, threads)
    network = single(network)
    return estimate(network, device, _host(device), _mapped(network, device), threads, batch, partial)


def check_threads(device: Profile, threads: int) -> None:
    """InputError for more threads than the cost model of a device knows."""
    cores = int(device.numbers["cores"].value) if "serial_share" in device.numbers else 1
    if threads > cores:
        raise InputError("command line", "--threads", f"is {threads}, the cost model of {device.name} knows {cores}; name fewer")


def single(network: Network) -> Network:
    """The same for one item: 1 where the first length of a tensor is open. Tensors that were one remain one."""
    made: dict[int, Tensor] = {}

    def new(tensors: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        return tuple(tensor if tensor is None else made.setdefault(id(tensor), _of_one(tensor)) for tensor in tensors)  # type: ignore[misc]

    operators = tuple(replace(operator, inputs=new(operator.inputs), outputs=new(operator.outputs)) for operator in network.operators)
    return replace(network, operators=operators, inputs=new(network.inputs), outputs=new(network.outputs))


def _of_one(tensor: Tensor) -> Tensor:
    return replace(tensor, shape=(1, *tensor.shape[1:])) if tensor.shape[:1] == (None,) else tensor


def _host(device: Profile) -> Profile | None:
    host = None if device.host is None else profile(device.host)
    return host if host is not None and host.cost_model else None


def _mapped(network: Network, device: Profile) -> Collection[int] | None:
    """The operators that the accelerator takes, those that are uncertain among them; None for a device without rules.

    The Edge TPU's compiler ends at the first that it does not map; Vela leaves single ones to the processor.
    """
    from .rules import DOES_NOT_MAP, judge

    if device.cost_model not in ("systolic", "npu"):
        return None
    verdict = judge(network, "edgetpu" if device.cost_model == "systolic" else device.name)
    taken = [index for index, one in enumerate(verdict.operators) if one.verdict != DOES_NOT_MAP]
    if device.cost_model == "npu":
        return taken if verdict.partition else []
    first = taken[0] if taken else 0
    return range(first, first + verdict.partition)
