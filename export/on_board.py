"""The cost of a network on a board: the cost model of its profile, the accelerator's rules for what it takes and the host's for the rest."""

from hw_profiles.cost_model import Estimate, estimate
from hw_profiles.network import Network
from hw_profiles.profile import Profile, profile

RULES = {"systolic": "edgetpu"}  # whose rules say which operators an accelerator takes, by cost model


def estimate_on(network: Network, device: Profile, threads: int = 1, batch: int = 1, partial: bool = False) -> Estimate:
    """As `hw_profiles.cost_model.estimate`, with what it raises; `device` must have a cost model."""
    return estimate(network, device, _host(device), _mapped(network, device), threads, batch, partial)


def _host(device: Profile) -> Profile | None:
    host = None if device.host is None else profile(device.host)
    return host if host is not None and host.cost_model else None


def _mapped(network: Network, device: Profile) -> range | None:
    """The operators that the accelerator takes; None for a device without rules."""
    if device.cost_model not in RULES:
        return None
    from .rules import DOES_NOT_MAP, judge

    verdict = judge(network, RULES[device.cost_model])
    first = next((index for index, one in enumerate(verdict.operators) if one.verdict != DOES_NOT_MAP), 0)
    return range(first, first + verdict.partition)
