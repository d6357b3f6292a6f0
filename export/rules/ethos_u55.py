"""Rules of the Arm Ethos-U55, as its compiler Vela 5.2.0 publishes them and keeps to them.

Source: SUPPORTED_OPS.md, which `vela --supported-ops-report` writes, section "Ethos-U55 and Ethos-U65 TFLite"; quoted after the operator it stands under.
Where Vela 5.2.0 stops at what no constraint says, its own words are the source. Its sizes are limits of the instruction set: 64, 128 and 256 share them.
"""

from collections import Counter
from math import prod

import numpy as np

from hw_profiles.network import Network, Operator, Tensor

from .rule import (
    POOLS,
    REDUCTIONS,
    WEIGHTED,
    Rule,
    Target,
    bias,
    dilation,
    feature_maps,
    input_at,
    integers,
    kernel,
    lengths,
    operands,
    padded,
    reduced_axes,
    stride,
)

# REVERSE_V2 is in Vela's table, "Axis attribute is not supported": there is none that it takes.
LISTED = (
    "ABS", "ADD", "ARG_MAX", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "ELU", "EXP", "EXPAND_DIMS",
    "FULLY_CONNECTED", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG",
    "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "RESHAPE",
    "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE", "SOFTMAX", "SPLIT", "SPLIT_V", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE",
    "SUB", "SUM", "TANH", "TILE", "TRANSPOSE", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNPACK",
)  # fmt: skip
_TYPES = ("int8", "uint8", "int16", "int32", "int64")
_INT32 = ("ADD", "ARG_MAX", "EXPAND_DIMS", "MIRROR_PAD", "MUL", "NEG", "RESHAPE", "SQUEEZE", "SUB", "SUM", "TRANSPOSE")
_WITHOUT_SCALE = ("ARG_MAX", "EXPAND_DIMS", "MIRROR_PAD", "PAD", "PADV2", "QUANTIZE", "TRANSPOSE")
_ANY_ZERO_POINT = ("AVERAGE_POOL_2D", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "UNIDIRECTIONAL_SEQUENCE_LSTM")
_TABLES = {"ELU": ("int8",), "GELU": ("int8", "uint8"), "HARD_SWISH": ("int8", "uint8"), "LOG": ("int8", "int16"), "RSQRT": ("int8", "int16")}
_LONGEST = 1 << 16  # elements of an axis, of a window
_REDUCED = {"int8": 1 << 24, "uint8": 1 << 23, "int16": 1 << 16}
_LONGEST_REDUCED = 4096
_WEIGHTS_SUM = 127 * 65536
_LARGEST_BIAS = (1 << 40) - 1
_DEEPEST_ARG_MAX = 127


def _except(*kinds: str) -> tuple[str, ...]:
    return tuple(kind for kind in LISTED if kind not in kinds)


def _vela(place: str, constraint: str) -> str:
    return f"ethos-u-vela 5.2.0, SUPPORTED_OPS.md, Ethos-U55 TFLite, {place}: {constraint}"


def _not_static(operator: Operator) -> bool:
    return any(not tensor.shape or None in tensor.shape[1:] for tensor in feature_maps(operator))


def _other_type(operator: Operator) -> bool:
    return any(tensor.dtype not in _TYPES for tensor in feature_maps(operator))


def _has_int32(operator: Operator) -> bool:
    return any(tensor.dtype == "int32" for tensor in feature_maps(operator))


def _has_int64(operator: Operator) -> bool:
    return any(tensor.dtype == "int64" for tensor in feature_maps(operator))


def _without_scale(operator: Operator) -> bool:
    return any(tensor.dtype in ("int8", "uint8", "int16") and not tensor.scale for tensor in operands(operator))


def _scale_not_positive(operator: Operator) -> bool:
    return any(min(tensor.scale, default=1.0) <= 0 for tensor in operands(operator))


def _several_scales(operator: Operator) -> bool:
    return any(len(tensor.scale) > 1 for tensor in operands(operator))


def _odd_zero_point(operator: Operator) -> bool:
    def odd(tensor: Tensor) -> bool:
        return any(tensor.zero_point) if tensor.dtype == "int32" else tensor.dtype == "uint8" and min(tensor.zero_point, default=0) < 0

    return any(map(odd, operands(operator)))


