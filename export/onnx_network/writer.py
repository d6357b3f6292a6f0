"""Tensors and operators of TFLite made of ONNX names and nodes: where each axis lies, and padding."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from edge_runtime.graph.operators import same_padding
from hw_profiles.network import Operator, Tensor

from ..onnx_reader.door import Node
from .names import LARGE, Names, Shape, values_of
from .steps import channels_first

Layout = tuple[int | None, ...]
Plane = tuple[int, int]


class NotInTflite(Exception):
    """TFLite has no operator for a node; nothing of it has been added yet."""


class Writer:
    """Makes `operators` of the nodes; tensors are made at their first use and shared by all who use them.

    A layout says for each axis of a tensor which axis of the ONNX value it is, None where there is none: an axis of length 1.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.operators: list[Operator] = []
        self.planes = channels_first(names)
        self._tensors: dict[tuple[str, Layout], Tensor] = {}

    def add(self, kind: str, inputs: Iterable[Tensor | None], outputs: Iterable[str | Tensor], **options: Any) -> None:
        """Append an operator by its name in TFLite's schema, options by theirs."""
        made = (self.tensor(output) if isinstance(output, str) else output for output in outputs if output)
        self.operators.append(Operator(kind, tuple(inputs), tuple(made), options))

    def tensor(self, name: str, layout: Layout | None = None) -> Tensor:
        """The tensor of a name, as it lies in TFLite or in another layout."""
        layout = self.layout(name) if layout is None else layout
        if (name, layout) not in self._tensors:
            names, quantisation, values = self.names, self.names.quantised.get(name), None
            dtype = names.dtypes.get(name, "unknown")
            if name in names.constants and dtype != "string":
                values = values_of(names, name).transpose([axis for axis in layout if axis is not None])
                values = np.expand_dims(values, [place for place, axis in enumerate(layout) if axis is None])
            shape, dtype = tuple(1 if axis is None else names.shape(name)[axis] for axis in layout), "int8" if quantisation and dtype == "uint8" else dtype
            tensor = Tensor(name, shape, dtype, values=values)
            if quantisation:
                axis = layout.index(quantisation.axis) if len(quantisation.scale) > 1 else 0
                tensor = replace(tensor, scale=quantisation.scale, zero_point=quantisation.zero_point, channel_axis=axis)
            self._tensors[name, layout] = tensor
        return self._tensors[name, layout]

    def stand_for(self, name: str, tensor: Tensor) -> None:
        """Let a name be a tensor that is there: nothing is computed."""
        self._tensors[name, self.layout(name)] = tensor

    def layout(self, name: str) -> Layout:
        """How the value lies in TFLite: planes channels-last, a series with height 1."""
        rank = len(self.names.shape(name))
        if name not in self.planes:
            return tuple(range(rank))
        return (0, None, 2, 1) if rank == 3 else (0, *range(2, rank), 1)

    def axis(self, name: str, axis: int) -> int:
        """Where an ONNX axis, negative ones too, lies in the tensor."""
        return self.layout(name).index(range(len(self.names.shape(name)))[axis])

    def beside(self, name: str, like: str) -> Tensor:
        """An operand; the axes of a constant lie as those of the activation `like`."""
        missing = len(self.names.shape(like)) - len(self.names.shape(name))
        if name not in self.names.constants or like not in self.planes or missing < 0 or not self.names.shape(name):
            return self.tensor(name)
        return self.tensor(name, tuple(None if axis is None or axis < missing else axis - missing for axis in self.layout(like)))

    def steering(self, node: Node, what: str, values: Any) -> Tensor:
        """A constant int32 tensor that steers an operator."""
        array = np.asarray(values, np.int32)
        return Tensor(f"{node.outputs[0]}:{what}", array.shape, "int32", values=array)

    def lengths(self, node: Node, what: str, shape: Shape) -> Tensor:
        """A tensor that says a shape; computed where a length is not known."""
        return Tensor(f"{node.outputs[0]}:{what}", (len(shape),), "int32") if None in shape else self.steering(node, what, shape)

    def row(self, node: Node, place: int, attribute: str) -> list[Any] | None:
        """Numbers that newer opsets have as a constant input, older ones as an attribute; None where they are left out."""
        name = node.inputs[place] if len(node.inputs) > place else ""
        if name and (name not in self.names.constants or self.names.constants[name].size > LARGE):
            raise NotInTflite
        value = self.names.constants[name] if name else node.attributes.get(attribute)
        return None if value is None else list(np.asarray(value).reshape(-1).tolist())

    def padded(self, node: Node, kernel: Plane, stride: Plane, dilation: Plane) -> tuple[Tensor, str]:
        """Input of a convolution or pool and TFLite's padding; what is neither SAME nor VALID becomes a PAD before a VALID one."""
        x, y = self.tensor(node.inputs[0]), self.tensor(node.outputs[0])
        spatial = len(self.names.shape(node.inputs[0])) - 2
        reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
        pads, automatic = node.integers("pads", (0,) * 2 * spatial), node.text("auto_pad", "NOTSET")
        amounts = list(zip(plane(pads[:spatial], 0), plane(pads[spatial:], 0), strict=True))
        same: list[tuple[int, int] | None] = [None, None]
        for axis, (length, given) in enumerate(zip(x.shape[1:3], y.shape[1:3], strict=True)):
            if length is not None:
                same[axis] = same_padding(length, reach[axis], stride[axis], 1)
                steps = ((given or 1) - 1) * stride[axis] + reach[axis] - length - sum(amounts[axis])
                if node.integer("ceil_mode", 0) and steps > 0:
                    amounts[axis] = (amounts[axis][0], amounts[axis][1] + steps)
            elif stride[axis] == 1:
                same[axis] = ((reach[axis] - 1) // 2, reach[axis] // 2)
        if automatic == "SAME_LOWER" and None not in same:
            amounts = [pair[::-1] for pair in same if pair]
        counted = node.kind == "AveragePool" and node.integer("count_include_pad", 0)
        if (automatic.startswith("SAME") and (automatic == "SAME_UPPER" or None in same)) or (amounts == same and any(map(any, amounts)) and not counted):
            return x, "SAME"
        if not any(map(any, amounts)):
            return x, "VALID"
        if min(map(min, amounts)) < 0:
            raise NotInTflite
        grown = [None if length is None else length + sum(pair) for length, pair in zip(x.shape[1:3], amounts, strict=True)]
        padded = replace(x, name=f"{node.outputs[0]}:padded", shape=(x.shape[0], *grown, x.shape[3]), values=None)
        paddings = self.steering(node, "paddings", [(0, 0), *amounts, (0, 0)])
        if node.kind == "MaxPool":
            lowest = np.array(-128 if x.dtype == "int8" else -inf, x.dtype)
            self.add("PADV2", (x, paddings, replace(x, name=f"{node.outputs[0]}:lowest", shape=(), values=lowest)), [padded])
        else:
            self.add("PAD", (x, paddings), [padded])
        return padded, "VALID"


def plane(lengths: Sequence[int], missing: int = 1) -> Plane:
    """Lengths over (h, w); a series lies along w."""
    if len(lengths) not in (1, 2):
        raise NotInTflite
    return (lengths[0], lengths[1]) if len(lengths) == 2 else (missing, lengths[0])
