"""Tables against their formula, codes bit for bit on both paths, and windows that report every sample exactly once."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_runtime.counts import FRAME_SAMPLES, SAMPLE_TIME_NS, Stretch
from edge_runtime.preprocess import WINDOW_SAMPLES, CountTables, Windows, anscombe_tables, tile

UTC = 1_577_763_286_000_000_000


def stretch(n: int, sample_start: int = 0, frame: int = 0, utc: int | None = None) -> Stretch:
    """Counts whose value says where in the recording they stand."""
    samples = np.arange(sample_start, sample_start + n)
    return Stretch(np.stack([samples % 65521, samples % 251, samples // 65521]).astype(np.uint16), utc, frame, sample_start)


def own(window) -> np.ndarray:
    """Indices of a window's own samples, read from its counts."""
    counts = window.counts[:, window.first:window.stop].astype(np.int64)
    return counts[0] + 65521 * counts[2]


def test_tables_are_anscombe_with_darkness_at_code_minus_128():
    tables = anscombe_tables()
    assert tables.codes.shape == (3, 1056) and (tables.codes == tables.codes[0]).all()
    assert (tables.codes[0, 0], tables.codes[0, -1], tables.zero_point) == (-128, 127, -128)
    value = 2 * np.sqrt(np.arange(1056) + 3 / 8) - 2 * np.sqrt(3 / 8)
    assert np.abs(tables.dequantise(tables.codes[0]) - value).max() <= tables.scale / 2 * (1 + 1e-6)  # nearest code: half a step at most
    assert float(np.float32(tables.scale)) == tables.scale


def test_first_codes_are_these_bytes():
    """A changed code changes what every trained network sees."""
    assert anscombe_tables().codes[0, :12].tolist() == [-128, -124, -121, -118, -116, -114, -113, -111, -110, -108, -107, -106]
    assert anscombe_tables().scale == 0.25


def test_noise_is_equally_wide_at_all_rates():
    tables, rng = anscombe_tables(), np.random.default_rng(1)
    for rate in (4, 16, 64, 256):
        codes = tables.quantise(rng.poisson(rate, (3, 50_000)).astype(np.uint16)).astype(float)
        assert 0.93 < codes.std() * tables.scale < 1.07


@given(arrays(np.uint16, (3, WINDOW_SAMPLES), elements=st.integers(0, 65535)))
def test_the_fast_path_gives_the_batch_codes_bit_for_bit(counts):
    tables = anscombe_tables()
    out = np.empty((WINDOW_SAMPLES, 3), np.int8)
    saturated = tables.window_codes(counts, out)
    expected = tables.codes[np.arange(3)[:, None], np.minimum(counts, 1055)]
    assert np.array_equal(out.T, expected)
    assert np.array_equal(tables.quantise(counts), expected)
    assert saturated is bool((counts > 1055).any())


def test_every_count_of_every_channel_has_its_code_by_its_own_table():
    codes = np.sort(np.random.default_rng(3).integers(-128, 128, (3, 300)), axis=1).astype(np.int8)
    tables = CountTables(codes, 0.5, 3)
    counts = np.broadcast_to(np.arange(65536, dtype=np.uint16), (2, 3, 65536))
    expected = codes[np.arange(3)[:, None], np.minimum(np.arange(65536), 299)]
    assert np.array_equal(tables.quantise(counts), np.stack([expected, expected]))
    assert tables.last_count == 299


@pytest.mark.parametrize(("count", "saturated"), [(1055, False), (1056, True), (65535, True)])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_saturation_begins_above_the_last_entry(count, saturated, channel):
    counts = np.zeros((3, WINDOW_SAMPLES), np.uint16)
    counts[channel, 700] = count
    out = np.empty((WINDOW_SAMPLES, 3), np.int8)
    assert anscombe_tables().window_codes(counts, out) is saturated
    assert out[700, channel] == 127 and np.count_nonzero(out + 128) == 1


def test_windows_of_a_view_are_read_as_well_as_a_copy():
    counts = np.random.default_rng(1).integers(0, 700, (3, FRAME_SAMPLES)).astype(np.uint16)
    view = counts[:, 1040:2080]
    assert not view.flags.c_contiguous
    one, two = np.empty((2, WINDOW_SAMPLES, 3), np.int8)
    anscombe_tables().window_codes(view, one)
    anscombe_tables().window_codes(view.copy(), two)
    assert np.array_equal(one, two)


