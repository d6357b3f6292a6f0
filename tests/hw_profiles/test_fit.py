import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_profiles.fit import amdahl, fit_left_out, least_absolute, non_negative


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


def test_an_outlier_has_no_say_in_the_least_sum_of_distances():
    features = np.column_stack([np.arange(1.0, 21), np.ones(20)])
    values = features @ [0.5, 3.0]
    values[7] /= 4
    relative = features / values[:, None]
    assert least_absolute(relative, np.ones(20)) == pytest.approx([0.5, 3.0], rel=0.05)
    assert non_negative(relative, np.ones(20)) != pytest.approx([0.5, 3.0], rel=0.2)


def test_the_serial_share_is_found_again():
    threads = np.array([1, 2, 3, 4] * 2)
    seconds = np.repeat([0.2, 0.05], 4) * (0.142 + (1 - 0.142) / threads)
    assert amdahl(threads, seconds, ["a"] * 4 + ["b"] * 4) == pytest.approx(0.142)
