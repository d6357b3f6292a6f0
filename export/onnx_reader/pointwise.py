"""Operators on single elements: Add, Relu, Clip and Sigmoid."""

from dataclasses import replace
from math import inf

import numpy as np

from .builder import Builder
from .door import Node, Refused
from .values import Activation, Clamp, Codes, Constant, Parameter, Pending, Quantisation, Real, Value, constant

# Logistic gives codes of 1/256; on a much finer scale these would be steps of several codes.
FINEST_SIGMOID = np.float32(1 / 512)


def add(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """Add of two quantised tensors of one shape or of a tensor and a quantised constant; behind a MatMul, its bias."""
    first, second = operands[0], operands[1]
    if isinstance(first, (Constant, Parameter)):
        (first, second), names = (second, first), node.inputs[::-1]
    else:
        names = node.inputs
    if isinstance(first, Pending) and first.with_bias is not None and isinstance(second, (Constant, Parameter)):
        array = second.array if isinstance(second, Constant) else second.codes
        if array.ndim == 1 or array.size == array.shape[-1]:
            return first.with_bias(second)
    x = builder.real(first, names[0])
    if isinstance(second, Parameter):
        return _add_constant(x, second, builder)
    y = builder.real(second, names[1])
    if x.shape != y.shape:
        raise Refused(f"adds shapes {list(x.shape)} and {list(y.shape)}; equal shapes are read: expand the smaller one before")

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        order = builder.order(x.activation)
        same = builder.shape(x.activation.tensor) == builder.shape(y.activation.tensor) and np.array_equal(order, builder.order(y.activation))
        tensors = [x.activation.tensor, y.activation.tensor] if same else [builder.canonical(x.activation), builder.canonical(y.activation)]
        output = builder.tensor(name, builder.shape(tensors[0]), quantisation)
        builder.add("add", tensors, output, clamp=clamp)
        return Activation(output, x.shape, order if same else None)

    return Pending(x.shape, emit)


def relu(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """Relu: a clamp at the code of 0 of whatever gives its input."""
    return builder.pending(operands[0], node.inputs[0]).limited(0, inf)


def clip(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    """Clip of reals (a clamp of whatever gives its input), of codes between the Q and DQ of QCDQ (narrow ranges, fewer bits), or of constants."""
    low, high = (operands[place] if len(operands) > place else None for place in (1, 2))
    value = operands[0]
    if isinstance(value, Constant):
        lowest, highest = _bound(low, -inf), _bound(high, inf)
        return Constant(value.name, np.clip(value.array, lowest, highest).astype(value.array.dtype))
    if isinstance(value, Codes):
        bounds = int(_bound(low, -128 + value.shift)) - value.shift, int(_bound(high, 127 + value.shift)) - value.shift
        return replace(value, clamp=(min(max(value.clamp[0], bounds[0]), bounds[1]), min(max(value.clamp[1], bounds[0]), bounds[1])))
    return builder.pending(value, node.inputs[0]).limited(_bound(low, -inf), _bound(high, inf))


def sigmoid(node: Node, operands: list[Value | None], builder: Builder) -> Pending:
    """Sigmoid: the kernel gives steps of 1/256 from 0; another scale costs a second rounding, by at most one code."""
    x = builder.real(operands[0], node.inputs[0])
    fixed = Quantisation(np.float32(1 / 256), -128)

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        if quantisation.scale < FINEST_SIGMOID:
            raise Refused(f"is quantised with scale {quantisation.scale}, finer than {FINEST_SIGMOID}; "
                          "quantise its result with scale 1/256 and zero point 0 (uint8)")
        shape = builder.shape(x.activation.tensor)
        output = builder.tensor(name if quantisation == fixed else f"{name}:logistic", shape, fixed)
        order = builder.order(x.activation)
        builder.add("logistic", [x.activation.tensor], output)
        return builder.requantised(Real(Activation(output, x.shape, order), fixed), quantisation, clamp, name)

    return Pending(x.shape, emit)


def _add_constant(x: Real, y: Parameter, builder: Builder) -> Pending:
    if y.codes.dtype != np.int8 or y.scales.size > 1:
        raise Refused(f"adds the constant {y.name}, which is not int8 with one scale; quantise it per tensor")
    try:
        codes = np.broadcast_to(y.codes, x.shape)
    except ValueError as error:
        raise Refused(f"adds the constant {y.name} of shape {list(y.codes.shape)} to shape {list(x.shape)}; export the model again") from error

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        order, shape = builder.order(x.activation), builder.shape(x.activation.tensor)
        placed = np.ascontiguousarray(codes.reshape(-1)[order].reshape(shape))
        tensors = [x.activation.tensor, builder.parameter(y.name, placed, y.scales, zero_point=y.zero_point)]
        output = builder.tensor(name, shape, quantisation)
        builder.add("add", tensors, output, clamp=clamp)
        return Activation(output, x.shape, order)

    return Pending(x.shape, emit)


def _bound(value: Value | None, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, Parameter) and value.codes.size == 1:  # the bounds themselves quantised
        return float(value.scales[0]) * (float(value.codes.reshape(-1)[0]) - value.zero_point)
    array = constant(value, "a bound")
    if array.size != 1 or np.isnan(array).any():
        raise Refused("has a bound that is not one number; export the model again")
    return float(array.reshape(-1)[0])


