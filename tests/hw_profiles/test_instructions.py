import pytest

from hw_profiles.instructions import TERMS, Tile, call_terms, terms
from hw_profiles.work import Work

TILE = Tile(4, 16, 8)


def counted(work, tile=TILE):
    """The terms that are not 0, the operator's own left out."""
    found = terms(work, tile)
    assert set(found) <= set(TERMS)
    return {name: count for name, count in found.items() if name != "operator"}


def product(group, positions, taps, inputs, outputs, **others):
    return Work(group.upper(), group, positions * outputs, 0, 0, positions=positions, taps=taps, input_channels=inputs, output_channels=outputs,
                channels=outputs, **others)


def test_a_convolution_pays_for_whole_tiles():
    # 10 places are 3 tiles of 4, 20 outputs 2 of 16, 3 inputs are padded to 8.
    assert counted(product("conv", 10, 9, 3, 20)) == {"product_tile": 6, "product_tap": 54, "product_mac": 54 * 4 * 16 * 8}
    assert counted(product("conv", 10, 9, 3, 20, repeats=5))["product_tile"] == 30


def test_a_dense_layer_of_one_row_has_kernels_of_its_own():
    assert counted(product("dense", 1, 1, 12, 20)) == {"dense_tile": 2, "dense_mac": 2 * 16 * 16}
    assert counted(product("dense", 5, 1, 12, 20)) == {"product_tile": 4, "product_tap": 4, "product_mac": 4 * 4 * 16 * 16}


@pytest.mark.parametrize(("taps", "computed"), [(1, 3), (3, 3), (5, 9), (9, 9), (10, 25), (25, 25)])
def test_a_depthwise_kernel_computes_3_9_or_25_taps(taps, computed):
    work = Work("DEPTHWISE_CONV_2D", "depthwise", 7 * 40, 0, 0, positions=7, taps=taps, input_channels=1, output_channels=1, repeats=40, channels=40)
    assert counted(work) == {"depthwise_place": 7, "depthwise_tap": pytest.approx(7 * computed * (2 + 0.7))}


def test_a_longer_depthwise_filter_is_a_product_for_each_channel():
    work = Work("DEPTHWISE_CONV_2D", "depthwise", 8 * 3, 0, 0, positions=8, taps=31, input_channels=1, output_channels=1, repeats=3, channels=3)
    assert counted(work) == {"product_tile": 6, "product_tap": 6 * 31, "product_mac": 6 * 31 * 4 * 16 * 8}


def test_a_transposed_convolution_is_one_for_each_residue_of_its_stride_and_ends_tiles_with_rows():
    # 5 x 6 inputs, stride 2 x 2: four residues, each 5 rows of 2 tiles, 4 of the 16 taps each.
    work = Work("TRANSPOSE_CONV", "transpose_conv", 10 * 12 * 20, 0, 0, positions=30, taps=16, input_channels=8, output_channels=20, channels=20, row=6)
    assert counted(work) == {"transposed_start": 40, "transposed_tile": 80, "transposed_tap": 320, "transposed_mac": 320 * 4 * 16 * 8}


@pytest.mark.parametrize(("taps", "passes"), [(4, 1), (9, 1), (10, 2), (17, 2), (18, 3), (100, 13)])
def test_a_maximum_takes_nine_taps_and_then_eight_at_a_time(taps, passes):
    assert counted(Work("MAX_POOL_2D", "max_pool", 6 * 20, 0, 0, taps=taps, channels=20)) == {"pool_block": 6 * passes * 4}


def test_an_average_pays_more_for_channels_that_fill_no_vector():
    assert counted(Work("AVERAGE_POOL_2D", "average_pool", 6 * 19, 0, 0, taps=4, channels=19)) == {
        "average_place": 6, "average_element": 6 * (16 + 3 * 5), "average_tap": 6 * 4 * 2}


@pytest.mark.parametrize(("kind", "term"), [("PAD", "padded_row"), ("CONCATENATION", "joined_row"), ("RESIZE_NEAREST_NEIGHBOR", "resized_row"),
                                            ("TRANSPOSE", "kept_row")])
def test_what_moves_is_paid_by_the_row(kind, term):
    assert counted(Work(kind, "moved", 500, 0, 0, channels=5, rows=100)) == {term: 100}


def test_another_last_axis_is_paid_by_blocks():
    assert counted(Work("TRANSPOSE", "swapped", 40 * 20, 0, 0, channels=40, row=20)) == {"swapped_block": 2 * 3}


@pytest.mark.parametrize(("group", "term"), [("added", "added_element"), ("other", "element"), ("scalar", "scalar_element")])
def test_elements(group, term):
    assert counted(Work("X", group, 50, 0, 0)) == {term: 50}


def test_a_call_adds_up_and_what_is_fused_or_steers_has_no_elements():
    works = [Work("PAD", "fused", 50, 0, 0), Work("RESHAPE", "meta", 50, 0, 0), Work("TANH", "other", 50, 0, 0), Work("TANH", "other", 7, 0, 0)]
    assert {name: count for name, count in call_terms(works, TILE).items() if count} == {"call": 1, "operator": 3, "element": 57}
