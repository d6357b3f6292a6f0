"""For each rule of the Ethos-U55 one network that breaks just it, and one beside it that breaks none. Vela 5.2.0 judges both halves of each pair alike."""

import numpy as np

from hw_profiles.network import Network, Operator, Tensor

from .builders import (
    add,
    computed,
    constant,
    conv,
    dense,
    network,
    open_steering,
    operator,
    pool,
    reduction,
    resize,
    softmax,
    steering,
    strided_slice,
    transpose,
    transpose_conv,
    unary,
)

LONG = (1, 1, 16, 8)
HALF_PIXEL = {"half_pixel_centers": True}


def arg_max(depth: int, axis: int = 3) -> Operator:
    """ARG_MAX along an axis of that length."""
    x = (1, 4, 4, depth)
    return operator("ARG_MAX", (computed("x", x), steering("axis", axis)), Tensor("y", x[:axis] + x[axis + 1 :], "int32"))


def limit(kind: str, scale: float) -> Operator:
    """MAXIMUM or MINIMUM with a constant of that scale."""
    return operator(kind, (computed("x"), constant("limit", (), scale=(scale,))), computed("y"))


def product(dtype: str, kind: str = "BATCH_MATMUL") -> Operator:
    """A product of two computed tensors."""
    if kind == "FULLY_CONNECTED":
        return dense(weights=computed("weights", (16, 64), dtype), dtype=dtype)
    parts = computed("a", (1, 4, 16, 8), dtype), computed("b", (1, 4, 8, 16), dtype)
    return operator(kind, parts, computed("y", (1, 4, 16, 16), dtype), adj_x=False, adj_y=False)


def heavy(code: int, channels: int = 17) -> Operator:
    """A convolution over so many inputs that its weights may sum to too much."""
    return conv((1, 64, 64, channels), 1, (64, 64), padding="VALID", weights=constant("weights", (1, 64, 64, channels), fill=code))


def wide_bias(value: int) -> Operator:
    """A convolution with int64 biases of that value."""
    values = np.full(8, value, np.int64)
    return conv(computed("x", dtype="int16"), bias=Tensor("bias", (8,), "int64", (0.01,), (0,), values=values), y=computed("y", dtype="int16"))


def lstm(kind: str) -> Operator:
    """A unidirectional LSTM of a variant."""
    left_out = {"plain": (), "coupled": (1, 5, 12)}.get(kind, ())
    weights = [constant(f"weights {number}", (4, 4)) for number in range(8)]
    peepholes = [constant(f"peephole {number}", (4,), "int16") if kind == "peephole" else None for number in range(3)]
    biases = [constant(f"bias {number}", (4,), "int32") for number in range(4)]
    projection = [constant("projection", (4, 4)) if kind == "projection" else None, None]
    norms = [constant(f"norm {number}", (4,), "int16") if kind == "normalised" else None for number in range(4)]
    inputs = [computed("x", (1, 6, 4)), *weights, *peepholes, *biases, *projection, computed("output", (1, 4)), computed("cell", (1, 4), "int16"), *norms]
    inputs = [None if index in left_out else tensor for index, tensor in enumerate(inputs)]
    return operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, computed("y", (1, 6, 4)))


def quantised_to(dtype: str, scale: tuple[float, ...] = (0.2,)) -> Operator:
    """QUANTIZE."""
    return operator("QUANTIZE", (computed("x"),), computed("y", dtype=dtype, scale=scale))


def padded_conv(amounts: tuple[tuple[int, int], ...], stride: int = 4, kind: str = "PAD", length: int = 64, dilation: int = 1) -> Network:
    """PAD, then a convolution with a long stride."""
    x = (1, 1, length, 6)
    middle = computed("middle", tuple(size + before + after for size, (before, after) in zip(x, amounts, strict=True)))
    value = (constant("value", (), fill=3),) if kind == "PADV2" else ()
    pad = operator(kind, (computed("x", x), steering("amounts", amounts), *value), middle, 2)
    return network(pad, conv(middle, kernel=(1, 5), stride=(1, stride), dilation=(1, dilation), padding="VALID"))


