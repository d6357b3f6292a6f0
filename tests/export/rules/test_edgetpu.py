"""Each rule of the Edge TPU: one network that breaks just it, and one beside it that breaks none."""

import pytest

from benchmarks.rule_pairs.builders import (
    MAP,
    computed,
    concatenation,
    constant,
    conv,
    dense,
    network,
    open_steering,
    operator,
    reduction,
    resize,
    softmax,
    strided_slice,
    transpose,
    unary,
)
from benchmarks.rule_pairs.edgetpu import DOUBTS, LONG, PAIRS
from export.rules import DOES_NOT_MAP, MAPS, TARGETS, UNCERTAIN, Verdict, judge
from hw_profiles.network import Network, Operator, Tensor
from tests.export.rules.test_rule import assert_sound_rules, broken


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
