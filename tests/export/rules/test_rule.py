"""The loop over the rules, on any network; and small networks of one operator, which the tests of both accelerators are made of."""

from collections.abc import Iterable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.rules import DOES_NOT_MAP, MAPS, TARGETS, UNCERTAIN, Rule, Verdict, judge
from export.rules.rule import PARAMETERS, Target, hold
from hw_profiles.network import Network, Operator, Tensor

Shape = tuple[int | None, ...]
MAP = (1, 16, 16, 8)
ONE = {"scale": (0.1,), "zero_point": (0,)}


def computed(name: str, shape: Shape = MAP, dtype: str = "int8", **quantisation: Any) -> Tensor:
    return Tensor(name, shape, dtype, **(ONE | quantisation))


def constant(name: str, shape: tuple[int, ...], dtype: str = "int8", fill: int = 0, **quantisation: Any) -> Tensor:
    return Tensor(name, shape, dtype, **(ONE | quantisation), values=np.full(shape, fill, dtype))


def steering(name: str, values: Any) -> Tensor:
    array = np.asarray(values, np.int32)
    return Tensor(name, array.shape, "int32", values=array)


def open_steering(name: str, length: int) -> Tensor:
    return Tensor(name, (length,), "int32")


def operator(kind: str, inputs: Iterable[Tensor | None], output: Tensor | tuple[Tensor, ...], version: int = 1, **options: Any) -> Operator:
    return Operator(kind, tuple(inputs), output if isinstance(output, tuple) else (output,), options, version)


def network(*operators: Operator, subgraphs: int = 1) -> Network:
    made = {id(tensor) for one in operators for tensor in one.outputs}
    used = {id(tensor): tensor for one in operators for tensor in one.inputs if tensor is not None}
    inputs = [tensor for key, tensor in used.items() if tensor.values is None and key not in made]
    outputs = [tensor for one in operators for tensor in one.outputs if id(tensor) not in used]
    return Network("made", operators, tuple(inputs), tuple(outputs), 0, subgraphs)


