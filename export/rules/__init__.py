"""Accelerator rules: which operators of a network an Edge TPU or an Ethos-U55 takes, which not, why, and what to build instead."""

from hw_profiles.network import Network

from .edgetpu import TARGET as _EDGETPU
from .ethos_u55 import TARGETS as _ETHOS_U55
from .rule import DOES_NOT_MAP, MAPS, UNCERTAIN, Judged, Rule, Target, Verdict, hold

__all__ = ["DOES_NOT_MAP", "MAPS", "TARGETS", "UNCERTAIN", "Judged", "Rule", "Target", "Verdict", "judge"]

TARGETS = {target.name: target for target in (_EDGETPU, *_ETHOS_U55)}


def judge(network: Network, target: str) -> Verdict:
    """The verdict on a network, read from a file or not yet trained, for a target: a key of TARGETS (KeyError else)."""
    return hold(network, TARGETS[target])
