"""Tracks against simulated motion, and clusters against a plain description of what touches."""

import json
import math
import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.tracking import (
    EDGES,
    METEOR_KM,
    PEAK_FRAMES,
    STATION_KM_S,
    Place,
    Track,
    Tracker,
    TrackRules,
    direction_deg,
    magnitude,
    speed_km_s,
)

RULES = TrackRules()
OPEN = TrackRules(reach_frames=6, minimum_pixels=2, largest_residual=48.0, slowest=0.0, fastest=48.0, shortest=0.0, longest=1 << 20,
                  threshold=-1000, wait=1 << 20)  # any two points are a track


def crossing(row, column, row_step, column_step, start, frames, rng):
    """Points (peak, pixel, score, excess) of the pixels that a way passes within half a pixel of their centres, peaks off by a third of a frame."""
    time = start + np.arange(0, frames, 0.05)
    rows, columns = row + row_step * (time - start), column + column_step * (time - start)
    points = []
    for r, c in np.ndindex(48, 48):
        away = np.hypot(rows - EDGES[r] - 0.5, columns - EDGES[c] - 0.5)
        if away.min() <= 0.5:
            excess = 0.3 * np.exp(-0.5 * (away.min() / 0.45) ** 2)
            points.append((int(np.floor(time[away.argmin()] + rng.normal(0, 0.3))), r * 48 + c, int(200 * excess), excess))
    return points


def flagged(points, first=4, last=16):
    """Frame to what is flagged in it: every point from `first` to `last` frames after its peak, best in between."""
    frames = {}
    for peak, pixel, score, excess in points:
        for after in range(first, last):
            frames.setdefault(peak + after, {})[pixel] = (peak, pixel, score - abs(after - 10), excess)
    return frames


def push(tracker, frame, points):
    peak, pixel, score, excess = zip(*points, strict=True) if points else ((),) * 4
    return tracker.push(frame, np.array(peak, np.int64), np.array(pixel, np.int64), np.array(score, np.int64), np.array(excess, np.float64))


def run(frames, rules=RULES, length=200, order=None):
    tracker, tracks = Tracker(rules), []
    for frame in range(length):
        points = list(frames.get(frame, {}).values())
        if order is not None:
            order.shuffle(points)
        tracks += push(tracker, frame, points)
    return tracks + tracker.finish()


def pixels(points):
    return tuple(sorted(divmod(point[1], 48) for point in points))


@pytest.mark.parametrize(("row", "column", "row_step", "column_step"), [
    (10.2, 20.3, 0.31, 0.22), (40.0, 30.5, -0.4, 0.05), (20.0, 4.0, 0.1, 0.5), (30.5, 44.0, 0.16, -0.3)])
def test_a_straight_way_comes_back_with_its_motion_and_exactly_its_pixels(row, column, row_step, column_step):
    points = crossing(row, column, row_step, column_step, 60.0, 30, np.random.default_rng(1))
    assert len(points) >= 6
    [track] = run(flagged(points))
    assert track.pixels == pixels(points)
    assert (track.frame_start, track.frame_end) == (min(point[0] for point in points), max(point[0] for point in points) + 1)
    middle = (track.frame_start + track.frame_end) / 2 - 60
    assert abs(track.row_step - row_step) < 0.04 and abs(track.column_step - column_step) < 0.04
    assert abs(track.row - row - row_step * middle) < 0.4 and abs(track.column - column - column_step * middle) < 0.4
    assert 0 < track.residual < 0.6 and track.excess == max(point[3] for point in points)
    frames = track.frame_end - track.frame_start
    assert track.score == round(sum(point[2] for point in points) / len(points) ** 0.5 * (10 / frames) ** 0.6 * (track.excess / 0.1) ** 0.25)


def test_of_two_tracks_as_sure_the_shorter_scores_higher():
    short, long = ([(60 + step * index, 480 + index, 20, 0.2) for index in range(5)] for step in (2, 6))
    [(brief,), (lasting,)] = run(flagged(short, 0, 20)), run(flagged(long, 0, 20))
    assert (brief.score, lasting.score) == tuple(round(20 * 5 ** 0.5 * (10 / frames) ** 0.6 * 2 ** 0.25) for frames in (9, 25)) == (57, 31)


