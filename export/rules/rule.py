"""What a rule of an accelerator says, what rules ask of an operator, and the loop that holds a network against all of them.

Rules look at kinds, shapes, types, options and constants, so they judge a network before it is trained too: its weights are zeros then.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from edge_runtime.graph.operators import same_padding
from hw_profiles.network import Network, Operator, Tensor
from hw_profiles.work import weight_bytes

MAPS, UNCERTAIN, DOES_NOT_MAP = "maps", "uncertain", "does not map"
_WORSE = (MAPS, UNCERTAIN, DOES_NOT_MAP)

# Inputs that are no feature maps: weights, biases, and what steers an operator (shapes, axes, paddings, states that stay inside).
PARAMETERS: Mapping[str, Collection[int]] = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "PADV2", "SLICE", "SPLIT_V"), (1, 2)), "TRANSPOSE_CONV": (0, 1, 3),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "PAD", "MIRROR_PAD", "RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "ARG_MAX", "TILE", "PRELU",
                     "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), (1,)),
    "SPLIT": (0,), "STRIDED_SLICE": (1, 2, 3), "UNIDIRECTIONAL_SEQUENCE_LSTM": range(1, 24),
}  # fmt: skip
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")  # weights are input 1
POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")
REDUCTIONS = ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")


@dataclass(frozen=True)
class Rule:
    """`broken(operator)`, of the rules for a whole file `broken(network)`: whether what the accelerator demands is missing.

    `kinds`: the operators it looks at, None: all. `verdict`: what the operator is when it is broken; MAPS makes it a warning. `source`: page, thread
    or constraint that says so. `remedy`: what to build instead. `stops`: the compiler refuses the whole file.
    """

    id: str
    kinds: Collection[str] | None
    broken: Callable[[Any], bool]
    reason: str
    source: str
    remedy: str
    verdict: str = DOES_NOT_MAP
    stops: bool = False


@dataclass(frozen=True)
class Target:
    """An accelerator. `one_partition`: the first operator that does not map and all that follow run on the CPU."""

    name: str
    rules: tuple[Rule, ...]
    file_rules: tuple[Rule, ...] = ()
    one_partition: bool = False


@dataclass(frozen=True)
class Judged:
    """An operator and the rules that it breaks."""

    operator: Operator
    broken: tuple[Rule, ...]

    @property
    def verdict(self) -> str:
        """The worst of its rules; MAPS where none is broken."""
        return worst(self.broken)


@dataclass(frozen=True)
class Verdict:
    """A network on a target. `broken`: rules for the whole file.

    `taken`: indices of the operators that run on the accelerator if all uncertain ones map; `surely`: if none of them does. Both () where the compiler stops.
    """

    target: str
    operators: tuple[Judged, ...]
    broken: tuple[Rule, ...]
    taken: tuple[int, ...]
    surely: tuple[int, ...]
    weights_bytes: int

    @property
    def partition(self) -> int:
        """How many are `taken`."""
        return len(self.taken)

    @property
    def certain(self) -> int:
        """How many are `surely`."""
        return len(self.surely)

    @property
    def verdict(self) -> str:
        """The worst of all rules that are broken."""
        return worst(self.rules)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every broken rule once: those of the file, then those of the operators in their order."""
        return tuple(dict.fromkeys((*self.broken, *(rule for judged in self.operators for rule in judged.broken))))


def worst(rules: Collection[Rule]) -> str:
    """The worst verdict of broken rules."""
    return max((rule.verdict for rule in rules), key=_WORSE.index, default=MAPS)


def hold(network: Network, target: Target) -> Verdict:
    """The network against every rule of the target."""
    operators = tuple(Judged(operator, tuple(rule for rule in target.rules if _looks_at(rule, operator) and rule.broken(operator)))
                      for operator in network.operators)
    broken = tuple(rule for rule in target.file_rules if rule.broken(network))
    stops = any(rule.stops for rule in (*broken, *(rule for judged in operators for rule in judged.broken)))
    taken, surely = (() if stops else _partition(operators, target, verdicts) for verdicts in ((MAPS, UNCERTAIN), (MAPS,)))
    return Verdict(target.name, operators, broken, taken, surely, weight_bytes(network))


