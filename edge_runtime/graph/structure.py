"""The integer graph as plain data: tensors, operators, and the order in which they run. `operators.KINDS` says what each operator means.

Everything is channels-last: images are [1, h, w, c], series [1, 1, w, c] (height 1), rows of features [1, c]. The first axis is the
batch and has length 1 in the graph; the executor runs any number of items along it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

AttributeValue = int | tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Tensor:
    """Codes and their quantisation: real = scale * (code - zero_point).

    `shape`: without unknown lengths. `dtype`: "int8", for a bias "int32". `scale`: float32 [1] (per_tensor) or [shape[channel_axis]]
    (per_channel, constants only). `channel_axis`: None for per_tensor. `codes`: int8 or int32 [shape] of a constant, None for what an
    operator computes or the graph is given.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: NDArray[np.float32]
    zero_point: int = 0
    channel_axis: int | None = None
    codes: NDArray[np.int8] | NDArray[np.int32] | None = None


@dataclass(frozen=True)
class Operator:
    """One step: `kind` is a key of `operators.KINDS`; inputs and outputs are names of tensors, in the order given there.

    `attributes`: an `AttributeValue` for each attribute of the kind.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Graph:
    """A quantised network: tensors by name, operators in the order in which they run, names of the tensors given and computed."""

    tensors: Mapping[str, Tensor]
    operators: tuple[Operator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
