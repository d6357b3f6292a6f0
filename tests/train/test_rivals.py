import numpy as np
import pytest

from edge_runtime.flagging import CLASSES
from train import rivals
from train.windows import window_set


def dark(windows=4, mean=0.5, seed=0):
    return np.random.default_rng(seed).poisson(mean, (windows, 3, 1040)).astype(np.uint16)


@pytest.mark.parametrize("rival", rivals.RIVALS, ids=lambda rival: rival.id)
def test_every_rival_gives_a_finite_score_per_window_also_for_dark_and_saturated_ones(rival):
    counts = np.stack([np.zeros((3, 1040), np.uint16), np.full((3, 1040), 65535, np.uint16), dark(1)[0]])
    score = rival.score(counts)
    assert score.shape == (3,) and score.dtype == np.float64 and np.isfinite(score).all()


def test_significance_of_a_boxcar_is_as_written_down():
    counts = np.ones((1, 3, 1040), np.uint16)
    counts[0, 1, 500:508] += 5
    found = rivals.boxcar_significance(counts)
    assert found[0, 1] == pytest.approx([40 / 3, 40 / 33**0.5, 40 / 129**0.5])
    assert found[0, 0] == pytest.approx(0)


def test_clipping_takes_single_samples_away_and_leaves_eight():
    spike, block = dark(1, seed=1), dark(1, seed=1)
    spike[0, 0, [100, 300, 700]] += 50
    block[0, 0, 100:108] += 50
    plain, clipped = (score(np.concatenate([dark(1, seed=1), spike, block])) for score in (rivals.boxcar_plain, rivals.boxcar_clipped))
    assert plain[1] > plain[0] + 10 and clipped[1] < clipped[0] + 1
    assert clipped[2] > clipped[0] + 10


def test_more_windows_than_a_chunk_are_scored_as_each_alone():
    counts = dark(rivals._CHUNK + 3)
    assert np.array_equal(rivals.boxcar_clipped(counts)[-3:], rivals.boxcar_clipped(counts[-3:]))


@pytest.mark.parametrize("five_way", [rivals.FiveWay, rivals.Boosted])
def test_five_way_rivals_do_far_better_than_chance_and_the_same_twice(five_way):
    train, test = window_set("train", 120, 1), window_set("test", 60, 1)
    told = [five_way(train.counts, train.label, 0).told(test.counts) for _ in range(2)]
    named = test.label >= 0
    assert np.array_equal(*told) and told[0].dtype == np.int64
    assert (told[0][named] == test.label[named]).mean() > 2 / len(CLASSES)


def test_boosted_trees_learn_nothing_from_windows_without_a_name():
    train, test = window_set("train", 120, 1), window_set("test", 20, 1)
    named = train.label >= 0
    assert not named.all()
    told = [rivals.Boosted(counts, label, 0).told(test.counts) for counts, label in ((train.counts, train.label), (train.counts[named], train.label[named]))]
    assert np.array_equal(*told)
