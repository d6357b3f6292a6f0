from dataclasses import replace

import numpy as np
import pytest

from hw_profiles.cost_model import IMAGE_BYTES, ONE_THREAD_S, Numbers, estimate
from hw_profiles.instructions import TERMS
from hw_profiles.network import Network, Operator, Tensor
from hw_profiles.profile import Number, Profile, names, profile
from hw_profiles.work import Unpriced


def tensor(name, *shape, dtype="int8", constant=False):
    return Tensor(name, shape, dtype, (1.0,), (0,), 0, np.broadcast_to(np.int8(1), shape) if constant else None)


X, HIDDEN, Y, OUT = tensor("x", 1, 1, 64, 8), tensor("h", 1, 1, 32, 20), tensor("y", 1, 1, 32, 20), tensor("o", 1, 640)
CONV = Operator("CONV_2D", (X, tensor("w", 20, 1, 4, 8, constant=True), tensor("b", 20, dtype="int32", constant=True)), (HIDDEN,), {})
TANH, RESHAPE = Operator("TANH", (HIDDEN,), (Y,), {}), Operator("RESHAPE", (Y,), (OUT,), {})
NETWORK = Network("n", (CONV, TANH, RESHAPE), (X,), (OUT,), 5000)
LSTM = Operator("LSTM", (HIDDEN,), (Y,), {})
CONV_MACS, TILED = 32 * 4 * 20 * 8, 32 * 4 * 32 * 8
COSTS = {"call": 4000, "operator": 600, "product_tile": 100, "product_tap": 20, "product_mac": 0.4, "element": 3}
CPU = {**{f"instr_per_{term}": COSTS.get(term, 0) for term in TERMS}, "clock_hz": 1e9, "cores": 4, "tile_positions": 4, "tile_output_channels": 16,
       "tile_input_channels": 1, "cycles_per_instruction_int8": 0.8, "serial_share": 0.2, "dram_read_bytes_per_s": 1e9, "l2_bytes": 1 << 20, "model_error": 0,
       "power_idle_w": 2, "power_stress_w": 6}
TILES = 8 * 2  # 32 places by 4, 20 outputs by 16
CONV_INSTRUCTIONS = 600 + TILES * 100 + TILES * 4 * 20 + 0.4 * TILED
INSTRUCTIONS = 4000 + CONV_INSTRUCTIONS + 600 + 3 * 640 + 600
TPU = {"call_overhead_s": 1e-3, "operator_overhead_s": 1e-5, "link_bytes_per_s": 1e6, "systolic_clock_hz": 1e6, "systolic_cycle_factor": 0.5,
       "systolic_side": 8, "parameter_cache_bytes": 1 << 20, "model_error": 0, "call_overhead_input_share": 0, "power_active_w": 2}


def device(cost_model="instructions", **numbers):
    base = {"instructions": CPU, "systolic": TPU}.get(cost_model, {})
    known = {name: value if isinstance(value, Number) else Number(float(value), "1", "measured", "test") for name, value in {**base, **numbers}.items()}
    return Profile("d", "d", "r", "2026-01-01", known, cost_model=cost_model)


def test_instructions_times_cycles_over_the_clock():
    told = estimate(NETWORK, device())
    seconds = INSTRUCTIONS * 0.8 / 1e9
    assert (told.latency_s.p50, told.latency_s.lo, told.latency_s.hi, told.latency_s.level) == (*[pytest.approx(seconds)] * 3, 0.8)
    assert [layer.seconds for layer in told.per_layer] == pytest.approx([CONV_INSTRUCTIONS * 0.8e-9, (600 + 1920) * 0.8e-9, 600 * 0.8e-9])
    assert [(layer.kind, layer.where, layer.macs) for layer in told.per_layer] == [("CONV_2D", "cpu", CONV_MACS), ("TANH", "cpu", 0), ("RESHAPE", "cpu", 0)]
    assert told.energy_j.p50 == pytest.approx(seconds * 3)  # one core of four: 2 + (6 - 2) / 4
    assert (told.ram_bytes, told.flash_bytes) == (640 + 640 + 640 + 80, 5000)  # two tensors at once, and the weights
    assert estimate(NETWORK, device(flash_bytes=1 << 20)).ram_bytes == 640 + 640  # the weights stay in flash


