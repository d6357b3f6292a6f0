"""What comes again where the ground has drifted to is a light there; what stands alone is a meteor."""

import pickle

import numpy as np
import pytest

from edge_runtime.recurrence import DRIFT_FRAMES, LoneTracker
from edge_runtime.tracking import Tracker, TrackRules

RULES = TrackRules(alone=100, wait=5)
MEAN = 205  # frame about which the meteor lies; its place is row 10.5 + 1, column 12.5 + 1 in focal coordinates


def meteor(row=10, first=10, last=15, frame=200, step=1):
    """Points (peak, row, column) of a way across columns, two frames in each, `step` rows on in each."""
    return [(frame + 2 * k, row + (step - 1) * k, column) for k, column in enumerate(range(first, last + 1))]


def blink(frame, row, column):
    """Points of a light that shows in two pixels for a frame: a cluster, and no track."""
    return [(frame, row, column), (frame, row, column + 1)]


def run(points, rules=RULES, length=500, finish=True):
    """Tracks with the frame in which each is given, -1 for those of `finish`, of points flagged 3 frames after their peak."""
    tracker, found = LoneTracker(rules), []
    for frame in range(length):
        found += [(frame, track) for track in push(tracker, frame, [point for point in points if point[0] + 3 == frame])]
    return found + [(-1, track) for track in tracker.finish()] if finish else found


def push(tracker, frame, points):
    peak, row, column = np.array(points, np.int64).reshape(-1, 3).T
    return tracker.push(frame, peak, row * 48 + column, np.full(len(peak), 30), np.full(len(peak), 0.2))


def drifted(frame):
    """The row to which the ground at the meteor's has moved on by `frame`, in the same tube where it is near."""
    return round(10 + (frame - MEAN) / DRIFT_FRAMES)


def test_a_lone_track_is_that_of_the_tracker_and_given_when_it_stood_alone_long_enough():
    [(frame, track)] = run(meteor())
    assert frame == track.frame_end + 100 + 30 + 5 == 346 and track.pixels == tuple((10, column) for column in range(10, 16))
    plain = Tracker(RULES)
    given = [(frame, push(plain, frame, [point for point in meteor() if point[0] + 3 == frame])) for frame in range(300)]
    assert [one for one in given if one[1]] == [(210 + 3 + RULES.wait, [track])]


@pytest.mark.parametrize("length", [215, 230, 310])
def test_at_the_end_of_a_recording_a_track_is_given_at_once(length):
    [(frame, track)] = run(meteor(), length=length)
    assert frame == -1 and track.frame_end == 211 and run(meteor(), length=length, finish=False) == []


@pytest.mark.parametrize("frame", [110, 140, 180, 230, 260, 290])
def test_a_light_that_blinks_again_where_the_ground_drifted_to_is_dropped_whichever_comes_first(frame):
    assert run(meteor() + blink(frame, drifted(frame), 12)) == []
    assert len(run(blink(frame, drifted(frame), 12))) == 0 and len(run(meteor())) == 1


def test_two_tracks_of_one_light_drop_each_other():
    assert run(meteor() + meteor(frame=242, row=12)) == []
    assert len(run(meteor() + meteor(frame=242, row=12, first=20, last=25))) == 2


@pytest.mark.parametrize(("frame", "row", "column"), [
    (290, drifted(290), 18), (290, drifted(290), 7), (290, drifted(290) + 4, 12), (290, 10, 12),  # the last where it was: the ground has moved on
    (120, 10, 12), (100, drifted(100), 12), (315, drifted(315), 12)])  # the last two too early and too late
def test_a_light_at_another_place_or_time_leaves_it(frame, row, column):
    found = [track.pixels for _, track in run(meteor() + blink(frame, row, column))]
    assert found == [tuple((10, column) for column in range(10, 16))]


def test_how_long_is_a_rule():
    points = meteor() + blink(290, drifted(290), 12)
    assert run(points, TrackRules(alone=100, wait=5)) == []
    [(frame, track)] = run(points, TrackRules(alone=60, wait=5))
    assert frame == track.frame_end + 60 + 30 + 5
    assert [frame for frame, _ in run(points, TrackRules(alone=0, wait=5))] == [211 + 30 + 5]


def test_a_single_pixel_is_no_cluster_and_no_recurrence():
    assert len(run([*meteor(), (290, drifted(290), 12)])) == 1


@pytest.mark.parametrize("along", ["row", "column"])
def test_a_meteor_that_a_gap_between_tubes_cuts_in_two_stays(along):
    whole = [(200 + 4 * k, 5 + k, 20) if along == "row" else (200 + 4 * k, 20, 5 + k) for k in range(6)]
    points = [point for point in whole if 7 not in point and 8 not in point]
    [(_, one), (_, other)] = run(points, TrackRules(alone=100, wait=5, minimum_pixels=2))
    assert one.pixels + other.pixels == tuple(point[1:] for point in points)


def test_after_a_gap_nothing_is_known_of_what_was_before():
    tracker = LoneTracker(RULES)
    for frame in range(200):
        push(tracker, frame, [point for point in blink(180, drifted(180), 12) if point[0] + 3 == frame])
    assert tracker.finish() == []
    for frame in range(200, 230):
        assert push(tracker, frame, [point for point in meteor() if point[0] + 3 == frame]) == []
    assert len(tracker.finish()) == 1 and tracker.finish() == []
    assert push(tracker, 3, []) == []  # frames begin anew


def test_memory_is_bounded_however_much_blinks():
    rules, sizes = TrackRules(alone=1 << 20, wait=1, minimum_pixels=3), []
    tracker = LoneTracker(rules)
    places = [(row, column) for row in range(2, 46, 5) for column in range(2, 44, 5)]  # 81 of them, out of each other's reach
    for frame in range(0, 60 * 12, 12):
        points = [(frame + k, row, column + k) for row, column in places for k in range(3)]
        for k in range(12):
            push(tracker, frame + k, [point for point in points if point[0] == frame + k])
        sizes.append(len(pickle.dumps(tracker)))
    assert sizes[5] > sizes[0] + 10_000 and abs(sizes[-1] - sizes[20]) < 0.05 * sizes[20]