def test_tables_come_back_from_json_bit_for_bit():
    tables = anscombe_tables()
    again = CountTables.from_document(json.loads(json.dumps(tables.to_document())))
    assert np.array_equal(again.codes, tables.codes) and (again.scale, again.zero_point) == (tables.scale, tables.zero_point)
    assert len(tables.to_document()["codes"]) == 1  # channels that share a table share it in the manifest
    codes = np.arange(-128, 127).reshape(3, 85).astype(np.int8)
    assert np.array_equal(CountTables.from_document(CountTables(codes, 0.5, 3).to_document()).codes, codes)


def document(**changed) -> dict[str, object]:
    return {**anscombe_tables().to_document(), **changed}


GOOD_ROW = list(range(-128, 128))


@pytest.mark.parametrize(("changed", "text"), [
    ({"codes": None}, "codes: must be 3 lists"),
    ({"codes": [GOOD_ROW] * 2}, "codes: must be 3 lists"),
    ({"codes": [GOOD_ROW] * 4}, "codes: must be 3 lists"),
    ({"codes": [GOOD_ROW, GOOD_ROW, 5]}, "codes: must be 3 lists"),
    ({"codes": [GOOD_ROW, GOOD_ROW, GOOD_ROW[1:]]}, "codes: the channels' tables hold"),
    ({"codes": [[0]] * 3}, "codes: the channels' tables hold"),
    ({"codes": [GOOD_ROW, GOOD_ROW, [*GOOD_ROW[:-1], 128]]}, "codes: channel 777 holds an entry"),
    ({"codes": [GOOD_ROW, [*GOOD_ROW[:-1], 1.5], GOOD_ROW]}, "codes: channel uv holds an entry"),
    ({"codes": [[*GOOD_ROW[:-1], True], GOOD_ROW, GOOD_ROW]}, "codes: channel 337 holds an entry"),
    ({"codes": [GOOD_ROW[::-1], GOOD_ROW, GOOD_ROW]}, "codes: channel 337 falls"),
    ({"scale": -0.12}, "scale: is -0.12, must be a finite number > 0"),
    ({"scale": 0.0}, "scale:"), ({"scale": float("nan")}, "scale:"), ({"scale": float("inf")}, "scale:"), ({"scale": "1"}, "scale:"), ({"scale": 1}, "scale:"),
    ({"zero_point": 128}, "zero_point:"), ({"zero_point": -129}, "zero_point:"), ({"zero_point": 0.0}, "zero_point:"), ({"zero_point": None}, "zero_point:"),
])
def test_tables_that_cannot_be_are_refused_naming_the_field(changed, text):
    with pytest.raises(ValueError, match=text):
        CountTables.from_document(document(**changed))


@pytest.mark.parametrize("codes", [np.zeros((3, 5)), np.zeros((2, 5), np.int8), np.zeros((3, 1), np.int8), np.zeros(5, np.int8)])
def test_tables_of_other_arrays_cannot_be_made(codes):
    with pytest.raises(ValueError, match="must be int8"):
        CountTables(codes, 1.0, 0)


@pytest.mark.parametrize("counts", [np.zeros((3, 4), np.int64), np.zeros((2, 4), np.uint16), np.zeros(4, np.uint16)])
def test_ground_batches_of_another_kind_are_refused(counts):
    with pytest.raises(ValueError, match="must be uint16"):
        anscombe_tables().quantise(counts)


def test_a_frame_is_eight_windows():
    windows = list(tile([stretch(FRAME_SAMPLES, utc=UTC, frame=40)]))
    assert [(window.first, window.stop, window.sample_start, window.frame) for window in windows] == [(0, 1040, k * 1040, 40) for k in range(8)]
    assert [window.utc_start_ns - UTC for window in windows] == [k * 1040 * SAMPLE_TIME_NS for k in range(8)]


def test_a_tail_reaches_back_over_samples_already_seen():
    _, second = tile([stretch(1040 + 7)])
    assert (second.first, second.stop, second.sample_start) == (1033, 1040, 1040)
    assert np.array_equal(second.counts, stretch(1047).counts[:, 7:])


