"""The cost of a network on a board: the cost model of its profile, the accelerator's rules for what it takes and the host's for the rest."""

from collections.abc import Collection
from dataclasses import replace

from edge_runtime.errors import InputError
from hw_profiles.cost_model import Estimate, Interval, estimate
from hw_profiles.network import Network, Tensor
from hw_profiles.profile import Profile, profile


def estimate_on(network: Network, device: Profile, threads: int = 1, batch: int = 1, partial: bool = False) -> Estimate:
    """As `hw_profiles.cost_model.estimate`, with what it raises, for a device with a cost model, as all boards have one. An open batch is one item.

    Where it is not certain that an accelerator takes an operator, the medians are as if it did, and the intervals reach from the lower to the upper end of both
    cases', if the profile names a host. InputError for more threads than its cost model knows.
    """
    check_threads(device, threads)
    network, host = single(network), profile(device.host) if device.host else None
    hoped, certain = _mapped(network, device)
    told = estimate(network, device, host, hoped, threads, batch, partial)
    if hoped is None or certain is None or hoped == certain:
        return told
    told = replace(told, uncertain=tuple(index for index in hoped if index not in certain))
    if host is None:
        return told
    other = estimate(network, device, host, certain, threads, batch, partial)
    energy = told.energy_j if told.energy_j is None or other.energy_j is None else _over(told.energy_j, other.energy_j)
    return replace(told, latency_s=_over(told.latency_s, other.latency_s), energy_j=energy)


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


def _mapped(network: Network, device: Profile) -> tuple[Collection[int] | None, Collection[int] | None]:
    """The operators that the accelerator takes if it takes all that are uncertain, and if it takes none of them; None for a device without rules."""
    from .rules import judge

    if device.cost_model not in ("systolic", "npu"):
        return None, None
    verdict = judge(network, "edgetpu" if device.cost_model == "systolic" else device.name)
    return verdict.taken, verdict.surely


def _over(one: Interval, other: Interval) -> Interval:
    """The first one's median, and what lies between the ends of both."""
    return replace(one, lo=min(one.lo, other.lo), hi=max(one.hi, other.hi))
