"""The loop over the rules, on any network."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.rule_pairs.builders import computed, constant, conv, network, operator
from export.rules import DOES_NOT_MAP, MAPS, TARGETS, UNCERTAIN, Rule, Verdict, judge
from export.rules.rule import PARAMETERS, Target, hold
from hw_profiles.network import Network, Operator, Tensor


def broken(found: Verdict) -> set[str]:
    return {rule.id for rule in found.rules}


def assert_sound_rules(target: str, pairs: dict[str, tuple[Network, Network]]) -> None:
    """Every rule has its pair, and says why, who says so and what to do."""
    rules = (*TARGETS[target].rules, *TARGETS[target].file_rules)
    assert [rule.id for rule in rules] == list(dict.fromkeys(rule.id for rule in rules))
    assert set(pairs) == {rule.id for rule in rules}
    for rule in rules:
        assert rule.id.startswith(target.removesuffix("-64")) and all(len(text) > 10 for text in (rule.reason, rule.source, rule.remedy)), rule.id
        assert rule.verdict in (MAPS, UNCERTAIN, DOES_NOT_MAP)


def _rule(name: str, verdict: str) -> Rule:
    return Rule(name, (name,), lambda one: True, "reason", "source", "remedy", verdict)


TOY = Target("toy", (_rule("BAD", DOES_NOT_MAP), _rule("DOUBTFUL", UNCERTAIN), _rule("SLOW", MAPS), _rule("QUANTIZE", DOES_NOT_MAP)), one_partition=True)
SEVERAL = Target("several", TOY.rules)


def chain(*kinds: str) -> Network:
    return network(*(operator(kind, (computed(f"{number}"),), computed(f"{number + 1}")) for number, kind in enumerate(kinds)))


@pytest.mark.parametrize(("kinds", "verdicts", "whole", "one_piece", "pieces"), [
    (("GOOD", "GOOD"), (MAPS, MAPS), MAPS, (2, 2), (2, 2)),
    (("GOOD", "SLOW"), (MAPS, MAPS), MAPS, (2, 2), (2, 2)),  # a warning is no refusal
    (("GOOD", "DOUBTFUL", "GOOD"), (MAPS, UNCERTAIN, MAPS), UNCERTAIN, (3, 1), (3, 2)),
    (("GOOD", "BAD", "GOOD", "DOUBTFUL"), (MAPS, DOES_NOT_MAP, MAPS, UNCERTAIN), DOES_NOT_MAP, (1, 1), (3, 2)),
    (("BAD", "GOOD"), (DOES_NOT_MAP, MAPS), DOES_NOT_MAP, (0, 0), (1, 1)),
    (("QUANTIZE", "GOOD", "GOOD", "BAD"), (DOES_NOT_MAP, MAPS, MAPS, DOES_NOT_MAP), DOES_NOT_MAP, (2, 2), (2, 2)),  # a float input cuts nothing
    (("GOOD", "QUANTIZE", "GOOD"), (MAPS, DOES_NOT_MAP, MAPS), DOES_NOT_MAP, (1, 1), (2, 2)),
    ((), (), MAPS, (0, 0), (0, 0)),
])  # fmt: skip
def test_verdicts_and_partition_of_a_chain(kinds: tuple[str, ...], verdicts: tuple[str, ...], whole: str, one_piece: tuple[int, int],
                                           pieces: tuple[int, int]) -> None:  # fmt: skip
    found = hold(chain(*kinds), TOY)
    assert tuple(judged.verdict for judged in found.operators) == verdicts
    assert (found.verdict, found.partition, found.certain, found.target) == (whole, *one_piece, "toy")
    several = hold(chain(*kinds), SEVERAL)
    assert (several.partition, several.certain) == pieces


def test_every_broken_rule_is_told_once_those_of_the_file_first() -> None:
    whole = Rule("whole", None, lambda found: len(found.operators) == 3, "reason", "source", "remedy", MAPS)
    target = Target("toy", TOY.rules, (whole,))
    assert [rule.id for rule in hold(chain("BAD", "DOUBTFUL", "BAD"), target).rules] == ["whole", "BAD", "DOUBTFUL"]
    assert [rule.id for rule in hold(chain("BAD"), target).rules] == ["BAD"]


def test_weights_are_counted_once_where_two_layers_share_them() -> None:
    shared = constant("weights", (8, 3, 3, 8))
    assert judge(network(conv(weights=shared), conv(weights=shared)), "edgetpu").weights_bytes == 8 * 3 * 3 * 8 + 2 * 8 * 4


def test_there_are_rules_enough_and_each_target_has_its_own() -> None:
    assert len(TARGETS["edgetpu"].rules) + len(TARGETS["edgetpu"].file_rules) >= 18
    assert len(TARGETS["ethos-u55-128"].rules) >= 12
    assert list(TARGETS) == ["edgetpu", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"]
    assert TARGETS["edgetpu"].one_partition and not TARGETS["ethos-u55-64"].one_partition


# What `read_tflite` lets through: the ranks that it checks, or no axes at all; everything else is open.
_RANKS = {"CONV_2D": (4, 4), "DEPTHWISE_CONV_2D": (4, 4), "TRANSPOSE_CONV": (1, 4, 4), "FULLY_CONNECTED": (None, 2), "MAX_POOL_2D": (4,),
          "AVERAGE_POOL_2D": (4,), "RESIZE_BILINEAR": (4, 1), "RESIZE_NEAREST_NEIGHBOR": (4, 1), "MEAN": (None, None), "SUM": (None, None)}  # fmt: skip
_KINDS = sorted({*PARAMETERS, "ADD", "CONCATENATION", "MAXIMUM", "MAX_POOL_2D", "AVERAGE_POOL_2D", "SOFTMAX", "PACK", "RELU", "BATCH_MATMUL", "ONNX Foo"})


def any_tensor(random: Random, rank: int | None) -> Tensor:
    rank = random.randint(0, 5) if rank is None else random.choice((0, rank))
    shape = tuple(random.choice((None, 0, 1, 1, 2, 3, 4, 5)) for _ in range(rank))
    dtype = random.choice(("int8", "uint8", "int16", "int32", "int64", "float32"))
    values = np.full(shape, random.randint(0, 7), dtype) if None not in shape and random.random() < 0.6 else None
    axis = random.randrange(max(rank, 1))
    scales = random.choice((0, 1, (shape[axis] or 1) if shape else 1))
    return Tensor("t", shape, dtype, (0.1,) * scales, (3,) * scales, axis, values)


def any_operator(random: Random, kind: str) -> Operator:
    inputs: list[Tensor | None] = [any_tensor(random, rank) for rank in _RANKS.get(kind, (None,))]
    inputs += [random.choice((None, any_tensor(random, None))) for _ in range(random.randint(0, 4))]
    numbers = ("stride_h", "stride_w", "filter_height", "filter_width", "dilation_h_factor", "dilation_w_factor")
    options = {name: random.randint(1, 9) for name in numbers} | {name: random.randint(0, 3) for name in ("ellipsis_mask", "new_axis_mask")}
    flags = {name: random.random() < 0.5 for name in ("align_corners", "half_pixel_centers")}
    return operator(kind, inputs, any_tensor(random, None), random.randint(1, 4), padding=random.choice(("SAME", "VALID")), axis=random.randint(-5, 5),
                    **options, **flags)


@settings(max_examples=300)
@given(kind=st.sampled_from(_KINDS), seed=st.integers(0, 2**32 - 1))
def test_no_operator_that_the_readers_let_through_makes_a_rule_fall(kind: str, seed: int) -> None:
    strange = network(any_operator(Random(seed), kind))
    for target in TARGETS:
        found = judge(strange, target)
        assert found.verdict in (MAPS, UNCERTAIN, DOES_NOT_MAP) and 0 <= found.partition <= 1
