"""What each operator of a network has to do: multiply-accumulates, elements and bytes. One table says which operators can be priced."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

from .network import Network, Operator, Tensor

WHOLE = ("int8", "uint8")  # the numbers that the counted instructions are of


class Unpriced(Exception):
    """An operator whose cost is not known; the text says which and why."""


@dataclass(frozen=True)
class Work:
    """One operator's share of a call.

    group: "conv", "depthwise", "dense", "transpose_conv" multiply; "max_pool", "average_pool" take several elements for one; "moved" copies rows,
    "swapped" gives its elements another last axis; "added", "other", "scalar" do something with each element, the last without vectors; "meta" steers and
    touches none; "fused" is a PAD that the convolution behind it does itself.
    A product of `positions` x `taps` places with [input_channels, output_channels] each, `repeats` times (groups of a convolution); all 0 where nothing is
    multiplied, but for the taps of a pool. elements: of the outputs. weight_bytes: of its constants; moved_bytes: of what it reads and writes besides.
    channels: of the output, its last axis. row: of a transposed convolution places along a row of its input, of "swapped" the input's last axis.
    rows: pieces of memory that "moved" copies one after another.
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
    channels: int = 0
    row: int = 0
    rows: int = 0

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
    fused = _fused_pads(network)
    for number, operator in enumerate(network.operators):
        try:
            _check_whole(operator)
            work = work_of(operator, batch)
            found.append(replace(work, group="fused") if number in fused else work)
        except Unpriced as reason:
            found.append(Unpriced(f"operator {number}, {operator.kind}, {reason}"))
    return found


def size_of(tensor: Tensor, partial: bool = False) -> int:
    """Bytes of a tensor; ValueError where its shape is open, or 0 where `partial`."""
    try:
        return tensor.bytes
    except ValueError:
        if partial:
            return 0
        raise


def live_bytes(network: Network, partial: bool = False) -> int:
    """The most bytes of computed tensors that must be kept at once: a lower bound of a tensor arena. ValueError as of `size_of`."""
    last = {id(tensor): number for number, operator in enumerate(network.operators) for tensor in operator.inputs if tensor is not None}
    last |= {id(tensor): len(network.operators) for tensor in network.outputs}
    alive = {id(tensor): size_of(tensor, partial) for tensor in network.inputs}
    most = sum(alive.values())
    for number, operator in enumerate(network.operators):
        alive |= {id(tensor): size_of(tensor, partial) for tensor in operator.outputs}
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
    group, more = _GROUPS[operator.kind]
    inputs = [tensor for tensor in operator.inputs if tensor is not None]
    try:
        elements = batch * sum(tensor.elements for tensor in operator.outputs)
        weights = sum(tensor.bytes for tensor in inputs if tensor.values is not None)
        moved = batch * sum(tensor.bytes for tensor in (*inputs, *operator.outputs) if tensor.values is None)
    except ValueError as reason:
        raise Unpriced(f"cannot be priced: {reason}") from reason
    channels = (operator.outputs[0].shape or (1,))[-1] if operator.outputs else 0
    work = Work(operator.kind, group, elements, weights, moved, channels=channels or 0)
    return work if more is None else replace(work, **more(operator, work, batch))


def _check_whole(operator: Operator) -> None:
    data = [tensor for tensor in (*operator.inputs[:1], *operator.outputs[:1]) if tensor is not None]
    if data and _GROUPS.get(operator.kind, ("meta", None))[0] != "meta" and not any(tensor.dtype in WHOLE for tensor in data):
        raise Unpriced(f"works on {data[0].dtype}; only int8 has a price")


def _shape(operator: Operator, place: int, rank: int | None = None) -> tuple[int, ...]:
    tensor = operator.inputs[place] if place < len(operator.inputs) else None
    if tensor is None or None in tensor.shape or (rank is not None and len(tensor.shape) != rank):
        raise Unpriced(f"cannot be priced: its input {place} has no static shape of {rank} axes" if rank else "cannot be priced: an input has no static shape")
    return tuple(length for length in tensor.shape if length is not None)


