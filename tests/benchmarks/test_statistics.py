import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_auc_score, roc_curve

from benchmarks import statistics


def test_the_interval_of_a_percentile_holds_the_truth_about_as_often_as_it_says():
    held = 0
    for seed in range(300):
        draws = np.random.default_rng(seed).exponential(1.0, 400)
        spread = statistics.percentile_spread(draws, 95, seed)
        held += spread.low <= -np.log(0.05) <= spread.high
    assert 0.90 <= held / 300 <= 0.99


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_of_shares_are_clopper_and_pearsons(drawn):
    hits, n = drawn
    interval = binomtest(hits, n).proportion_ci(method="exact")
    assert statistics.clopper_pearson(hits, n) == pytest.approx((interval.low, interval.high), abs=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (95, 100), (1, 1)])
def test_wilson_is_scipys(hits, n):
    theirs = binomtest(hits, n).proportion_ci(method="wilson")
    assert statistics.wilson(hits, n) == pytest.approx((theirs.low, theirs.high), abs=1e-6)


def test_wilson_of_nothing_says_nothing():
    assert statistics.wilson(0, 0) == (0.0, 1.0)


def test_scenes_are_drawn_whole():
    scene = np.repeat(np.arange(20), 5)
    seen = []

    def statistic(picks):
        seen.append(np.bincount(picks, minlength=100).reshape(20, 5))
        return float(picks.mean())

    spread = statistics.scene_bootstrap(statistic, scene, seed=1, resamples=50)
    assert len(seen) == 50 and all((counts == counts[:, :1]).all() and counts.sum() == 100 for counts in seen)
    assert spread.low < 49.5 < spread.high and "20 scenes" in spread.what


def test_windows_of_one_scene_widen_the_interval():
    value = np.repeat(np.random.default_rng(3).normal(size=40), 25)
    alone = statistics.scene_bootstrap(lambda picks: float(value[picks].mean()), np.arange(1000), 0)
    by_scene = statistics.scene_bootstrap(lambda picks: float(value[picks].mean()), np.repeat(np.arange(40), 25), 0)
    assert by_scene.high - by_scene.low > 3 * (alone.high - alone.low)


def test_confusion_is_sklearns():
    rng = np.random.default_rng(0)
    truth, told = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    assert np.array_equal(statistics.confusion(truth, told, 5), confusion_matrix(truth, told, labels=range(5)))


@pytest.mark.parametrize("rounded", [False, True])
def test_curves_are_sklearns_where_they_are_kept(rounded):
    rng = np.random.default_rng(5)
    positive, negative = rng.normal(1, 1, 60), rng.normal(0, 1, 80)
    if rounded:  # ties
        positive, negative = positive.round(0), negative.round(0)
    labels, scores = np.r_[np.ones(60), np.zeros(80)], np.r_[positive, negative]
    false, true = statistics.roc_curve(positive, negative, points=10_000)
    their_false, their_true, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert np.allclose(false, their_false, atol=1e-5) and np.allclose(true, their_true, atol=1e-5)
    assert np.trapz(true, false) == pytest.approx(roc_auc_score(labels, scores), abs=1e-4)
    recall, precision = statistics.precision_recall_curve(positive, negative, points=10_000)
    their_precision, their_recall, _ = precision_recall_curve(labels, scores)
    assert np.allclose(recall, their_recall[-2::-1], atol=1e-5) and np.allclose(precision, their_precision[-2::-1], atol=1e-5)


def test_a_thinned_curve_keeps_its_ends():
    rng = np.random.default_rng(6)
    false, true = statistics.roc_curve(rng.normal(1, 1, 5000), rng.normal(0, 1, 5000), points=50)
    assert len(false) <= 52 and (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
