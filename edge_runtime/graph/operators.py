"""The one table of operators: what each takes, what it does, what it demands and how it rounds. Writer, executor and reports read it.

Lengths are in samples of the tensor they belong to, pairs are (along h, along w), `padding` is (top, bottom, left, right), codes are int8.
Every attribute is required: an int, or a tuple of as many int as stands in brackets. `clamp` is (low, high), codes of the output, and
(-128, 127) where nothing is cut.

conv_2d: x [1, h, w, c], weights [o, kh, kw, c / groups], bias [o] -> [1, h', w', o]
    cross-correlation, padded with the zero point of x; stride (2), dilation (2), padding (4), groups, clamp (2)
transpose_conv: x [1, h, w, c], weights [o, kh, kw, c], bias [o] -> [1, h', w', o]
    h' = (h - 1) stride + kh - top - bottom + output_padding: padding is cut from the full output, output_padding added at bottom and
    right; stride (2), padding (4), output_padding (2), clamp (2)
fully_connected: x [1, ..., c], weights [o, c], bias [o] -> [1, ..., o]
    x weights^T + bias over the last axis; clamp (2)
add: x, y -> the same shape
    sum of the real values, y may be a constant; clamp (2)
concatenation: two or more tensors -> joined along an axis
    axis, at least 1: never the batch
reshape: x -> any shape of as many elements, batch kept
    the same codes in the same order
transpose: x -> axes exchanged
    output axis i is input axis permutation[i], permutation[0] = 0; permutation (rank)
max_pool_2d: x [1, h, w, c] -> [1, h', w', c]
    greatest code, padding never wins; kernel (2), stride (2), padding (4)
average_pool_2d: x [1, h, w, c] -> [1, h', w', c]
    mean of the codes, padding is not counted (to count it, `pad` first); kernel (2), stride (2), padding (4)
mean: x [1, h, w, c] -> [1, c] or [1, 1, 1, c]
    mean over h and w
pad: x -> larger
    filled with the zero point, the real 0; before (rank), after (rank)
resize_nearest: x [1, h, w, c] -> [1, h factor, w factor, c]
    each code repeated; factors (2)
logistic: x -> the same shape
    1 / (1 + exp(-x)); output scale 1/256, zero point -128
clamp: x -> the same shape
    codes limited, as by a Relu or Clip that stands alone; clamp (2)
requantise: x -> the same shape
    the same real values on another scale and zero point

Weights: int8 in +-127, zero point 0, per_tensor or per_channel along axis 0. Bias: int32, always there (zeros where the source has none),
scale float32(s_x) * float32(s_w) rounded to float32, per_channel where the weights are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from .structure import Operator, Tensor

Shape = tuple[int, ...]

# Whose codes the executor gives: LiteRT's default kernels; LiteRT without its delegate, built-in and reference; tflite-runtime; ONNX Runtime.
KERNEL_SETS = ("xnnpack", "litert_builtin", "litert_reference", "tflite_runtime", "onnxruntime")


class Refused(Exception):
    """An operator that breaks a demand of its kind: `field` below the operator and the reason with its remedy."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@dataclass(frozen=True)
class Kind:
    """One row of the table.

    `inputs`: roles in order, a trailing "..." for two or more of the first. `attributes`: number of integers of each, 0 for a plain int,
    None for one for each axis of the first input. `shape`: shape of the output from the operator and its inputs; None where the output
    says it itself. `rounding`: the rule of `rounding.py` in each of KERNEL_SETS, "exact" where codes only move; a kernel set whose codes are
    not reproduced is left out, `kernel_sets.py` has the exceptions. `same_quantisation`: inputs and output share scale and zero point.
    `check`: demands beyond these; raises `Refused`.
    """

    inputs: tuple[str, ...]
    attributes: Mapping[str, int | None]
    shape: Callable[[Operator, Sequence[Tensor]], Shape] | None
    rounding: Mapping[str, str]
    same_quantisation: bool = False
    check: Callable[[Operator, Sequence[Tensor], Tensor], None] | None = None