def _convolution(operator: Operator, work: Work, batch: int) -> dict[str, Any]:
    outputs, height, width, channels = _shape(operator, 1, 4)
    groups = _shape(operator, 0, 4)[3] // channels
    return _product(batch * _places(operator.outputs[0]), height * width, channels, outputs // groups, groups)


def _depthwise(operator: Operator, work: Work, batch: int) -> dict[str, Any]:
    _, height, width, channels = _shape(operator, 1, 4)
    return _product(batch * _places(operator.outputs[0]), height * width, 1, 1, channels)


def _dense(operator: Operator, work: Work, batch: int) -> dict[str, Any]:
    outputs, inputs = _shape(operator, 1, 2)
    return _product(batch * prod(_shape(operator, 0)) // inputs, 1, inputs, outputs)


def _transposed(operator: Operator, work: Work, batch: int) -> dict[str, Any]:
    outputs, height, width, inputs = _shape(operator, 1, 4)
    *places, row, _ = _shape(operator, 2, 4)
    return {**_product(batch * prod(places) * row, height * width, inputs, outputs), "row": row}


def _product(positions: int, taps: int, input_channels: int, output_channels: int, repeats: int = 1) -> dict[str, Any]:
    return {"positions": positions, "taps": taps, "input_channels": input_channels, "output_channels": output_channels, "repeats": repeats}


def _pool(operator: Operator, work: Work, batch: int) -> dict[str, Any]:
    return {"taps": operator.options.get("filter_height", 1) * operator.options.get("filter_width", 1)}


def _reduction(operator: Operator, work: Work, batch: int) -> dict[str, Any]:
    return {"taps": max(1, batch * prod(_shape(operator, 0)) // max(1, work.elements))}


def _moved(operator: Operator, work: Work, batch: int) -> dict[str, Any]:
    return {"rows": work.elements // max(1, work.channels)}


def _joined(operator: Operator, work: Work, batch: int) -> dict[str, Any]:
    axis = operator.options.get("axis", -1) % max(1, len(operator.outputs[0].shape))
    return {"rows": batch * prod(length or 1 for length in operator.outputs[0].shape[:axis]) * len(operator.inputs)}


def _exchanged(operator: Operator, work: Work, batch: int) -> dict[str, Any]:
    order = operator.inputs[1].values if len(operator.inputs) > 1 and operator.inputs[1] is not None else None
    last = _shape(operator, 0)[-1:]
    if order is None or not last or int(order.ravel()[-1]) == len(operator.outputs[0].shape) - 1:
        return _moved(operator, work, batch)
    return {"group": "swapped", "row": max(1, last[0])}


def _fused_pads(network: Network) -> set[int]:
    """The PADs of rows and columns whose output a convolution alone reads: XNNPACK lets it do the padding."""
    readers: dict[int, list[Operator]] = {}
    for operator in network.operators:
        for tensor in operator.inputs:
            readers.setdefault(id(tensor), []).append(operator)
    return {number for number, operator in enumerate(network.operators) if operator.kind == "PAD" and _is_fused(operator, readers)}


def _is_fused(operator: Operator, readers: Mapping[int, list[Operator]]) -> bool:
    after = readers.get(id(operator.outputs[0]), [])
    amounts = operator.inputs[1].values if len(operator.inputs) > 1 and operator.inputs[1] is not None else None
    return (len(after) == 1 and after[0].kind in ("CONV_2D", "DEPTHWISE_CONV_2D") and after[0].inputs[0] is operator.outputs[0]
            and amounts is not None and amounts.shape == (4, 2) and not amounts[[0, 3]].any())


def _places(tensor: Tensor) -> int:
    return tensor.elements // (tensor.shape[-1] or 1)


_More = Callable[[Operator, Work, int], dict[str, Any]]
_GROUPS: dict[str, tuple[str, _More | None]] = {
    "CONV_2D": ("conv", _convolution),
    "DEPTHWISE_CONV_2D": ("depthwise", _depthwise),
    "FULLY_CONNECTED": ("dense", _dense),
    "TRANSPOSE_CONV": ("transpose_conv", _transposed),
    "MAX_POOL_2D": ("max_pool", _pool),
    "AVERAGE_POOL_2D": ("average_pool", _pool),
    **dict.fromkeys(("MEAN", "REDUCE_MAX", "SUM"), ("max_pool", _reduction)),
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD", "RESIZE_NEAREST_NEIGHBOR"), ("moved", _moved)),
    "CONCATENATION": ("moved", _joined),
    "TRANSPOSE": ("moved", _exchanged),
    **dict.fromkeys(("ADD", "SUB", "MUL", "DIV"), ("added", None)),
    **dict.fromkeys(("RELU", "RELU6", "RELU_N1_TO_1"), ("scalar", None)),
    **dict.fromkeys(("ABS", "DEPTH_TO_SPACE", "DEQUANTIZE", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MINIMUM", "NEG", "PRELU", "QUANTIZE",
                     "RESIZE_BILINEAR", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "TANH", "TILE"), ("other", None)),
    **dict.fromkeys(("EXPAND_DIMS", "FILL", "PACK", "RESHAPE", "SHAPE", "SQUEEZE", "STRIDED_SLICE", "UNPACK"), ("meta", None)),
}