def test_of_two_tracks_as_sure_the_brighter_scores_higher_and_light_below_the_sky_still_has_a_score():
    scores = [run(flagged([(60 + 2 * index, 480 + index, 20, excess) for index in range(5)], 0, 20))[0].score for excess in (0.8, 0.05, -0.1)]
    assert scores == [round(20 * 5 ** 0.5 * (10 / 9) ** 0.6 * (excess / 0.1) ** 0.25) for excess in (0.8, 0.05, 1e-4)] == [80, 40, 8]


def test_a_line_of_pixel_centres_is_fitted_exactly_across_the_gap_between_tubes():
    # Columns 6 and 7, the gap, columns 8 and 9: focal places 6.5, 7.5, 9.5, 10.5.
    [track] = run(flagged([(60, 486, 20, 0.1), (62, 487, 20, 0.4), (66, 488, 20, 0.2), (68, 489, 20, 0.3)]))
    assert track[:3] == (60, 69, ((10, 6), (10, 7), (10, 8), (10, 9))) and track[8:] == (60, 0.4, Place(64.0, 10 + 1 + 0.5, 8.5))
    # The middle of frames 60 to 68 is the middle of frame 64, in which the way crosses the gap.
    assert track[3:8] == pytest.approx((EDGES[10] + 0.5, 8.5, 0.0, 0.5, 0.0), abs=1e-12)


def test_two_meteors_at_once_stay_two():
    rng = np.random.default_rng(2)
    one, other = crossing(9.2, 9.2, 0.3, 0.2, 60.0, 25, rng), crossing(30.0, 40.0, -0.1, -0.4, 62.0, 25, rng)
    assert sorted(track.pixels for track in run(flagged(one + other))) == sorted([pixels(one), pixels(other)])


def test_a_light_that_drifts_with_the_ground_is_no_track_but_a_faster_one_is():
    lights = [[(40 + round(index / step), (8 + index) * 48 + 20, 50, 0.2) for index in range(5)] for step in (1 / 21, 0.2)]
    slow, fast = (run(flagged(points, 0, 20), TrackRules(reach_frames=24, wait=30)) for points in lights)
    assert not slow and [track.pixels for track in fast] == [pixels(lights[1])]


def test_what_is_too_fast_crooked_or_faint_is_no_track():
    points = [(60 + 2 * index, 480 + index, 20, 0.2) for index in range(6)]
    assert len(run(flagged(points))) == 1
    assert not run(flagged(points), TrackRules(fastest=0.4)) and not run(flagged(points), TrackRules(threshold=55))
    assert len(run(flagged(points), TrackRules(threshold=54))) == 1
    assert not run(flagged(points), TrackRules(minimum_pixels=7))
    crooked = [(peak, pixel + 48 * (3 - abs(index - 3)), score, excess) for index, (peak, pixel, score, excess) in enumerate(points)]
    assert not run(flagged(crooked), TrackRules(largest_residual=0.5)) and len(run(flagged(crooked), TrackRules(largest_residual=2.0))) == 1
    assert not run(flagged([(60, pixel, 20, 0.2) for pixel in (480, 481, 482)]))  # all at once: no motion can be told


def test_lightning_gives_nothing_swallows_what_touches_it_and_slows_nothing():
    meteor = crossing(45.0, 6.0, 0.05, 0.4, 130.0, 25, np.random.default_rng(3))
    flash = [(60, pixel, 100, 3.0) for pixel in range(800)]
    touching = [(64 + 2 * index, 810 + 48 * index, 50, 0.5) for index in range(6)]
    [track] = run(flagged(flash + touching + meteor, 0, 30))
    assert track.pixels == pixels(meteor)
    tracker, shortest = Tracker(TrackRules()), math.inf
    for repeat in range(5):
        begun = time.perf_counter()
        push(tracker, repeat, [(repeat, pixel, 100, 3.0) for pixel in range(2304)])
        shortest = min(shortest, time.perf_counter() - begun)
        assert tracker.finish() == []
    assert shortest < 0.05  # ten times what it takes