def check_operator(operator: Operator, inputs: Sequence[Tensor], output: Tensor) -> None:
    """Hold one operator against the table; `Refused` names what is wrong. Tensors are checked already, each for itself."""
    kind = KINDS[operator.kind]
    _check_inputs(kind, inputs)
    _check_attributes(kind, operator, inputs)
    if output.dtype != "int8" or output.codes is not None:
        raise Refused("outputs[0]", f"is {output.name}, a constant or {output.dtype}; an operator computes int8 codes")
    if kind.shape is not None:
        shape = kind.shape(operator, inputs)
        if shape != output.shape:
            raise Refused("outputs[0]", f"{output.name} has shape {list(output.shape)}, these inputs give {list(shape)}")
    if kind.same_quantisation:
        for index, x in enumerate(inputs):
            if x.scale[0] != output.scale[0] or x.zero_point != output.zero_point:
                raise Refused(f"inputs[{index}]", f"{x.name} has another scale or zero point than {output.name}; requantise it first")
    if kind.check is not None:
        kind.check(operator, inputs, output)


def _check_inputs(kind: Kind, inputs: Sequence[Tensor]) -> None:
    many = kind.inputs[-1] == "..."
    if (many and len(inputs) < 2) or (not many and len(inputs) != len(kind.inputs)):
        raise Refused("inputs", f"are {len(inputs)}, must be {'two or more' if many else ', '.join(kind.inputs)}")
    for index, tensor in enumerate(inputs):
        role = kind.inputs[0] if many else kind.inputs[index]
        if role in ("weights", "bias"):
            if tensor.codes is None:
                raise Refused(f"inputs[{index}]", f"the {role} {tensor.name} must be constant")
        elif tensor.dtype != "int8" or tensor.channel_axis is not None or len(tensor.shape) < 2 or tensor.shape[0] != 1:
            raise Refused(f"inputs[{index}]", f"{tensor.name} must be int8 per_tensor of shape [1, ...]")
        if role == "plane" and len(tensor.shape) != 4:
            raise Refused(f"inputs[{index}]", f"{tensor.name} has shape {list(tensor.shape)}, must be [1, h, w, c]")


def _check_attributes(kind: Kind, operator: Operator, inputs: Sequence[Tensor]) -> None:
    if set(operator.attributes) != set(kind.attributes):
        raise Refused("attributes", f"are {sorted(operator.attributes)}, must be {sorted(kind.attributes)}")
    for name, value in operator.attributes.items():
        field = f"attributes.{name}"
        length = len(inputs[0].shape) if kind.attributes[name] is None else kind.attributes[name]
        values = value if isinstance(value, tuple) else (value,)
        if (isinstance(value, tuple) and len(value) != length) or (not isinstance(value, tuple) and length != 0):
            raise Refused(field, f"must be {length or 'one'} integer{'s' if length else ''}")
        if any(type(number) is not int for number in values):
            raise Refused(field, "must be integer")
        low, high = _RANGES[name]
        if any(not low <= number <= high for number in values):
            raise Refused(field, f"is {list(values)}, must be {low} .. {high}")
        if name == "clamp" and values[0] > values[1]:
            raise Refused(field, f"is {list(values)}, low above high")


_RANGES = {
    "stride": (1, 4096), "dilation": (1, 4096), "kernel": (1, 4096), "factors": (1, 4096), "groups": (1, 1 << 20), "padding": (0, 1 << 20),
    "output_padding": (0, 4096), "before": (0, 1 << 20), "after": (0, 1 << 20), "clamp": (-128, 127), "axis": (1, 4), "permutation": (0, 4),
}  # fmt: skip


