"""Rules of the Edge TPU. Its compiler is closed: what stands here are copies of its documentation, its logs in public threads and its makers' words.

Later copies of the documentation win over earlier ones. `UNCERTAIN` is what the documentation leaves to sizes that it does not say, and what the
compiler takes in one thread and leaves in another.
"""

from math import prod

import numpy as np

from hw_profiles.network import Network, Operator, Tensor
from hw_profiles.work import weight_bytes

from .rule import (
    MAPS,
    PARAMETERS,
    POOLS,
    REDUCTIONS,
    UNCERTAIN,
    WEIGHTED,
    Rule,
    Target,
    dilation,
    feature_maps,
    input_at,
    integers,
    lengths,
    reduced_axes,
)

_AXIS = "https://developer.axis.com/computer-vision/on-device/system-on-chip/artpec-7/"
_TABLE = f"{_AXIS}supported-ops (the operator table of coral.ai/docs/edgetpu/models-intro)"
_TIPS = f"{_AXIS}optimization-tips"
_COPY = "dgist-datalab/Datalab_Intern:Edge_TPU/convert_model_for_Edge_TPU.md (coral.ai/docs/edgetpu/models-intro of 2019)"

# Of _TABLE, then of _COPY, then of google-coral/edgetpu@5020de9:CHANGES.md (January 2020). TRANSPOSE has a rule of its own.
LISTED = (
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXPAND_DIMS", "FULLY_CONNECTED", "L2_NORMALIZATION", "LOGISTIC",
    "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PACK", "PAD", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1",
    "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH",
    "SUM", "TRANSPOSE_CONV", "TRANSPOSE",
)  # fmt: skip
_EIGHT_BIT = ("int8", "uint8")
_SOFTMAX_ELEMENTS = 16_000
_RESHAPE_ELEMENTS = 1 << 18  # assumed: YOLOv5 reshapes up to 32 x 32 x 255 elements were mapped, 48 x 48 x 255 were not (google-coral/edgetpu#512)
_CACHE_BYTES = 6 << 20  # assumed: logs leave 6 to 7.5 MiB of the 8 MB for weights, some much less
_SUB_PIXEL = ("for maps of height 1 let a CONV_2D give the channels times the stride and RESHAPE them to the longer map: the same sums "
              "(arXiv:1609.07009); or leave the decoder to the CPU and the ground")  # fmt: skip


def _not_static(operator: Operator) -> bool:
    return any(not tensor.shape or None in tensor.shape for tensor in feature_maps(operator))


def _wide(operator: Operator) -> bool:
    return any(tensor.dtype not in _EIGHT_BIT for tensor in feature_maps(operator))


def _wide_weights(operator: Operator) -> bool:
    weights = input_at(operator, 1)
    return weights is not None and weights.dtype not in _EIGHT_BIT


def _without_scale(operator: Operator) -> bool:
    return any(tensor.dtype in _EIGHT_BIT and not tensor.scale for tensor in feature_maps(operator))


def _computed_parameters(operator: Operator) -> bool:
    tensors = (input_at(operator, index) for index in PARAMETERS[operator.kind])
    return any(tensor is not None and tensor.values is None for tensor in tensors)


def _long(tensor: Tensor | None) -> list[int]:
    """Axes with more than one element, counted from the innermost, which is 0."""
    return [axis for axis, length in enumerate(reversed(lengths(tensor))) if length > 1]


def _more_than_three_axes(operator: Operator) -> bool:
    return any(max(_long(tensor), default=0) > 2 for tensor in feature_maps(operator))


def _fused(operator: Operator) -> bool:
    return bool(operator.options.get("fused_activation_function", "NONE") != "NONE")


def _constant_part(operator: Operator) -> bool:
    constants = [tensor for tensor in operator.inputs if tensor is not None and tensor.values is not None]
    zero = all(np.all(tensor.values == (tensor.zero_point or (0,))[0]) for tensor in constants)  # codes of 0.0
    return bool(constants) and not (zero and len(operator.inputs) == 2)


def _depth_not_of_fours(operator: Operator) -> bool:
    shape = lengths(input_at(operator, 0))
    return len(shape) - 1 in reduced_axes(operator) and shape[-1] % 4 != 0


