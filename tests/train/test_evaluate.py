from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from edge_runtime.flagging import score_table
from tests.train import tiny
from train import evaluate
from train.configuration import ThresholdConfiguration
from train.run_folder import read_run

SCORES = st.lists(st.integers(-5, 5), min_size=1, max_size=40)


@given(SCORES, SCORES)
def test_auc_is_scikit_learns_with_ties(signal, noise):
    expected = roc_auc_score([1] * len(signal) + [0] * len(noise), signal + noise)
    assert evaluate.roc_auc(np.array(signal), np.array(noise)) == pytest.approx(expected)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_macro_f1_is_scikit_learns(pairs):
    label, told = np.array(pairs).T
    assert evaluate.macro_f1(label, told) == pytest.approx(f1_score(label, told, labels=range(5), average="macro", zero_division=0))


def test_recalls_of_a_class_without_windows_are_not_known():
    assert evaluate.recalls(np.array([0, 0, 2]), np.array([0, 1, 2])) == {"quiet": 0.5, "hits": None, "lightning": 1.0, "blue": None, "uv": None}


def test_the_paired_bootstrap_of_a_score_with_itself_is_zero_and_sees_a_difference_that_is_there():
    rng = np.random.default_rng(0)
    scene, signal = np.repeat(np.arange(100), 4), rng.random(400) < 0.5
    good = signal + rng.normal(0, 0.5, 400)
    bad = good + rng.normal(0, 2.0, 400)
    assert evaluate.paired_bootstrap(scene, signal, good, good, 50, 1) == (0.0, 0.0, 0.0)
    difference, low, high = evaluate.paired_bootstrap(scene, signal, good, bad, 200, 1)
    assert difference == pytest.approx(evaluate.roc_auc(good[signal], good[~signal]) - evaluate.roc_auc(bad[signal], bad[~signal]))
    assert 0 < low < difference < high


def test_the_bootstrap_draws_scenes_so_copies_of_a_scene_do_not_make_it_surer():
    rng = np.random.default_rng(0)
    signal = np.arange(60) % 2 == 0
    a, b = signal + rng.normal(0, 1, 60), signal + rng.normal(0, 1, 60)
    once = evaluate.paired_bootstrap(np.arange(60), signal, a, b, 300, 1)
    often = evaluate.paired_bootstrap(np.tile(np.arange(60), 9), np.tile(signal, 9), np.tile(a, 9), np.tile(b, 9), 300, 1)
    assert often[0] == pytest.approx(once[0])
    assert often[2] - often[1] == pytest.approx(once[2] - once[1], rel=0.3)


def calibration_set(light_mean, noise_mean, n=400, seed=0):
    rng = np.random.default_rng(seed)
    label = np.resize(np.array([0, 1, 2, 3, 4, 1], np.int8), n)
    regime = np.where(label == 1, rng.integers(1, 3, n), 0).astype(np.int8)
    score = np.rint(np.where(label >= 2, light_mean, noise_mean) + rng.normal(0, 100, n)).astype(np.int32)
    windows = SimpleNamespace(label=label, hit_regime=regime, scene=np.arange(n, dtype=np.int32))
    return SimpleNamespace(score=score, hits_score=-score), windows


def test_the_threshold_is_the_highest_with_the_recall_asked_for():
    answers, windows = calibration_set(400, -400)
    found = evaluate.calibrate(answers, windows, ThresholdConfiguration(recall=0.95), seed=1)
    flag = found["thresholds"]["flag"]
    picks = evaluate.balanced_test(windows, 1)
    light = answers.score[picks][windows.label[picks] >= 2]
    assert (light > flag).mean() >= 0.95 > (light > flag + 1).mean()
    assert found["achieved"]["signal_precision"] > 0.99


def test_thresholds_need_every_kind_of_window():
    answers, windows = calibration_set(0, 0)
    windows.label[windows.label == 0] = 2
    with pytest.raises(ValueError, match="quiet"):
        evaluate.calibrate(answers, windows, ThresholdConfiguration(), seed=1)


def test_the_float_score_is_the_integer_one_within_its_rounding():
    codes = np.random.default_rng(0).integers(-128, 128, (500, 5)).astype(np.int8)
    for scale in (0.02, 0.11, 0.5):
        integer = score_table(scale).scores(codes)
        exact = evaluate.float_scores(codes * scale, scale)
        assert all(np.abs(i - e).max() <= 3 for i, e in zip(integer, exact, strict=True))


def test_both_networks_of_a_run_answer_alike_and_in_the_same_units(tmp_path):
    run = read_run(tiny.finished(tmp_path / "run"))
    counts = tiny.windows(seed=1).counts
    quantised, twin = (evaluate.answers(run, kind, counts) for kind in ("quantised", "float_twin"))
    assert quantised.score.dtype == np.int32 and twin.score.dtype == np.float64
    assert np.corrcoef(quantised.score, twin.score)[0, 1] > 0.9
    assert 0.5 < quantised.score.std() / twin.score.std() < 2
    assert (quantised.kl >= 0).all() and np.isfinite(quantised.likelihood_gain).all() and quantised.latent.shape == (len(counts), 3)