def _windows(length: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    places = length + padding - (kernel - 1) * dilation - 1
    if places < 0:
        raise Refused("attributes.padding", f"is {padding} around {length}: shorter than the kernel of {kernel} with dilation {dilation}")
    return places // stride + 1


def _same_as_input(operator: Operator, inputs: Sequence[Tensor]) -> Shape:
    return inputs[0].shape


def _convolution_shape(operator: Operator, inputs: Sequence[Tensor]) -> Shape:
    x, weights, bias = inputs
    groups = operator.attributes["groups"]
    _check_weights(weights, bias, 4)
    if x.shape[3] != weights.shape[3] * groups or weights.shape[0] % groups:
        raise Refused("attributes.groups", f"is {groups}, which does not part {x.shape[3]} channels into {weights.shape[3]} each "
                      f"and {weights.shape[0]} kernels evenly")
    (kh, kw), (sy, sx), (dy, dx) = weights.shape[1:3], operator.attributes["stride"], operator.attributes["dilation"]
    top, bottom, left, right = operator.attributes["padding"]
    return 1, _windows(x.shape[1], kh, sy, dy, top + bottom), _windows(x.shape[2], kw, sx, dx, left + right), weights.shape[0]


def _transposed_shape(operator: Operator, inputs: Sequence[Tensor]) -> Shape:
    x, weights, bias = inputs
    _check_weights(weights, bias, 4)
    if x.shape[3] != weights.shape[3]:
        raise Refused("inputs[1]", f"{weights.name} takes {weights.shape[3]} channels, {x.name} has {x.shape[3]}")
    top, bottom, left, right = operator.attributes["padding"]
    extra, stride = operator.attributes["output_padding"], operator.attributes["stride"]
    if any(extra[i] >= stride[i] for i in range(2)):
        raise Refused("attributes.output_padding", f"is {list(extra)}, must be below the stride {list(stride)}")
    plane = [(x.shape[1 + i] - 1) * stride[i] + weights.shape[1 + i] - cut + extra[i] for i, cut in enumerate((top + bottom, left + right))]
    if min(plane) < 1:
        raise Refused("attributes.padding", "cuts the whole output away")
    return 1, plane[0], plane[1], weights.shape[0]


def _dense_shape(operator: Operator, inputs: Sequence[Tensor]) -> Shape:
    x, weights, bias = inputs
    _check_weights(weights, bias, 2)
    if x.shape[-1] != weights.shape[1]:
        raise Refused("inputs[1]", f"{weights.name} takes {weights.shape[1]} features, {x.name} has {x.shape[-1]}")
    return *x.shape[:-1], weights.shape[0]


def _check_weights(weights: Tensor, bias: Tensor, rank: int) -> None:
    codes = weights.codes
    if weights.dtype != "int8" or len(weights.shape) != rank or weights.zero_point != 0 or codes is None or codes.min() < -127:
        raise Refused("inputs[1]", f"the weights {weights.name} must be int8 in +-127 of rank {rank} with zero point 0")
    if weights.channel_axis not in (None, 0):
        raise Refused("inputs[1]", f"the weights {weights.name} are per_channel along axis {weights.channel_axis}, must be along 0")
    if bias.dtype != "int32" or bias.shape != weights.shape[:1] or bias.zero_point != 0:
        raise Refused("inputs[2]", f"the bias {bias.name} must be int32 [{weights.shape[0]}] with zero point 0")


def _check_product(operator: Operator, inputs: Sequence[Tensor], output: Tensor) -> None:
    """Scales of a convolution or dense layer, and that no accumulator can leave int32."""
    x, weights, bias = inputs
    assert weights.codes is not None and bias.codes is not None
    if not np.array_equal(bias.scale, x.scale * weights.scale):
        raise Refused("inputs[2]", f"the bias {bias.name} must have the scale of {x.name} times that of {weights.name} in float32")
    ratio = x.scale * weights.scale / output.scale
    if not np.all(ratio < 256):
        raise Refused("outputs[0]", f"the scale of {output.name} is 1/{ratio.max():.3g} of its accumulators', must be above 1/256; calibrate again")
    greatest = reach(x, weights, bias).max(initial=0)
    if greatest > np.iinfo(np.int32).max:
        raise Refused("inputs[1]", f"an accumulator of {weights.name} can reach {greatest}, more than int32 holds; sum fewer inputs")


def reach(x: Tensor, weights: Tensor, bias: Tensor) -> NDArray[np.int64]:
    """The greatest magnitude [o] that an accumulator of a convolution or dense layer can have, on whatever way to its sum."""
    assert weights.codes is not None and bias.codes is not None
    rows = np.abs(weights.codes.reshape(len(weights.codes), -1).astype(np.int64)).sum(1)
    return np.asarray(rows * max(127 - x.zero_point, x.zero_point + 128) + np.abs(bias.codes.astype(np.int64)))


def _check_add(operator: Operator, inputs: Sequence[Tensor], output: Tensor) -> None:
    if inputs[0].codes is not None:
        raise Refused("inputs[0]", f"{inputs[0].name} is constant; let the constant be the second")
    if inputs[0].shape != inputs[1].shape:
        raise Refused("inputs[1]", f"{inputs[1].name} has shape {list(inputs[1].shape)}, must have {list(inputs[0].shape)} as {inputs[0].name}")
    for index, x in enumerate(inputs):
        _check_ratio(f"inputs[{index}]", x, output, 2.0**-10, 2.0**8)


def _check_requantise(operator: Operator, inputs: Sequence[Tensor], output: Tensor) -> None:
    _check_ratio("inputs[0]", inputs[0], output, 2.0**-8, 2.0**7)


def _check_ratio(field: str, x: Tensor, y: Tensor, low: float, high: float) -> None:
    """Outside these ratios of scales XNNPACK leaves the operator to kernels that round otherwise."""
    ratio = float(x.scale[0] / y.scale[0])
    if not low <= ratio < high:
        raise Refused(field, f"the scale of {x.name} is {ratio:.3g} times that of {y.name}, must be {low:.3g} .. {high:.3g}; calibrate again")


def _concatenated_shape(operator: Operator, inputs: Sequence[Tensor]) -> Shape:
    axis, first = operator.attributes["axis"], inputs[0].shape
    for index, x in enumerate(inputs):
        if len(x.shape) != len(first) or axis >= len(first) or x.shape[:axis] != first[:axis] or x.shape[axis + 1 :] != first[axis + 1 :]:
            raise Refused(f"inputs[{index}]", f"{x.name} of shape {list(x.shape)} cannot be joined to {list(first)} along axis {axis}")
    return *first[:axis], sum(x.shape[axis] for x in inputs), *first[axis + 1 :]


def _check_reshape(operator: Operator, inputs: Sequence[Tensor], output: Tensor) -> None:
    if prod(inputs[0].shape) != prod(output.shape) or output.shape[:1] != (1,):
        raise Refused("outputs[0]", f"{output.name} has shape {list(output.shape)}, must be [1, ...] of {prod(inputs[0].shape)} elements")


def _transposed_axes(operator: Operator, inputs: Sequence[Tensor]) -> Shape:
    permutation, shape = operator.attributes["permutation"], inputs[0].shape
    if sorted(permutation) != list(range(len(shape))) or permutation[0] != 0:
        raise Refused("attributes.permutation", f"is {list(permutation)}, must hold each axis of {inputs[0].name} once, 0 first")
    return tuple(shape[axis] for axis in permutation)


def _pooled_shape(operator: Operator, inputs: Sequence[Tensor]) -> Shape:
    _, h, w, c = inputs[0].shape
    (kh, kw), (sy, sx) = operator.attributes["kernel"], operator.attributes["stride"]
    top, bottom, left, right = operator.attributes["padding"]
    if max(top, bottom) >= kh or max(left, right) >= kw:
        raise Refused("attributes.padding", f"is {[top, bottom, left, right]}, must be below the kernel {[kh, kw]}: padding alone has no value")
    return 1, _windows(h, kh, sy, 1, top + bottom), _windows(w, kw, sx, 1, left + right), c


def _check_average_pool(operator: Operator, inputs: Sequence[Tensor], output: Tensor) -> None:
    kernel, stride, padding = (operator.attributes[name] for name in ("kernel", "stride", "padding"))
    same = sum((same_padding(inputs[0].shape[1 + i], kernel[i], stride[i], 1) for i in range(2)), ())
    if padding not in ((0, 0, 0, 0), same):
        raise Refused("attributes.padding", f"is {list(padding)}, must be 0 or {list(same)}, TFLite's SAME; to count padding, pad first")


def same_padding(length: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) of TFLite's padding SAME along one axis of `length` samples: tensorflow/lite/kernels/padding.h."""
    total = max((-(-length // stride) - 1) * stride + (kernel - 1) * dilation + 1 - length, 0)
    return total // 2, total - total // 2


def _check_mean(operator: Operator, inputs: Sequence[Tensor], output: Tensor) -> None:
    c = inputs[0].shape[3]
    if output.shape not in ((1, c), (1, 1, 1, c)):
        raise Refused("outputs[0]", f"{output.name} has shape {list(output.shape)}, must be [1, {c}] or [1, 1, 1, {c}]")


def _padded_shape(operator: Operator, inputs: Sequence[Tensor]) -> Shape:
    before, after = operator.attributes["before"], operator.attributes["after"]
    if before[0] or after[0]:
        raise Refused("attributes.before", "pads the batch; the first entries must be 0")
    return tuple(b + length + a for b, length, a in zip(before, inputs[0].shape, after, strict=True))


def _resized_shape(operator: Operator, inputs: Sequence[Tensor]) -> Shape:
    _, h, w, c = inputs[0].shape
    fy, fx = operator.attributes["factors"]
    return 1, h * fy, w * fx, c


def _check_logistic(operator: Operator, inputs: Sequence[Tensor], output: Tensor) -> None:
    if output.scale[0] != np.float32(1 / 256) or output.zero_point != -128:
        raise Refused("outputs[0]", f"{output.name} must have scale 1/256 and zero point -128; requantise after it")


def _rules(xnnpack: str, litert_builtin: str, litert_reference: str, tflite_runtime: str, onnxruntime: str = "") -> Mapping[str, str]:
    rules = zip(KERNEL_SETS, (xnnpack, litert_builtin, litert_reference, tflite_runtime, onnxruntime), strict=True)
    return {kernel_set: rule for kernel_set, rule in rules if rule}


_EXACT = dict.fromkeys(KERNEL_SETS, "exact")

KINDS: Mapping[str, Kind] = {
    "conv_2d": Kind(
        inputs=("plane", "weights", "bias"),
        attributes={"stride": 2, "dilation": 2, "padding": 4, "groups": 0, "clamp": 2},
        shape=_convolution_shape,
        rounding=_rules("requantise_f32", "requantise_double_up", "requantise_double", "requantise_double_up", "quantise_f32"),
        check=_check_product,
    ),
    "transpose_conv": Kind(
        inputs=("plane", "weights", "bias"),
        attributes={"stride": 2, "padding": 4, "output_padding": 2, "clamp": 2},
        shape=_transposed_shape,
        rounding=_rules("requantise_f32", "requantise_double_up_8", "requantise_double", "requantise_double", "quantise_f32"),
        check=_check_product,
    ),
    "fully_connected": Kind(
        inputs=("x", "weights", "bias"),
        attributes={"clamp": 2},
        shape=_dense_shape,
        rounding=_rules("requantise_f32", "requantise_double_up", "requantise_f64", "requantise_double_up", "quantise_f32"),
        check=_check_product,
    ),
    "add": Kind(
        inputs=("x", "y"),
        attributes={"clamp": 2},
        shape=_same_as_input,
        rounding=_rules("requantise_single", "requantise_double", "requantise_double", "requantise_double", "quantise_f32"),
        check=_check_add,
    ),
    "concatenation": Kind(("x", "..."), {"axis": 0}, _concatenated_shape, _EXACT, True),
    "reshape": Kind(("x",), {}, None, _EXACT, True, _check_reshape),
    "transpose": Kind(("x",), {"permutation": None}, _transposed_axes, _EXACT, True),
    "max_pool_2d": Kind(("plane",), {"kernel": 2, "stride": 2, "padding": 4}, _pooled_shape, _EXACT, True),
    # XNNPACK has no int8 kernel for average_pool_2d, resize_nearest and clamp: LiteRT's own run, and of these only the first rounds.
    "average_pool_2d": Kind(("plane",), {"kernel": 2, "stride": 2, "padding": 4}, _pooled_shape, _rules(*["average_half_away"] * 4), True,
                            _check_average_pool),
    "mean": Kind(
        inputs=("plane",),
        attributes={},
        shape=None,
        rounding=_rules("mean_f32", "mean_double", "mean_double", "mean_double", "quantise_f32"),
        check=_check_mean,
    ),
    "pad": Kind(("x",), {"before": None, "after": None}, _padded_shape, _EXACT, True),
    "resize_nearest": Kind(("plane",), {"factors": 2}, _resized_shape, _EXACT, True),
    "logistic": Kind(("x",), {}, _same_as_input, _rules(*["logistic_codes"] * 4), check=_check_logistic),
    "clamp": Kind(("x",), {"clamp": 2}, _same_as_input, _EXACT, True),
    "requantise": Kind(
        inputs=("x",),
        attributes={},
        shape=_same_as_input,
        rounding=_rules("requantise_single", "requantise_double_up_16", "requantise_double", "requantise_double", "quantise_f32"),
        check=_check_requantise,
    ),
}
