"""The integer graph run in NumPy: the golden model, equal code for code to LiteRT's default kernels (the kernel set `xnnpack`) or to another set."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from .kernel_sets import rounding_rule
from .operators import Refused
from .steps import PREPARE, Int8, Step
from .structure import Graph, Operator, Tensor

_ELEMENTS_AT_ONCE = 1 << 18  # of the largest array in flight: a larger batch is cut so that it stays in the cache


class Executor:
    """A graph prepared once (weights in BLAS's layout, multipliers, tables) and run many times.

    `kernel_set`: one of `operators.KERNEL_SETS`, whose codes it gives; `Refused`, naming the operator, where one of them is not reproduced.
    """

    def __init__(self, graph: Graph, kernel_set: str = "xnnpack") -> None:
        self.graph = graph
        self._steps = [(operator, _step(index, operator, graph.tensors, kernel_set)) for index, operator in enumerate(graph.operators)]
        self._constants = {name: tensor.codes for name, tensor in graph.tensors.items() if tensor.codes is not None}
        self._items = max(1, _ELEMENTS_AT_ONCE // max(_elements(operator, graph.tensors) for operator in graph.operators))

    def run(self, *inputs: Int8) -> tuple[Int8, ...]:
        """The outputs int8 [n, ...] of the graph for its inputs int8 [n, ...]; ValueError where number, shape or dtype is another."""
        n = self._batch(inputs)
        if n <= self._items:
            return self._run(inputs)
        parts = [self._run([codes[start : start + self._items] for codes in inputs]) for start in range(0, n, self._items)]
        return tuple(np.concatenate(output) for output in zip(*parts, strict=True))

    def _run(self, inputs: Any) -> tuple[Int8, ...]:
        values: dict[str, Any] = dict(zip(self.graph.inputs, inputs, strict=True))
        values.update(self._constants)
        for operator, step in self._steps:
            values[operator.outputs[0]] = step(*(values[name] for name in operator.inputs))
        return tuple(values[name] for name in self.graph.outputs)

    def _batch(self, inputs: tuple[Int8, ...]) -> int:
        if len(inputs) != len(self.graph.inputs):
            raise ValueError(f"the graph takes {len(self.graph.inputs)} inputs, {len(inputs)} were given")
        for name, codes in zip(self.graph.inputs, inputs, strict=True):
            shape = self.graph.tensors[name].shape
            if codes.dtype != np.int8 or codes.shape[1:] != shape[1:] or len(codes) != len(inputs[0]) or len(codes) == 0:
                raise ValueError(f"input {name} is {codes.dtype} {codes.shape}, must be int8 (n, {', '.join(map(str, shape[1:]))})")
        return len(inputs[0])


def run(graph: Graph, *inputs: Int8) -> tuple[Int8, ...]:
    """Run a graph once; for many runs keep an `Executor`."""
    return Executor(graph).run(*inputs)


def _step(index: int, operator: Operator, tensors: Mapping[str, Tensor], kernel_set: str) -> Step:
    try:
        rule = rounding_rule(operator, tensors, kernel_set)
    except Refused as refused:
        raise Refused(f"operators[{index}].{refused.field}", str(refused)) from None
    return PREPARE[operator.kind](operator, tensors, rule)


def _elements(operator: Operator, tensors: Mapping[str, Tensor]) -> int:
    """Elements for one item of the largest array that an operator makes."""
    x, y = tensors[operator.inputs[0]], tensors[operator.outputs[0]]
    elements = max(prod(x.shape), prod(y.shape))
    if operator.kind == "conv_2d":
        elements = max(elements, prod(y.shape[1:3]) * prod(tensors[operator.inputs[1]].shape[1:3]) * x.shape[3])
    if operator.kind == "transpose_conv":
        elements = max(elements, prod(x.shape[1:3]) * prod(tensors[operator.inputs[1]].shape[:3]))
    return elements
