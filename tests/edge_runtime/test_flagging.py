"""The integer score against real log odds and against itself in batches; candidates against a plain description of the rules."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_runtime.counts import SAMPLE_TIME_NS
from edge_runtime.flagging import CLASSES, STEPS, Candidates, ScoreTable, Thresholds, score_table
from edge_runtime.preprocess import WINDOW_SAMPLES, Window

UTC = 1_577_763_286_000_000_000
codes = st.lists(st.integers(-128, 127), min_size=5, max_size=5)
scales = st.floats(0.01, 1.0)


@given(scales, arrays(np.int8, st.tuples(st.integers(1, 40), st.just(5))))
def test_the_batch_gives_the_scores_of_one_by_one(scale, logits):
    table = score_table(scale)
    light, hits = table.scores(logits)
    assert light.tolist() == [table.score(row) for row in logits.tolist()]
    assert hits.tolist() == [table.hits_score(row) for row in logits.tolist()]


@given(scales, codes)
def test_the_score_is_the_log_odds_of_light_to_within_its_roundings(scale, logits):
    table, real = score_table(scale), [code * scale for code in logits]

    def lse(*values):
        return max(values) + math.log(sum(math.exp(value - max(values)) for value in values))

    step = scale / STEPS
    # Three table look-ups, each off by half a step at most; a rounded argument moves a look-up by no more than itself.
    assert abs(table.score(logits) * step - (lse(*real[2:]) - lse(*real[:2]))) <= 2.5 * step + 1e-9
    assert abs(table.hits_score(logits) * step - (real[1] - lse(real[0], *real[2:]))) <= 2.5 * step + 1e-9


@given(scales, codes, st.sampled_from([2, 3, 4]))
def test_more_light_never_lowers_the_score(scale, logits, light):
    table, more = score_table(scale), list(logits)
    more[light] = min(127, more[light] + 1)
    assert table.score(more) >= table.score(logits)
    assert table.hits_score(more) <= table.hits_score(logits)


def entries(table: ScoreTable) -> list[int]:
    """The table written out, by the manifest's words."""
    return [table.greatest - index for index, length in enumerate(table.lengths) for _ in range(length)]


@given(scales)
def test_the_table_falls_from_log_two_to_its_last_entry_above_zero(scale):
    step, written = scale / STEPS, entries(score_table(scale))
    assert written == [round(math.log1p(math.exp(-d * step)) / step) for d in range(len(written))]
    furthest = 127 * STEPS + 2 * written[0] + 128 * STEPS
    assert math.log1p(math.exp(-len(written) * step)) / step <= 0.5 or len(written) == furthest + 1


def test_a_coarse_scale_needs_no_table_and_too_fine_a_scale_has_none():
    assert score_table(100.0) == ScoreTable(0, ())
    assert score_table(100.0).score([0, 0, 3, 0, 0]) == 48
    with pytest.raises(ValueError, match="at least 1e-4"):
        score_table(1e-5)


@pytest.mark.parametrize("scale", [0.0005, 0.004])
def test_a_fine_scale_that_cuts_the_table_short_gives_the_same_scores(scale):
    step, table = scale / STEPS, score_table(scale)
    assert math.log1p(math.exp(-sum(table.lengths) * step)) / step > 0.5  # it is cut short
    ends = np.array(np.meshgrid(*[[-128, 0, 127]] * 5)).reshape(5, -1).T.astype(np.int8)
    for row, light, hits in zip(ends.tolist(), *table.scores(ends), strict=True):
        real = [code * scale for code in row]
        lse = [math.log(sum(math.exp(value) for value in values)) for values in (real[2:], real[:2], [real[0], *real[2:]])]
        assert abs(light * step - (lse[0] - lse[1])) <= 2.5 * step + 1e-9
        assert abs(hits * step - (real[1] - lse[2])) <= 2.5 * step + 1e-9


def test_this_table_and_these_scores_stay_as_they_are():
    table = score_table(0.5)
    assert (table.greatest, sum(table.lengths), table.lengths[:6]) == (22, 133, (2, 2, 2, 2, 3, 2))
    assert [table.score(row) for row in ([10, -5, -20, -30, -30], [-20, -20, 30, 29, 28], [0, 0, 0, 0, 0])] == [-480, 800, 13]
    assert [table.hits_score(row) for row in ([-20, 30, 0, 0, 0], [0, 0, 0, 0, 0])] == [445, -44]
    assert ScoreTable.from_document(json.loads(json.dumps(table.to_document()))) == table


