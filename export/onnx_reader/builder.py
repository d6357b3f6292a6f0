"""Collects the graph's tensors and operators; where data must lie in another order, permutes a dense layer, or reshapes or transposes the data."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.operators import Refused as OperatorRefused
from edge_runtime.graph.operators import check_operator
from edge_runtime.graph.structure import AttributeValue, Graph, Operator, Tensor

from .door import Refused
from .layout import Order, Shape, as_transpose, canonical_order, canonical_shape, exchanged
from .values import WHOLE, Activation, Clamp, Codes, Constant, Parameter, Pending, Quantisation, Real, Value

LARGEST_TENSOR = 1 << 24  # codes; more would not fit beside the rest in the memory of the boards we know


class Builder:
    """The graph under construction. `inputs`, `outputs`: their ONNX names. `kept`: ONNX names of activations whose order an output fixes."""

    def __init__(self, inputs: tuple[str, ...], outputs: tuple[str, ...], kept: frozenset[str]) -> None:
        self._inputs = inputs
        self._reserved = {*inputs, *outputs}
        self._kept = kept
        self._tensors: dict[str, Tensor] = {}
        self._operators: list[Operator] = []
        self._free: dict[str, int] = {}  # rows of features that nothing has read yet: tensor -> operator whose weights may be permuted
        self._stored: dict[str, Order] = {}  # tensors of permuted dense layers: place k holds what the layer gave at place stored[k]
        self._moved: dict[tuple[str, Shape, bytes], str] = {}
        self._reshaped: dict[tuple[str, Shape], str] = {}

    def tensor(self, name: str, shape: Shape, quantisation: Quantisation) -> str:
        """Declare the int8 output of an operator; gives the name under which it is known, changed where it is taken."""
        check_size(shape)
        name = self._unique(name)
        self._tensors[name] = _activation(name, shape, quantisation)
        return name

    def parameter(self, name: str, codes: NDArray[Any], scales: NDArray[np.float32], axis: int | None = None, zero_point: int = 0) -> str:
        """Declare a constant, int8 or int32; one that is already there with the same name and content is used again."""
        check_size(codes.shape)
        known = self._tensors.get(name)
        if known is not None and known.codes is not None and known.codes.dtype == codes.dtype and np.array_equal(known.codes, codes) \
                and np.array_equal(known.scale, scales) and known.zero_point == zero_point:
            return name
        name = self._unique(name)
        self._tensors[name] = Tensor(name, codes.shape, str(codes.dtype), scales, zero_point, axis, np.ascontiguousarray(codes))
        return name

    def add(self, kind: str, inputs: Iterable[str], output: str, **attributes: AttributeValue) -> None:
        """Append an operator; what it reads keeps its order from now on."""
        operator = Operator(kind, tuple(inputs), (output,), attributes)
        try:
            check_operator(operator, [self._tensors[name] for name in operator.inputs], self._tensors[output])
        except OperatorRefused as refusal:
            raise Refused(f"becomes {kind}, whose {refusal.field} {refusal}") from refusal
        for name in operator.inputs:
            self._free.pop(name, None)
        self._operators.append(operator)

    def free(self, output: str, name: str) -> None:
        """Say that the features given by the last operator may still be put in another order (by permuting its weights); `name`: of the ONNX value."""
        if name not in self._kept:
            self._free[output] = len(self._operators) - 1

    def given(self, name: str, shape: Shape, quantisation: Quantisation) -> Activation:
        """The graph's input `name`, declared by the first QuantizeLinear behind it; Refused where a second one disagrees."""
        if name not in self._tensors:
            check_size(shape)
            self._tensors[name] = _activation(name, canonical_shape(shape), quantisation)
        elif self.quantisation(name) != quantisation:
            raise Refused(f"quantises the input {name} otherwise than another QuantizeLinear; quantise each input once")
        return Activation(name, shape)

    def quantisation(self, tensor: str) -> Quantisation:
        """Scale and zero point of an int8 tensor."""
        return Quantisation(np.float32(self._tensors[tensor].scale[0]), self._tensors[tensor].zero_point)

    def shape(self, tensor: str) -> Shape:
        """Shape of a tensor of the graph, batch first."""
        return self._tensors[tensor].shape

    def real(self, value: Value | None, name: str) -> Real:
        """An operand that must be a quantised activation; Refused with the remedy where it is something else."""
        match value:
            case Real():
                return value
            case Pending(native=Quantisation() as native):
                return Real(value.computed(native, WHOLE, name), native)
            case Constant() | Parameter():
                raise Refused(f"takes the constant {name} where an activation is needed; fold it or export the model again")
            case Codes():
                raise Refused(f"takes the codes {name} without a DequantizeLinear; export QDQ or QCDQ, not QOperator")
        raise Refused(f"takes {name or 'a missing input'}, which is float; quantise it (QuantizeLinear, DequantizeLinear) before this operator")

    def pending(self, value: Value | None, name: str) -> Pending:
        """An operand that an operator passes on unchanged or limited.

        A result not quantised yet is given as it is, a quantised one as what requantise and clamp make of it.
        """
        if isinstance(value, Pending):
            return value
        real = self.real(value, name)
        return Pending(real.shape, lambda quantisation, clamp, output: self.requantised(real, quantisation, clamp, output), native=real.quantisation)

    def requantised(self, real: Real, quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        """The activation on another quantisation and limited to `clamp`; itself where neither changes anything."""
        activation = real.activation
        if quantisation != real.quantisation:
            output = self.tensor(name, self.shape(activation.tensor), quantisation)
            self.add("requantise", [activation.tensor], output)
            self._keep_order(activation.tensor, output)
            activation = replace(activation, tensor=output)
        return self.clamped(activation, clamp, name)

    def clamped(self, activation: Activation, clamp: Clamp, name: str) -> Activation:
        """The activation limited to `clamp`; itself where that is everything."""
        if clamp == WHOLE:
            return activation
        output = self.tensor(name, self.shape(activation.tensor), self.quantisation(activation.tensor))
        self.add("clamp", [activation.tensor], output, clamp=clamp)
        self._keep_order(activation.tensor, output)
        return replace(activation, tensor=output)

    def order(self, activation: Activation) -> Order:
        """The order (see `layout`) in which the activation lies in its tensor."""
        order = nominal_order(activation)
        stored = self._stored.get(activation.tensor)
        return order if stored is None else order[stored]

    def canonical(self, activation: Activation) -> str:
        """The activation as a channels-last tensor; data is moved only if it lies otherwise."""
        shape = canonical_shape(activation.shape)
        if activation.order is None and activation.tensor not in self._stored and self.shape(activation.tensor) == shape:
            return activation.tensor
        return self.arranged(activation, shape, canonical_order(activation.shape))

    def arranged(self, activation: Activation, shape: Shape, order: Order) -> str:
        """The activation as a tensor of `shape` in `order`; Refused where no transposition leads there."""
        tensor = activation.tensor
        key = (tensor, shape, order.tobytes())
        if key not in self._moved:
            current = self.order(activation)
            if not np.array_equal(current, order):
                place = np.empty_like(current)
                place[current] = np.arange(current.size)
                positions = place[order]  # place in the current tensor of what must come at place k
                if tensor in self._free:
                    self._permute_dense(tensor, positions)
                else:
                    tensor = self._transposed(tensor, positions, shape)
            self._moved[key] = self.reshaped(tensor, shape)
        return self._moved[key]

    def reshaped(self, tensor: str, shape: Shape) -> str:
        """The same codes in the same order as a tensor of `shape`."""
        if self.shape(tensor) == shape:
            return tensor
        if (tensor, shape) not in self._reshaped:
            output = self._reshaped[tensor, shape] = self.tensor(f"{tensor}:reshaped", shape, self.quantisation(tensor))
            self.add("reshape", [tensor], output)
        return self._reshaped[tensor, shape]

    def finish(self, outputs: dict[str, str]) -> Graph:
        """The graph, its outputs ({ONNX name: tensor}) under their ONNX names, only with the tensors that it uses."""
        new_name: dict[str, str] = {}
        for name, tensor in outputs.items():
            if tensor in self._inputs or tensor in new_name:
                raise Refused(f"{name} is the same tensor as {new_name.get(tensor, tensor)}; remove one of them")
            new_name[tensor] = name

        def rename(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(new_name.get(name, name) for name in names)

        operators = tuple(replace(operator, inputs=rename(operator.inputs), outputs=rename(operator.outputs)) for operator in self._operators)
        used = {name for operator in operators for name in (*operator.inputs, *operator.outputs)}
        named = {new_name.get(name, name): tensor for name, tensor in self._tensors.items()}
        tensors = {name: replace(tensor, name=name) for name, tensor in named.items() if name in used}
        return Graph(tensors, operators, self._inputs, tuple(outputs))

    def _keep_order(self, source: str, output: str) -> None:
        if source in self._stored:
            self._stored[output] = self._stored[source]

    def _transposed(self, tensor: str, positions: Order, wanted: Shape) -> str:
        """The tensor with its codes at `positions`; its own axes exchanged where that gives `wanted` at once, else those of a reshaped one."""
        inner = self.shape(tensor)[1:]
        for axes in permutations(range(len(inner))):
            if tuple(inner[axis] for axis in axes) == wanted[1:] and np.array_equal(exchanged(inner, axes), positions):
                return self._with_axes(tensor, axes)
        found = as_transpose(positions)
        if found is None:
            raise Refused(f"needs the elements of {tensor} in an order that no transposition gives; simplify the Reshape and Transpose before it")
        return self._with_axes(self.reshaped(tensor, (1, *found[0])), found[1])

    def _with_axes(self, tensor: str, axes: tuple[int, ...]) -> str:
        shape = self.shape(tensor)
        output = self.tensor(f"{tensor}:transposed", (1, *(shape[axis + 1] for axis in axes)), self.quantisation(tensor))
        self.add("transpose", [tensor], output, permutation=(0, *(axis + 1 for axis in axes)))
        return output

    def _permute_dense(self, tensor: str, positions: Order) -> None:
        """Let the dense layer give its features in another order: its rows move, no data does in flight."""
        index = self._free[tensor]
        operator = self._operators[index]
        names = [operator.inputs[0]]
        for name in operator.inputs[1:]:
            old = self._tensors[name]
            assert old.codes is not None
            others = any(name in other.inputs for other in self._operators if other is not operator)
            new = self._unique(name) if others else name
            scale = old.scale if old.channel_axis is None else old.scale[positions]
            self._tensors[new] = replace(old, name=new, codes=old.codes[positions], scale=scale)
            names.append(new)
        self._operators[index] = replace(operator, inputs=tuple(names))
        self._stored[tensor] = positions if tensor not in self._stored else self._stored[tensor][positions]

    def _unique(self, name: str) -> str:
        candidate, count = name, 1
        while candidate in self._tensors or candidate in self._reserved:
            count += 1
            candidate = f"{name}:{count}"
        return candidate


def nominal_order(activation: Activation) -> Order:
    """The order that the activation carries itself, before any permutation of the dense layer that gives its tensor."""
    return canonical_order(activation.shape) if activation.order is None else activation.order


def check_size(shape: Shape) -> None:
    """Refuse a tensor with an empty axis or with more codes than a board holds."""
    if min(shape, default=0) < 1 or prod(shape) > LARGEST_TENSOR:
        raise Refused(f"has a tensor of shape {list(shape)}; axes of at least 1 and {LARGEST_TENSOR} codes at most are read: make the network smaller")


def _activation(name: str, shape: Shape, quantisation: Quantisation) -> Tensor:
    return Tensor(name, shape, "int8", np.array([quantisation.scale], np.float32), quantisation.zero_point)
