import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks import compression
from benchmarks.compression import PACKET_BYTES, WINDOWS_PER_PACKET, Corpus, Way
from benchmarks.transforms import Components


@given(arrays(np.uint16, st.tuples(st.just(3), st.integers(1, 300))), st.booleans())
def test_ccsds121_gives_back_every_count(counts, predictor):
    assert compression.ccsds121(counts, predictor)  # it decodes and compares, and raises where a count differs


def test_a_coder_that_lies_is_caught(monkeypatch):
    import imagecodecs

    monkeypatch.setattr(imagecodecs, "aec_decode", lambda packed, **settings: bytearray(6240))
    with pytest.raises(ValueError, match="did not give back"):
        compression.ccsds121(np.ones((3, 1040), np.uint16), True)


def test_the_size_of_noise_is_near_its_entropy():
    counts = np.random.default_rng(0).poisson(2.0, (3, 1040)).astype(np.uint16)
    probability = np.bincount(counts.ravel()) / counts.size
    entropy = -sum(p * np.log2(p) for p in probability if p)
    bits = 8 * len(compression.ccsds121(counts, False)) / counts.size
    assert entropy < bits < entropy + 0.8


def test_headers_are_counted():
    payload = np.full(33, 16)
    assert compression.packet_bits_per_sample(payload, 3120) == 8 * (33 * 16 + 3 * PACKET_BYTES) / (33 * 3120)
    assert compression.packet_bits_per_sample(payload, 3120, 1) == 8 * (16 + PACKET_BYTES) / 3120


def made_up(windows=64, samples=200):
    rng = np.random.default_rng(2)
    rate = np.full((windows, 3, samples), 4.0, np.float32)
    rate[: windows // 2, :, 50:90] += 30
    counts = rng.poisson(rate).astype(np.uint16)
    signal = np.arange(windows) < windows // 2
    return Corpus(counts, rate, signal, ~signal, np.repeat(np.arange(windows // 4), 4))


def test_counts_are_one_sigma_from_the_true_rate_and_the_true_rate_none():
    corpus = made_up()
    assert np.sqrt(compression.error_in_sigma(corpus.counts, corpus.rate).mean()) == pytest.approx(1, abs=0.02)
    assert compression.error_in_sigma(corpus.rate, corpus.rate).max() == 0


def test_every_way_is_there_with_error_beside_its_bits():
    corpus = made_up()
    latents = np.zeros((len(corpus.counts), 16), np.int8)
    components = Components(corpus.counts, 4, 1)
    stage = compression.compare(corpus, compression.ways(corpus, latents, corpus.rate, np.array([4.0, 4.0, 4.0]), components), seed=1)
    value = {record.id: record.value for record in stage.records}
    for way in ("counts", "ccsds121", "ccsds121_plain", "latents", "pca", "wavelet", "window_mean", "constant"):
        assert {f"compression.{way}.{kind}.error_{channel}" for kind in ("signal", "quiet") for channel in ("337", "uv", "777")} <= value.keys()
    assert value["compression.latents.signal.error_337"] == 0
    assert value["compression.constant.bits_per_sample"] == 0
    assert value["compression.window_mean.signal.error_337"] > 3 * value["compression.window_mean.quiet.error_337"]
    assert value["compression.counts.bits_per_sample"] == pytest.approx(16 + 8 * PACKET_BYTES / (WINDOWS_PER_PACKET * 600))
    cells = [cell for row in stage.figures["tables"]["compression"]["rows"] for cell in row["cells"]]
    assert set(cells) - {None} <= value.keys()


def test_no_bits_have_no_ratio():
    corpus = made_up()
    stage = compression.compare(corpus, [Way("latents", "x", np.full(64, 16), corpus.rate, "s"), Way("constant", "y", np.zeros(64), corpus.rate, "s")], 0)
    assert "compression.constant.ratio" not in {record.id for record in stage.records}