@pytest.mark.parametrize(("greatest", "lengths", "field"), [
    (-1, [], "greatest"), (1.0, [1], "greatest"), (None, [1], "greatest"), (True, [1], "greatest"), (1 << 21, [1], "greatest"),
    (3, None, "lengths"), (3, [1, 1, 1, 1], "lengths"), (3, [1, 0], "lengths"), (3, [1.5], "lengths"), (3, [True], "lengths"), (3, ["1"], "lengths"),
    (3, [1 << 20, 1], "lengths"), (3, [1 << 40], "lengths"),
])
def test_a_table_that_cannot_be_is_refused_by_field(greatest, lengths, field):
    with pytest.raises(ValueError, match=rf"^{field}: "):
        ScoreTable.from_document({"greatest": greatest, "lengths": lengths})


@pytest.mark.parametrize(("field", "value"), [("flag", 1.5), ("flag", None), ("hits", True), ("hits", 1 << 21), ("minimum_duration", 0), ("refractory", -1)])
def test_thresholds_out_of_range_are_refused_by_name(field, value):
    document = Thresholds(10, 20).to_document()
    assert Thresholds.from_document(document) == Thresholds(10, 20)
    with pytest.raises(ValueError, match=rf"^{field}: "):
        Thresholds.from_document({**document, field: value})


# Candidates. One letter is a window: L light, B blue light, H hits, . nothing.
TABLE = score_table(0.1)
LOGITS = {"L": [-100, -90, 90, 0, 0], "B": [-100, -90, 0, 80, 0], "H": [-50, 90, -60, -70, -80], ".": [90, -50, -60, -70, -80]}
THRESHOLDS = Thresholds(flag=100, hits=100, minimum_duration=1, refractory=WINDOW_SAMPLES)


