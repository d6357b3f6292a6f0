"""Codes against a plain loop over one pixel, and windows against the codes of the whole stretch."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_runtime.frames import FRAME_GTU, FrameStretch
from edge_runtime.pixels import FOCAL_PIXELS, WINDOW_FRAMES, PixelCodes, PixelWindows, stretch_codes

PLACES = (0, 47, 1000, 2303)  # pixels that are looked at; the others count nothing
NONE = np.zeros((48, 48), bool)


def reference(codes, counts, masked, gaps):
    """Codes, ages and levels above which they are [n] of one pixel, one frame after the other."""
    found, ages, levels, age, level = [], [], [], 0, 256
    for k, (n, bad) in enumerate(zip(counts.tolist(), masked.tolist(), strict=True)):
        if k in gaps:
            age = 0
        level = max(256, 256 * n if age == 0 else level)
        levels.append(level)
        sigma = np.sqrt(np.float32(level)) * np.float32(16)
        above = 256 * n - level
        z = np.float32(above) / sigma
        code = round(float(np.copysign(np.sqrt(abs(z) + np.float32(1)) - np.float32(1), z) * np.float32(2 / codes.scale)))  # half to even
        found.append(0 if bad else min(127, max(-128, code)))
        limit = int(sigma * np.float32(codes.limit))
        level += above // (age + 1) if age + 1 < codes.memory else min(limit, max(-limit, above)) // codes.memory
        age = 0 if bad else age + 1
        ages.append(age)
    return found, ages, levels


def surface(values, dtype):
    """Frames [n, 48, 48] with `values` [n, 4] at PLACES."""
    frames = np.zeros((len(values), FOCAL_PIXELS), dtype)
    frames[:, PLACES] = values
    return frames.reshape(-1, 48, 48)


counted = st.integers(0, 3) | st.integers(10_000, 11_300) | st.integers(0, 256 * FRAME_GTU - 1)
made = st.builds(PixelCodes, st.sampled_from([1.0, 0.25, 2**-6]), st.sampled_from([1, 2, 7, 32]), st.sampled_from([1, 4, 64]))
streams = st.integers(1, 40).flatmap(lambda n: st.tuples(arrays(np.uint32, (n, 4), elements=counted), arrays(np.bool_, (n, 4), fill=st.just(False)),
                                                         st.sets(st.integers(1, n), max_size=2)))


@settings(max_examples=60)
@given(made, streams)
def test_codes_ages_and_excesses_are_those_of_a_loop_over_one_pixel(codes, stream):
    counts, masked, gaps = stream
    expected = [reference(codes, counts[:, place], masked[:, place], gaps) for place in range(4)]
    windows, pixels = PixelWindows(codes), np.array(PLACES)
    for k, (sums, bad) in enumerate(zip(surface(counts, np.uint32), surface(masked, bool), strict=True)):
        if k in gaps:
            windows.gap()
        found = windows.push(sums, bad)
        assert found.dtype == np.int8 and found[pixels].tolist() == [one[0][k] for one in expected]
        assert windows.age[pixels].tolist() == [one[1][k] for one in expected]
        ago = min(k, 3)
        excess = [(int(counts[k - ago, place]) - expected[place][2][k - ago] / 256) / FRAME_GTU for place in range(4)]
        assert windows.excess(np.full(4, ago), pixels) == pytest.approx(excess, rel=1e-6)


@pytest.mark.parametrize(("z", "code"), [(0, 0), (1, 3), (3, 8), (-3, -8), (8, 16), (15, 24), (-15, -24), (255, 120), (400, 127), (-100, -72)])
def test_a_code_is_the_compressed_distance_from_the_level(z, code):
    windows = PixelWindows(PixelCodes())
    for _ in range(40):
        windows.push(np.full((48, 48), 10_000, np.uint32), NONE)
    assert set(windows.push(np.full((48, 48), 10_000 + 100 * z, np.uint32), NONE).tolist()) == {code}


@pytest.mark.parametrize(("above", "code"), [(33, 0), (105, 2), (185, 2), (-33, 0), (-105, -2), (34, 1), (186, 3)])
def test_a_code_halfway_between_two_is_the_even_one(above, code):
    windows = PixelWindows(PixelCodes())
    for _ in range(40):
        windows.push(np.full((48, 48), 256**2, np.uint32), NONE)
    # z = 33 / 256 and so on: sqrt(1 + z) is 17 / 16, 19 / 16, 21 / 16 exactly.
    assert windows.push(np.full((48, 48), 256**2 + above, np.uint32), NONE)[7] == code


def noise(frames, seed=0):
    """A stretch of ordinary sky with some pixels masked now and then."""
    rng = np.random.default_rng(seed)
    sums = rng.poisson(10_650, (frames, 48, 48)).astype(np.uint32)
    return FrameStretch(sums, rng.random(sums.shape) < 0.004, None, 0)


def test_the_window_that_slides_is_that_of_the_whole_stretch_at_every_frame():
    stretch, codes = noise(3 * WINDOW_FRAMES + 5), PixelCodes()
    every, age = stretch_codes(codes, stretch)
    windows, window = PixelWindows(codes), np.empty((FOCAL_PIXELS, WINDOW_FRAMES), np.int8)
    for k in range(len(every)):
        windows.push(stretch.sums[k], stretch.masked[k])
        windows.gather(window)
        seen = min(k + 1, WINDOW_FRAMES)
        assert np.array_equal(window[:, WINDOW_FRAMES - seen:], every[k + 1 - seen:k + 1].T)
        assert np.array_equal(windows.age, age[k])
    assert len(np.unique(every)) > 20 and (every[stretch.masked.reshape(every.shape)] == 0).all()


def test_a_masked_pixel_begins_anew_and_is_not_full_before_48_frames():
    stretch, windows = noise(130), PixelWindows(PixelCodes())
    masked = NONE.copy()
    masked[3, 4] = True
    ages = []
    for k, sums in enumerate(stretch.sums):
        # Brighter by half while and after it is masked: what was known before no longer holds.
        sums = np.where(masked & (k >= 60), sums * 3 // 2, sums).astype(np.uint32)
        code = windows.push(sums, masked & (60 <= k < 62))[3 * 48 + 4]
        ages.append(int(windows.age[3 * 48 + 4]))
        assert abs(code) < 20
    assert ages == [*range(1, 61), 0, 0, *range(1, 69)] and ages.index(WINDOW_FRAMES, 60) == 62 + WINDOW_FRAMES - 1
    assert windows.age[0] == 130


def test_after_a_gap_codes_are_those_of_a_recording_that_begins():
    before, after = noise(70, 1), noise(70, 2)
    codes = PixelCodes()
    windows = PixelWindows(codes)
    for sums, masked in zip(before.sums * 2, before.masked, strict=True):
        windows.push(sums, masked)
    windows.gap()
    assert not windows.age.any()
    found = [windows.push(sums, masked) for sums, masked in zip(after.sums, after.masked, strict=True)]
    expected, age = stretch_codes(codes, after)
    assert np.array_equal(found, expected) and np.array_equal(windows.age, age[-1])


@pytest.mark.parametrize(("flash", "code"), [(4_000_000, 127), (0, -72)])
def test_a_flash_saturates_and_leaves_the_level_nearly_where_it_was(flash, code):
    windows, quiet = PixelWindows(PixelCodes()), np.full((48, 48), 10_000, np.uint32)
    for _ in range(40):
        windows.push(quiet, NONE)
    assert windows.push(np.full((48, 48), flash, np.uint32), NONE)[5] == code
    assert windows.push(quiet, NONE)[5] == 0
    moved = -float(windows.excess(np.array([0]), np.array([5]))[0]) * FRAME_GTU
    assert moved == pytest.approx(math.copysign(4 * 100 / 32, flash - 10_000), abs=0.01)  # limit sigma / memory


@pytest.mark.parametrize(("name", "value"), [
    ("scale", 0.3), ("scale", 2.0), ("scale", 0.0), ("scale", -0.25), ("scale", math.nan), ("scale", 1), ("scale", None), ("memory", 0), ("memory", 4097),
    ("memory", 32.0), ("memory", True), ("limit", 0), ("limit", 65), ("limit", "4"), ("limit", None)])
def test_what_cannot_be_is_refused_by_its_field(name, value):
    with pytest.raises(ValueError, match=f"^{name}: is "):
        PixelCodes.from_document(PixelCodes().to_document() | {name: value})


@given(made)
def test_documents_come_back_and_a_missing_field_is_named(codes):
    document = json.loads(json.dumps(codes.to_document()))
    assert PixelCodes.from_document(document) == codes
    for name in document:
        with pytest.raises(ValueError, match=f"^{name}: is None"):
            PixelCodes.from_document({key: value for key, value in document.items() if key != name})
