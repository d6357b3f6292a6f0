"""A catalogue line is bytes, and a test holds them."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.catalogue import entry, line, utc_text
from edge_runtime.flagging import Candidate

FIELDS = ["utc_start", "utc_end", "sample_start", "sample_end", "frame", "class", "score", "threshold", "peak_counts", "peak_sample", "saturated",
          "latent", "bundle_sha256"]
CANDIDATE = Candidate(1_577_763_286_000_050_000, 1_577_763_286_010_450_000, 0, 1040, 40, "blue", 640, -3, (41, 8, 40), (499, 675, 504), False, (46, -20))


def test_a_line_is_these_bytes():
    assert line(entry(CANDIDATE, "ab" * 32)) == (
        '{"utc_start":"2019-12-31T03:34:46.000050Z","utc_end":"2019-12-31T03:34:46.010450Z","sample_start":0,"sample_end":1040,"frame":40,'
        '"class":"blue","score":640,"threshold":-3,"peak_counts":[41,8,40],"peak_sample":[499,675,504],"saturated":false,"latent":[46,-20],'
        '"bundle_sha256":"abababababababababababababababababababababababababababababababab"}\n')


def test_without_a_clock_the_times_are_null():
    fields = json.loads(line(entry(CANDIDATE._replace(utc_start_ns=None, utc_end_ns=None), "")))
    assert fields["utc_start"] is None and fields["utc_end"] is None


times = st.none() | st.integers(0, (1 << 62) - 1)
integers = st.integers(-(1 << 62), 1 << 62)
made = st.builds(Candidate, times, times, integers, integers, integers, st.sampled_from(["hits", "uv"]), integers, integers,
                 st.tuples(integers, integers, integers), st.tuples(integers, integers, integers), st.booleans(),
                 st.lists(st.integers(-128, 127)).map(tuple))


@given(made)
def test_a_line_is_one_json_object_that_says_the_candidate(candidate):
    text = line(entry(candidate, "x"))
    assert text.endswith("\n") and text.count("\n") == 1
    fields = json.loads(text)
    assert list(fields) == FIELDS
    assert (fields["sample_start"], fields["class"], fields["saturated"]) == (candidate.sample_start, candidate.class_name, candidate.saturated)
    assert (tuple(fields["peak_counts"]), tuple(fields["latent"])) == (candidate.peak_counts, candidate.latent)


@given(st.integers(0, (1 << 62) - 1))
def test_times_come_back_to_the_microsecond(utc_ns):
    text = utc_text(utc_ns)
    assert len(text) == 27 and text.endswith("Z")
    assert (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) == utc_ns // 1000
