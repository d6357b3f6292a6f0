"""Channels-first and channels-last: which element of an ONNX tensor lies where in the graph's tensor.

An *order* is an int64 array [n]: place k of the graph's tensor holds element order[k] of the ONNX tensor, both read row by row without the
batch. Reshape, Flatten, Squeeze, Unsqueeze and Transpose only renumber an order, so they are exact by construction, and data moves only where
an operator needs another order.
"""

from math import prod

import numpy as np
from numpy.typing import NDArray

from .door import Refused

Order = NDArray[np.int64]
Shape = tuple[int, ...]


def canonical_shape(shape: Shape) -> Shape:
    """Channels-last shape of an ONNX shape: [1, f], [1, c, l] -> [1, 1, l, c], [1, c, h, w] -> [1, h, w, c]."""
    match shape:
        case (batch, features):
            return (batch, features)
        case (batch, channels, length):
            return (batch, 1, length, channels)
        case (batch, channels, height, width):
            return (batch, height, width, channels)
    raise Refused(f"works on a tensor of shape {list(shape)}; two to four axes with the batch first are read, reshape it before")


def canonical_axis(axis: int, rank: int) -> int:
    """Axis of the channels-last tensor that an axis of the ONNX tensor of `rank` axes becomes; axis may be negative."""
    if not -rank <= axis < rank:
        raise Refused(f"axis {axis} does not exist in a tensor of {rank} axes; export the model again")
    axis %= rank
    if rank == 2:
        return axis
    return {3: (0, 3, 2), 4: (0, 3, 1, 2)}[rank][axis]


def canonical_order(shape: Shape) -> Order:
    """Order of the channels-last tensor of an ONNX shape: channels innermost; a row of features as it is."""
    elements = np.arange(prod(shape[1:])).reshape(shape[1:])
    return np.moveaxis(elements, 0, -1).ravel() if elements.ndim > 1 else elements


def transposed_order(order: Order, shape: Shape, permutation: Shape) -> Order:
    """The order after an ONNX Transpose of a tensor of `shape`: the data stays, its elements get new numbers."""
    old_number = exchanged(shape[1:], tuple(axis - 1 for axis in permutation[1:]))
    new_number = np.empty_like(old_number)
    new_number[old_number] = np.arange(old_number.size)
    return new_number[order]


def as_transpose(positions: Order) -> tuple[Shape, Shape] | None:
    """(shape, permutation) such that data.reshape(shape).transpose(permutation), read row by row, is data[positions]; None where no such pair exists.

    The positions of a transposed array are a sum of strides: they are taken apart from the innermost axis outwards, and put together again as the proof.
    """
    sizes: list[int] = []
    strides: list[int] = []
    rest = positions
    while rest.size > 1:
        stride = int(rest[1] - rest[0])
        breaks = np.flatnonzero(np.diff(rest) != stride)
        size = int(breaks[0]) + 1 if breaks.size else rest.size
        if stride < 1 or rest.size % size:
            return None
        sizes.insert(0, size)
        strides.insert(0, stride)
        rest = rest[::size]
    axes = sorted(range(len(sizes)), key=lambda axis: -strides[axis])
    shape = tuple(sizes[axis] for axis in axes)
    permutation = tuple(axes.index(axis) for axis in range(len(sizes)))
    return (shape, permutation) if np.array_equal(exchanged(shape, permutation), positions) else None


def exchanged(shape: Shape, permutation: Shape) -> Order:
    """Positions in an array of `shape`, row by row, of what a transposition puts at place k."""
    return np.arange(prod(shape)).reshape(shape).transpose(permutation).ravel()