def _packs_batch(operator: Operator) -> bool:
    axis = int(operator.options.get("axis", 0))
    return axis in (0, -len(lengths(operator.outputs[0])))


def _softmax_too_large(operator: Operator) -> bool:
    shape = lengths(input_at(operator, 0))
    return len(_long(input_at(operator, 0))) > 1 or prod(shape) > _SOFTMAX_ELEMENTS


def _strided(operator: Operator) -> bool:
    masks = (operator.options.get(name, 0) for name in ("ellipsis_mask", "new_axis_mask"))
    return any(step != 1 for step in integers(operator, 3)) or any(masks)


def _newer_resize(operator: Operator) -> bool:
    return operator.version >= 3 or bool(operator.options.get("half_pixel_centers", False))


def _more_than_one_graph(network: Network) -> bool:
    return network.subgraphs > 1


def _weights_stream(network: Network) -> bool:
    return weight_bytes(network) > _CACHE_BYTES


_RESIZES = ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")

TARGET = Target("edgetpu", one_partition=True, rules=(
    Rule("edgetpu.operator", None, lambda operator: operator.kind not in LISTED,
         "the operator is not in the documentation's table", _TABLE + "; google-coral/edgetpu#272, #386",
         "build it from operators of the table: RELU or PRELU for other activations, CONV_2D and RESHAPE for DEPTH_TO_SPACE"),
    Rule("edgetpu.static-shape", LISTED, _not_static,
         "a length is not known before the run", _TIPS + "; google-coral/edgetpu#829", "export with a fixed batch and fixed lengths, one file for each",
         stops=True),
    Rule("edgetpu.activations-8-bit", LISTED, _wide,
         "a feature map is neither int8 nor uint8", _TIPS, "quantise the whole network to int8, its inputs and outputs too"),
    Rule("edgetpu.weights-8-bit", WEIGHTED, _wide_weights,
         "weights are neither int8 nor uint8", _TIPS, "quantise the weights to int8"),
    Rule("edgetpu.quantised", LISTED, _without_scale,
         "a feature map has no scale", "https://coral.ai/docs/edgetpu/models-intro: only models that are fully quantised to 8 bits",
         "export with the quantisation of every tensor"),
    Rule("edgetpu.constants", tuple(kind for kind in PARAMETERS if kind != "UNIDIRECTIONAL_SEQUENCE_LSTM"), _computed_parameters,
         "weights, bias or what steers the operator are computed at run time",
         "https://coral.ai/docs/edgetpu/models-intro: parameters are constant at compile time; google-coral/edgetpu#25",
         "export with static shapes and fold constants, so that no operator computes them"),
    Rule("edgetpu.three-axes", LISTED, _more_than_three_axes,
         "more than the three innermost axes are longer than 1", _TIPS + "; google-coral/edgetpu#30, #121, #700",
         "use batch 1, or put the batch into the height or the width of the map"),
    Rule("edgetpu.dilation-equal", ("CONV_2D", "DEPTHWISE_CONV_2D"), lambda operator: len(set(dilation(operator))) > 1,
         "dilation differs in x and y, as it does in every dilated 1-D convolution", _TABLE, "use stride, pooling or a longer kernel instead of dilation"),
    Rule("edgetpu.pool-activation", POOLS, _fused,
         "a pool with a fused activation", _TABLE, "put the activation before the pool or into an operator of its own"),
    Rule("edgetpu.concatenation-activation", ("CONCATENATION",), _fused,
         "a concatenation with a fused activation", _TABLE, "put the activation into an operator of its own"),
    Rule("edgetpu.concatenation-constant", ("CONCATENATION",), _constant_part,
         "a constant part that is not zeros beside one other part", _TABLE, "add constants by the bias of the next layer; PAD adds zeros"),
    Rule("edgetpu.dense-weights-format", ("FULLY_CONNECTED",), lambda operator: operator.options.get("weights_format", "DEFAULT") != "DEFAULT",
         "weights in a shuffled format", _TABLE, "export the weights in the default format"),
    Rule("edgetpu.dense-output", ("FULLY_CONNECTED",), lambda operator: len(_long(operator.outputs[0])) > 1,
         "a dense layer with an output of more than one axis", _TABLE + "; google-coral/edgetpu#27",
         "use batch 1, or a 1x1 CONV_2D with the batch in the width of the map"),
    Rule("edgetpu.reduction-batch", REDUCTIONS, lambda operator: 0 in reduced_axes(operator),
         "a reduction over the batch", _TABLE, "reduce over height, width or channels, or on the CPU afterwards"),
    Rule("edgetpu.mean-depth", ("MEAN",), _depth_not_of_fours,
         "a mean over channels whose number is no multiple of 4", _TABLE, "make the channels a multiple of 4, or take the mean by a 1x1 CONV_2D"),
    Rule("edgetpu.pad-batch", ("PAD",), lambda operator: any(integers(operator, 1)[:2]),
         "padding in the batch", _TABLE, "pad height, width or channels"),
    Rule("edgetpu.pack-batch", ("PACK",), _packs_batch,
         "packing along the batch", _TABLE, "pack along another axis, or use CONCATENATION"),
    Rule("edgetpu.prelu-alpha", ("PRELU",), lambda operator: any(axis > 0 for axis in _long(input_at(operator, 1))),
         "slopes that differ along more than the channels", _TABLE, "share the slopes over height and width"),
    Rule("edgetpu.softmax-size", ("SOFTMAX",), _softmax_too_large,
         f"an input of more than one axis or of more than {_SOFTMAX_ELEMENTS:,} elements", _COPY + "; google-coral/edgetpu#27",
         "end the network at the logits and take the softmax on the CPU"),
    Rule("edgetpu.strided-slice", ("STRIDED_SLICE",), _strided,
         "a slice with steps, or with an ellipsis or new-axis mask", _COPY + "; google-coral/edgetpu#828",
         "use the stride of a convolution or a pool; take whole stretches with SLICE"),
    Rule("edgetpu.transpose", ("TRANSPOSE",), lambda operator: True,
         "compilers up to 15 do not know it, 16 lists it and left it on the CPU", "google-coral/edgetpu#193, #242, #274, #433",
         "keep channels last from the input on and permute the columns of dense layers at export"),
    Rule("edgetpu.transpose-conv", ("TRANSPOSE_CONV",), lambda operator: True,
         "mapped at some sizes and not at others", "google-coral/edgetpu#64, #147, #509, #684, #686", _SUB_PIXEL, UNCERTAIN),
    Rule("edgetpu.resize-version", _RESIZES, _newer_resize,
         "a version of the operator (3 or later, half-pixel centres) that the compiler took in some files and not in others",
         "google-coral/edgetpu#114, #187, #206, #420; mapped in WongKinYiu/yolov7#1672", _SUB_PIXEL, UNCERTAIN),
    Rule("edgetpu.resize-size", _RESIZES, lambda operator: not _newer_resize(operator),
         "mapped or not by sizes that the documentation does not say", _TABLE + "; google-coral/edgetpu#31", _SUB_PIXEL, UNCERTAIN),
    Rule("edgetpu.reshape-size", ("RESHAPE",), lambda operator: prod(lengths(operator.outputs[0])) > _RESHAPE_ELEMENTS,
         f"large reshapes are not all mapped; more than {_RESHAPE_ELEMENTS:,} elements is where this rule begins to doubt (assumed)",
         _TABLE + "; google-coral/edgetpu#512", "reshape smaller maps, or end the network before it", UNCERTAIN),
), file_rules=(
    Rule("edgetpu.one-graph", None, _more_than_one_graph,
         "the file holds loops or branches, whose bodies are graphs of their own", _TABLE + ": no control flow; google-coral/edgetpu#654",
         "unroll recurrent layers, or run the loop on the CPU around a network of one step", stops=True),
    Rule("edgetpu.parameter-cache", None, _weights_stream,
         f"weights above about {_CACHE_BYTES >> 20} MiB do not fit on the chip and stream over the bus at each call",
         "google-coral/edgetpu#60, #324, #463, #512, #518 (#572: one small model streamed too)",
         "fewer weights, or the cost of streaming: see pixie estimate", MAPS),
))  # fmt: skip
