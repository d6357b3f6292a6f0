"""The loop that watches the focal surface: a meteor becomes one track, however its frames come; what is masked or cut off is never guessed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from edge_runtime import engines
from edge_runtime.bundle import open_pixels
from edge_runtime.catalogue import line, track_entry
from edge_runtime.cli import run_verb
from edge_runtime.frames import FRAME_TIME_NS, FrameStretch
from edge_runtime.pixel_stream import FoundTrack, PixelFlagger
from edge_runtime.tracking import Place, Track
from edge_runtime.verbs import FLAG
from tests.pixel_bundle_for_tests import MAGNITUDE_ZERO, RULES, make_bundle, scene

FRAMES, START = 160, 1_577_763_286_000_000_000
METEOR = (70, 20, 30)  # enters there; of 20 frames in 8 pixels of its column
WAY = tuple((row, 30) for row in range(20, 28))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return open_pixels(make_bundle(tmp_path_factory.mktemp("pixel_stream") / "bundle"))


@pytest.fixture(scope="module")
def engine(bundle):
    return engines.load("reference", bundle.folder)


@pytest.fixture(scope="module")
def sums():
    return scene(FRAMES, meteors=(METEOR,))


def cut(sums, sizes=(), utc=START, masked=None):
    """Stretches of `sizes` frames and one of the rest that follow each other without a gap."""
    masked = np.zeros(sums.shape, bool) if masked is None else masked
    bounds = [0, *np.cumsum(sizes, dtype=int).tolist(), len(sums)]
    return [FrameStretch(sums[a:b], masked[a:b], None if utc is None else utc + a * FRAME_TIME_NS, a) for a, b in pairwise(bounds)]


def flag(bundle, engine, stretches):
    return list(PixelFlagger(bundle.settings, engine).flag(stretches))


def test_a_meteor_becomes_one_track_with_its_pixels_and_times(bundle, engine, sums):
    [(utc_start, utc_end, track)] = flag(bundle, engine, cut(sums))
    assert track.pixels == WAY
    assert 70 <= track.frame_start <= 72 and 89 <= track.frame_end <= 90
    assert (utc_start - START, utc_end - START) == (track.frame_start * FRAME_TIME_NS, track.frame_end * FRAME_TIME_NS)
    assert 0.35 < track.row_step < 0.55 and abs(track.column_step) < 1e-9  # 0.4 pixels per frame, and the gap between tubes
    assert track.excess == pytest.approx(4000 / 16_384, rel=0.1)
    assert flag(bundle, engine, cut(scene(FRAMES))) == []


@pytest.mark.parametrize("sizes", [[1] * 159, [70, 1, 9], [30, 47, 48, 10]])
@pytest.mark.parametrize("utc", [START, None])
def test_stretches_that_go_on_are_one(bundle, engine, sums, sizes, utc):
    flagger = PixelFlagger(bundle.settings, engine)
    assert list(flagger.flag(cut(sums, sizes, utc))) == flag(bundle, engine, cut(sums, utc=utc)) != []
    assert (flagger.frames, flagger.windows) == (FRAMES, (FRAMES - 47) * 2304)


def test_litert_gives_the_tracks_of_the_reference(bundle, engine):
    pytest.importorskip("ai_edge_litert")
    sums = scene(FRAMES, 3, meteors=(METEOR, (75, 5, 6), (60, 33, 41)))
    found = flag(bundle, engines.load("litert", bundle.folder), cut(sums))
    assert len(found) == 3 and found == flag(bundle, engine, cut(sums))


def later(stretch, ns=0, frames=0):
    return FrameStretch(stretch.sums, stretch.masked, stretch.utc_start_ns + ns, stretch.frame + frames)


def test_frames_that_are_missing_begin_everything_anew(bundle, engine):
    sums = scene(260, 1, meteors=((60, 20, 30), (180, 5, 6)))
    one, other = cut(sums, [70])
    late = 5 * FRAME_TIME_NS
    [whole, last] = flag(bundle, engine, [one, other])
    assert flag(bundle, engine, [one, later(other, FRAME_TIME_NS // 2)]) == [whole, last]  # a clock that is not quite right is no gap
    for stretches, shift in (([one, later(other, late)], late), ([one, later(other, FRAME_TIME_NS // 2 + 1)], FRAME_TIME_NS // 2 + 1),
                             ([one, later(other, -late)], -late)):
        # The first meteor is never in the middle of a full window; the second is where it was, by the clock of its own stretch.
        [found] = flag(bundle, engine, stretches)
        assert found[:2] == (last.utc_start_ns + shift, last.utc_end_ns + shift) and found.track[:3] == last.track[:3]
    [found] = flag(bundle, engine, [one, later(other, late, 5)])
    assert found.track.frame_start == last.track.frame_start + 5 and found.utc_start_ns == last.utc_start_ns + late
    [found] = flag(bundle, engine, [one, FrameStretch(other.sums, other.masked, None, other.frame)])
    assert found[:2] == (None, None) and found.track[:3] == last.track[:3]


def test_gaps_and_the_frames_that_are_missing_in_them_are_counted(bundle, engine):
    sums = scene(60, 1)
    flagger = PixelFlagger(bundle.settings, engine)
    a, b, c = cut(sums, [20, 20])
    list(flagger.flag([a, later(b, 7 * FRAME_TIME_NS + 1000), later(c, 7 * FRAME_TIME_NS)]))  # the last goes on
    assert (flagger.gaps, flagger.missing) == (1, 7)
    list(flagger.flag([a, FrameStretch(b.sums, b.masked, None, b.frame), later(c, -3 * FRAME_TIME_NS)]))  # no clock; and a clock that went back
    assert (flagger.gaps, flagger.missing) == (3, 7)


def test_recordings_do_not_know_of_each_other(bundle, engine, sums):
    flagger = PixelFlagger(bundle.settings, engine)
    first, second = list(flagger.flag(cut(sums[:80]))), list(flagger.flag(cut(sums[80:])))
    assert first == second == [] and flagger.windows == 2 * (80 - 47) * 2304


def test_masked_pixels_are_counted_and_never_flagged(bundle, engine, sums):
    masked = np.zeros(sums.shape, bool)
    masked[:, 22, 30] = True
    masked[60, 20, 30] = True  # and so not full while the meteor is in the middle
    dead = sums.copy()
    dead[:, 26, 30] = 0
    flagger = PixelFlagger(replace(bundle.settings, rules=replace(RULES, threshold=40)), engine)
    [found] = flagger.flag(cut(dead, masked=masked))
    assert found.track.pixels == tuple(pixel for pixel in WAY if pixel[0] not in (20, 22, 26))
    assert flagger.masker.counts == {"file": FRAMES + 1, "dead": FRAMES, "voltage": 0, "row": 0}
    assert flagger.windows == (FRAMES - 47) * 2302 - 48
    assert list(flagger.flag(cut(sums[:3]))) == [] and flagger.masker.counts["file"] == 0  # of the current recording


def test_what_is_judged_of_a_frame_lies_in_the_middle_of_its_windows(bundle, engine):
    sums = scene(100, 2)
    sums[60, 7, 8] += 60_000
    masked = np.zeros((48, 48), bool)
    flagger, seen = PixelFlagger(bundle.settings, engine), {}
    for k, frame in enumerate(sums):
        flagger.push(frame, masked)  # `judge` numbers by the frames that were pushed
        pixel = np.flatnonzero((flagger.logits > bundle.settings.flag) & flagger.full)
        if pixel.size:
            seen[k] = pixel.tolist()
    assert seen == {k: [7 * 48 + 8] for k in range(60 + 23 - 2, 60 + 23 + 3)}
    flagger.begin(40)
    for frame in sums[40:60]:
        flagger.push(frame, masked)
    assert flagger.full.sum() == 0
    flagger.begin(0)
    for k in range(60 + 23):
        flagger.push(sums[k], masked)
    flags = flagger.judge(sums[83], masked)
    assert (flags.pixel.tolist(), flags.peak.tolist()) == ([7 * 48 + 8], [60])
    assert flags.score[0] == flagger.logits[7 * 48 + 8] > bundle.settings.flag and flags.excess[0] == pytest.approx(60_000 / 16_384, rel=0.02)


def test_a_catalogue_line_of_a_track_is_these_bytes():
    track = Track(70, 90, ((20, 30), (21, 30)), 22.5, 33.5, 0.2, -0.1, 0.3, 88, 0.25, Place(79.5, 22.6, 33.5))
    text = line(track_entry(FoundTrack(START, START + 20 * FRAME_TIME_NS, track), 1.5, "ab" * 32))
    assert text == (
        '{"utc_start":"2019-12-31T03:34:46.000000Z","utc_end":"2019-12-31T03:34:46.819200Z","frames":[70,90],"pixels":[[20,30],[21,30]],'
        '"speed_km_s":19.12,"direction_deg":323.1,"magnitude":3.01,"score":88,'
        '"bundle_sha256":"abababababababababababababababababababababababababababababababab"}\n')
    blind = json.loads(line(track_entry(FoundTrack(None, None, track), 1.5, "")))
    assert blind["utc_start"] is None and blind["utc_end"] is None


def pixie(*arguments):
    return run_verb("pixie", {"flag": FLAG}, [str(argument) for argument in arguments])


def test_flag_makes_a_catalogue_of_a_recording(bundle, engine, sums, tmp_path, capsys):
    mask = np.zeros((48, 48), bool)
    mask[0, :3] = True
    np.savez(tmp_path / "a.npz", sums=sums, mask=mask, frame_time_unix=START / 1e9 + np.arange(FRAMES) * 0.04096)
    np.savez(tmp_path / "quiet.npz", sums=scene(60, 4))
    out = tmp_path / "tracks.jsonl"
    arguments = ("flag", bundle.folder, tmp_path / "a.npz", tmp_path / "quiet.npz", "--engine", "reference", "--out", out)
    assert pixie(*arguments) == 0
    said = [f"1 tracks in {(FRAMES - 47) * 2301 + 13 * 2304} windows of 2 recordings, engine reference: {out}",
            f"  {tmp_path / 'a.npz'}: {FRAMES} frames, {(FRAMES - 47) * 2301} windows, 0 gaps, 0 missing, 1 tracks, masked {3 * FRAMES} file",
            f"  {tmp_path / 'quiet.npz'}: 60 frames, {13 * 2304} windows, 0 gaps, 0 missing, 0 tracks, masked nothing"]
    assert capsys.readouterr().out.splitlines() == said
    [found] = flag(bundle, engine, cut(sums))
    [row] = [json.loads(text) for text in out.read_text().splitlines()]
    assert list(row) == ["utc_start", "utc_end", "frames", "pixels", "speed_km_s", "direction_deg", "magnitude", "score", "bundle_sha256"]
    assert row == track_entry(found, MAGNITUDE_ZERO, bundle.sha256)
    assert datetime.fromisoformat(row["utc_start"]) == datetime(2019, 12, 31, 3, 34, 46, tzinfo=UTC) + timedelta(microseconds=row["frames"][0] * 40_960)
    assert pixie(*arguments, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tracks"] == [row] and told["inputs"] == [
        {"input": str(tmp_path / "a.npz"), "frames": FRAMES, "windows": (FRAMES - 47) * 2301, "gaps": 0, "missing": 0,
         "masked": {"file": 3 * FRAMES, "dead": 0, "voltage": 0, "row": 0}, "tracks": 1},
        {"input": str(tmp_path / "quiet.npz"), "frames": 60, "windows": 13 * 2304, "gaps": 0, "missing": 0,
         "masked": {"file": 0, "dead": 0, "voltage": 0, "row": 0}, "tracks": 0}]


def test_flag_refuses_frames_that_are_none_and_writes_nothing(bundle, tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", sums=np.zeros((5, 48, 47), np.uint32))
    assert pixie("flag", bundle.folder, tmp_path / "bad.npz", "--engine", "reference", "--out", tmp_path / "tracks.jsonl") == 2
    error = capsys.readouterr().err
    assert "bad.npz: sums: has shape [5, 48, 47]" in error and error.count("\n") == 1 and not (tmp_path / "tracks.jsonl").exists()
