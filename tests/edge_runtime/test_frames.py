import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_runtime.errors import InputError
from edge_runtime.frames import FRAME_GTU, PIXELS, FrameStretch, read_npz_frames, sums_of_means

SHAPE = (5, PIXELS, PIXELS)
TIMES = 1_577_763_286 + 0.04096 * np.arange(5)


def saved(path, **arrays_):
    np.savez(path, **arrays_)
    return path


def good(**changes):
    return {"sums": np.full(SHAPE, 10_650, np.uint32), "frame_time_unix": TIMES} | changes


def without(name, **changes):
    return {key: value for key, value in good(**changes).items() if key != name}


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint16])
def test_sums_and_their_time(tmp_path, dtype):
    sums = np.random.default_rng(0).integers(0, 60_000, SHAPE).astype(dtype)
    mask = np.zeros((PIXELS, PIXELS), bool)
    mask[3, 4] = True
    [stretch] = read_npz_frames(saved(tmp_path / "a.npz", **good(sums=sums, mask=mask)))
    assert stretch.sums.dtype == np.uint32 and np.array_equal(stretch.sums, sums)
    assert stretch.masked.sum() == 5 and stretch.masked[:, 3, 4].all()
    assert stretch.utc_start_ns == 1_577_763_286_000_000_000


def test_without_time_there_are_no_gaps(tmp_path):
    [stretch] = read_npz_frames(saved(tmp_path / "a.npz", **without("frame_time_unix")))
    assert stretch.utc_start_ns is None and len(stretch.sums) == 5 and not stretch.masked.any()


def test_a_gap_in_time_begins_another_stretch(tmp_path):
    times = TIMES + np.array([0, 0, 0.041, 0.041, 2.0])
    found = list(read_npz_frames(saved(tmp_path / "a.npz", **good(frame_time_unix=times))))
    assert [(len(one.sums), one.frame, one.utc_start_ns) for one in found] == [(n, f, round(times[f] * 1e9)) for n, f in ((2, 0), (2, 2), (1, 4))]


@pytest.mark.parametrize(("period", "longest"), [(1.0, 64), (1.005, 64), (1.03, 17), (0.97, 17), (1.24, 3), (0.76, 3)])
def test_a_clock_of_another_period_is_cut_before_it_is_half_a_frame_off(tmp_path, period, longest):
    times = 1_577_763_286 + np.arange(64) * period * 0.04096
    found = list(read_npz_frames(saved(tmp_path / "a.npz", sums=np.zeros((64, PIXELS, PIXELS), np.uint32), frame_time_unix=times)))
    lengths = [len(one.sums) for one in found]
    assert max(lengths) == longest and sum(lengths) == 64
    for one in found:
        drift = (times[one.frame:one.frame + len(one.sums)] - times[one.frame]) / 0.04096 - np.arange(len(one.sums))
        assert one.utc_start_ns == round(times[one.frame] * 1e9) and np.abs(drift).max() <= 0.5 + 1e-6


@given(arrays(np.uint32, (2, PIXELS, PIXELS), elements=st.integers(0, 256 * FRAME_GTU - 1)), st.sampled_from([np.float32, np.float64]))
@settings(max_examples=30, deadline=None)
def test_means_of_whole_counts_give_them_back(sums, dtype):
    assert np.array_equal(sums_of_means("x", "m", (sums / FRAME_GTU).astype(dtype)), sums)


def means_off(value):
    means = np.full(SHAPE, 0.5)
    means[3, 2, 1] = value
    return without("sums", counts_per_gtu=means)


@pytest.mark.parametrize(("content", "field", "reason"), [
    (without("sums"), "sums", "missing"), (good(counts_per_gtu=np.zeros(SHAPE)), "counts_per_gtu", "beside"),
    (good(sums=np.zeros(SHAPE)), "sums", "counts_per_gtu"), (good(sums=np.zeros(SHAPE[1:], np.uint32)), "sums", "shape"),
    (good(sums=np.zeros((0, PIXELS, PIXELS), np.uint32), frame_time_unix=np.zeros(0)), "sums", "n >= 1"),
    (good(sums=np.full(SHAPE, -1, np.int32)), "sums", "negative"), (good(sums=np.full(SHAPE, 256 * FRAME_GTU, np.uint32)), "sums", "above"),
    (without("sums", counts_per_gtu=np.zeros(SHAPE, np.uint32)), "counts_per_gtu", "float"),
    (means_off(np.nan), "counts_per_gtu", "frame 3, row 2, column 1"), (means_off(-0.5), "counts_per_gtu", "negative"),
    (means_off(300.0), "counts_per_gtu", "255"), (means_off((8192 + 0.02) / FRAME_GTU), "counts_per_gtu", "whole number"),
    (good(frame_time_unix=TIMES.astype(np.float32)), "frame_time_unix", "float64"), (good(frame_time_unix=TIMES[:4]), "frame_time_unix", "[5]"),
    (good(frame_time_unix=TIMES[::-1].copy()), "frame_time_unix", "back"), (good(frame_time_unix=TIMES[[0, 1, 1, 2, 3]]), "frame_time_unix", "same time"),
    (good(frame_time_unix=TIMES * np.nan), "frame_time_unix", "1970"), (good(frame_time_unix=TIMES - 2e9), "frame_time_unix", "1970"),
    (good(mask=np.zeros((PIXELS, PIXELS), np.uint8)), "mask", "bool"), (good(mask=np.zeros((48, 47), bool)), "mask", "[48, 48]"),
])  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, content, field, reason):
    with pytest.raises(InputError) as refusal:
        read_npz_frames(saved(tmp_path / "a.npz", **content))
    assert field in str(refusal.value) and reason in str(refusal.value) and "a.npz" in str(refusal.value)


def test_a_mean_off_by_less_than_a_hundredth_of_a_count_is_rounded(tmp_path):
    [stretch] = read_npz_frames(saved(tmp_path / "a.npz", **means_off((8192 + 0.009) / FRAME_GTU)))
    assert stretch.sums[3, 2, 1] == 8192


@pytest.mark.parametrize(("sums", "masked"), [(np.zeros(SHAPE, np.int64), np.zeros(SHAPE, bool)), (np.zeros(SHAPE, np.uint32), np.zeros(SHAPE[1:], bool)),
                                              (np.zeros((0, 48, 48), np.uint32), np.zeros((0, 48, 48), bool))])
def test_a_stretch_of_another_kind_is_refused(sums, masked):
    with pytest.raises(ValueError, match="n >= 1"):
        FrameStretch(sums, masked, None, 0)
