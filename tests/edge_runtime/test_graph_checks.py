"""What a graph must be, one refusal for each demand of the table of operators."""

from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.errors import InputError
from edge_runtime.graph import Graph, Operator, Tensor, check_graph
from edge_runtime.graph.operators import KINDS
from tests.edge_runtime.random_graphs import WHOLE, random_graph, tensor


def convolution(**changes: Tensor) -> Graph:
    codes = np.full((2, 1, 3, 4), 3, np.int8)
    tensors = {
        "x": tensor("x", (1, 1, 16, 4), 0.5, 1),
        "w": tensor("w", codes.shape, 0.25, 0, codes),
        "b": tensor("b", (2,), 0.125, 0, np.zeros(2, np.int32), "int32"),
        "y": tensor("y", (1, 1, 14, 2), 1.0, 0),
    }
    attributes = {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0), "groups": 1, "clamp": WHOLE}
    return Graph({**tensors, **changes}, (Operator("conv_2d", ("x", "w", "b"), ("y",), attributes),), ("x",), ("y",))


def refused(graph: Graph, field: str, words: str = "") -> None:
    with pytest.raises(InputError) as refusal:
        check_graph(graph, "network.onnx")
    assert str(refusal.value).startswith(f"network.onnx: {field}: ") and words in str(refusal.value), refusal.value


def with_attributes(graph: Graph, **changes: object) -> Graph:
    (operator,) = graph.operators
    return replace(graph, operators=(replace(operator, attributes={**operator.attributes, **changes}),))


def test_a_whole_graph_passes():
    check_graph(convolution(), "network.onnx")


def test_weights_of_minus_128_are_refused():
    codes = np.full((2, 1, 3, 4), -128, np.int8)
    refused(convolution(w=tensor("w", codes.shape, 0.25, 0, codes)), "operators[0].inputs[1]", "+-127")


def test_weights_with_a_zero_point_are_refused():
    codes = np.ones((2, 1, 3, 4), np.int8)
    refused(convolution(w=tensor("w", codes.shape, 0.25, 3, codes)), "operators[0].inputs[1]", "zero point 0")


def test_per_channel_weights_along_another_axis_are_refused():
    codes = np.ones((2, 1, 3, 4), np.int8)
    weights = tensor("w", codes.shape, [0.25] * 4, 0, codes, axis=3)
    refused(convolution(w=weights), "operators[0].inputs[1]", "along 0")


def test_a_bias_of_another_scale_is_refused():
    scale = np.nextafter(np.float32(0.125), np.float32(1))
    refused(convolution(b=tensor("b", (2,), scale, 0, np.zeros(2, np.int32), "int32")), "operators[0].inputs[2]", "scale")


def test_a_bias_of_int8_is_refused():
    refused(convolution(b=tensor("b", (2,), 0.125, 0, np.zeros(2, np.int8))), "operators[0].inputs[2]", "int32")


def test_an_accumulator_beyond_int32_is_refused():
    bias = np.array([0, 2**31 - 1 - 3 * 12 * 129], np.int32)
    check_graph(convolution(b=tensor("b", (2,), 0.125, 0, bias, "int32")), "network.onnx")
    refused(convolution(b=tensor("b", (2,), 0.125, 0, bias + np.int32([0, 1]), "int32")), "operators[0].inputs[1]", "int32")


def test_a_scale_too_small_for_the_accumulators_is_refused():
    refused(convolution(y=tensor("y", (1, 1, 14, 2), 0.125 / 256, 0)), "operators[0].outputs[0]", "1/256")


def test_a_shape_that_does_not_follow_is_refused():
    refused(convolution(y=tensor("y", (1, 1, 15, 2), 1.0, 0)), "operators[0].outputs[0]", "[1, 1, 14, 2]")