def test_a_cluster_is_too_large_by_its_pixels_and_not_by_its_points():
    points = [(60 + index, 480 + index // 3, 20, 0.2) for index in range(24)]
    assert len(run(flagged(points), TrackRules(maximum_pixels=8))) == 1 and not run(flagged(points), TrackRules(maximum_pixels=7))
    blinking = {frame: {pixel: (frame, pixel, 20, 0.2) for pixel in (480, 481, 482)} for frame in range(0, 100, 8)}
    assert len(run(blinking, TrackRules(maximum_pixels=3, slowest=0.0, largest_residual=2.0))) == 0  # a pixel's pulses do not touch each other


def test_a_new_point_that_touches_two_clusters_makes_them_one():
    left, right, between = (60, 482, 20, 0.1), (66, 486, 30, 0.2), (63, 484, 40, 0.3)
    tracker = Tracker(OPEN)
    assert push(tracker, 66, [left, right]) == []
    assert not run({66: {482: left, 486: right}}, OPEN)  # without it they are two, of one pixel each
    push(tracker, 70, [between])
    [track] = tracker.finish()
    assert track.pixels == ((10, 2), (10, 4), (10, 6)) and track.score == 85


def test_a_pulse_is_one_point_with_its_best_score_and_two_pulses_are_two():
    beside, rules = (64, 481, 10, 0.1), OPEN
    frames = {64: [(60, 480, 20, 0.2), beside], 65: [(61, 480, 50, 0.5)], 66: [(58, 480, 30, 0.9)]}
    tracker = Tracker(rules)
    assert not any(push(tracker, frame, points) for frame, points in frames.items())
    [track] = tracker.finish()
    assert (track.frame_start, track.frame_end, track.score, track.excess) == (61, 65, 110, 0.5)
    tracker = Tracker(rules)
    for frame, points in {64: [(60, 480, 20, 0.2), beside], 70: [(67, 480, 50, 0.5)]}.items():
        push(tracker, frame, points)
    [track] = tracker.finish()
    assert (track.frame_start, track.frame_end, track.score) == (60, 68, 73)  # the pixel's better pulse, once


def test_a_cluster_is_closed_after_its_wait_or_at_a_gap():
    points = [(60 + 2 * index, 480 + index, 20, 0.2) for index in range(5)]
    tracker = Tracker(TrackRules(wait=12))
    assert push(tracker, 70, points) == [] and push(tracker, 75, [points[0]]) == []  # flagged again: it waits anew
    assert push(tracker, 86, []) == []
    assert len(push(tracker, 87, [])) == 1 and tracker.finish() == []
    assert push(tracker, 100, [(peak + 30, *rest) for peak, *rest in points]) == []
    [track] = tracker.finish()
    assert track.frame_start == 90 and push(tracker, 1, []) == []  # frames begin anew


points_of_streams = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 11), st.integers(0, 11), st.integers(1, 40), st.integers(0, PEAK_FRAMES)),
                             max_size=60, unique_by=lambda point: point[1:3])


def stream(drawn):
    """Frame to its points, each pixel once in all; the block straddles a gap between tubes."""
    frames = {}
    for peak, row, column, score, after in drawn:
        pixel = (row + 2) * 48 + column + 2
        frames.setdefault(peak + after, {})[pixel] = (peak, pixel, score, score / 100)
    return frames


@settings(deadline=None, max_examples=60)
@given(points_of_streams)
def test_clusters_are_what_single_linkage_gives(drawn):
    points = [point for at in stream(drawn).values() for point in at.values()]
    clusters = [{point} for point in points]
    for a in points:
        for b in points:
            (ra, ca), (rb, cb) = divmod(a[1], 48), divmod(b[1], 48)
            if max(abs(EDGES[ra] - EDGES[rb]), abs(EDGES[ca] - EDGES[cb])) <= 2 and abs(a[0] - b[0]) <= 6:
                joined = [cluster for cluster in clusters if a in cluster or b in cluster]
                clusters = [cluster for cluster in clusters if cluster not in joined] + [set().union(*joined)]
    expected = sorted(pixels(cluster) for cluster in clusters if len({point[0] for point in cluster}) > 1)
    assert sorted(track.pixels for track in run(stream(drawn), OPEN)) == expected


@settings(deadline=None, max_examples=40)
@given(points_of_streams, st.randoms(use_true_random=False), st.integers(1, 12))
def test_neither_the_order_of_points_nor_frames_left_out_change_a_track(drawn, order, wait):
    frames, rules = flagged([point for at in stream(drawn).values() for point in at.values()], 3, 9), TrackRules(
        wait=wait, slowest=0.0, fastest=48.0, shortest=0.0, longest=1 << 20, largest_residual=48.0)
    tracks = run(frames, rules)
    assert run(frames, rules, order=order) == tracks
    tracker, sparse = Tracker(rules), []
    for frame in sorted(frames):
        sparse += push(tracker, frame, list(frames[frame].values()))
    assert sorted(sparse + tracker.finish()) == sorted(tracks)


