"""A network as a list of operators with their shapes: what the cost model and the accelerator rules look at, whatever file it came from.

It says less than the integer graph (`edge_runtime.graph`) and takes more: float networks, foreign ones, operators that Pixie cannot run. Kinds, layouts and
options are those of TFLite's schema (tensorflow/compiler/mlir/lite/schema/schema.fbs): CONV_2D with x [b, h, w, c] and weights [o, kh, kw, i],
FULLY_CONNECTED with weights [o, i]. `export/read_tflite.py` and `export/read_onnx_network.py` make it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BYTES = {"int2": 0.25, "int4": 0.5, "uint4": 0.5, "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "float16": 2, "bfloat16": 2, "int32": 4,
          "uint32": 4, "float32": 4, "int64": 8, "uint64": 8, "float64": 8, "complex64": 8, "complex128": 16}


@dataclass(frozen=True, eq=False)
class Tensor:
    """`shape`: None where a length is not known before the run. `dtype`: TFLite's name in lower case, as "int8", "float32", "string".

    `scale`, `zero_point`: empty where the tensor is not quantised, one of each per_tensor, one for each index of `channel_axis` per_channel.
    `values`: [shape] of a constant, None of what is computed or given.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    channel_axis: int = 0
    values: NDArray[Any] | None = None

    @property
    def elements(self) -> int:
        """Number of elements; ValueError where a length is not known."""
        if None in self.shape:
            raise ValueError(f"tensor {self.name!r} has no static shape: {self.shape}")
        return prod(length for length in self.shape if length is not None)

    @property
    def bytes(self) -> int:
        """Bytes of its elements; ValueError where a length or the size of an element is not known."""
        if self.dtype not in _BYTES:
            raise ValueError(f"tensor {self.name!r} has elements of no fixed size: {self.dtype}")
        return int(np.ceil(self.elements * _BYTES[self.dtype]))


@dataclass(frozen=True, eq=False)
class Operator:
    """One step: `kind` is the name of a built-in operator of TFLite ("CONV_2D"), "CUSTOM name" for a custom one, "ONNX name" for what TFLite does not have.

    `inputs`: in the schema's order, None for an optional one that is left out. `options`: the fields of its table in the schema by their names
    there in snake_case, enumerations by their names: stride_h, padding ("SAME", "VALID"), fused_activation_function ("NONE", "RELU", ...).
    `version`: of the operator in the file, 1 where the format has none.
    """

    kind: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any]
    version: int = 1


@dataclass(frozen=True, eq=False)
class Network:
    """Operators in the order in which they run. `file_bytes`: size of the file it was read from. `subgraphs`: bodies of loops and branches count too."""

    name: str
    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    file_bytes: int
    subgraphs: int = 1