def _looks_at(rule: Rule, operator: Operator) -> bool:
    return rule.kinds is None or operator.kind in rule.kinds


def _partition(operators: tuple[Judged, ...], target: Target, verdicts: Collection[str]) -> tuple[int, ...]:
    fits = [judged.verdict in verdicts for judged in operators]
    if not target.one_partition:
        return tuple(index for index, fit in enumerate(fits) if fit)
    # What turns a float input into codes stays on the CPU and cuts nothing: the compiler's log in google-coral/edgetpu#75.
    first = sum(1 for _ in takewhile(lambda judged: judged.operator.kind == "QUANTIZE" and judged.verdict not in verdicts, operators))
    return tuple(takewhile(lambda index: fits[index], range(first, len(fits))))


def input_at(operator: Operator, index: int) -> Tensor | None:
    """An input, None where it is left out."""
    return operator.inputs[index] if index < len(operator.inputs) else None


def feature_maps(operator: Operator) -> list[Tensor]:
    """What is computed: inputs that are neither constants nor parameters, and outputs."""
    parameters = PARAMETERS.get(operator.kind, ())
    inputs = [tensor for index, tensor in enumerate(operator.inputs) if index not in parameters and tensor is not None and tensor.values is None]
    return inputs + list(operator.outputs)


def operands(operator: Operator) -> list[Tensor]:
    """Everything with codes: feature maps, constants that take part in the arithmetic, and weights; no biases and nothing that steers."""
    parameters = set(PARAMETERS.get(operator.kind, ())) - ({1} if operator.kind in WEIGHTED else set())
    return [tensor for index, tensor in enumerate(operator.inputs) if index not in parameters and tensor is not None] + list(operator.outputs)


def bias(operator: Operator) -> Tensor | None:
    """The bias of a weighted operator."""
    return input_at(operator, 3 if operator.kind == "TRANSPOSE_CONV" else 2)


def lengths(tensor: Tensor | None) -> tuple[int, ...]:
    """Shape with 1 for every length that is not known, as the compilers take it; () of no tensor."""
    return () if tensor is None else tuple(1 if length is None else length for length in tensor.shape)


def integers(operator: Operator, index: int) -> list[int]:
    """The constant integers that steer an operator, flat; [] where they are left out or computed."""
    tensor = input_at(operator, index)
    return [] if tensor is None or tensor.values is None else [int(value) for value in tensor.values.reshape(-1)]


def reduced_axes(operator: Operator) -> set[int]:
    """Axes that a reduction or ARG_MAX goes over, counted from the front."""
    rank = len(lengths(input_at(operator, 0)))
    return {axis % rank for axis in integers(operator, 1)} if rank else set()


def kernel(operator: Operator) -> tuple[int, int]:
    """(height, width) of the kernel of a convolution or a pool; (1, 1) where the weights have no known shape."""
    if operator.kind in POOLS:
        return operator.options["filter_height"], operator.options["filter_width"]
    shape = lengths(input_at(operator, 1))
    return (shape[1], shape[2]) if len(shape) == 4 else (1, 1)


def stride(operator: Operator) -> tuple[int, int]:
    """(down, right) of a convolution or a pool."""
    return operator.options["stride_h"], operator.options["stride_w"]


def dilation(operator: Operator) -> tuple[int, int]:
    """(down, right) of a convolution; (1, 1) of a pool."""
    return operator.options.get("dilation_h_factor", 1), operator.options.get("dilation_w_factor", 1)


def padded(operator: Operator) -> bool:
    """Whether a convolution or a pool adds samples at an edge: SAME does not where the windows fit."""
    shape = lengths(input_at(operator, 0))
    windows = zip(shape[1:3], kernel(operator), stride(operator), dilation(operator), strict=False)
    return operator.options["padding"] == "SAME" and any(any(same_padding(*window)) for window in windows)
