"""Networks whose latencies are published, written down from their papers and code: shapes alone, int8, without a file or a framework."""

from collections.abc import Callable, Mapping

from ..network import Network
from . import efficientdet, efficientnet, inception, mlperf_tiny, mobilenet, resnet, stacks

__all__ = ["networks"]

_FAMILIES = (mobilenet, resnet, stacks, inception, efficientnet, efficientdet, mlperf_tiny)


def networks() -> Mapping[str, Callable[[], Network]]:
    """What builds each network, by its name: `networks()["vgg16-224"]()` is a Network."""
    return {name: build for family in _FAMILIES for name, build in family.BUILDERS.items()}
