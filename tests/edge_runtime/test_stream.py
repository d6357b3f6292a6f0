"""The loop that flies gives the candidates that its parts give one after the other, however the stream is cut, and holds on to nothing."""

import gc
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime import engines
from edge_runtime.bundle import open_bundle
from edge_runtime.counts import FRAME_SAMPLES, Stretch
from edge_runtime.flagging import Candidates
from edge_runtime.preprocess import tile
from edge_runtime.stream import Flagger
from tests.bundle_for_tests import make_bundle, scene


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return open_bundle(make_bundle(tmp_path_factory.mktemp("stream") / "bundle"))


@pytest.fixture(scope="module")
def engine(bundle):
    return engines.load("reference", bundle.folder)


def whole(counts: np.ndarray) -> list[Stretch]:
    return [Stretch(counts, None, 0, 0)]


def chunks(counts: np.ndarray, sizes: list[int]) -> list[Stretch]:
    found, at = [], 0
    for size in [*sizes, counts.shape[1]]:
        if at < counts.shape[1]:
            found.append(Stretch(counts[:, at:at + size], None, at // FRAME_SAMPLES, at))
            at += size
    return found


def test_light_is_flagged_where_it_is(bundle, engine):
    flagger = Flagger(bundle, engine)
    found = list(flagger.flag(whole(scene(20_000, pulses=((500, 40), (9000, 60), (9900, 30))))))
    assert [(one.class_name, one.sample_start, one.sample_end, one.frame) for one in found] == [("lightning", 0, 1040, 0), ("lightning", 8320, 10400, 1)]
    assert all(abs(one.peak_sample[0] - at) < 20 for one, at in zip(found, (500, 9000), strict=True))
    assert (flagger.windows, flagger.samples) == (20, 20_000)


def test_the_loop_is_its_parts_one_after_the_other(bundle, engine):
    counts = scene(30_000, pulses=((5000, 40), (20_000, 1200)))
    windows = list(tile(whole(counts)))
    codes = np.ascontiguousarray(bundle.tables.quantise(np.stack([window.counts for window in windows])).transpose(0, 2, 1))[:, None]
    latent, logits = engine.run(codes)
    scores, _ = bundle.score.scores(logits)
    state, expected = Candidates(bundle.score, bundle.thresholds), []
    for window, row, mean in zip(windows, logits.tolist(), latent, strict=True):
        expected.append(state.push(window, row, mean, bool(window.counts.max() > 1055)))
    expected = [one for one in [*expected, state.finish()] if one is not None]
    assert list(Flagger(bundle, engine).flag(whole(counts))) == expected
    assert [one.score for one in expected] == [scores[4:6].max(), scores[19:21].max()]
    assert [one.saturated for one in expected] == [False, True]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 12_000), st.lists(st.integers(1, 4000), max_size=10), st.lists(st.tuples(st.integers(0, 12_000), st.integers(20, 80)), max_size=3))
def test_chunks_of_any_size_give_the_candidates_of_the_whole(bundle, engine, n, sizes, pulses):
    counts = scene(n, seed=n, pulses=tuple(pulses))
    flagger = Flagger(bundle, engine)
    assert list(flagger.flag(chunks(counts, sizes))) == list(flagger.flag(whole(counts)))
    assert flagger.samples == 2 * n


def test_recordings_do_not_run_into_each_other(bundle, engine):
    counts = scene(1500, pulses=((1400, 60),))
    flagger = Flagger(bundle, engine)
    first, second, third = (list(flagger.flag(whole(counts))) for _ in range(3))
    assert first == second == third and len(first) == 1
    unfinished = flagger.flag(whole(scene(5000, pulses=((500, 60), (3500, 60)))))
    next(unfinished)  # and left alone after its first candidate
    assert list(flagger.flag(whole(counts))) == first


def test_a_candidate_is_given_while_the_stream_goes_on(bundle, engine):
    read = []

    def stream():
        for stretch in chunks(scene(60_000, pulses=((500, 60),)), [1040] * 60):
            read.append(stretch)
            yield stretch

    assert next(Flagger(bundle, engine).flag(stream())).sample_start == 0
    assert len(read) <= 4


@pytest.mark.parametrize("name", ["litert", "tflite-runtime"])
def test_engines_that_lend_their_input_flag_the_same(bundle, engine, name):
    pytest.importorskip({"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}[name])
    counts = scene(30_000, pulses=((5000, 40), (20_000, 1200)))
    lent = engines.load(name, bundle.folder)
    assert lent.input_buffer() is not None
    expected = list(Flagger(bundle, engine).flag(whole(counts)))
    found = list(Flagger(bundle, lent).flag(whole(counts)))
    if name == "litert":
        assert found == expected
    assert [(one.class_name, one.sample_start) for one in found] == [(one.class_name, one.sample_start) for one in expected]


def test_a_long_stream_holds_on_to_nothing(bundle):
    """Ten times the stream, not a kilobyte more: no window, candidate or chunk is kept."""
    class NoEngine:
        def run(self, codes):
            return np.zeros((1, 16), np.int8), np.array([[0, 0, 100, 0, 0] if codes[0, 0, 0, 0] > 0 else [100, 0, 0, 0, 0]], np.int8)

        def input_buffer(self):
            return None

    counts = scene(FRAME_SAMPLES)
    counts[:, 0] = 500

    def stream(frames):
        for frame in range(frames):
            yield Stretch(counts.copy(), None, frame, frame * FRAME_SAMPLES)

    def held_after(frames):
        flagger = Flagger(bundle, NoEngine())
        gc.collect()
        tracemalloc.start()
        try:
            assert sum(1 for _ in flagger.flag(stream(frames))) == frames
            gc.collect()
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    held_after(400)  # the interpreter's own caches fill
    assert held_after(400) - held_after(40) < 512