def windows_of(letters: str, clock: bool = False, gaps: dict[int, int] | None = None):
    """Windows with peaks that tell their index: channel c holds 10 index + c at sample 100 + c; `gaps`: samples lost before a window."""
    utc = UTC
    for index in range(len(letters)):
        counts = np.zeros((3, WINDOW_SAMPLES), np.uint16)
        counts[np.arange(3), 100 + np.arange(3)] = 10 * index + np.arange(3)
        utc += (gaps or {}).get(index, 0) * SAMPLE_TIME_NS
        yield Window(counts, 0, WINDOW_SAMPLES, index * WINDOW_SAMPLES, utc if clock else None, index // 8)
        utc += WINDOW_SAMPLES * SAMPLE_TIME_NS


def candidates(letters: str, thresholds: Thresholds = THRESHOLDS, saturated: str = "", **how):
    state, found = Candidates(TABLE, thresholds), []
    for index, (letter, window) in enumerate(zip(letters, windows_of(letters, **how), strict=True)):
        found.append(state.push(window, LOGITS[letter], np.full(4, index, np.int8), bool(saturated) and saturated[index] == "s"))
    found.append(state.finish())
    assert state.finish() is None
    return [candidate for candidate in found if candidate is not None]


def ranges(letters: str, **how) -> list[tuple[str, int, int]]:
    """Class, first window and the window after the last of each candidate."""
    return [(one.class_name, one.sample_start // WINDOW_SAMPLES, one.sample_end // WINDOW_SAMPLES) for one in candidates(letters, **how)]


@pytest.mark.parametrize(("letters", "expected"), [
    ("....", []),
    (".L..", [("lightning", 1, 2)]),
    ("...L", [("lightning", 3, 4)]),
    ("LLLL", [("lightning", 0, 4)]),
    (".B..", [("blue", 1, 2)]),
    (".H..", [("hits", 1, 2)]),
    ("L.L.", [("lightning", 0, 3)]),  # one window between: within the refractory time
    ("L..L", [("lightning", 0, 1), ("lightning", 3, 4)]),
    ("HL..", [("lightning", 1, 2)]),  # any light makes it light, and its range is the light's
    ("LH..", [("lightning", 0, 1)]),
    ("H.L.", [("lightning", 2, 3)]),
    ("H..L", [("hits", 0, 1), ("lightning", 3, 4)]),
    ("LHL.", [("lightning", 0, 3)]),
    ("HHHHHHHH", [("hits", 0, 8)]),
    ("HLHHHHLH", [("lightning", 1, 2), ("lightning", 6, 7)]),  # hits do not join two flashes
    ("LHHHH...", [("lightning", 0, 1)]),
])
def test_neighbouring_flags_become_one_candidate(letters, expected):
    assert ranges(letters) == expected


@pytest.mark.parametrize(("refractory", "count"), [(0, 3), (1039, 3), (1040, 2), (2079, 2), (2080, 1)])
def test_the_refractory_time_is_the_greatest_gap_within_a_candidate(refractory, count):
    assert len(candidates("L.L..LL", Thresholds(100, 100, 1, refractory))) == count


@pytest.mark.parametrize(("minimum", "expected"), [(1, 3), (2, 2), (3, 1), (4, 0)])
def test_a_candidate_holds_at_least_so_many_windows(minimum, expected):
    assert len(candidates("L...LL...LLL", Thresholds(100, 100, minimum, 0))) == expected


def test_light_too_short_to_count_does_not_hide_the_hits_around_it():
    assert [one.class_name for one in candidates("HLH", Thresholds(100, 100, 2, WINDOW_SAMPLES))] == ["hits"]


@pytest.mark.parametrize(("gap", "count"), [(0, 1), (5, 1), (1040, 1), (1041, 2), (10**6, 2), (-5000, 2)])
def test_gaps_count_by_the_clock(gap, count):
    assert len(candidates("LL", clock=True, gaps={1: gap})) == count


def test_score_and_threshold_are_of_the_same_kind():
    light, hits = candidates("L...H", Thresholds(flag=7, hits=11))
    assert (light.score, light.threshold) == (TABLE.score(LOGITS["L"]), 7)
    assert (hits.score, hits.threshold) == (TABLE.hits_score(LOGITS["H"]), 11)


def test_class_latent_and_score_are_those_of_the_best_window():
    one, = candidates("BLB")
    assert (one.class_name, one.latent, one.score) == ("lightning", (1, 1, 1, 1), TABLE.score(LOGITS["L"]))


def test_the_first_of_equally_good_windows_counts():
    one, = candidates("LLL")
    assert one.latent == (0, 0, 0, 0)


def test_a_score_at_the_threshold_is_no_flag():
    score = TABLE.score(LOGITS["L"])
    assert candidates("L", Thresholds(score, 1 << 20)) == []
    assert len(candidates("L", Thresholds(score - 1, 1 << 20))) == 1


def test_peaks_are_absolute_and_only_of_the_candidates_own_kind():
    one, = candidates("HLLH")
    assert one.peak_counts == (20, 21, 22)
    assert one.peak_sample == tuple(2 * WINDOW_SAMPLES + 100 + channel for channel in range(3))


def test_peaks_times_and_range_are_of_the_windows_own_samples():
    counts = np.zeros((3, WINDOW_SAMPLES), np.uint16)
    counts[:, 3], counts[:, 1035] = 99, (1, 2, 3)
    state = Candidates(TABLE, THRESHOLDS)
    state.push(Window(counts, 1030, 1040, 5000, UTC, 4), LOGITS["L"], np.zeros(4, np.int8), False)
    one = state.finish()
    assert (one.peak_counts, one.peak_sample, one.sample_start, one.sample_end) == ((1, 2, 3), (5005,) * 3, 5000, 5010)
    assert (one.utc_start_ns, one.utc_end_ns, one.frame) == (UTC, UTC + 10 * SAMPLE_TIME_NS, 4)


@pytest.mark.parametrize(("marks", "expected"), [("....", False), ("s...", False), (".s..", True), ("...s", False)])
def test_saturation_is_told_where_a_window_of_the_candidate_has_it(marks, expected):
    one, = candidates(".LL.", saturated=marks)
    assert one.saturated is expected


def test_a_candidate_is_given_as_soon_as_it_cannot_grow():
    state = Candidates(TABLE, THRESHOLDS)
    given_at = [index for index, (letter, window) in enumerate(zip(".L....", windows_of(".L...."), strict=True))
                if state.push(window, LOGITS[letter], np.zeros(4, np.int8), False) is not None]
    assert given_at == [3]  # after window 3 a further flag would be two windows away; the refractory time is one


def described(letters: str, refractory: int, minimum: int) -> list[tuple[bool, int, int]]:
    """The rules once more, over the whole sequence at once: (light, first, last) of each candidate, in windows."""
    groups: list[list[int]] = []
    for index, letter in enumerate(letters):
        if letter == ".":
            continue
        group = groups[-1] if groups else []
        light = [one for one in group if letters[one] == "L"]
        last = light[-1] if letter == "L" and light else group[-1] if group else None
        if last is not None and index - last - 1 <= refractory:
            group.append(index)
        else:
            groups.append([index])
    found = []
    for group in groups:
        for kind in "LH":
            own = [index for index in group if letters[index] == kind]
            if own and len(own) >= minimum:
                found.append((kind == "L", own[0], own[-1]))
                break
    return found


@given(st.text("LH.", max_size=40), st.integers(0, 3), st.integers(1, 3), st.booleans())
def test_candidates_are_those_of_the_description(letters, refractory, minimum, clock):
    found = candidates(letters, Thresholds(100, 100, minimum, refractory * WINDOW_SAMPLES), clock=clock)
    told = [(one.class_name != "hits", one.sample_start // WINDOW_SAMPLES, one.sample_end // WINDOW_SAMPLES - 1) for one in found]
    assert told == described(letters, refractory, minimum)


@given(st.text("LBH.", min_size=1, max_size=40))
def test_no_light_is_lost(letters):
    covered = [range(one.sample_start // WINDOW_SAMPLES, one.sample_end // WINDOW_SAMPLES) for one in candidates(letters) if one.class_name in CLASSES[2:]]
    for index, letter in enumerate(letters):
        assert letter not in "LB" or sum(index in windows for windows in covered) == 1
