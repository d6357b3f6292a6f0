"""What each operator of a network has to do: multiply-accumulates, elements and bytes. One table says which operators can be priced."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod

from .network import Network, Operator, Tensor

WHOLE = ("int8", "uint8")  # the numbers that the counted instructions are of


class Unpriced(Exception):
    """An operator whose cost is not known; the text says which and why."""


@dataclass(frozen=True)
class Work:
    """One operator's share of a call.

    group: "conv", "depthwise", "dense", "transpose_conv": multiply-accumulates; "other": some instructions an element; "meta": none for its
    elements, it only steers. A product of `positions` x `taps` places with [input_channels, output_channels] each, `repeats` times (groups of a convolution);
    all 0 where nothing is multiplied. elements: of the outputs. weight_bytes: of its constants; moved_bytes: of what it reads and writes besides.
    """

    kind: str
    group: str
    elements: int
    weight_bytes: int
    moved_bytes: int
    positions: int = 0
    taps: int = 0
    input_channels: int = 0
    output_channels: int = 0
    repeats: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return self.tiled_macs(1, 1)

    def tiled_macs(self, output_channels: int, input_channels: int) -> int:
        """Multiply-accumulates of a machine that takes so many channels at a time: what is left of the last tile is computed in vain."""
        outputs, inputs = (ceil(count / tile) * tile for count, tile in ((self.output_channels, output_channels), (self.input_channels, input_channels)))
        return self.repeats * self.positions * self.taps * inputs * outputs


def works(network: Network, batch: int = 1) -> list[Work | Unpriced]:
    """The work of each operator for `batch` items at once, in order; an `Unpriced` in its place where it has no price."""
    found: list[Work | Unpriced] = []
    for number, operator in enumerate(network.operators):
        try:
            _check_whole(operator)
            found.append(work_of(operator, batch))
        except Unpriced as reason:
            found.append(Unpriced(f"operator {number}, {operator.kind}, {reason}"))
    return found


def live_bytes(network: Network) -> int:
    """The most bytes of computed tensors that must be kept at once: a lower bound of a tensor arena. ValueError where a shape is not static."""
    last = {id(tensor): number for number, operator in enumerate(network.operators) for tensor in operator.inputs if tensor is not None}
    last |= {id(tensor): len(network.operators) for tensor in network.outputs}
    alive = {id(tensor): tensor.bytes for tensor in network.inputs}
    most = sum(alive.values())
    for number, operator in enumerate(network.operators):
        alive |= {id(tensor): tensor.bytes for tensor in operator.outputs}
        most = max(most, sum(alive.values()))
        alive = {key: size for key, size in alive.items() if last.get(key, -1) > number}
    return most


def weight_bytes(network: Network) -> int:
    """Bytes of all constants, each once."""
    constants = {id(tensor): tensor for operator in network.operators for tensor in operator.inputs if tensor is not None and tensor.values is not None}
    return sum(tensor.bytes for tensor in constants.values())


def work_of(operator: Operator, batch: int = 1) -> Work:
    """The work of one operator for `batch` items at once, whatever its numbers are; `Unpriced` where it is not known."""
    if operator.kind not in _GROUPS:
        raise Unpriced("has no price in this cost model")
    group, product = _GROUPS[operator.kind]
    inputs = [tensor for tensor in operator.inputs if tensor is not None]
    try:
        elements = batch * sum(tensor.elements for tensor in operator.outputs)
        weights = sum(tensor.bytes for tensor in inputs if tensor.values is not None)
        moved = batch * sum(tensor.bytes for tensor in (*inputs, *operator.outputs) if tensor.values is None)
    except ValueError as reason:
        raise Unpriced(f"cannot be priced: {reason}") from reason
    if product is None:
        return Work(operator.kind, group, elements, weights, moved)
    return Work(operator.kind, group, elements, weights, moved, *product(operator, batch))


def _check_whole(operator: Operator) -> None:
    data = [tensor for tensor in (*operator.inputs[:1], *operator.outputs[:1]) if tensor is not None]
    if data and _GROUPS.get(operator.kind, ("meta", None))[0] != "meta" and not any(tensor.dtype in WHOLE for tensor in data):
        raise Unpriced(f"works on {data[0].dtype}; only int8 has a price")


def _shape(operator: Operator, place: int, rank: int | None = None) -> tuple[int, ...]:
    tensor = operator.inputs[place] if place < len(operator.inputs) else None
    if tensor is None or None in tensor.shape or (rank is not None and len(tensor.shape) != rank):
        raise Unpriced(f"cannot be priced: its input {place} has no static shape of {rank} axes" if rank else "cannot be priced: an input has no static shape")
    return tuple(length for length in tensor.shape if length is not None)


def _convolution(operator: Operator, batch: int) -> tuple[int, ...]:
    outputs, height, width, channels = _shape(operator, 1, 4)
    groups = _shape(operator, 0, 4)[3] // channels
    return batch * _places(operator.outputs[0]), height * width, channels, outputs // groups, groups


def _depthwise(operator: Operator, batch: int) -> tuple[int, ...]:
    _, height, width, channels = _shape(operator, 1, 4)
    return batch * _places(operator.outputs[0]), height * width, 1, 1, channels


def _dense(operator: Operator, batch: int) -> tuple[int, ...]:
    outputs, inputs = _shape(operator, 1, 2)
    return batch * prod(_shape(operator, 0)) // inputs, 1, inputs, outputs, 1


def _transposed(operator: Operator, batch: int) -> tuple[int, ...]:
    outputs, height, width, inputs = _shape(operator, 1, 4)
    return batch * prod(_shape(operator, 2, 4)[:3]), height * width, inputs, outputs, 1


def _places(tensor: Tensor) -> int:
    return tensor.elements // (tensor.shape[-1] or 1)


_Product = Callable[[Operator, int], Sequence[int]]
_GROUPS: dict[str, tuple[str, _Product | None]] = {
    "CONV_2D": ("conv", _convolution),
    "DEPTHWISE_CONV_2D": ("depthwise", _depthwise),
    "FULLY_CONNECTED": ("dense", _dense),
    "TRANSPOSE_CONV": ("transpose_conv", _transposed),
    **dict.fromkeys(("ABS", "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC",
                     "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "PAD", "PADV2", "PRELU", "QUANTIZE", "REDUCE_MAX", "RELU",
                     "RELU6", "RELU_N1_TO_1", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SUB", "SUM",
                     "TANH", "TILE", "TRANSPOSE"), ("other", None)),
    **dict.fromkeys(("EXPAND_DIMS", "FILL", "PACK", "RESHAPE", "SHAPE", "SQUEEZE", "STRIDED_SLICE", "UNPACK"), ("meta", None)),
}
