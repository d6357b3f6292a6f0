import numpy as np
import pytest

from edge_runtime.flagging import CLASSES
from train.windows import LIGHT_SNR, SIGNAL_SNR, SPLITS, WEAK, WINDOWS_PER_SCENE, WindowSet, balanced_test, matched_filter_snr, window_set

QUIET, HITS, LIGHTNING, BLUE, UV = range(5)


@pytest.fixture(scope="module")
def windows():
    return window_set("test", 320, 1)


@pytest.fixture(scope="module")
def training():
    return window_set("train", 320, 1)


def test_shapes_and_types(windows):
    w = 320 * WINDOWS_PER_SCENE
    for name, dtype, shape in (("counts", np.uint16, (w, 3, 1040)), ("rate", np.float32, (w, 3, 1040)), ("label", np.int8, (w,)), ("snr", np.float32, (w,)),
                               ("hit_regime", np.int8, (w,)), ("scene", np.int32, (w,))):
        array = getattr(windows, name)
        assert array.dtype == dtype and array.shape == shape, name
    assert np.array_equal(np.unique(windows.scene), np.arange(320))
    assert set(np.unique(windows.label)) == {WEAK, QUIET, HITS, LIGHTNING, BLUE, UV} and CLASSES[UV] == "uv"


def test_same_arguments_same_bytes_and_more_scenes_go_on():
    few, many = window_set("train", 9, 3), window_set("train", 12, 3)
    for name in ("counts", "rate", "label", "snr", "hit_regime", "scene"):
        assert getattr(few, name).tobytes() == getattr(many, name)[: few.label.size].tobytes(), name


def test_splits_and_seeds_share_no_window():
    seen = [frozenset(w.tobytes() for w in window_set(split, 24, seed).counts) for split in SPLITS for seed in (0, 1)]
    assert all(len(s) == 24 * WINDOWS_PER_SCENE for s in seen)
    assert len(frozenset.union(*seen)) == sum(len(s) for s in seen)


def test_labels_follow_from_light_and_hits(windows):
    light = windows.label >= LIGHTNING
    assert (windows.snr[light] >= SIGNAL_SNR).all()
    assert ((windows.snr[windows.label == WEAK] >= LIGHT_SNR) & (windows.snr[windows.label == WEAK] < SIGNAL_SNR)).all()
    assert (windows.snr[(windows.label == QUIET) | (windows.label == HITS)] < LIGHT_SNR).all()
    assert (windows.hit_regime[windows.label == HITS] > 0).all()
    # A hit has at least 5 counts above what is expected in 337 or 777; a quiet window has no such sample but by Poisson's chance.
    excess = (windows.counts.astype(float) - windows.rate)[:, [0, 2]].max(axis=(1, 2))
    assert (excess[windows.label == HITS] > 2.5).all()
    assert np.quantile(excess[windows.label == QUIET], 0.5) < 5 < np.quantile(excess[windows.label == HITS], 0.5)


def test_classes_show_what_they_are_named_for(windows):
    """Mean light per channel of the brighter windows: BLUE has no 777, uv has UV."""
    above = windows.rate.max(axis=2) - np.median(windows.rate, axis=2)  # [w, 3]
    bright = windows.snr > 10
    blue, uv, lightning = (above[bright & (windows.label == k)] for k in (BLUE, UV, LIGHTNING))
    assert np.median(blue[:, 0] / (blue[:, 2] + 0.01)) > 5
    assert np.quantile(uv[:, 1], 0.1) > 1
    assert np.median(lightning[:, 1]) < 0.1 and np.median(lightning[:, 2]) > 0.3


def test_every_class_has_enough_windows(training, windows):
    for split in (training, windows):
        share = np.bincount(split.label + 1, minlength=6) / split.label.size
        assert (share[1:] > 0.035).all() and 0.04 < share[0] < 0.2


def test_training_windows_lie_anywhere_and_the_others_tile_a_frame():
    """What one scene gives in the test split are four different tiles."""
    four = window_set("test", 1, 0).counts
    assert len({w.tobytes() for w in four}) == 4
    overlap = 0
    for counts in window_set("train", 40, 0).counts.reshape(40, WINDOWS_PER_SCENE, 3, 1040):
        one, two = counts[0], counts[1]
        overlap += any(np.array_equal(one[:, :8], two[:, k : k + 8]) for k in range(1, 1032))
    assert overlap > 3  # of the same pulse, at other offsets


def test_matched_filter_snr_by_hand():
    s, b = np.zeros((3, 4)), np.full((3, 4), 2.0)
    s[0, 1], s[2, 3] = 2.0, 6.0
    assert matched_filter_snr(s, b) == pytest.approx(np.sqrt(4 / 4 + 36 / 8))


def test_snr_is_what_a_matched_filter_reaches():
    """The weighted sum s / (s + b) of many Poisson draws: its mean shift over its deviation is the SNR."""
    rng = np.random.default_rng(0)
    b = np.full((3, 200), 0.5)
    s = np.zeros((3, 200))
    s[2, 50:90] = 0.7
    weight = s / (s + b)
    lit = (rng.poisson(s + b, (20000, 3, 200)) * weight).sum(axis=(1, 2))
    assert (lit.mean() - (b * weight).sum()) / lit.std() == pytest.approx(matched_filter_snr(s, b), rel=0.03)


def test_a_balanced_test_has_equal_numbers_of_all(windows):
    chosen = balanced_test(windows, 0)
    label, regime = windows.label[chosen], windows.hit_regime[chosen]
    n = (label == QUIET).sum()
    assert n > 50 and (label == HITS).sum() == (label >= LIGHTNING).sum() == n and (label == WEAK).sum() == 0
    assert ((label == HITS) & (regime == 1)).sum() == ((label == HITS) & (regime == 2)).sum() == n // 2
    assert np.array_equal(chosen, np.unique(chosen)) and np.array_equal(chosen, balanced_test(windows, 0))
    assert not np.array_equal(chosen, balanced_test(windows, 1))


def test_too_few_windows_cannot_be_balanced():
    one = window_set("test", 1, 0)
    with pytest.raises(ValueError, match="too few windows of"):
        balanced_test(one, 0)


def test_weak_light_is_in_the_set_far_below_the_signal_threshold(windows):
    weak = windows.snr[windows.label == WEAK]
    assert (weak < 2).mean() > 0.15 and (weak > 3).mean() > 0.15


@pytest.mark.parametrize(("split", "scenes"), [("validation", 3), ("train", 0)])
def test_what_cannot_be_made_is_refused(split, scenes):
    with pytest.raises(ValueError, match=r"none of|at least"):
        window_set(split, scenes, 0)


def test_an_elve_outshone_by_its_parent_is_still_uv():
    """Elves are named where their own light is significant: else hardly any would be."""
    windows: WindowSet = window_set("train", 160, 5)
    uv = windows.label == UV
    light = windows.rate - np.quantile(windows.rate, 0.05, axis=2, keepdims=True)
    outshone = (light[:, 2].sum(axis=1) > light[:, 1].sum(axis=1)) & uv
    assert outshone.sum() > 5
