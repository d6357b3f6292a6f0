"""Which rule an operator rounds by in a kernel set: the table's, but for the exceptions here, and whether its codes are certain at all.

Measured on x86-64 with AVX2: ai-edge-litert 2.3, TensorFlow 2.21, tflite-runtime 2.14, onnxruntime 1.31. On a processor without AVX2 ruy's matrix
product rounds otherwise, and no set here has that.
"""

from collections.abc import Callable, Mapping, Sequence
from math import prod

import numpy as np

from .operators import KINDS, Refused, reach
from .structure import Operator, Tensor

_TFLITE = ("litert_builtin", "litert_reference", "tflite_runtime")  # TFLite's own kernels, which scale in int32
_UNORDERED = "ONNX Runtime adds float32 in an order of its own, so its codes are certain only where {} and sums stay below 2^24; choose another kernel set"


def rounding_rule(operator: Operator, tensors: Mapping[str, Tensor], kernel_set: str) -> str:
    """The rule of `rounding.py` by which an operator of a checked graph rounds in a kernel set; `Refused` where its codes there are not known."""
    rules = KINDS[operator.kind].rounding
    if kernel_set not in rules:
        raise Refused("kind", f"{operator.kind} is not reproduced in the kernel set {kernel_set}; choose one of {', '.join(rules)}")
    exception = _EXCEPTIONS.get(operator.kind)
    inputs, output = [tensors[name] for name in operator.inputs], tensors[operator.outputs[0]]
    return (exception and exception(operator, inputs, output, kernel_set)) or rules[kernel_set]


def _product(operator: Operator, inputs: Sequence[Tensor], output: Tensor, kernel_set: str) -> str | None:
    x, weights, bias = inputs
    greatest = reach(x, weights, bias)
    if kernel_set == "onnxruntime" and not (_power_of_two(x) and _power_of_two(weights) and greatest.max() < 1 << 24):
        raise Refused("inputs[1]", f"{operator.kind} with {weights.name}: " + _UNORDERED.format("scales of inputs are powers of two"))
    if kernel_set in _TFLITE and np.any(greatest * (x.scale * weights.scale / output.scale) >= 1 << 30):
        raise Refused("outputs[0]", f"{operator.kind} to {output.name}: an accumulator scaled to it leaves int32, where {kernel_set} wraps; calibrate again")
    groups = operator.attributes.get("groups", 1)
    if groups == 1 or kernel_set not in ("litert_builtin", "tflite_runtime"):
        return None
    # No matrix product takes groups: the depthwise kernel does where each channel is one, else the reference kernel.
    return "requantise_double_up_8" if kernel_set == "litert_builtin" and groups == x.shape[3] else "requantise_double"


def _add(operator: Operator, inputs: Sequence[Tensor], output: Tensor, kernel_set: str) -> None:
    ratio = sum(float(x.scale[0] / output.scale[0]) for x in inputs)
    if kernel_set == "litert_builtin" and 255 * ratio + 128 >= 1 << 15:
        raise Refused("outputs[0]", f"add to {output.name}: a sum scaled to it leaves int16, where {kernel_set} wraps; calibrate again")


def _mean(operator: Operator, inputs: Sequence[Tensor], output: Tensor, kernel_set: str) -> str | None:
    (x,) = inputs
    if kernel_set == "onnxruntime" and not (_power_of_two(x) and 255 * prod(x.shape[1:3]) < 1 << 24):
        raise Refused("inputs[0]", f"mean of {x.name}: " + _UNORDERED.format("its scale is a power of two"))
    if kernel_set in _TFLITE and not x.scale[0] / output.scale[0] < 256:
        raise Refused("outputs[0]", f"mean to {output.name}: sums scaled to it leave int32, where {kernel_set} wraps; calibrate again")
    keeps_axes = len(output.shape) == 4
    return {"litert_builtin": "mean_biased_up_16", "tflite_runtime": "mean_biased"}.get(kernel_set) if keeps_axes else None


def _power_of_two(tensor: Tensor) -> bool:
    return bool(np.all(np.frexp(tensor.scale)[0] == 0.5))


_EXCEPTIONS: Mapping[str, Callable[[Operator, Sequence[Tensor], Tensor, str], str | None]] = {
    "conv_2d": _product,
    "transpose_conv": _product,
    "fully_connected": _product,
    "add": _add,
    "mean": _mean,
}
