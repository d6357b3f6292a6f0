"""For each rule of the Edge TPU one network that breaks just it, and one beside it that breaks none."""

import numpy as np

from hw_profiles.network import Network, Tensor

from .builders import (
    MAP,
    computed,
    concatenation,
    constant,
    conv,
    dense,
    network,
    open_steering,
    operator,
    padding,
    pool,
    reduction,
    reshape,
    resize,
    softmax,
    strided_slice,
    transpose,
    transpose_conv,
    unary,
)


def packed(axis: int) -> Network:
    """PACK along an axis."""
    parts, shape = (computed("a", (1, 8)), computed("b", (1, 8))), (2, 1, 8) if axis == 0 else (1, 2, 8)
    return network(operator("PACK", parts, computed("y", shape), axis=axis, values_count=2))


def prelu(slopes: tuple[int, ...]) -> Network:
    """PRELU with slopes of that shape."""
    return network(operator("PRELU", (computed("x"), constant("slopes", slopes)), computed("y")))


def sub_pixel() -> Network:
    """What the remedy says: the transposed convolution of `transpose_conv()`, stride 2, as a convolution and a reshape."""
    wide = computed("wide", (1, 1, 16, 8))
    return network(conv(computed("x", (1, 1, 16, 8)), kernel=(1, 3), y=wide),
                   operator("RESHAPE", (wide, Tensor("shape", (4,), "int32", values=np.array([1, 1, 32, 4], np.int32))), computed("y", (1, 1, 32, 4))))


def lstm() -> Network:
    """A unidirectional LSTM: its cell state is int16 and computed, and stays inside."""
    weights = [constant(f"weights {number}", (4, 4)) for number in range(8)]
    biases = [constant(f"bias {number}", (4,), "int32") for number in range(4)]
    inputs = [computed("x", (1, 6, 4)), *weights, None, None, None, *biases, None, None, computed("output", (1, 4)), computed("cell", (1, 4), "int16")]
    return network(operator("UNIDIRECTIONAL_SEQUENCE_LSTM", [*inputs, None, None, None, None], computed("y", (1, 6, 4))))


LONG = (1, 1, 16, 8)
FITTING = (6 << 20) // 1024  # outputs of a dense layer with 1024 inputs

PAIRS = {
    "edgetpu.operator": (network(unary("HARD_SWISH")), lstm()),
    "edgetpu.static-shape": (network(conv((1, None, 16, 8))), network(conv())),
    "edgetpu.activations-8-bit": (network(unary(dtype="int16")), network(unary(dtype="uint8"))),
    "edgetpu.weights-8-bit": (network(conv(weights=constant("weights", (8, 3, 3, 8), "int16"))),
                              network(conv(weights=constant("weights", (8, 3, 3, 8), "uint8")))),
    "edgetpu.quantised": (network(unary(scale=(), zero_point=())), network(unary())),
    "edgetpu.constants": (network(reshape(MAP, (1, 2048), open_steering("shape", 2))), network(reshape(MAP, (1, 2048)))),
    "edgetpu.three-axes": (network(conv((2, 16, 16, 8))), network(conv((1, 32, 16, 8)))),
    "edgetpu.dilation-equal": (network(conv(LONG, kernel=(1, 3), dilation=(1, 2))), network(conv(dilation=(2, 2)))),
    "edgetpu.pool-activation": (network(pool("AVERAGE_POOL_2D", activation="RELU")), network(pool("AVERAGE_POOL_2D"))),
    "edgetpu.concatenation-activation": (network(concatenation(computed("b"), "RELU6")), network(concatenation(computed("b")))),
    "edgetpu.concatenation-constant": (network(concatenation(constant("b", MAP, fill=3))), network(concatenation(constant("b", MAP, fill=3, zero_point=(3,))))),
    "edgetpu.dense-weights-format": (network(dense(weights_format="SHUFFLED4x16INT8")), network(dense())),
    "edgetpu.dense-output": (network(dense(batch=8)), network(conv((1, 1, 8, 64), 16, (1, 1)))),
    "edgetpu.reduction-batch": (network(reduction("REDUCE_MAX", axes=(0,))), network(reduction("REDUCE_MAX"))),
    "edgetpu.mean-depth": (network(reduction(x=(1, 4, 4, 6), axes=(-1,))), network(reduction(x=(1, 4, 4, 8), axes=(-1,)))),
    "edgetpu.pad-batch": (network(padding([(1, 0), (0, 0), (0, 0)], (1, 1, 16))), network(padding([(0, 0), (0, 0), (2, 2), (1, 0)]))),
    "edgetpu.pack-batch": (packed(0), packed(1)),
    "edgetpu.prelu-alpha": (prelu((16, 1, 8)), prelu((1, 1, 8))),
    "edgetpu.softmax-size": (network(softmax((1, 16_001))), network(softmax((1, 16_000)))),
    "edgetpu.strided-slice": (network(strided_slice((1, 1, 2, 1))), network(strided_slice((1, 1, 1, 1)))),
    "edgetpu.transpose": (network(transpose(MAP, (0, 2, 1, 3))), network(reshape(MAP, MAP))),
    "edgetpu.transpose-conv": (network(transpose_conv()), sub_pixel()),
    "edgetpu.resize-version": (network(resize("RESIZE_NEAREST_NEIGHBOR", LONG, (1, 32), 3)), sub_pixel()),
    "edgetpu.resize-size": (network(resize("RESIZE_BILINEAR", LONG, (1, 32))), sub_pixel()),
    "edgetpu.reshape-size": (network(reshape((1, 513, 512, 1), (1, 513 * 512))), network(reshape((1, 512, 512, 1), (1, 1 << 18)))),
    "edgetpu.one-graph": (network(conv(), subgraphs=2), network(conv())),
    "edgetpu.parameter-cache": (network(dense(1, 1024, FITTING, bias=constant("bias", (FITTING,), "int32"))), network(dense(1, 1024, FITTING))),
}  # fmt: skip
DOUBTS = {"edgetpu.transpose-conv", "edgetpu.resize-version", "edgetpu.resize-size", "edgetpu.reshape-size"}
