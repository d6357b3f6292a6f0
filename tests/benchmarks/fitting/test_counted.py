import numpy as np
import pytest

from benchmarks.arm.emulate import read_fixture
from benchmarks.fitting.counted import CORES, coefficients, counted_fit, priced
from hw_profiles.work import Unpriced, Work


@pytest.mark.parametrize("core", CORES)
def test_every_counted_model_is_told_by_the_others(core):
    found, counts = counted_fit(core), read_fixture().models
    assert set(found.names) == set(counts) and len(found.names) >= 24
    values = np.array([counts[name].cores[core].instructions for name in found.names])
    assert found.errors == pytest.approx(np.abs(found.fit.left_out / values - 1))
    assert np.abs(found.fit.left_out / values - 1).mean() > 0.005  # not the model itself


def test_coefficients_are_named_as_the_profile_has_them_and_tell_a_call():
    found = counted_fit("cortex-a53")
    named = coefficients(found)
    assert found.instructions([]) == pytest.approx(named["instr_per_call"])
    tanh = Work("TANH", "other", 100, 0, 0)
    assert found.instructions([tanh]) == pytest.approx(named["instr_per_call"] + named["instr_per_operator"] + 100 * named["instr_per_element"])


def test_what_has_no_price_is_no_part_of_a_fit():
    with pytest.raises(Unpriced, match="operator 3"):
        priced([Work("TANH", "other", 1, 0, 0), Unpriced("operator 3, LSTM, has no price")])