def test_a_batch_works_for_each_item_and_calls_once():
    one, many = (estimate(NETWORK, device(), batch=batch).latency_s.p50 / 0.8e-9 for batch in (1, 10))
    fixed = 4000 + 1800
    assert many - fixed == pytest.approx(10 * (one - fixed))


def test_threads_share_all_but_the_serial_part_of_calls_that_last():
    slow = device(clock_hz=1e6)
    alone, four = (estimate(NETWORK, slow, threads=threads) for threads in (1, 4))
    overhead, wakes = 4000 * 0.8 / 1e6, ONE_THREAD_S / alone.latency_s.p50
    assert four.latency_s.p50 - overhead == pytest.approx((alone.latency_s.p50 - overhead) * (wakes + (1 - wakes) * (0.2 + 0.8 / 4)))
    assert four.energy_j.p50 == pytest.approx(four.latency_s.p50 * 6)
    quick, shared = (estimate(NETWORK, device(), threads=threads) for threads in (1, 4))
    assert (quick.latency_s, quick.energy_j) == (shared.latency_s, shared.energy_j)  # below a millisecond nothing is shared, and no other core computes


def test_threads_make_no_step_where_they_begin_to_share():
    alone = estimate(NETWORK, device()).latency_s.p50
    around = [estimate(NETWORK, device(clock_hz=1e9 * alone / ONE_THREAD_S * factor), threads=4).latency_s.p50 for factor in (1.001, 0.999)]
    assert around[1] == pytest.approx(around[0], rel=0.01)


def test_a_number_with_a_range_has_its_value_as_median():
    for span, value in (((0.4, 1.6), 0.5), ((0.0, 0.8), 0.1)):
        draws = Numbers(device(serial_share=Number(value, "1", "assumed", "assumed: test", range=span)))["serial_share"]
        assert np.median(draws) == pytest.approx(value, rel=0.1) and span[0] <= draws.min() < draws.max() <= span[1]


def test_open_shapes_count_as_nothing_in_a_lower_bound():
    x, y = tensor("x", 1, None, 8), tensor("y", 1, None, 8)
    network = replace(NETWORK, operators=(*NETWORK.operators, Operator("TANH", (x,), (y,), {})), inputs=(X, x))
    told = estimate(network, device(), partial=True)
    assert told.lower_bound and told.latency_s.p50 == pytest.approx(estimate(NETWORK, device()).latency_s.p50)
    assert told.ram_bytes == estimate(NETWORK, device()).ram_bytes


def test_memory_bounds_what_does_not_fit_the_last_cache():
    starved = device(l2_bytes=512, dram_read_bytes_per_s=1e3)
    assert estimate(NETWORK, starved).per_layer[0].seconds == pytest.approx((640 + 80 + 512 + 640) / 1e3)
    assert estimate(NETWORK, device(l2_bytes=512, l3_bytes=1 << 20, dram_read_bytes_per_s=1e3)).latency_s.p50 < 1e-3


def test_a_systolic_array_counts_tiles_transfer_and_what_its_cache_does_not_hold():
    cycles = 32 * 4 * 3 * 1  # 20 outputs are three tiles of 8, 8 inputs one
    base = 1e-3 + (512 + 640) / 1e6 + 2e-5 + 0.5 * cycles / 1e6  # the reshape is free
    assert estimate(NETWORK, device("systolic")).latency_s.p50 == pytest.approx(base)
    small = device("systolic", parameter_cache_bytes=300)
    assert estimate(NETWORK, small).latency_s.p50 == pytest.approx(base + (720 - 300) / 1e6)
    assert estimate(NETWORK, device("systolic")).per_layer[0].where == "accelerator"


