import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_profiles.fit import INSTRUCTIONS, amdahl, fit_left_out, instruction_features, log_spread, non_negative
from hw_profiles.work import Work


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_non_negative_least_squares_meets_the_conditions_of_optimality(seed):
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(12, 5)) * 10.0 ** rng.integers(-4, 5, 5), rng.normal(size=12)
    x = non_negative(matrix, target)
    gradient = matrix.T @ (target - matrix @ x) / np.linalg.norm(matrix, axis=0)
    assert (x >= 0).all() and (gradient < 1e-6).all()  # no coefficient would rather grow ...
    assert np.abs(gradient[x > 0]).max(initial=0) < 1e-6  # ... and none that is used would rather change


def test_coefficients_are_found_again_and_a_column_that_no_model_has_is_0():
    rng = np.random.default_rng(1)
    features = np.column_stack([rng.uniform(1, 1e6, 30), rng.uniform(1, 10, 30), np.zeros(30)])
    fit = fit_left_out(features, features @ [0.3, 700.0, 5.0], [str(k) for k in range(30)])
    assert fit.coefficients == pytest.approx([0.3, 700.0, 0.0]) and fit.errors(features @ [0.3, 700.0, 5.0]).max() < 1e-9


def test_a_group_is_told_by_the_others_alone():
    # The third model obeys another law: those with it are told wrongly, and it by the law of the rest.
    features, values = np.array([[1.0], [2.0], [3.0], [3.0]]), np.array([1.0, 2.0, 30.0, 30.0])
    fit = fit_left_out(features, values, ["a", "b", "odd", "odd"])
    assert fit.left_out[2:] == pytest.approx([3.0, 3.0]) and fit.errors(values)[2] == pytest.approx(0.9)


def test_each_kind_of_work_has_its_columns():
    conv = Work("CONV_2D", "conv", 50, 0, 0, positions=10, taps=9, input_channels=3, output_channels=5)
    row = dict(zip(INSTRUCTIONS, instruction_features([conv, Work("RESHAPE", "meta", 7, 0, 0), Work("ADD", "other", 11, 0, 0)], (8, 4)), strict=True))
    assert row == {**dict.fromkeys(INSTRUCTIONS, 0.0), "instr_call": 1, "instr_per_operator": 3, "instr_per_meta_operator": 1,
                   "instr_per_mac_conv": 10 * 9 * 8 * 4, "instr_per_output_conv": 50, "instr_per_output_other": 11}
    depthwise = Work("DEPTHWISE_CONV_2D", "depthwise", 60, 0, 0, positions=10, taps=9, input_channels=1, output_channels=1, repeats=6)
    assert instruction_features([depthwise], (8, 4))[INSTRUCTIONS.index("instr_per_mac_depthwise")] == 10 * 9 * 6


def test_spread_holds_as_many_further_ratios_as_it_says():
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(2000):
        *seen, further = np.exp(rng.normal(0.1, 0.2, 31))
        mean, low, high = log_spread(np.array(seen))
        inside += low < further < high
        assert low < mean < high
    assert 0.88 < inside / 2000 < 0.92


def test_the_serial_share_is_found_again():
    threads = np.array([1, 2, 3, 4] * 2)
    seconds = np.repeat([0.2, 0.05], 4) * (0.142 + (1 - 0.142) / threads)
    assert amdahl(threads, seconds, ["a"] * 4 + ["b"] * 4) == pytest.approx(0.142)
