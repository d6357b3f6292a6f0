import numpy as np
import pytest

from hw_profiles.network import Network, Operator, Tensor
from hw_profiles.work import Unpriced, live_bytes, weight_bytes, works


def tensor(name, *shape, dtype="int8", constant=False):
    return Tensor(name, shape, dtype, (1.0,), (0,), 0, np.broadcast_to(np.int8(1), shape) if constant else None)


def network(*operators, inputs=(), outputs=()):
    return Network("n", operators, inputs, outputs, 1000)


def one(operator, batch=1):
    [work] = works(network(operator), batch)
    return work


def test_a_convolution_counts_places_taps_and_channels_and_groups_repeat_it():
    x, y = tensor("x", 1, 8, 10, 6), tensor("y", 1, 4, 5, 4)
    weights, bias = tensor("w", 4, 3, 5, 6, constant=True), tensor("b", 4, dtype="int32", constant=True)
    work = one(Operator("CONV_2D", (x, weights, bias), (y,), {}))
    assert work.macs == 4 * 5 * 3 * 5 * 6 * 4 and (work.group, work.elements, work.weight_bytes, work.moved_bytes) == ("conv", 80, 360 + 16, 480 + 80)
    assert work.tiled_macs(8, 4) == 4 * 5 * 3 * 5 * 8 * 8
    assert one(Operator("CONV_2D", (x, weights, bias), (y,), {}), batch=3).macs == 3 * work.macs
    grouped = one(Operator("CONV_2D", (x, tensor("w", 4, 3, 5, 3, constant=True), bias), (y,), {}))
    assert (grouped.macs, grouped.repeats, grouped.output_channels) == (work.macs // 2, 2, 2)


def test_depthwise_dense_and_transposed():
    x, y = tensor("x", 1, 8, 8, 6), tensor("y", 1, 8, 8, 6)
    assert one(Operator("DEPTHWISE_CONV_2D", (x, tensor("w", 1, 3, 3, 6, constant=True)), (y,), {})).macs == 64 * 9 * 6
    rows, out = tensor("x", 5, 7), tensor("y", 5, 3)
    assert one(Operator("FULLY_CONNECTED", (rows, tensor("w", 3, 7, constant=True), None), (out,), {})).macs == 5 * 7 * 3
    # Each of the 4 x 4 inputs spreads over 2 x 2 outputs.
    wide, small = tensor("y", 1, 8, 8, 3), tensor("x", 1, 4, 4, 6)
    operator = Operator("TRANSPOSE_CONV", (tensor("s", 4, dtype="int32", constant=True), tensor("w", 3, 2, 2, 6, constant=True), small), (wide,), {})
    assert one(operator).macs == 16 * 4 * 6 * 3


@pytest.mark.parametrize(("operator", "words"), [
    (Operator("UNIDIRECTIONAL_SEQUENCE_LSTM", (tensor("x", 1, 4),), (tensor("y", 1, 4),), {}), "operator 0, UNIDIRECTIONAL_SEQUENCE_LSTM, has no price"),
    (Operator("CUSTOM Detector", (tensor("x", 1, 4),), (tensor("y", 1, 4),), {}), "CUSTOM Detector"),
    (Operator("ADD", (tensor("x", 1, 4, dtype="float32"),) * 2, (tensor("y", 1, 4, dtype="float32"),), {}), "works on float32"),
    (Operator("ADD", (tensor("x", None, 4),) * 2, (tensor("y", None, 4),), {}), "static shape"),
    (Operator("CONV_2D", (tensor("x", 1, 4, 4, 1), None), (tensor("y", 1, 4, 4, 1),), {}), "input 1"),
    (Operator("CONV_2D", (tensor("x", 1, 4, 4, 1),), (tensor("y", 1, 4, 4, 1),), {}), "input 1"),
    (Operator("TILE", (tensor("x", 1, dtype="string"),), (tensor("y", 2, dtype="string"),), {}), "string")])
def test_what_has_no_price_says_which_and_why(operator, words):
    [reason] = works(network(operator))
    assert isinstance(reason, Unpriced) and words in str(reason)


def test_bytes_that_live_at_once_and_constants_counted_once():
    x, a, b, y = tensor("x", 1, 100), tensor("a", 1, 40), tensor("b", 1, 60), tensor("y", 1, 60)
    shared = tensor("w", 40, 40, constant=True)
    first, second = Operator("SLICE", (x, shared), (a,), {}), Operator("TILE", (a, shared), (b,), {})
    chain = network(first, second, Operator("ADD", (b, b), (y,), {}), inputs=(x,), outputs=(y,))
    assert live_bytes(chain) == 100 + 40  # x and a; then a and b, b and y
    assert weight_bytes(chain) == 1600
    branch = network(first, second, Operator("SUM", (x, b), (y,), {}), inputs=(x,), outputs=(y,))
    assert live_bytes(branch) == 100 + 60 + 60  # x is kept for the end


def steering(*values):
    array = np.array(values, np.int32)
    return Tensor("s", array.shape, "int32", values=array)


def padded(amounts, after="CONV_2D", again=False):
    """PAD before a convolution, whose output another operator reads too where `again`."""
    x, middle, y = tensor("x", 1, 6, 6, 4), tensor("m", 1, 8, 8, 4), tensor("y", 1, 6, 6, 4)
    reader = Operator(after, (middle, tensor("w", 4, 3, 3, 4, constant=True)), (y,), {"padding": "VALID"})
    more = (Operator("TANH", (middle,), (tensor("z", 1, 8, 8, 4),), {}),) if again else ()
    return works(network(Operator("PAD", (x, steering(*amounts)), (middle,), {}), reader, *more))[0]


def test_a_convolution_does_the_padding_before_it_itself():
    rows_and_columns, channels = [(0, 0), (1, 1), (1, 1), (0, 0)], [(0, 0), (1, 1), (1, 1), (0, 4)]
    assert padded(rows_and_columns).group == "fused"
    others = padded(rows_and_columns, "TANH"), padded(rows_and_columns, again=True), padded(channels)
    assert [(work.group, work.rows) for work in others] == [("moved", 64)] * 3


def test_pools_and_means_take_several_elements_for_one():
    x = tensor("x", 1, 6, 8, 5)
    pool = one(Operator("MAX_POOL_2D", (x,), (tensor("y", 1, 3, 2, 5),), {"filter_height": 2, "filter_width": 4}))
    assert (pool.group, pool.taps, pool.channels, pool.macs) == ("max_pool", 8, 5, 0)
    assert one(Operator("MEAN", (x, steering(1, 2)), (tensor("y", 1, 5),), {})).taps == 48


def test_a_transpose_that_keeps_the_last_axis_moves_rows_and_another_swaps():
    x = tensor("x", 1, 6, 8, 5)
    kept = one(Operator("TRANSPOSE", (x, steering(0, 2, 1, 3)), (tensor("y", 1, 8, 6, 5),), {}))
    swapped = one(Operator("TRANSPOSE", (x, steering(0, 3, 1, 2)), (tensor("y", 1, 5, 6, 8),), {}), batch=2)
    assert (kept.group, kept.rows) == ("moved", 48) and (swapped.group, swapped.row, swapped.elements) == ("swapped", 5, 480)


def test_joining_copies_a_piece_of_each_input_for_every_place_before_the_axis():
    parts, y = (tensor("a", 1, 6, 8, 5), tensor("b", 1, 6, 8, 3)), tensor("y", 1, 6, 8, 8)
    assert one(Operator("CONCATENATION", parts, (y,), {"axis": 3})).rows == 2 * 48
    assert one(Operator("CONCATENATION", (parts[0], parts[0]), (tensor("y", 1, 12, 8, 5),), {"axis": 1})).rows == 2


def test_a_transposed_convolution_knows_the_rows_of_its_input():
    inputs = tensor("s", 4, dtype="int32", constant=True), tensor("w", 3, 4, 4, 6, constant=True), tensor("x", 1, 5, 7, 6)
    assert one(Operator("TRANSPOSE_CONV", inputs, (tensor("y", 1, 10, 14, 3),), {})).row == 7
