"""Operators that only look at the same elements in another way, from Reshape to Transpose, and the arithmetic of shapes before them."""

from dataclasses import replace
from math import prod

import numpy as np

from .builder import Builder, check_size, nominal_order
from .door import Node, Refused
from .layout import Shape, transposed_order
from .values import Activation, Clamp, Constant, Parameter, Pending, Quantisation, Value, constant, whole_numbers

ShapeArithmetic = tuple[str, ...]
SHAPE_ARITHMETIC: ShapeArithmetic = ("Gather", "Concat", "Unsqueeze", "Squeeze", "Cast", "Slice")


def reshape(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    """Reshape to a constant shape; the batch stays alone in front."""
    wanted = whole_numbers(operands[1] if len(operands) > 1 else None, "the shape")
    value = operands[0]
    shape = (1, *value.codes.shape) if isinstance(value, Parameter) else builder.pending(value, node.inputs[0]).shape
    if not node.integer("allowzero", 0):
        offset = 1 if isinstance(value, Parameter) else 0
        wanted = tuple(shape[axis + offset] if length == 0 and axis + offset < len(shape) else length for axis, length in enumerate(wanted))
    if wanted.count(-1) == 1 and prod(length for length in wanted if length != -1) > 0:
        rest = prod(length for length in wanted if length != -1)
        wanted = tuple(prod(shape) // rest if length == -1 else length for length in wanted)
    return _viewed(value, node, builder, wanted)


def flatten(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    """Flatten behind the batch: channels-first rows of features, which the dense layer behind finds channels-last."""
    source = builder.pending(operands[0], node.inputs[0])
    axis = node.integer("axis", 1) % max(len(source.shape), 1)
    return _viewed(operands[0], node, builder, (prod(source.shape[:axis]), prod(source.shape[axis:])))


def squeeze(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    """Squeeze of axes of length 1, not of the batch."""
    source = builder.pending(operands[0], node.inputs[0])
    rank = len(source.shape)
    axes = _axes(node, operands) or tuple(axis for axis in range(1, rank) if source.shape[axis] == 1)
    gone = {axis % rank if -rank <= axis < rank else -1 for axis in axes}
    if any(axis < 1 or source.shape[axis] != 1 for axis in gone):
        raise Refused(f"squeezes axes {list(axes)} of shape {list(source.shape)}; only axes of length 1 behind the batch are read")
    return _viewed(operands[0], node, builder, tuple(length for axis, length in enumerate(source.shape) if axis not in gone))


def unsqueeze(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    """Unsqueeze: new axes of length 1 behind the batch."""
    source = builder.pending(operands[0], node.inputs[0])
    axes = _axes(node, operands)
    rank = len(source.shape) + len(axes)
    new = {axis % rank if -rank <= axis < rank else 0 for axis in axes}
    if 0 in new or len(new) != len(axes):
        raise Refused(f"inserts axes {list(axes)}; only axes behind the batch are read")
    lengths = iter(source.shape)
    return _viewed(operands[0], node, builder, tuple(1 if axis in new else next(lengths) for axis in range(rank)))


def transpose(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    """Transpose that leaves the batch in front; of weights, any."""
    value = operands[0]
    if isinstance(value, (Parameter, Constant)):
        rank = value.codes.ndim if isinstance(value, Parameter) else value.array.ndim
        permutation = node.integers("perm", tuple(reversed(range(rank))))
        _check_permutation(permutation, rank)
        return value.transposed(permutation) if isinstance(value, Parameter) else replace(value, array=value.array.transpose(permutation))
    source = builder.pending(value, node.inputs[0])
    shape = source.shape
    permutation = node.integers("perm", tuple(reversed(range(len(shape)))))
    _check_permutation(permutation, len(shape))
    if permutation[0] != 0:
        raise Refused(f"moves the batch (perm {list(permutation)}); keep it in front")
    check_size(shape)

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        activation = source.computed(quantisation, clamp, name)
        order = transposed_order(nominal_order(activation), shape, permutation)
        return replace(activation, shape=tuple(shape[axis] for axis in permutation), order=order)

    return Pending(tuple(shape[axis] for axis in permutation), emit, native=source.native)


def identity(node: Node, operands: list[Value | None], builder: Builder) -> Value:
    """Identity."""
    if operands[0] is None:
        raise Refused("has no input; export the model again")
    return operands[0]


def shape_of(node: Node, operands: list[Value | None], builder: Builder) -> Constant:
    """Shape: known, as all shapes are."""
    shape = np.array(builder.pending(operands[0], node.inputs[0]).shape, np.int64)
    return Constant(node.outputs[0], shape[node.integer("start", 0) : node.integer("end", len(shape))])


def shape_arithmetic(node: Node, operands: list[Value | None]) -> Constant:
    """Gather, Concat, Slice and the like on short rows of integers, as exporters compute shapes: a few lines of NumPy."""
    arrays = [np.array(whole_numbers(value, name), np.int64).reshape(constant(value, name).shape) if value is not None else None
              for value, name in zip(operands, node.inputs, strict=True)]
    first = arrays[0]
    if first is None:
        raise Refused("has no input; export the model again")
    try:
        match node.kind:
            case "Gather":
                result = np.take(first, arrays[1], axis=node.integer("axis", 0))  # type: ignore[arg-type]
            case "Concat":
                result = np.concatenate([array for array in arrays if array is not None], axis=node.integer("axis", 0))
            case "Unsqueeze" | "Squeeze" | "Cast":
                result = first.reshape(()) if node.kind == "Squeeze" else first if node.kind == "Cast" else first.reshape(-1)
            case _:
                starts, ends, *rest = (int(array.reshape(-1)[0]) if array is not None else None for array in arrays[1:])
                result = first[starts : ends : rest[1] if len(rest) > 1 else 1]
    except (IndexError, ValueError, TypeError) as error:
        raise Refused("computes a shape in a way that is not read; export with fixed shapes") from error
    return Constant(node.outputs[0], np.asarray(result))


def _viewed(value: Value | None, node: Node, builder: Builder, wanted: Shape) -> Value:
    if isinstance(value, Parameter):
        if prod(wanted) != value.codes.size or min(wanted, default=1) < 1 or value.scales.size > 1:
            raise Refused("reshapes per-channel weights or to another size; reshape the weights before quantising")
        return replace(value, codes=value.codes.reshape(wanted), axis=None)
    source = builder.pending(value, node.inputs[0])
    if len(wanted) < 2 or wanted[0] != 1 or min(wanted) < 1 or prod(wanted) != prod(source.shape):
        raise Refused(f"turns shape {list(source.shape)} into {list(wanted)}; the batch must stay 1 and in front, and every element be kept")
    check_size(wanted)
    if wanted == source.shape:
        return source

    def emit(quantisation: Quantisation, clamp: Clamp, name: str) -> Activation:
        activation = source.computed(quantisation, clamp, name)
        return replace(activation, shape=wanted, order=nominal_order(activation))

    return Pending(wanted, emit, native=source.native)


def _axes(node: Node, operands: list[Value | None]) -> Shape:
    if len(operands) > 1 and operands[1] is not None:
        return whole_numbers(operands[1], "axes")
    return node.integers("axes", ())


def _check_permutation(permutation: Shape, rank: int) -> None:
    if sorted(permutation) != list(range(rank)):
        raise Refused(f"has perm {list(permutation)} for {rank} axes; export the model again")