def windows(x: Shape, kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], padding: str) -> Shape:
    """Height and width of what windows over x give."""
    found = []
    for length, k, s, d in zip(x[1:3], kernel, stride, dilation, strict=True):
        found.append(None if length is None else -(-length // s) if padding == "SAME" else (length - (k - 1) * d - 1) // s + 1)
    return tuple(found)


def conv(x: Tensor | Shape = MAP, outputs: int = 8, kernel: tuple[int, int] = (3, 3), stride: tuple[int, int] = (1, 1), dilation: tuple[int, int] = (1, 1),
         padding: str = "SAME", weights: Tensor | None = None, bias: Tensor | None = None, y: Tensor | None = None, kind: str = "CONV_2D") -> Operator:
    x = x if isinstance(x, Tensor) else computed("x", x)
    depth = x.shape[3] or 1
    depthwise = kind == "DEPTHWISE_CONV_2D"
    outputs = depth if depthwise else outputs
    weights = weights or constant("weights", (1, *kernel, outputs) if depthwise else (outputs, *kernel, depth))
    y = y or computed("y", (x.shape[0], *windows(x.shape, kernel, stride, dilation, padding), outputs))
    options = {"depth_multiplier": 1} if depthwise else {}
    return operator(kind, (x, weights, bias or constant("bias", (outputs,), "int32")), y, 3, padding=padding, stride_h=stride[0], stride_w=stride[1],
                    dilation_h_factor=dilation[0], dilation_w_factor=dilation[1], fused_activation_function="NONE", **options)


def transpose_conv(x: Shape = (1, 1, 16, 8), kernel: tuple[int, int] = (1, 4), stride: tuple[int, int] = (1, 2), y: Shape | None = None) -> Operator:
    y = y or (1, x[1] * stride[0], x[2] * stride[1], 4)  # type: ignore[operator]
    return operator("TRANSPOSE_CONV", (steering("shape", y), constant("weights", (4, *kernel, 8)), computed("x", x), constant("bias", (4,), "int32")),
                    computed("y", y), 3, padding="SAME", stride_h=stride[0], stride_w=stride[1], fused_activation_function="NONE")


def dense(batch: int = 1, inputs: int = 64, outputs: int = 16, weights: Tensor | None = None, bias: Tensor | None = None, dtype: str = "int8",
          weights_format: str = "DEFAULT") -> Operator:
    weights = weights or constant("weights", (outputs, inputs))
    return operator("FULLY_CONNECTED", (computed("x", (batch, inputs), dtype), weights, bias), computed("y", (batch, outputs), dtype), 4,
                    fused_activation_function="NONE", weights_format=weights_format, keep_num_dims=False)


def pool(kind: str = "MAX_POOL_2D", x: Shape = MAP, window: tuple[int, int] = (2, 2), stride: tuple[int, int] = (1, 1), padding: str = "VALID",
         activation: str = "NONE") -> Operator:
    y = (x[0], *windows(x, window, stride, (1, 1), padding), x[3])
    return operator(kind, (computed("x", x),), computed("y", y), 2, padding=padding, stride_h=stride[0], stride_w=stride[1],
                    filter_height=window[0], filter_width=window[1], fused_activation_function=activation)


def resize(kind: str, x: tuple[int, ...], size: tuple[int, int], version: int = 1, **options: bool) -> Operator:
    return operator(kind, (computed("x", x), steering("size", size)), computed("y", (x[0], *size, x[3])), version,
                    **({"align_corners": False, "half_pixel_centers": False} | options))


def reduction(kind: str = "MEAN", x: tuple[int, ...] = MAP, axes: tuple[int, ...] = (1, 2), dtype: str = "int8") -> Operator:
    y = tuple(1 if axis in axes or axis - len(x) in axes else length for axis, length in enumerate(x))
    return operator(kind, (computed("x", x, dtype), steering("axes", axes)), computed("y", y, dtype), 2, keep_dims=True)


def unary(kind: str = "RELU", x: Shape = MAP, dtype: str = "int8", **quantisation: Any) -> Operator:
    return operator(kind, (computed("x", x, dtype, **quantisation),), computed("y", x, dtype, **quantisation), 2)


def add(**of_a: Any) -> Operator:
    return operator("ADD", (computed("a", **of_a), computed("b")), computed("y"), 2, fused_activation_function="NONE")


def concatenation(second: Tensor, activation: str = "NONE") -> Operator:
    return operator("CONCATENATION", (computed("a"), second), computed("y", (1, 16, 16, 16)), 2, axis=3, fused_activation_function=activation)


def padding(amounts: Any, x: tuple[int, ...] = (1, 1, 16, 8)) -> Operator:
    y = tuple(length + before + after for length, (before, after) in zip(x, amounts, strict=True))
    return operator("PAD", (computed("x", x), steering("amounts", amounts)), computed("y", y), 2)


def reshape(x: Shape, y: Shape, shape: Tensor | None = None) -> Operator:
    return operator("RESHAPE", (computed("x", x), shape or steering("shape", y)), computed("y", y))


def transpose(x: tuple[int, ...], order: tuple[int, ...]) -> Operator:
    return operator("TRANSPOSE", (computed("x", x), steering("order", order)), computed("y", tuple(x[axis] for axis in order)), 2)


def strided_slice(steps: tuple[int, ...], ellipsis_mask: int = 0) -> Operator:
    y = tuple(-(-length // abs(step)) for length, step in zip(MAP, steps, strict=True))
    begin, end = [-1 if step < 0 else 0 for step in steps], [-length - 1 if step < 0 else length for length, step in zip(MAP, steps, strict=True)]
    return operator("STRIDED_SLICE", (computed("x"), steering("begin", begin), steering("end", end), steering("steps", steps)), computed("y", y), 2,
                    begin_mask=0, end_mask=0, ellipsis_mask=ellipsis_mask, new_axis_mask=0, shrink_axis_mask=0)


def softmax(x: tuple[int, ...]) -> Operator:
    return operator("SOFTMAX", (computed("x", x),), computed("y", x, scale=(1 / 256,), zero_point=(-128,)), 2, beta=1.0)


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
