import numpy as np
import pytest
import torch

from train.instruments.minieuso.scene import FILE_FRAMES
from train.pixels import stacks as module
from train.pixels.stack_networks import Recurrent, StackNetwork, TwoStage, above_median, convolution
from train.pixels.stacks import N, chunk_stacks, frame_stacks, pixel_curves


@pytest.fixture(scope="module")
def chunks():
    return chunk_stacks(7, 20, 60, 3)


@pytest.fixture(scope="module")
def frames():
    return frame_stacks(7, 4, 5, 3)


@pytest.mark.parametrize(("name", "meteors", "others", "side"), [("chunks", 20, 60, 8), ("frames", 4, 5, 48)])
def test_as_many_as_asked_for_meteors_first(name, meteors, others, side, request):
    some = request.getfixturevalue(name)
    assert some.counts.shape == (meteors + others, N, side, side) and some.counts.dtype == np.uint32
    assert some.meteor[:meteors].all() and not some.meteor[meteors:].any()
    assert np.array_equal((some.pixels == 1).any(axis=1), some.meteor) and some.pixels.shape == (meteors + others, side**2)


def test_a_chunk_stack_takes_12_kb(chunks):
    assert chunks.counts[0].nbytes == 12_288


def test_same_arguments_same_bytes(chunks):
    again = chunk_stacks(7, 20, 60, 3)
    assert all(np.array_equal(getattr(chunks, name), getattr(again, name)) for name in vars(chunks))
    assert not np.array_equal(chunks.counts, chunk_stacks(7, 20, 60, 4).counts)


@pytest.mark.parametrize("name", ["chunks", "frames"])
def test_labels_are_those_of_the_meteors_light(name, request, monkeypatch):
    """Worked out anew from the scene's lights, stack by stack; the stack's place is found by its counts."""
    scenes, kept = [], module.Scene
    monkeypatch.setattr(module, "Scene", lambda *arguments, **named: scenes.append(kept(*arguments, **named)) or scenes[-1])
    some = request.getfixturevalue(name)
    again = (chunk_stacks if name == "chunks" else frame_stacks)(7, int(some.meteor.sum()), int((~some.meteor).sum()), 3)
    [scene] = scenes
    sums, level, gain = scene.sums(), scene.background(0, FILE_FRAMES).reshape(FILE_FRAMES, -1), scene.gain.ravel() * 16_384
    lights = [light for light in scene.lights if light.kind == "meteor"]
    side = some.counts.shape[-1]
    found = 0
    for counts, labels in zip(again.counts, again.pixels, strict=True):
        places = [(int(first), row, column) for row in range(0, 48, side) for column in range(0, 48, side)
                  for first in np.flatnonzero((sums[:FILE_FRAMES - N, row:row + side, column:column + side] == counts[0]).all(axis=(1, 2)))]
        [(first, row, column)] = places
        for pixel, label in enumerate(labels):
            at = (row + pixel // side) * 48 + column + pixel % side
            passages = []
            for light in lights:
                mine = light.pixel == at
                if mine.any() and light.frame[mine][0] < first + N and light.frame[mine][-1] >= first:
                    snr = np.sqrt((light.level[mine] ** 2 / level[light.frame[mine], at]).sum() * gain[at])
                    passages.append((snr, first <= light.frame[mine][light.level[mine].argmax()] < first + N))
            lit, seen = any(snr > 0.5 for snr, _ in passages), any(snr >= 5 and inside for snr, inside in passages)
            assert label == (1 if seen else -1 if lit or scene.dead.ravel()[at] else 0)
            found += label == 1
    assert found >= 5


def test_half_of_the_chunks_without_a_meteor_are_disturbed():
    disturbed = np.arange(100) < 40
    assert module._half(disturbed, 20).sum() == 10 and module._half(disturbed, 200).sum() == 40


def test_pieces_are_tubes():
    grid = np.arange(2304).reshape(1, 48, 48)
    pieces = module._pieces(grid.reshape(1, -1), 8)
    assert np.array_equal(pieces[6 * 2 + 3], grid[0, 16:24, 24:32].ravel()) and np.array_equal(module._pieces(grid.reshape(1, -1), 48)[0], np.arange(2304))


def test_the_chunk_network_has_the_parameters_that_the_paper_prints():
    assert sum(weights.numel() for weights in convolution(48, 8).parameters()) == 125_465


def test_curves_of_a_stack_are_its_pixels_row_by_row(chunks):
    curves = pixel_curves(chunks.counts)
    assert np.array_equal(curves, chunks.curves()) and np.array_equal(curves[64 * 5 + 8 * 2 + 3], chunks.counts[5, :, 2, 3])


def test_a_stack_is_scaled_by_its_largest_excess(chunks):
    scaled, wide = above_median(chunks.counts), chunks.counts.astype(int)
    excess = wide - np.median(wide, axis=1, keepdims=True)
    assert scaled.dtype == np.float16 and np.abs(scaled).max(axis=(1, 2, 3)) == pytest.approx(1)
    assert np.allclose(scaled, excess / np.abs(excess).max(axis=(1, 2, 3), keepdims=True), atol=1e-3)
    assert not above_median(np.full((1, 48, 8, 8), 7, np.uint32)).any()


def pulses(k, side):
    """The first half with a pulse at one place and time, which any network learns."""
    counts = np.random.default_rng(0).poisson(1000, (k, N, side, side))
    counts[:k // 2, 20:26, 3, 3] += 400
    return counts.astype(np.uint32), np.arange(k) < k // 2


@pytest.mark.parametrize("make", [lambda: convolution(N, 8), lambda: Recurrent(8)])
def test_a_network_learns_and_repeats_itself(make):
    x, y = pulses(512, 8)
    scores = []
    for _ in range(2):
        network = StackNetwork(make, 10, 1)
        network.fit(x, y)
        scores.append(network.score(x))
    assert np.array_equal(*scores) and scores[0].shape == (512,) and scores[0][y].min() > scores[0][~y].max()


def test_the_networks_take_whole_frames():
    stacks = torch.zeros(2, N, 48, 48)
    assert convolution(N, 48)(stacks).shape == Recurrent(48)(stacks).shape == (2, 1)


class Brightest:
    """Scores by the largest value and keeps what it learned from."""

    def fit(self, x, y):
        self.x, self.y = x, y

    def score(self, x):
        return x.reshape(len(x), -1).max(axis=1).astype(float)


def test_two_stages_put_the_pixels_of_dropped_chunks_below_all_others():
    x, lit = pulses(80, 8)
    y = np.zeros((80, 64), np.int8)
    y[lit, 27], y[:, 0] = 1, -1
    both = TwoStage(Brightest(), Brightest())
    both.fit(x, y)
    assert len(both.first.x) == 60 and np.array_equal(both.first.y, lit[np.arange(80) % 4 != 0])
    scores = both.score(x)
    dropped = np.isinf(scores).all(axis=1)
    assert scores.shape == (80, 64) and np.isfinite(scores[~dropped]).all() and dropped[~lit].all() and not dropped[lit].all()
    # Pixels without a label are not learned from, nor those of dropped chunks.
    assert both.second.x.shape == (63 * int((~dropped).sum()), N) and both.second.y.sum() == (~dropped).sum()
    assert np.isinf(both.score(np.full((3, N, 8, 8), 5, np.uint32))).all()