def _long_stride(operator: Operator) -> bool:
    return max(stride(operator)) > 3 and (max(dilation(operator)) > 1 or padded(operator))


def _pad_before_long_stride(network: Network) -> bool:
    users = Counter(id(tensor) for operator in network.operators for tensor in operator.inputs)
    pads = {id(operator.outputs[0]): operator for operator in network.operators if operator.kind == "PAD" and users[id(operator.outputs[0])] == 1}
    long = [operator for operator in network.operators if operator.kind == "CONV_2D" and max(stride(operator)) > 3 and not _long_stride(operator)]
    return any(id(input_at(operator, 0)) in pads and _joined(pads[id(input_at(operator, 0))], operator) for operator in long)


def _joined(pad: Operator, convolution: Operator) -> bool:
    """Whether Vela makes one of the two, with padding that the convolution reads."""
    amounts, x, y = integers(pad, 1), lengths(input_at(pad, 0)), lengths(convolution.outputs[0])
    if not len(amounts) == 2 * len(x) == 2 * len(y) == 8 or any((*amounts[:2], *amounts[6:])):
        return False
    axes = list(zip(amounts[2:6:2], amounts[3:6:2], x[1:3], y[1:3], kernel(convolution), stride(convolution), strict=True))
    read = any(before > 0 or (windows - 1) * step + taps > before + length for before, _, length, windows, taps, step in axes)
    return read and all(max(before, after) < taps for before, after, _, _, taps, _ in axes)


