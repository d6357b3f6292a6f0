import numpy as np
import pytest

from benchmarks import reconstruction
from benchmarks.reconstruction import EDGE, SHIFTS, boundary, correlation, running_mean, ultraviolet
from edge_runtime.counts import FRAME_SAMPLES
from edge_runtime.preprocess import WINDOW_SAMPLES

W = 40
SCENE = np.arange(W) // 4


def constant(rate: float = 4.0) -> np.ndarray:
    return np.full((W, 3, WINDOW_SAMPLES), rate)


def test_an_error_at_the_edges_is_seen_in_its_channel_and_kind_alone():
    rate = constant()
    believed = rate + 1.0
    believed[: W // 2, 1, :EDGE] += 1.0  # twice the error at one end: squares 4 and 1 over the inner 1
    signal = np.arange(W) < W // 2
    records, rows = boundary(believed, rate, {"signal": signal, "quiet": ~signal}, SCENE, 1)
    value = {record.id: record.value for record in records}
    assert value["cvae.boundary.signal.uv"] == pytest.approx(np.sqrt(2.5)) == value["cvae.boundary"]
    assert all(value[name] == pytest.approx(1.0) for name in value if name not in ("cvae.boundary", "cvae.boundary.signal.uv"))
    assert len(rows) == 6 and all(row["cells"][0] in value for row in rows)


def pulses(amplitude: float) -> np.ndarray:
    rate = constant(1.0)
    rate[:, 1] += amplitude * np.exp(-0.5 * ((np.arange(WINDOW_SAMPLES) - 400) / 8) ** 2)
    return rate


@pytest.mark.parametrize(("shift", "late"), [(0, 0.0), (3, 30.0)])
def test_uv_pulses_are_compared_with_their_true_rate(shift, late):
    rate = pulses(20.0)
    counts = np.random.default_rng(1).poisson(rate).astype(np.uint16)
    records, rows, curve = ultraviolet(np.roll(rate, shift, axis=2), counts, rate, SCENE, 1)
    value = {record.id: record.value for record in records}
    assert value["cvae.uv.peak_us"] == pytest.approx(late) and value["cvae.uv"] == pytest.approx(value["cvae.uv.p10"])
    assert (value["cvae.uv"] == pytest.approx(1.0)) == (shift == 0) and 0.7 < value["cvae.uv.smoother"] < 1
    assert curve["n"] == [W] and len(rows) == 4 and records[0].n == W


def test_without_a_bright_pulse_nothing_is_claimed_of_uv():
    rate = pulses(3.0)
    records, _, curve = ultraviolet(rate, rate.astype(np.uint16), rate, SCENE, 1)
    assert all(record.value is None and record.n == 0 for record in records) and curve["n"] == [W]


def test_correlation_is_pearsons_and_nothing_of_a_constant():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(5, 50)), rng.normal(size=(5, 50))
    assert correlation(a, b) == pytest.approx([np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)])
    assert correlation(np.ones((1, 50)), b[:1]) == 0


def test_the_running_mean_is_shorter_at_the_ends():
    counts = np.random.default_rng(4).poisson(3.0, (2, 60))
    half = reconstruction.SMOOTH // 2
    expected = [[row[max(0, k - half):k + half + 1].mean() for k in range(60)] for row in counts]
    assert running_mean(counts) == pytest.approx(np.array(expected))


def test_pulses_lie_inside_every_tiling():
    frames = list(reconstruction._frames(1, 40))
    assert frames
    for counts, frame, peaks in frames:
        places = list(zip(frame.tolist(), (peaks // WINDOW_SAMPLES).tolist(), strict=True))
        assert counts.shape == (40, 3, FRAME_SAMPLES) and len(set(places)) == len(places) > 0 and frame.max() < 40
        for shift in SHIFTS:
            number = (peaks - shift) // WINDOW_SAMPLES
            assert (number >= 0).all() and (number < (FRAME_SAMPLES - shift) // WINDOW_SAMPLES).all()


def test_a_pulse_is_counted_once_where_it_is_brightest_wherever_tiles_would_lie():
    time = np.arange(8320)
    light = np.zeros((2, 8320))
    for place, height in ((2000, 9.0), (2300, 4.0), (4159, 5.0)):  # the second lies in the first one's shade, the third's tail in the next tile
        light[0] += height * np.exp(-np.maximum(time - place, 0) / 80) * (time >= place)
    light[1, 6000] = 0.5  # too weak for a signal
    light[1, 500] = 90.0  # not inside every tiling
    frame, sample = reconstruction.peaks(light, light**2 / (light + 0.5))
    assert (frame.tolist(), sample.tolist()) == ([0, 0], [2000, 4159])