@pytest.mark.parametrize("n", [1, 2, 3, 519, 1039])
def test_a_stretch_shorter_than_a_window_is_reflected(n):
    window, = tile([stretch(n)])
    assert (window.first, window.stop) == (0, n)
    there_and_back = np.concatenate([stretch(n).counts, stretch(n).counts[:, ::-1]], axis=1)
    assert np.array_equal(window.counts, np.tile(there_and_back, -(-1040 // (2 * n)))[:, :1040])


# Runs: lengths in samples, each with the time that the clock lost before it (None: the recording has no clock).
runs = st.lists(st.tuples(st.integers(1, 5000), st.integers(6_000, 10**9)), min_size=1, max_size=4)


def recorded(lengths_and_gaps, clock: bool) -> list[Stretch]:
    """The stretches of runs with gaps between them."""
    stretches, sample, utc, frame = [], 0, UTC, 5
    for n, gap in lengths_and_gaps:
        stretches.append(stretch(n, sample, frame, utc if clock else None))
        sample, utc, frame = sample + n, utc + n * SAMPLE_TIME_NS + gap, frame + n // FRAME_SAMPLES + 2
    return stretches


def cut(whole: Stretch, sizes: list[int]) -> list[Stretch]:
    """A stretch in chunks, as a stream would bring it."""
    chunks, at = [], 0
    for size in [*sizes, whole.counts.shape[1]]:
        if at < whole.counts.shape[1]:
            utc = None if whole.utc_start_ns is None else whole.utc_start_ns + at * SAMPLE_TIME_NS
            chunks.append(Stretch(whole.counts[:, at:at + size], utc, whole.frame + at // FRAME_SAMPLES, whole.sample_start + at))
            at += size
    return chunks


@given(runs, st.booleans())
def test_every_sample_is_one_windows_own_exactly_once_and_in_order(lengths_and_gaps, clock):
    stretches = recorded(lengths_and_gaps, clock)
    windows = list(tile(stretches))
    seen = np.concatenate([own(window) for window in windows])
    assert np.array_equal(seen, np.arange(sum(n for n, _ in lengths_and_gaps)))
    for window in windows:
        assert window.counts.shape == (3, WINDOW_SAMPLES) and window.counts.dtype == np.uint16
        assert window.sample_start == own(window)[0]
        source = next(one for one in stretches if one.sample_start <= window.sample_start < one.sample_start + one.counts.shape[1])
        offset = window.sample_start - source.sample_start
        assert window.frame == source.frame + offset // FRAME_SAMPLES
        assert window.utc_start_ns == (source.utc_start_ns + offset * SAMPLE_TIME_NS if clock else None)
        # What it sees beside its own is of the same run: no window looks across a gap.
        everything = window.counts[0].astype(np.int64) + 65521 * window.counts[2]
        assert everything.min() >= source.sample_start and everything.max() < source.sample_start + source.counts.shape[1]


@given(runs, st.booleans(), st.lists(st.integers(1, 3000), max_size=12))
def test_chunks_of_any_size_give_the_windows_of_the_whole(lengths_and_gaps, clock, sizes):
    stretches = recorded(lengths_and_gaps, clock)
    whole, chunked = list(tile(stretches)), list(tile(chunk for one in stretches for chunk in cut(one, sizes)))
    assert len(whole) == len(chunked)
    for one, two in zip(whole, chunked, strict=True):
        assert one[1:] == two[1:] and np.array_equal(one.counts, two.counts)


@pytest.mark.parametrize(("shift", "joined"), [(0, True), (5_000, True), (-5_000, True), (5_001, False), (-5_001, False), (50_000, False)])
def test_half_a_sample_of_jitter_is_no_gap(shift, joined):
    stretches = [stretch(500, 0, 0, UTC), stretch(540, 500, 0, UTC + 500 * SAMPLE_TIME_NS + shift)]
    assert len(list(tile(stretches))) == (1 if joined else 2)


def test_a_drifting_clock_begins_a_new_run_before_it_is_half_a_sample_off():
    n, late = 100, 700  # ns that each stretch comes late
    windows = list(tile(stretch(n, k * n, 0, UTC + k * (n * SAMPLE_TIME_NS + late)) for k in range(80)))
    assert np.array_equal(np.concatenate([own(window) for window in windows]), np.arange(8000))
    for window in windows:
        true = UTC + window.sample_start * SAMPLE_TIME_NS + window.sample_start // n * late
        assert abs(window.utc_start_ns - true) <= SAMPLE_TIME_NS


@pytest.mark.parametrize("second", [
    stretch(600, 601, 0, UTC + 600 * SAMPLE_TIME_NS),  # a sample is missing
    stretch(600, 600, 7, UTC + 600 * SAMPLE_TIME_NS),  # another frame than the next
    stretch(600, 600, 0, None),  # the clock is lost
])
def test_what_does_not_go_on_is_a_run_of_its_own(second):
    assert [window.stop for window in tile([stretch(600, 0, 0, UTC), second])] == [600, 600]


def test_windows_are_not_overwritten_by_later_ones():
    windows = Windows()
    kept = [(window, window.counts.copy()) for chunk in cut(stretch(20_000), [333] * 60) for window in windows.push(chunk)]
    assert all(np.array_equal(window.counts, counts) for window, counts in kept) and len(kept) == 19
