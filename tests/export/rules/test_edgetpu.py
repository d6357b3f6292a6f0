"""Each rule of the Edge TPU: one network that breaks just it, and one beside it that breaks none."""

import numpy as np
import pytest

from export.rules import DOES_NOT_MAP, MAPS, TARGETS, UNCERTAIN, Verdict, judge
from hw_profiles.network import Network, Operator, Tensor
from tests.export.rules.test_rule import (
    MAP,
    assert_sound_rules,
    broken,
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
    parts, shape = (computed("a", (1, 8)), computed("b", (1, 8))), (2, 1, 8) if axis == 0 else (1, 2, 8)
    return network(operator("PACK", parts, computed("y", shape), axis=axis, values_count=2))


def prelu(slopes: tuple[int, ...]) -> Network:
    return network(operator("PRELU", (computed("x"), constant("slopes", slopes)), computed("y")))


def sub_pixel() -> Network:
    """What the remedy says: the transposed convolution of `transpose_conv()`, stride 2, as a convolution and a reshape."""
    wide = computed("wide", (1, 1, 16, 8))
    return network(conv(computed("x", (1, 1, 16, 8)), kernel=(1, 3), y=wide),
                   operator("RESHAPE", (wide, Tensor("shape", (4,), "int32", values=np.int32([1, 1, 32, 4]))), computed("y", (1, 1, 32, 4))))


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
    "edgetpu.weights-8-bit": tuple(network(conv(weights=constant("weights", (8, 3, 3, 8), dtype))) for dtype in ("int16", "uint8")),
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


def test_every_rule_has_its_pair() -> None:
    assert_sound_rules("edgetpu", PAIRS)


@pytest.mark.parametrize("name", PAIRS)
def test_a_network_that_breaks_one_rule_and_one_that_breaks_none(name: str) -> None:
    breaking, sound = (judge(found, "edgetpu") for found in PAIRS[name])
    assert (broken(breaking), broken(sound)) == ({name}, set())
    assert breaking.verdict == (UNCERTAIN if name in DOUBTS else MAPS if name == "edgetpu.parameter-cache" else DOES_NOT_MAP)
    assert sound.verdict == MAPS and sound.partition == len(sound.operators)


def test_only_what_the_documentation_leaves_open_is_uncertain() -> None:
    """The gate `lint.rules`: TRANSPOSE_CONV, the version and size of resizes, large reshapes, and nothing else."""
    rules = [rule for target in TARGETS.values() for rule in (*target.rules, *target.file_rules)]
    assert {rule.id for rule in rules if rule.verdict == UNCERTAIN} == DOUBTS


@pytest.mark.parametrize(("found", "ids"), [
    (network(dense(weights=computed("weights", (16, 64)))), {"edgetpu.constants"}),
    (network(conv(bias=Tensor("bias", (8,), "int32"))), {"edgetpu.constants"}),
    (network(concatenation(constant("b", MAP, fill=-128, zero_point=(-128,)))), set()),
    (network(operator("CONCATENATION", (computed("a"), computed("b"), constant("c", MAP)), computed("y", (1, 16, 16, 24)), axis=3)),
     {"edgetpu.concatenation-constant"}),
    (network(reduction(axes=(0,), x=(1, 8, 4))), {"edgetpu.reduction-batch"}),
    (network(reduction("SUM", x=(1, 4, 4, 6), axes=(3,))), set()),  # the multiple of 4 is asked of MEAN alone
    (network(softmax((4, 10))), {"edgetpu.softmax-size"}),
    (network(strided_slice((1, 1, 1, 1), ellipsis_mask=1)), {"edgetpu.strided-slice"}),
    (network(resize("RESIZE_BILINEAR", LONG, (1, 32), 2, half_pixel_centers=True)), {"edgetpu.resize-version"}),
    (network(transpose((1, 2, 3, 4, 5), (0, 4, 1, 2, 3))), {"edgetpu.transpose", "edgetpu.three-axes"}),
    (network(unary(x=(1, 1, 4, 4, 8))), set()),
    (network(conv((None, 16, 16, 8))), {"edgetpu.static-shape"}),
    (network(conv(stride=(4, 4))), set()),
    (network(unary("DEPTH_TO_SPACE", dtype="float32", scale=(), zero_point=())), {"edgetpu.operator"}),
])  # fmt: skip
def test_where_the_rules_end(found: Network, ids: set[str]) -> None:
    assert broken(judge(found, "edgetpu")) == ids


def test_a_float_input_leaves_one_operator_on_the_cpu_and_a_float_output_the_last() -> None:
    codes, y = computed("codes"), computed("y")
    first = operator("QUANTIZE", (computed("x", dtype="float32", scale=(), zero_point=()),), codes)
    last = operator("DEQUANTIZE", (y,), computed("real", dtype="float32", scale=(), zero_point=()))
    found = judge(network(first, conv(codes, y=y), last), "edgetpu")
    assert [judged.verdict for judged in found.operators] == [DOES_NOT_MAP, MAPS, DOES_NOT_MAP]
    assert found.partition == 1


def test_where_the_compiler_stops_nothing_maps() -> None:
    def behind(second: Operator, **graphs: int) -> Verdict:
        return judge(network(conv(y=second.inputs[0]), second, **graphs), "edgetpu")

    middle = computed("middle")
    open_length, loops = behind(conv(middle, y=computed("y", (1, None, 16, 8)))), behind(conv(middle), subgraphs=2)
    assert [(found.verdict, found.partition, found.certain) for found in (open_length, loops)] == [(DOES_NOT_MAP, 0, 0)] * 2
    assert behind(operator("TRANSPOSE", (middle, open_steering("order", 4)), computed("y"))).partition == 1
