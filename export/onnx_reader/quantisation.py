"""QuantizeLinear and DequantizeLinear: where real values and codes meet."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .builder import Builder
from .door import Node, Refused, finite_scales
from .values import WHOLE, Codes, Constant, Parameter, Quantisation, Real, Value, constant


def quantise(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    """QuantizeLinear of an activation, to int8 or uint8 with one scale; of float weights, folded into codes (half to even, as ONNX says)."""
    scales, zero_points = _grid(node, operands)
    value = operands[0]
    if isinstance(value, Constant):
        if value.array.dtype != np.float32 or not np.all(np.isfinite(value.array)):
            raise Refused(f"quantises the constant {value.name}, which is not finite float32; train again")
        axis = _axis(node, value.array, scales)
        limits = np.iinfo(zero_points.dtype)
        codes = np.rint(value.array / _along(scales, axis, value.array.ndim)) + _along(zero_points, axis, value.array.ndim)
        return Constant(value.name, np.clip(codes, limits.min, limits.max).astype(zero_points.dtype))
    if scales.size > 1:
        raise Refused("quantises an activation with a scale per channel; use one scale per tensor")
    if zero_points.dtype not in (np.int8, np.uint8):
        raise Refused(f"quantises an activation to {zero_points.dtype}; use int8 or uint8")
    shift = 128 if zero_points.dtype == np.uint8 else 0  # uint8 code 0 becomes int8 code -128: the kernels take no uint8; same scale
    quantisation = Quantisation(np.float32(scales[0]), int(zero_points[0]) - shift)
    return Codes(builder.pending(value, node.inputs[0]), quantisation, WHOLE, shift, node.outputs[0])


def dequantise(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    """DequantizeLinear of codes (the operators behind them are added now) or of an integer constant."""
    scales, zero_points = _grid(node, operands)
    value = operands[0]
    if isinstance(value, Constant):
        codes = value.array
        if codes.dtype not in (np.int8, np.uint8, np.int32) or (len(operands) > 2 and operands[2] is not None and zero_points.dtype != codes.dtype):
            raise Refused(f"dequantises {value.name} of type {codes.dtype} with a zero point of type {zero_points.dtype}; "
                          "int8, uint8 and int32 constants are read")
        if np.any(zero_points != zero_points[0]):
            raise Refused("has several zero points for one constant; quantise symmetrically")
        axis = _axis(node, codes, scales)
        if codes.dtype == np.uint8:
            return Parameter(value.name, (codes.astype(np.int16) - 128).astype(np.int8), scales, axis, int(zero_points[0]) - 128)
        return Parameter(value.name, codes, scales, axis, int(zero_points[0]))
    if not isinstance(value, Codes):
        raise Refused(f"takes {node.inputs[0]}, which is no integer tensor; export QDQ or QCDQ")
    given = operands[2] if len(operands) > 2 else None
    zero_point = int(zero_points[0]) - value.shift if given is not None or value.shift else 0
    if given is not None and zero_points.dtype != (np.uint8 if value.shift else np.int8):
        raise Refused("has a zero point of another type than the codes; quantise and dequantise with the same scale and zero point")
    if scales.size > 1 or Quantisation(np.float32(scales[0]), zero_point) != value.quantisation:
        raise Refused("dequantises with another scale or zero point than the QuantizeLinear before it; use the same on both sides")
    return Real(value.pending.computed(value.quantisation, value.clamp, value.name), value.quantisation)


def _grid(node: Node, operands: list[Value | None]) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Scales float32 [k] and zero points [k] in their own dtype (uint8 0 where none is given, as ONNX says)."""
    if node.integer("block_size", 0):
        raise Refused("quantises in blocks; use one scale per tensor or channel")
    scales = finite_scales(constant(operands[1] if len(operands) > 1 else None, "the scale"), node.inputs[1] if len(node.inputs) > 1 else "")
    given = operands[2] if len(operands) > 2 else None
    zero_points = np.zeros(scales.size, np.uint8) if given is None else constant(given, "the zero point").reshape(-1)
    if zero_points.size not in (1, scales.size) or zero_points.dtype not in (np.int8, np.uint8, np.int32):
        raise Refused(f"has zero points of type {zero_points.dtype} [{zero_points.size}] beside {scales.size} scales; "
                      "int8 and uint8, one for each scale, are read")
    return scales, zero_points


def _axis(node: Node, array: NDArray[Any], scales: NDArray[np.float32]) -> int | None:
    if scales.size == 1:
        return None
    axis = node.integer("axis", 1)
    if not -array.ndim <= axis < array.ndim or array.shape[axis] != scales.size:
        raise Refused(f"has {scales.size} scales along axis {axis} of shape {list(array.shape)}; export the model again")
    return axis % array.ndim


def _along(values: NDArray[Any], axis: int | None, rank: int) -> NDArray[Any]:
    return values if axis is None or values.size == 1 else values.reshape([-1 if place == axis else 1 for place in range(rank)])