def test_weights_that_are_no_constant_are_refused():
    graph = convolution(w=tensor("w", (1, 1, 3, 4), 0.25), b=tensor("b", (1,), 0.125, 0, np.zeros(1, np.int32), "int32"))
    refused(replace(graph, inputs=("x", "w")), "operators[0].inputs[1]", "constant")


def test_a_kernel_longer_than_its_input_is_refused():
    refused(with_attributes(convolution(), dilation=(1, 9)), "operators[0].attributes.padding", "shorter")


def test_groups_that_do_not_divide_are_refused():
    refused(with_attributes(convolution(), groups=3), "operators[0].attributes.groups")


def test_a_clamp_upside_down_is_refused():
    refused(with_attributes(convolution(), clamp=(5, -5)), "operators[0].attributes.clamp")


def test_a_tensor_that_nothing_uses_is_refused():
    graph = convolution()
    refused(replace(graph, tensors={**graph.tensors, "idle": tensor("idle", (1, 3), 1.0)}), "tensors", "idle")


def test_a_scale_in_float64_is_refused():
    refused(convolution(x=replace(tensor("x", (1, 1, 16, 4), 0.5), scale=np.array([0.5]))), "tensors[0].scale", "float32")


def test_a_batch_above_one_is_refused():
    refused(convolution(x=tensor("x", (2, 1, 16, 4), 0.5, 1)), "inputs[0]")


KEEPS = sorted(kind for kind, row in KINDS.items() if row.same_quantisation)


@pytest.mark.parametrize("kind", KEEPS)
@pytest.mark.parametrize("field", ["scale", "zero_point"])
def test_what_only_moves_codes_keeps_their_quantisation(kind, field):
    graph = random_graph(kind, 1)
    y = graph.tensors["y"]
    changed = replace(y, scale=y.scale * np.float32(2)) if field == "scale" else replace(y, zero_point=y.zero_point ^ 1)
    refused(replace(graph, tensors={**graph.tensors, "y": changed}), "operators[0].inputs[0]", "requantise")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_refuses_an_output_of_another_shape(kind):
    graph = random_graph(kind, 2)
    y = graph.tensors["y"]
    changed = replace(y, shape=(*y.shape[:-1], y.shape[-1] + 1))
    refused(replace(graph, tensors={**graph.tensors, "y": changed}), "operators[0].outputs[0]", "has shape")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_refuses_a_missing_input(kind):
    graph = random_graph(kind, 2)
    (operator,) = graph.operators
    refused(replace(graph, operators=(replace(operator, inputs=operator.inputs[:1] if len(operator.inputs) > 1 else ()),)), "operators[0].inputs")


@pytest.mark.parametrize(("kind", "scale"), [("requantise", 300.0), ("requantise", 1 / 200), ("add", 1 / 300), ("add", 2000.0)])
def test_ratios_of_scales_that_xnnpack_leaves_to_others_are_refused(kind, scale):
    graph = random_graph(kind, 3)
    x, y = graph.tensors["x"], graph.tensors["y"]
    changed = replace(y, scale=(x.scale * np.float32(scale)).astype(np.float32))
    refused(replace(graph, tensors={**graph.tensors, "y": changed}), "operators[0].inputs[0]", "calibrate")


def test_a_logistic_of_another_scale_is_refused():
    graph = random_graph("logistic", 0)
    changed = replace(graph.tensors["y"], zero_point=0)
    refused(replace(graph, tensors={**graph.tensors, "y": changed}), "operators[0].outputs[0]", "1/256")


def test_average_pooling_counts_padding_only_after_pad():
    x, y = tensor("x", (1, 8, 8, 2), 0.5), tensor("y", (1, 5, 5, 2), 0.5)
    attributes = {"kernel": (2, 2), "stride": (2, 2), "padding": (1, 1, 1, 1)}
    refused(Graph({"x": x, "y": y}, (Operator("average_pool_2d", ("x",), ("y",), attributes),), ("x",), ("y",)), "operators[0].attributes.padding", "pad first")
