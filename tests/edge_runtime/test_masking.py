import numpy as np
import pytest

from edge_runtime.masking import Masker

NONE = np.zeros((48, 48), bool)


def frame(seed=0):
    return np.random.default_rng(seed).poisson(10_650, (48, 48)).astype(np.uint32)


def test_an_ordinary_frame_has_nothing_to_mask():
    masker = Masker()
    assert not any(masker.frame(frame(seed), NONE).any() for seed in range(20)) and not any(masker.counts.values())


def test_dead_pixels_and_those_of_the_file_are_counted_once():
    sums, told = frame(), NONE.copy()
    sums[5, 5] = sums[7, 8] = 0
    told[5, 5] = told[0, 0] = True
    masker = Masker()
    assert np.argwhere(masker.frame(sums, told)).tolist() == [[0, 0], [5, 5], [7, 8]]
    assert masker.counts == {"file": 2, "dead": 1, "voltage": 0, "row": 0}


@pytest.mark.parametrize("gain", [0.3, 0.05])
def test_a_voltage_step_masks_its_unit_where_it_goes_down_and_where_it_comes_back(gain):
    masker, found = Masker(), []
    for k in range(6):
        sums = frame(k)
        if 2 <= k < 4:
            sums[16:32, 32:48] = np.rint(sums[16:32, 32:48] * gain)
        found.append(masker.frame(sums, NONE))
    assert [mask.sum() for mask in found] == [0, 0, 256, 0, 256, 0]
    assert found[2][16:32, 32:48].all() and masker.counts["voltage"] == 512


def test_after_a_gap_a_changed_level_is_no_step():
    masker = Masker()
    masker.frame(frame(), NONE)
    masker.gap()
    assert not masker.frame(frame(1) * 3, NONE).any()


def test_a_meteor_and_a_city_are_no_artefact():
    sums = frame()
    sums[20, 20:24] += 4000
    sums[30:33, 8:12] += 20_000
    assert not Masker().frame(sums, NONE).any()


@pytest.mark.parametrize("row", [0, 17, 47])
def test_a_bright_row_of_a_unit_is_masked(row):
    sums = frame()
    sums[row, 16:32] = sums[row, 16:32] * 3 // 2
    masker = Masker()
    assert np.argwhere(masker.frame(sums, NONE)).tolist() == [[row, column] for column in range(16, 32)] and masker.counts["row"] == 16