def test_overhead_that_depends_on_the_input_is_whole_for_an_image_alone():
    told, shrunk = (estimate(NETWORK, device("systolic", call_overhead_input_share=share)).latency_s.p50 for share in (0, 0.5))
    assert told - shrunk == pytest.approx(0.5e-3 * (1 - (512 + 640) / IMAGE_BYTES))


def test_what_an_accelerator_does_not_take_runs_on_its_host():
    told = estimate(NETWORK, device("systolic"), device(), mapped=range(1))
    assert [layer.where for layer in told.per_layer] == ["accelerator", "cpu", "cpu"]
    conv = 1e-3 + (512 + 640) / 1e6 + 1e-5 + 0.5 * 384 / 1e6
    assert told.latency_s.p50 == pytest.approx(conv + (4000 + 2 * 600 + 1920) * 0.8e-9)


def test_without_a_host_what_the_accelerator_does_not_take_has_no_price():
    with pytest.raises(Unpriced, match="operator 1, TANH, is not for the accelerator"):
        estimate(NETWORK, device("systolic"), mapped=range(1))
    told = estimate(NETWORK, device("systolic"), mapped=range(1), partial=True)
    assert told.lower_bound and [layer.seconds is None for layer in told.per_layer] == [False, True, True]


def test_an_operator_without_a_price_is_named_or_left_out():
    network = replace(NETWORK, operators=(CONV, LSTM, RESHAPE))
    with pytest.raises(Unpriced, match="operator 1, LSTM"):
        estimate(network, device())
    told = estimate(network, device(), partial=True)
    assert told.lower_bound and told.per_layer[1].seconds is None and told.unpriced == ("operator 1, LSTM, has no price in this cost model",)
    assert told.latency_s.p50 == pytest.approx((INSTRUCTIONS - 600 - 1920) * 0.8e-9)
    assert not estimate(NETWORK, device()).lower_bound


def test_an_assumed_number_spans_its_range_and_operators_share_the_draw():
    told = estimate(NETWORK, device(cycles_per_instruction_int8=Number(0.8, "1", "assumed", "assumed: test", range=(0.4, 1.6)))).latency_s
    # The logarithm is uniform over two octaves: 10 and 90 % lie 0.8 octaves either side.
    assert told.lo / told.p50 == pytest.approx(2 ** -0.8, rel=0.03) and told.hi / told.p50 == pytest.approx(2 ** 0.8, rel=0.03)


def test_spread_and_the_error_of_the_model_compose():
    spread = Number(0.8, "1", "fitted", "test", spread=(0.8 / 1.3, 0.8 * 1.3))
    cycles, model = {"cycles_per_instruction_int8": spread}, {"model_error": 0.1}
    told = {name: estimate(NETWORK, device(**numbers)).latency_s for name, numbers in (("cycles", cycles), ("model", model), ("both", cycles | model))}
    width = {name: np.log(one.hi / one.lo) for name, one in told.items()}
    assert width["cycles"] == pytest.approx(2 * 1.2816 * np.log(1.3) / 1.6449, rel=0.05)
    assert width["both"] == pytest.approx(np.hypot(width["cycles"], width["model"]), rel=0.05)
    assert np.mean(np.abs(np.log(Numbers(device(model_error=0.1)).error())) < 0.1) == pytest.approx(0.8, abs=0.02)


def test_one_more_number_changes_no_other_draw():
    span = Number(0.8, "1", "assumed", "assumed: test", range=(0.4, 1.6))
    one, more = (Numbers(device(serial_share=span, **extra))["serial_share"] for extra in ({}, {"another_share": span}))
    assert np.array_equal(one, more) and len(np.unique(one)) > 1000


@pytest.mark.parametrize("name", [name for name in names() if profile(name).cost_model])
def test_every_board_gives_an_estimate_of_a_convolution(name):
    board = profile(name)
    told = estimate(NETWORK, board, profile(board.host) if board.host else None)
    assert 0 < told.latency_s.lo <= told.latency_s.p50 <= told.latency_s.hi and all(layer.seconds >= 0 for layer in told.per_layer)