OF_ONE = {
    "ethos-u55.operator": (unary("SPACE_TO_DEPTH"), unary("LEAKY_RELU")),
    "ethos-u55.static-shape": (unary(x=(1, None)), unary(x=(None, 8))),
    "ethos-u55.type": (unary(dtype="float32", scale=(), zero_point=()), unary(dtype="int16")),
    "ethos-u55.int32": (quantised_to("int32"), quantised_to("int16")),
    "ethos-u55.int64": (operator("ADD", (computed("a", dtype="int64"), computed("b", dtype="int64")), computed("y", dtype="int64")),
                        operator("ADD", (computed("a", dtype="int32"), computed("b", dtype="int32")), computed("y", dtype="int32"))),
    "ethos-u55.quantised": (unary(scale=(), zero_point=()), unary()),
    "ethos-u55.scale": (conv(y=computed("y", scale=(0.0,))), conv()),
    "ethos-u55.per-channel": (add(scale=(0.1,) * 8, zero_point=(0,) * 8, channel_axis=3),
                              conv(weights=constant("weights", (8, 3, 3, 8), scale=(0.1,) * 8, zero_point=(0,) * 8))),
    "ethos-u55.zero-point": (unary(dtype="uint8", zero_point=(-1,)), unary(dtype="uint8", zero_point=(1,))),
    "ethos-u55.stride": (conv(kernel=(1, 5), x=LONG, stride=(1, 4)), conv(kernel=(1, 3), x=LONG, stride=(1, 4))),  # the second fits: SAME adds nothing
    "ethos-u55.depthwise-stride": (conv(kind="DEPTHWISE_CONV_2D", stride=(4, 4), padding="VALID"), conv(kind="DEPTHWISE_CONV_2D", stride=(3, 3))),
    "ethos-u55.weights-8-bit": (conv(weights=constant("weights", (8, 3, 3, 8), "int16")), conv(weights=constant("weights", (8, 3, 3, 8), "uint8"))),
    "ethos-u55.weights-constant": (conv(weights=computed("weights", (8, 3, 3, 8))), dense(weights=computed("weights", (16, 64)))),
    "ethos-u55.weights-sum": (heavy(127), heavy(127, 16)),
    "ethos-u55.bias-constant": (conv(bias=Tensor("bias", (8,), "int32", (0.01,), (0,))), conv()),
    "ethos-u55.bias-type": (conv(bias=constant("bias", (8,), "int16")), conv(bias=constant("bias", (8,), "int64"))),
    "ethos-u55.bias-40-bit": (wide_bias(1 << 40), wide_bias((1 << 40) - 1)),
    "ethos-u55.channels": (dense(inputs=65_537), dense(inputs=65_536)),
    "ethos-u55.product-type": (product("int16"), product("int8")),
    "ethos-u55.transpose-conv-stride": (transpose_conv(stride=(1, 4)), transpose_conv(stride=(1, 2))),
    "ethos-u55.transpose-conv-shape": (transpose_conv(y=(1, 1, 31, 4)), transpose_conv(y=(1, 1, 32, 4))),
    "ethos-u55.average-pool-padded": (pool("AVERAGE_POOL_2D", window=(1, 9), padding="SAME"), pool("AVERAGE_POOL_2D", window=(1, 9))),
    "ethos-u55.pool-window": (pool(x=(1, 300, 2, 8), window=(257, 1)), pool(x=(1, 300, 2, 8), window=(256, 1))),
    "ethos-u55.resize-factor": (resize("RESIZE_NEAREST_NEIGHBOR", LONG, (1, 48)), resize("RESIZE_NEAREST_NEIGHBOR", LONG, (1, 64))),
    "ethos-u55.mean-batch": (reduction(x=(2, 4, 4, 8)), reduction(x=(1, 4, 4, 8))),
    "ethos-u55.mean-depth": (reduction(axes=(3,)), reduction(x=LONG, axes=(-1,))),
    "ethos-u55.mean-axis": (reduction(x=(1, 1, 4097, 8)), reduction(x=(1, 1, 4096, 8))),
    "ethos-u55.mean-elements": (reduction(x=(1, 257, 256, 1), dtype="int16"), reduction(x=(1, 256, 256, 1), dtype="int16")),
    "ethos-u55.softmax-size": (softmax((65_537, 4)), softmax((65_536, 4))),
    "ethos-u55.arg-max": (arg_max(128), arg_max(127)),
    "ethos-u55.same-quantisation": (limit("MAXIMUM", 0.2), limit("MAXIMUM", 0.1)),
    "ethos-u55.table-type": (unary("RSQRT", dtype="uint8"), unary("RSQRT", dtype="int16")),
    "ethos-u55.steering-constant": (operator("TRANSPOSE", (computed("x", (1, 8, 8)), open_steering("order", 3)), computed("y", (1, 8, 8))),
                                    transpose((1, 8, 8), (0, 2, 1))),
    "ethos-u55.slice-steps": (strided_slice((1, 1, 1, 2)), strided_slice((1, 1, 2, 1))),
    "ethos-u55.transpose-size": (transpose((300, 300, 2, 4), (3, 0, 1, 2)), transpose((200, 300, 2, 4), (3, 0, 1, 2))),
    "ethos-u55.lstm-variant": (lstm("peephole"), lstm("plain")),
}  # fmt: skip
PAIRS = {name: (network(breaking), network(sound)) for name, (breaking, sound) in OF_ONE.items()}
_SIDES = ((0, 0), (0, 0), (2, 2), (0, 0))
PAIRS["ethos-u55.pad-stride"] = padded_conv(_SIDES, 4), padded_conv(_SIDES, 3)
STOPS = ("scale", "weights-constant", "channels", "pad-stride")  # where Vela ends with an error