def _deep(operator: Operator) -> bool:
    deep = input_at(operator, {"FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 2}.get(operator.kind, 0))
    return max(lengths(deep)[-1:], default=1) > _LONGEST


def _heavy(operator: Operator) -> bool:
    weights = input_at(operator, 1)
    of_outputs = 3 if operator.kind == "DEPTHWISE_CONV_2D" else 0
    if weights is None or weights.values is None or weights.values.dtype.kind not in "iu" or weights.values.ndim <= of_outputs:
        return False
    if weights.values.size * 255 <= _WEIGHTS_SUM * weights.values.shape[of_outputs]:  # few enough, whatever their codes
        return False
    zero_point = np.asarray(weights.zero_point or (0,))
    along = [len(zero_point) if axis == weights.channel_axis else 1 for axis in range(weights.values.ndim)]
    sums = np.abs(weights.values.astype(np.int64) - zero_point.reshape(along)).sum(tuple({*range(weights.values.ndim)} - {of_outputs}))
    return bool(sums.max(initial=0) > _WEIGHTS_SUM)


def _weights_not_8_bit(operator: Operator) -> bool:
    weights = input_at(operator, 1)
    return weights is not None and weights.dtype not in ("int8", "uint8")


def _computed_weights(operator: Operator) -> bool:
    weights = input_at(operator, 1)
    return weights is not None and weights.values is None


def _product_not_int8(operator: Operator) -> bool:
    x = input_at(operator, 0)
    return _computed_weights(operator) and x is not None and x.dtype in ("uint8", "int16")


def _computed_bias(operator: Operator) -> bool:
    tensor = bias(operator)
    return tensor is not None and tensor.values is None


def _bias_type(operator: Operator) -> bool:
    tensor = bias(operator)
    return tensor is not None and tensor.dtype not in ("int32", "int64")


def _large_bias(operator: Operator) -> bool:
    tensor = bias(operator)
    return tensor is not None and tensor.dtype == "int64" and tensor.values is not None and bool(np.max(tensor.values, initial=0) > _LARGEST_BIAS)


def _widening_stride(operator: Operator) -> bool:
    down, right = stride(operator)
    (_, h, w, _), (kh, kw) = _map(operator, 2), kernel(operator)
    return not ((down, right) in ((1, 1), (2, 2)) or ((down, right) == (1, 2) and h == kh == 1) or ((down, right) == (2, 1) and w == kw == 1))


def _widened_shape(operator: Operator) -> bool:
    x, y = lengths(input_at(operator, 2))[1:3], lengths(operator.outputs[0])[1:3]
    extra = [0, 0] if operator.options["padding"] == "SAME" else [max(k - s, 0) for k, s in zip(kernel(operator), stride(operator), strict=True)]
    return any(found != length * step + more for found, length, step, more in zip(y, x, stride(operator), extra, strict=False))


def _map(operator: Operator, index: int) -> tuple[int, int, int, int]:
    """(n, h, w, c) of an input: axes that it does not have are 1."""
    n, h, w, c = (1, 1, 1, 1, *lengths(input_at(operator, index)))[-4:]
    return n, h, w, c


def _large_window(operator: Operator) -> bool:
    if operator.kind == "AVERAGE_POOL_2D" and padded(operator):
        return False
    return prod(kernel(operator)) > _LONGEST or kernel(operator)[0] > 256


def _other_factor(operator: Operator) -> bool:
    (_, h, w, _), y = _map(operator, 0), lengths(operator.outputs[0])
    if len(y) != 4 or h == w == 1 or y[1:3] == (h, w):
        return False
    corners, centres = (bool(operator.options.get(name, False)) for name in ("align_corners", "half_pixel_centers"))
    down, right = (_factor(found, length, corners) for found, length in zip(y[1:3], (h, w), strict=True))
    if down != right:
        if not (y[1] == down == 1 or y[2] == right == 1) or (centres and operator.kind == "RESIZE_BILINEAR"):
            return True
        return max(down, right) not in (2, 4, 8)
    return down not in ((2,) if centres and operator.kind == "RESIZE_BILINEAR" else (2, 4, 8))


def _factor(found: int, length: int, corners: bool) -> float:
    return (found - 1) / (length - 1) if corners and length > 1 else found / max(length, 1)


def _reduced_lengths(operator: Operator) -> list[int]:
    shape = lengths(input_at(operator, 0))
    return [shape[axis] for axis in reduced_axes(operator)]


def _mean_of_batch(operator: Operator) -> bool:
    return len(lengths(input_at(operator, 0))) == 4 and _map(operator, 0)[0] > 1


def _mean_over_depth(operator: Operator) -> bool:
    shape = lengths(input_at(operator, 0))
    return len(shape) - 1 in reduced_axes(operator) and 1 not in _map(operator, 0)[1:]


def _mean_of_many(operator: Operator) -> bool:
    return prod(_reduced_lengths(operator)) > _REDUCED.get(operator.outputs[0].dtype, _REDUCED["int8"])


def _arg_max(operator: Operator) -> bool:
    shape = lengths(input_at(operator, 0))
    return bool(shape) and (reduced_axes(operator) != {len(shape) - 1} or shape[-1] > _DEEPEST_ARG_MAX)


def _without_table(operator: Operator) -> bool:
    return any(tensor.dtype in ("int8", "uint8", "int16") and tensor.dtype not in _TABLES[operator.kind] for tensor in feature_maps(operator))


def _scales_differ(operator: Operator) -> bool:
    return len({(np.asarray(tensor.scale, np.float32).tobytes(), tensor.zero_point) for tensor in operands(operator)}) > 1


def _computed_steering(operator: Operator) -> bool:
    return any(tensor is not None and tensor.values is None for tensor in operator.inputs[1:])


def _slice_steps(operator: Operator) -> bool:
    steps = integers(operator, 3)
    return min(steps, default=1) < 0 or (bool(steps) and steps[-1] != 1) or (len(steps) > 3 and steps[0] != 1)


def _large_transpose(operator: Operator) -> bool:
    shape, order = lengths(input_at(operator, 0)), integers(operator, 1)
    inner = max(len(shape) - 3, 0)
    if order == list(range(len(shape))):
        return False
    if order[:inner] == list(range(inner)) and prod(shape[:inner]) == 1:
        return max(shape, default=0) > _LONGEST
    return prod(sorted(shape)[2:]) > _LONGEST


def _lstm_variant(operator: Operator) -> bool:
    present = [tensor is not None for tensor in operator.inputs]
    return not all(present[1:9]) or any(present[9:12]) or any(present[16:18]) or any(present[20:24])


_STRIDES = "use strides up to 3: two layers of stride 2 for one of 4"
_INTEGERS = "quantise the whole network to int8 (int16 activations are taken too), its inputs and outputs as well"
_STOPS = "ethos-u-vela 5.2.0 stops (Non-passthrough operation could not run on NPU)"
_FOLD = "fold what computes them into constants at export"

_RULES = (
    Rule("ethos-u55.operator", None, lambda operator: operator.kind not in LISTED,
         "the operator is not in Vela's table",
         _vela("Summary Table", "any other TFLite operator will be scheduled on the CPU"),
         "build it from operators of the table"),
    Rule("ethos-u55.static-shape", LISTED, _not_static,
         "a length behind the first is not known before the run, or the tensor has no axes",
         _vela("Generic Constraints", "Only the first dimension of tensors can be dynamic; Tensors must have constant shape"),
         "export with fixed lengths, and keep the axes that a reduction goes over"),
    Rule("ethos-u55.type", LISTED, _other_type,
         "a feature map is no integer of 8, 16 or 32 bits",
         _vela("Generic Constraints", 'Feature-map dataTypes must be one of {"INT16", "INT32", "INT64", "INT8", "UINT8"}'),
         _INTEGERS),
    Rule("ethos-u55.int32", _except(*_INT32), _has_int32,
         "a feature map is int32",
         _vela("of each of these operators", "32-bit feature-maps are not supported"),
         _INTEGERS),
    Rule("ethos-u55.int64", _except("ARG_MAX"), _has_int64,
         "a feature map is int64",
         _vela("Generic Constraints", "64-bit feature-maps are not supported"),
         _INTEGERS),
    Rule("ethos-u55.quantised", _except(*_WITHOUT_SCALE), _without_scale,
         "a feature map or weights have no scale",
         _vela("Generic Constraints", "Input(s), Output and Weight tensors must have quantization parameters"),
         "export with the quantisation of every tensor"),
    Rule("ethos-u55.scale", _except(*_WITHOUT_SCALE), _scale_not_positive,
         "a scale is not positive",
         _vela("Generic Constraints", "Quantization scale of any tensor must be positive"),
         "export again: a scale of 0 comes from a tensor that was constant in calibration", stops=True),
    Rule("ethos-u55.per-channel", _except(*WEIGHTED), _several_scales,
         "one scale for each channel, in an operator without weights",
         _vela("Generic Constraints", "Per-axis quantization is not supported"),
         "quantise feature maps and plain constants with one scale each"),
    Rule("ethos-u55.zero-point", _except(*_ANY_ZERO_POINT), _odd_zero_point,
         "a zero point is not 0 in int32, or negative in uint8",
         _vela("Generic Constraints", "Zero-points must be 0 for Int32 and non-negative for unsigned dataTypes"),
         "export again with a zero point in the range of the type"),
    Rule("ethos-u55.stride", ("CONV_2D", *POOLS), _long_stride,
         "a stride above 3 with dilation, or with padding that adds samples",
         _vela("CONV_2D", "Stride>3 is only supported IF (dilation = 1 AND padding = VALID)"),
         _STRIDES + "; or VALID without dilation"),
    Rule("ethos-u55.depthwise-stride", ("DEPTHWISE_CONV_2D",), lambda operator: max(stride(operator)) > 3,
         "a stride above 3",
         _vela("DEPTHWISE_CONV_2D", "Kernel stride must be in the range (1,3)"),
         _STRIDES),
    Rule("ethos-u55.weights-8-bit", WEIGHTED, _weights_not_8_bit,
         "weights are neither int8 nor uint8",
         _vela("CONV_2D", "Weight tensors must be 8-bit precision"),
         "quantise the weights to int8"),
    Rule("ethos-u55.weights-constant", ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"), _computed_weights,
         "weights are computed at run time",
         f"{_STOPS}; constraint_weights_const of its older core",
         _FOLD, stops=True),
    Rule("ethos-u55.weights-sum", WEIGHTED, _heavy,
         f"the absolute weights of one output sum to more than {_WEIGHTS_SUM:,}",
         _vela("CONV_2D", "The sum of absolute weights cannot exceed 8323072"),
         "use a smaller kernel or fewer input channels"),
    Rule("ethos-u55.bias-constant", WEIGHTED, _computed_bias,
         "the bias is computed at run time",
         _vela("CONV_2D", "Bias tensors must be constant"),
         _FOLD),
    Rule("ethos-u55.bias-type", WEIGHTED, _bias_type,
         "the bias is neither int32 nor int64",
         _vela("CONV_2D", "Bias tensors precision must be Int32 or Int64"),
         "export the bias as int32"),
    Rule("ethos-u55.bias-40-bit", WEIGHTED, _large_bias,
         "a bias does not fit in 40 bits",
         _vela("CONV_2D", "Int64 bias must be smaller than 1099511627775"),
         "use int8 activations, whose biases are int32"),
    Rule("ethos-u55.channels", (*WEIGHTED, *POOLS), _deep,
         f"more than {_LONGEST:,} input channels",
         f"ethos-u-vela 5.2.0, SUPPORTED_OPS.md, Ethos-U55 TOSA, CONV2D: C in range 1..65536; {_STOPS} at such TFLite operators too",
         "make the map smaller by strides or pooling before the dense layer", stops=True),
    Rule("ethos-u55.product-type", ("FULLY_CONNECTED", "BATCH_MATMUL"), _product_not_int8,
         "a product of two computed tensors that are not int8",
         _vela("FULLY_CONNECTED", "IF Matmul or (FC with dynamic weights): IFM precision must be Int8"),
         "quantise both to int8, or make one constant"),
    Rule("ethos-u55.transpose-conv-stride", ("TRANSPOSE_CONV",), _widening_stride,
         "strides other than 1x1, 2x2, or 2 along a map whose other axis is 1, like the kernel's",
         _vela("TRANSPOSE_CONV", "Stride values WxH must be: 1x1 OR 2x2 OR 2x1 (if IFM height and kernel height is 1) OR 1x2 (if width ...)"),
         "widen by 2 at a time with the length in W and height 1, or use RESIZE_NEAREST_NEIGHBOR and CONV_2D"),
    Rule("ethos-u55.transpose-conv-shape", ("TRANSPOSE_CONV",), _widened_shape,
         "the output is not input times stride (SAME), plus kernel less stride (VALID)",
         _vela("TRANSPOSE_CONV", "Shape constraints: OFM must be equal to IFM * stride, ELSE IFM * stride + (kernel - stride)"),
         "choose lengths that are multiples of the stride, and cut with SLICE"),
    Rule("ethos-u55.average-pool-padded", ("AVERAGE_POOL_2D",), lambda operator: padded(operator) and max(kernel(operator)) > 8,
         "an average over more than 8 samples along an axis, with padding",
         _vela("AVERAGE_POOL_2D", "IF padding=VALID ... ELSE: Kernel width and height must be less than or equal to 8"),
         "use VALID, or two smaller pools"),
    Rule("ethos-u55.pool-window", POOLS, _large_window,
         f"a window higher than 256 or of more than {_LONGEST:,} samples",
         _vela("MAX_POOL_2D", "kernel product must be less than or equal to 256*256 and kernel height must be less than or equal to 256"),
         "put the length into W, or pool twice"),
    Rule("ethos-u55.resize-factor", ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _other_factor,
         "a factor other than 2, 4 or 8, or factors that differ on a map in which neither axis is 1 (bilinear from half-pixel centres: other than 2 in both)",
         _vela("RESIZE_NEAREST_NEIGHBOR", "Scale-factor must be one of: 2x/4x/8x"),
         "resize by 2 at a time, with the length in W and height 1"),
    Rule("ethos-u55.mean-batch", ("MEAN",), _mean_of_batch,
         "a batch above 1",
         _vela("MEAN", "Batch must be 1"),
         "use batch 1, or AVERAGE_POOL_2D over the whole map"),
    Rule("ethos-u55.mean-depth", ("MEAN",), _mean_over_depth,
         "a mean over the channels of a map in which no axis is 1",
         _vela("MEAN", "Reduction over depth is only supported if any of h,w,c == 1"),
         "take it by a 1x1 CONV_2D with equal weights"),
    Rule("ethos-u55.mean-axis", ("MEAN",), lambda operator: max(_reduced_lengths(operator), default=0) > _LONGEST_REDUCED,
         f"a mean over an axis longer than {_LONGEST_REDUCED:,}",
         _vela("MEAN", "Reduced axis must be less than 4096"),
         "pool before, or use AVERAGE_POOL_2D"),
    Rule("ethos-u55.mean-elements", ("MEAN",), _mean_of_many,
         "a mean over more elements than the sum has room for: 2^24 of int8, 2^23 of uint8, 2^16 of int16",
         _vela("MEAN", "Amount of reduced elements cannot exceed: 16777216(Int8), 8388608(UInt8), 65536(Int16)"),
         "pool before"),
    Rule("ethos-u55.softmax-size", ("SOFTMAX",), lambda operator: prod(_map(operator, 0)[1:3]) > _LONGEST,
         f"a softmax at more than {_LONGEST:,} places",
         _vela("SOFTMAX", "The product of IFM width and height must be less than 65536"),
         "end the network at the logits and take the softmax on the CPU"),
    Rule("ethos-u55.arg-max", ("ARG_MAX",), _arg_max,
         f"not along the channels, or over more than {_DEEPEST_ARG_MAX} of them",
         _vela("ARG_MAX", "Operation must be performed along the depth axis; IFM depth must be less than or equal to 127"),
         "take it on the CPU"),
    Rule("ethos-u55.same-quantisation", ("MAXIMUM", "MINIMUM"), _scales_differ,
         "inputs and output have different scales or zero points",
         _vela("MAXIMUM", "Both Input quantization parameters must match OFM quantization parameters"),
         "give both inputs and the output the same quantisation"),
    Rule("ethos-u55.table-type", tuple(_TABLES), _without_table,
         "an integer type that this function has no table for",
         _vela("ELU int8, GELU int8 or uint8, LOG and RSQRT int8 or int16", "IFM and OFM datatypes") + "; HARD_SWISH: constraint_input_8bit",
         "quantise it to int8"),
    Rule("ethos-u55.steering-constant", (*REDUCTIONS, "MIRROR_PAD", "PAD", "PADV2", "SLICE", "STRIDED_SLICE", "TRANSPOSE"), _computed_steering,
         "axes, paddings or places are computed at run time",
         _vela("MEAN", "Parameter tensors must be constant"),
         "export with static shapes; " + _FOLD),
    Rule("ethos-u55.slice-steps", ("STRIDED_SLICE",), _slice_steps,
         "steps backwards, or along batch or channels",
         _vela("STRIDED_SLICE", "Slice must represent a volume. Stride must be non-negative (and over W or H)"),
         "slice along H or W, or use a convolution with a stride"),
    Rule("ethos-u55.transpose-size", ("TRANSPOSE",), _large_transpose,
         f"an axis longer than {_LONGEST:,}; of what is more than one map, all axes but the two shortest together",
         _vela("TRANSPOSE", "(H, W, C) <= (2^16, 2^16, 2^16); ELSE: Product of any N-2 axes must be less than or equal to 2^16"),
         "keep channels last from the input on"),
    Rule("ethos-u55.lstm-variant", ("UNIDIRECTIONAL_SEQUENCE_LSTM",), _lstm_variant,
         "an LSTM with coupled gates, peepholes, projection or normalisation",
         _vela("UNIDIRECTIONAL_SEQUENCE_LSTM", "Implicit gate calculation, Peephole variant, Projection, Gate normalization: not supported"),
         "use the plain cell"),
)  # fmt: skip

_FILE_RULES = (
    Rule("ethos-u55.pad-stride", None, _pad_before_long_stride,
         "a CONV_2D with a stride above 3 behind a PAD, which Vela joins to padding that such a stride may not have",
         _STOPS,
         _STRIDES + "; or PADV2 instead of PAD",
         stops=True),
)  # fmt: skip

TARGETS = tuple(Target(f"ethos-u55-{macs}", _RULES, _FILE_RULES) for macs in (64, 128, 256))
