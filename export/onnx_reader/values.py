"""What an ONNX name can stand for while a file is read: constants, codes, quantised activations, and results whose integers the next QuantizeLinear decides."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .door import Refused
from .layout import Order, Shape

Clamp = tuple[int, int]  # lowest and highest int8 code that an operator gives
WHOLE: Clamp = (-128, 127)


@dataclass(frozen=True)
class Quantisation:
    """One scale and zero point for a whole int8 tensor: real = scale * (code - zero_point)."""

    scale: np.float32
    zero_point: int

    def code(self, real: float) -> int:
        """The int8 code of a bound, as QuantizeLinear computes it: float32 division, half to even, saturated."""
        with np.errstate(over="ignore"):
            return int(np.clip(np.rint(np.float32(real) / self.scale) + self.zero_point, -128, 127))

    def holds(self, real: float) -> bool:
        """Whether the bound is a value of the grid, or beyond its ends."""
        beyond = real <= float(self.scale) * (-128 - self.zero_point) or real >= float(self.scale) * (127 - self.zero_point)
        return beyond or np.float32(self.scale * np.float32(self.code(real) - self.zero_point)) == np.float32(real)


@dataclass(frozen=True)
class Constant:
    """A constant of the file, not dequantised."""

    name: str
    array: NDArray[Any]


@dataclass(frozen=True)
class Parameter:
    """A dequantised constant: codes int8 or int32 of any shape, float32 `scales` [1] or [shape[axis]], one zero point (uint8 codes already shifted by 128)."""

    name: str
    codes: NDArray[Any]
    scales: NDArray[np.float32]
    axis: int | None
    zero_point: int

    def transposed(self, permutation: Shape) -> "Parameter":
        """The same parameter with its axes in another order."""
        axis = None if self.axis is None else permutation.index(self.axis)
        return replace(self, codes=self.codes.transpose(permutation), axis=axis)


@dataclass(frozen=True, eq=False)
class Activation:
    """A tensor of the graph seen as an ONNX tensor of `shape` (batch first).

    `order`: as in `layout`; None where the tensor is channels-last of this very shape.
    """

    tensor: str
    shape: Shape
    order: Order | None = None


Emit = Callable[[Quantisation, Clamp, str], Activation]


@dataclass(frozen=True, eq=False)
class Pending:
    """A float result: `emit(quantisation, clamp, name)` adds the operators that compute it in integers once its quantisation is known.

    `low`, `high`: real bounds by Relu and Clip, which commute with the monotone rounding and so become the operator's clamp exactly.
    `native`: the quantisation on which the result lies exactly without rounding, if there is one. `with_bias`: for a MatMul, the same with a bias.
    """

    shape: Shape
    emit: Emit
    low: float = -inf
    high: float = inf
    native: Quantisation | None = None
    with_bias: "Callable[[Parameter | Constant], Pending] | None" = None
    done: dict[tuple[Quantisation, Clamp], Activation] = field(default_factory=dict)

    def computed(self, quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        """The activation with this quantisation, limited to `clamp` and the real bounds; operators are added once."""
        low, high = (min(max(code, clamp[0]), clamp[1]) for code in (quantisation.code(self.low), quantisation.code(self.high)))
        key = (quantisation, (low, high))
        if key not in self.done:
            self.done[key] = self.emit(quantisation, (low, high), name)
        return self.done[key]

    def limited(self, low: float, high: float) -> "Pending":
        """The same result, limited to [low, high] after what already limits it."""
        native = self.native if self.native and self.native.holds(low) and self.native.holds(high) else None
        return replace(self, low=min(max(self.low, low), high), high=min(max(self.high, low), high), native=native, with_bias=None, done={})


@dataclass(frozen=True, eq=False)
class Real:
    """The real values of an int8 activation, as DequantizeLinear gives them."""

    activation: Activation
    quantisation: Quantisation

    @property
    def shape(self) -> Shape:
        """Shape of the ONNX tensor, batch first."""
        return self.activation.shape


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes that a QuantizeLinear gives: the operators are added by the DequantizeLinear, when a Clip between the two has had its say.

    `shift` is 128 where the file holds uint8: the graph's codes are the file's less 128, as is the zero point. `name`: the output of the QuantizeLinear.
    """

    pending: Pending
    quantisation: Quantisation
    clamp: Clamp
    shift: int
    name: str


Value = Constant | Parameter | Codes | Pending | Real


def constant(value: Value | None, what: str) -> NDArray[Any]:
    """The array of an operand that must be a plain constant; Refused otherwise."""
    if not isinstance(value, Constant):
        raise Refused(f"{what} must be a constant in the file; export with constant folding and fixed shapes")
    return value.array


def whole_numbers(value: Value | None, what: str) -> tuple[int, ...]:
    """A constant operand of whole numbers (shapes, axes, pads) as a tuple; Refused otherwise."""
    array = constant(value, what)
    if array.dtype not in (np.int32, np.int64) or array.ndim > 1 or array.size > 64:
        raise Refused(f"{what} must be a short row of integers; export the model again")
    return tuple(int(item) for item in array.reshape(-1))