def test_the_state_stays_as_large_as_it_was_whatever_comes():
    rng, tracker = np.random.default_rng(4), Tracker(TrackRules(wait=1000))
    before = len(pickle.dumps(tracker))
    for frame in range(60):
        pixel = rng.permutation(2304)[:rng.integers(0, 2304)]
        tracker.push(frame, frame - rng.integers(0, PEAK_FRAMES + 1, len(pixel)), pixel, rng.integers(1, 200, len(pixel)), rng.random(len(pixel)))
    assert abs(len(pickle.dumps(tracker)) - before) < 100  # its few integers
    tracker.finish()
    points = [(60 + 2 * index, 480 + index, 20, 0.2) for index in range(5)]
    assert push(tracker, 70, points) == [] and len(tracker.finish()) == 1  # nothing of it is left


def test_what_cannot_be_is_refused():
    tracker = Tracker(TrackRules())
    with pytest.raises(ValueError, match=r"^peak: is 39 to 70 in frame 70, must be 40 to 70"):
        push(tracker, 70, [(39, 1, 5, 0.1), (70, 2, 5, 0.1)])
    with pytest.raises(ValueError, match=r"^peak: "):
        push(tracker, 71, [(72, 1, 5, 0.1)])
    with pytest.raises(ValueError, match=r"^pixel: 7 comes twice in frame 72"):
        push(tracker, 72, [(70, 7, 5, 0.1), (60, 7, 5, 0.1)])
    with pytest.raises(ValueError, match=r"^frame: 72 comes after 72; finish"):
        push(tracker, 72, [])


@pytest.mark.parametrize(("name", "value"), [
    ("reach_pixels", 0), ("reach_pixels", 9), ("reach_pixels", 2.0), ("reach_frames", -1), ("reach_frames", 31), ("reach_frames", True), ("wait", 0),
    ("wait", "12"), ("minimum_pixels", 1), ("maximum_pixels", 2), ("maximum_pixels", 2305), ("largest_residual", -0.1), ("largest_residual", math.nan),
    ("largest_residual", True), ("slowest", -0.1), ("slowest", None), ("fastest", 0.05), ("fastest", math.inf), ("threshold", 0.5), ("threshold", 1 << 31)])
def test_rules_that_cannot_be_are_refused_by_their_field(name, value):
    with pytest.raises(ValueError, match=f"^{name}: "):
        TrackRules.from_document(TrackRules().to_document() | {name: value})


def test_rules_come_back_from_json_and_a_missing_field_is_named():
    rules = TrackRules(3, 5, 9, 4, 100, 0.8, 0.1, 1, 2.5, 30, 17, 99)
    assert TrackRules.from_document(json.loads(json.dumps(rules.to_document()))) == rules
    for name in rules.to_document():
        with pytest.raises(ValueError, match=f"^{name}: is None"):
            TrackRules.from_document({key: value for key, value in rules.to_document().items() if key != name})


@pytest.mark.parametrize(("along", "across", "degrees"), [(20.0, 0.0, 0.0), (0.0, 30.0, 90.0), (-40.0, 0.0, 180.0), (0.0, -11.0, 270.0), (10.0, -10.0, 315.0)])
def test_motion_over_the_ground_is_free_of_the_stations(along, across, degrees):
    step = 0.04096 / METEOR_KM
    track = Track(0, 9, ((1, 1),), 1.0, 1.0, (along + STATION_KM_S) * step, across * step, 0.1, 10, 0.09, Place(4.0, 1.0, 1.0))
    assert speed_km_s(track) == pytest.approx(math.hypot(along, across)) and direction_deg(track) == pytest.approx(degrees, abs=1e-9)


def test_directions_stay_below_a_full_turn_and_magnitudes_follow_pogson():
    track = Track(0, 9, ((1, 1),), 1.0, 1.0, 1.0, -1e-300, 0.1, 10, 0.09, Place(4.0, 1.0, 1.0))
    assert direction_deg(track) == 0.0
    assert magnitude(track, 2.4) - magnitude(track._replace(excess=9.0), 2.4) == pytest.approx(5.0)
    assert magnitude(track._replace(excess=1.0), 2.4) == 2.4


def test_the_ground_simulates_the_same_focal_surface():
    optics, constants = (pytest.importorskip(f"train.instruments.minieuso.{name}") for name in ("optics", "constants"))
    assert np.array_equal(EDGES, optics.EDGES) and (METEOR_KM, STATION_KM_S) == (constants.METEOR_KM, constants.STATION_KM_S)
