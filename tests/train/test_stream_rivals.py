"""The rules of the rivals against streams with known answers, and against the rules written out plainly."""

import numpy as np
import pytest

from train.pixels.stream_rivals import Level2Rule, RunningMedian

NONE = np.zeros((48, 48), bool)
FULL = [(RunningMedian, 3.0, 48), (Level2Rule, 1.02, 132)]  # rule, level, frames of a full history


def flat(count=10_000):
    return np.full((48, 48), count, np.uint32)


def with_pixel(row, column, count):
    sums = flat()
    sums[row, column] = count
    return sums


def fed(rival, frames, mask=NONE):
    assert not any(len(rival.frame(flat(), mask).pixel) for _ in range(frames))
    return rival


def test_the_median_rule_flags_what_is_above_its_level_in_deviations():
    rival = fed(RunningMedian(3.0), 48)
    assert rival.frame(with_pixel(2, 5, 10_300), NONE).pixel.size == 0  # 3 sigma, not above
    flags = rival.frame(with_pixel(2, 5, 10_325), NONE)
    assert (flags.pixel.tolist(), flags.score.tolist()) == ([101], [52])  # 3.25 sigma
    assert flags.excess.dtype == np.float32 and flags.excess.tolist() == pytest.approx([325 / 16_384])
    assert flags.pixel.dtype == flags.score.dtype == np.int64


def test_the_median_is_that_of_the_48_frames_before_and_renewed_every_eighth():
    rival = RunningMedian(2.0)
    stream = np.random.default_rng(5).poisson(10_000, (120, 48, 48)).astype(np.uint32)
    for n, sums in enumerate(stream):
        flags, renewed = rival.frame(sums, NONE), n // 8 * 8
        expected = []
        if renewed >= 48:
            median = np.median(stream[renewed - 48:renewed], axis=0)
            expected = np.flatnonzero(sums - median > 2 * np.sqrt(median)).tolist()
            assert expected
        assert flags.pixel.tolist() == expected


def test_the_flight_rule_is_a_factor_on_the_mean_of_128_frames_before_a_sum_of_four():
    rival = Level2Rule(1.02)
    stream = np.random.default_rng(6).poisson(10_000, (200, 48, 48)).astype(np.uint32)
    stream[150:154, 7, 9] += 900
    found = set()
    for n, sums in enumerate(stream):
        flags = rival.frame(sums, NONE)
        if n < 131:
            assert flags.pixel.size == 0
            continue
        total, mean = stream[n - 3:n + 1].sum(axis=0, dtype=np.int64), stream[n - 131:n - 3].mean(axis=0)
        assert flags.pixel.tolist() == np.flatnonzero(total > 1.02 * 4 * mean).tolist()
        above = (total - 4 * mean).ravel()[flags.pixel]
        assert np.array_equal(flags.score, np.rint(16 * above / np.sqrt(4 * mean.ravel()[flags.pixel])))
        assert flags.excess == pytest.approx(above / 4 / 16_384)
        found |= {n for pixel in flags.pixel if pixel == 7 * 48 + 9}
    assert {151, 152, 153, 154, 155} <= found


def test_the_factor_of_flight_never_fires_on_a_meteor():
    rival = fed(Level2Rule(4.0), 132)
    assert not any(rival.frame(with_pixel(3, 3, 30_000), NONE).pixel.size for _ in range(4))


@pytest.mark.parametrize(("rule", "level", "full"), FULL)
def test_a_pixel_without_a_full_history_says_nothing(rule, level, full):
    rival = fed(rule(level), full - 1)
    if rule is RunningMedian:
        assert rival.frame(with_pixel(4, 4, 20_000), NONE).pixel.size == 0  # the 48th frame is not judged
    assert rival.frame(with_pixel(4, 4, 20_000), NONE).pixel.tolist() == [196]


@pytest.mark.parametrize(("rule", "level", "full"), FULL)
def test_a_masked_pixel_is_silent_and_begins_anew(rule, level, full):
    rival, mask = fed(rule(level), full), NONE.copy()
    mask[4, 4] = True
    bright = with_pixel(4, 4, 30_000)
    bright[9, 9] = 30_000
    assert rival.frame(bright, mask).pixel.tolist() == [9 * 48 + 9]
    spoken = [n for n in range(full + 8) if 196 in rival.frame(with_pixel(4, 4, 30_000 + 400 * n), NONE).pixel]
    first = spoken[0]
    # A full history of its own, and for the median the next renewal.
    assert first == (full - 1 if rule is Level2Rule else 55) and spoken == list(range(first, full + 8))


@pytest.mark.parametrize(("rule", "level", "full"), FULL)
def test_after_a_gap_everything_begins_anew(rule, level, full):
    rival = fed(rule(level), full)
    rival.reset()
    assert not any(rival.frame(flat(40_000), NONE).pixel.size for _ in range(full))
    bright = flat(40_000)
    bright[1, 1] = 60_000
    assert rival.frame(bright, NONE).pixel.tolist() == [49]


@pytest.mark.parametrize(("rule", "level", "full"), FULL)
def test_a_dead_pixel_divides_by_nothing(rule, level, full):
    rival = rule(level)
    for _ in range(full):
        rival.frame(flat(0), NONE)
    flags = rival.frame(flat(0) + np.uint32(5), NONE)
    assert len(flags.pixel) == 2304 and (flags.score == 80).all()
