"""Each rule of the Ethos-U55: one network that breaks just it, and one beside it that breaks none. Vela 5.2.0 judges both halves of each pair alike."""

import numpy as np
import pytest

from export.rules import DOES_NOT_MAP, MAPS, TARGETS, judge
from hw_profiles.network import Network, Operator, Tensor
from tests.export.rules.test_rule import (
    MAP,
    add,
    assert_sound_rules,
    broken,
    computed,
    constant,
    conv,
    dense,
    network,
    open_steering,
    operator,
    padding,
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
    x = (1, 4, 4, depth)
    return operator("ARG_MAX", (computed("x", x), steering("axis", axis)), Tensor("y", x[:axis] + x[axis + 1 :], "int32"))


def limit(kind: str, scale: float) -> Operator:
    return operator(kind, (computed("x"), constant("limit", (), scale=(scale,))), computed("y"))


def product(dtype: str, kind: str = "BATCH_MATMUL") -> Operator:
    if kind == "FULLY_CONNECTED":
        return dense(weights=computed("weights", (16, 64), dtype), dtype=dtype)
    parts = computed("a", (1, 4, 16, 8), dtype), computed("b", (1, 4, 8, 16), dtype)
    return operator(kind, parts, computed("y", (1, 4, 16, 16), dtype), adj_x=False, adj_y=False)


def heavy(code: int, channels: int = 17) -> Operator:
    return conv((1, 64, 64, channels), 1, (64, 64), padding="VALID", weights=constant("weights", (1, 64, 64, channels), fill=code))


def wide_bias(value: int) -> Operator:
    values = np.full(8, value, np.int64)
    return conv(computed("x", dtype="int16"), bias=Tensor("bias", (8,), "int64", (0.01,), (0,), values=values), y=computed("y", dtype="int16"))


def lstm(kind: str) -> Operator:
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
    return operator("QUANTIZE", (computed("x"),), computed("y", dtype=dtype, scale=scale))


def padded_conv(amounts: tuple[tuple[int, int], ...], stride: int = 4, kind: str = "PAD", length: int = 64, dilation: int = 1) -> Network:
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
PAIRS["ethos-u55.pad-stride"] = tuple(padded_conv(((0, 0), (0, 0), (2, 2), (0, 0)), stride) for stride in (4, 3))
STOPS = ("scale", "weights-constant", "channels", "pad-stride")  # where Vela ends with an error


@pytest.mark.parametrize("macs", [64, 128, 256])
def test_every_rule_has_its_pair(macs: int) -> None:
    assert_sound_rules("ethos-u55-64", PAIRS)
    assert TARGETS[f"ethos-u55-{macs}"].rules == TARGETS["ethos-u55-64"].rules


@pytest.mark.parametrize("name", PAIRS)
def test_a_network_that_breaks_one_rule_and_one_that_breaks_none(name: str) -> None:
    breaking, sound = (judge(found, "ethos-u55-128") for found in PAIRS[name])
    assert (broken(breaking), broken(sound)) == ({name}, set())
    assert (breaking.verdict, breaking.partition, sound.verdict, sound.partition) == (DOES_NOT_MAP, 0, MAPS, len(sound.operators))
    assert {rule.stops for rule in breaking.rules} == {name.removeprefix("ethos-u55.") in STOPS}


@pytest.mark.parametrize(("one", "ids"), [
    (conv(stride=(4, 4)), set()),  # 3x3 windows at every fourth sample of 16: nothing is added at the edge
    (conv(stride=(1, 4)), {"ethos-u55.stride"}),  # here it is, in height
    (conv(stride=(4, 4), dilation=(2, 2), padding="VALID"), {"ethos-u55.stride"}),
    (conv(x=(2, 16, 16, 8)), set()),
    (conv(x=(1, 1, 200, 8), kernel=(1, 3), dilation=(1, 40)), set()),
    (pool(window=(5, 5), stride=(4, 4), padding="SAME"), {"ethos-u55.stride"}),
    (pool("AVERAGE_POOL_2D", x=(1, 1, 18, 8), window=(1, 9), stride=(1, 9), padding="SAME"), set()),
    (pool(x=(1, 1, 1040, 8), window=(1, 1040), stride=(1, 1040)), set()),
    (pool(x=(1, 300, 300, 1), window=(256, 257)), {"ethos-u55.pool-window"}),
    (transpose_conv((1, 16, 16, 8), (4, 4), (2, 2)), set()),
    (transpose_conv((1, 16, 16, 8), (4, 4), (1, 2)), {"ethos-u55.transpose-conv-stride"}),
    (transpose_conv((1, 16, 16, 8), (1, 4), (1, 2)), {"ethos-u55.transpose-conv-stride"}),
    (transpose_conv((1, 16, 1, 8), (4, 1), (2, 1)), set()),
    (transpose_conv((1, 16, 16, 8), (4, 4), (3, 3)), {"ethos-u55.transpose-conv-stride"}),
    (resize("RESIZE_NEAREST_NEIGHBOR", MAP, (16, 32)), {"ethos-u55.resize-factor"}),
    (resize("RESIZE_NEAREST_NEIGHBOR", MAP, (128, 128), **HALF_PIXEL), set()),
    (resize("RESIZE_NEAREST_NEIGHBOR", MAP, (8, 8)), {"ethos-u55.resize-factor"}),
    (resize("RESIZE_NEAREST_NEIGHBOR", MAP, (16, 16)), set()),
    (resize("RESIZE_NEAREST_NEIGHBOR", (1, 1, 1, 8), (7, 7)), set()),
    (resize("RESIZE_NEAREST_NEIGHBOR", (1, 4, 4, 8), (7, 7), align_corners=True), set()),
    (resize("RESIZE_NEAREST_NEIGHBOR", (1, 4, 4, 8), (8, 8), align_corners=True), {"ethos-u55.resize-factor"}),
    (resize("RESIZE_BILINEAR", LONG, (1, 32), **HALF_PIXEL), {"ethos-u55.resize-factor"}),
    (resize("RESIZE_BILINEAR", LONG, (1, 32)), set()),
    (resize("RESIZE_BILINEAR", MAP, (32, 32), **HALF_PIXEL), set()),
    (resize("RESIZE_BILINEAR", MAP, (64, 64), **HALF_PIXEL), {"ethos-u55.resize-factor"}),
    (reduction("SUM", x=(2, 4, 4, 8)), set()),
    (reduction(x=(2, 1, 16, 8), axes=(3,)), {"ethos-u55.mean-batch"}),
    (reduction(x=(4, 16, 8), axes=(2,)), {"ethos-u55.mean-depth"}),
    (reduction(x=(2, 16), axes=(1,)), set()),
    (arg_max(8, axis=1), {"ethos-u55.arg-max"}),
    (product("uint8", "FULLY_CONNECTED"), {"ethos-u55.product-type"}),
    (product("int8", "FULLY_CONNECTED"), set()),
    (limit("MINIMUM", 0.3), {"ethos-u55.same-quantisation"}),
    (unary("ELU", dtype="int16"), {"ethos-u55.table-type"}),
    (unary("GELU", dtype="uint8"), set()),
    (unary("LOG", dtype="uint8"), {"ethos-u55.table-type"}),
    (unary("REVERSE_V2"), {"ethos-u55.operator"}),
    (unary(x=()), {"ethos-u55.static-shape"}),
    (unary("CUSTOM Mine", dtype="float32"), {"ethos-u55.operator"}),
    (strided_slice((1, 1, -1, 1)), {"ethos-u55.slice-steps"}),
    (strided_slice((1, 4, 4, 1)), set()),
    (transpose((2, 70_000, 8), (1, 0, 2)), {"ethos-u55.transpose-size"}),
    (transpose((2, 70_000, 8), (0, 1, 2)), set()),
    (transpose((1, 300, 300, 8), (0, 3, 2, 1)), set()),
    (transpose((1, 300, 300, 8), (3, 0, 1, 2)), {"ethos-u55.transpose-size"}),
    (transpose((2, 300, 300, 8), (0, 1, 3, 2)), {"ethos-u55.transpose-size"}),
    (lstm("coupled"), {"ethos-u55.lstm-variant"}),
    (lstm("projection"), {"ethos-u55.lstm-variant"}),
    (lstm("normalised"), {"ethos-u55.lstm-variant"}),
    (padding([(0, 0), (0, 0), (2, 2), (0, 0)]), set()),
    (quantised_to("int8", scale=()), set()),  # QUANTIZE may lack it
    (conv(weights=constant("weights", (8, 3, 3, 8), fill=127, zero_point=(127,))), set()),
])  # fmt: skip
def test_where_the_rules_end(one: Operator, ids: set[str]) -> None:
    assert broken(judge(network(one), "ethos-u55-256")) == ids


@pytest.mark.parametrize(("found", "ids"), [
    (padded_conv(((0, 0), (0, 0), (3, 0), (0, 0))), {"ethos-u55.pad-stride"}),
    (padded_conv(((0, 0), (0, 0), (0, 3), (0, 0))), {"ethos-u55.pad-stride"}),
    (padded_conv(((0, 0), (0, 0), (0, 3), (0, 0)), length=65), set()),  # what is added at the end is in no window
    (padded_conv(((0, 0), (0, 0), (2, 2), (1, 1))), set()),  # the rest is not joined to the convolution
    (padded_conv(((0, 0), (0, 0), (8, 8), (0, 0))), set()),
    (padded_conv(((0, 0), (0, 0), (2, 2), (0, 0)), kind="PADV2"), set()),
    (padded_conv(((0, 0), (0, 0), (2, 2), (0, 0)), dilation=2), {"ethos-u55.stride"}),  # what stays on the CPU is not joined either
])  # fmt: skip
def test_padding_that_vela_joins_to_a_long_stride(found: Network, ids: set[str]) -> None:
    assert broken(judge(found, "ethos-u55-64")) == ids


def test_padding_with_a_second_user_is_not_joined() -> None:
    pad, convolution = padded_conv(((0, 0), (0, 0), (2, 2), (0, 0))).operators
    middle = pad.outputs[0]
    found = network(pad, convolution, operator("RELU", (middle,), computed("other", middle.shape), 2))
    assert broken(judge(found, "ethos-u55-64")) == set()


def test_weights_are_summed_for_each_output_about_their_zero_point() -> None:
    two = conv((1, 64, 64, 16), 2, (64, 64), padding="VALID", weights=constant("weights", (2, 64, 64, 16), fill=127))
    shifted = constant("weights", (1, 64, 64, 17), fill=127, zero_point=(127,))
    depthwise = conv((1, 300, 300, 1), kernel=(257, 257), kind="DEPTHWISE_CONV_2D", padding="VALID", weights=constant("weights", (1, 257, 257, 1), fill=127))
    found = [broken(judge(network(one), "ethos-u55-64")) for one in (two, conv((1, 64, 64, 17), 1, (64, 64), padding="VALID", weights=shifted), depthwise)]
    assert found == [set(), set(), {"ethos-u55.weights-sum"}]


def test_what_does_not_map_leaves_the_rest_on_the_accelerator() -> None:
    middle, y = computed("middle"), computed("y")
    found: Network = network(conv(y=middle), operator("DIV", (middle, computed("by")), y), conv(y))
    verdict = judge(found, "ethos-u55-128")
    assert [judged.verdict for judged in verdict.operators] == [MAPS, DOES_NOT_MAP, MAPS]
    assert verdict.partition == 2
