"""Each rule of the Ethos-U55: one network that breaks just it, and one beside it that breaks none. Vela 5.2.0 judges both halves of each pair alike."""

import pytest

from benchmarks.rule_pairs.builders import (
    MAP,
    computed,
    constant,
    conv,
    network,
    operator,
    padding,
    pool,
    reduction,
    resize,
    strided_slice,
    transpose,
    transpose_conv,
    unary,
)
from benchmarks.rule_pairs.ethos_u55 import HALF_PIXEL, LONG, PAIRS, STOPS, arg_max, limit, lstm, padded_conv, product, quantised_to
from export.rules import DOES_NOT_MAP, MAPS, TARGETS, judge
from hw_profiles.network import Network, Operator
from tests.export.rules.test_rule import assert_sound_rules, broken


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
