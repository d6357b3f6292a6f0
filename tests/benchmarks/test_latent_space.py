import json
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from benchmarks import latent_space
from benchmarks.latent_space import NEIGHBOURS, equal_numbers, neighbours
from edge_runtime.manifest import TensorSpec

SCALE, ZERO_POINT = 0.05, 3
PER_CLASS = 40


def blobs(seed=1):
    """int8 latents around one centre for each class, and the classes."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(5), PER_CLASS)
    return (rng.integers(-90, 90, (5, 8))[label] + rng.normal(0, 6, (len(label), 8))).round().astype(np.int8), label


def material(codes, label, scene):
    return SimpleNamespace(test=SimpleNamespace(label=label.astype(np.int8), scene=scene), flight=(codes, None), seed=1,
                           bundle=SimpleNamespace(outputs=(TensorSpec("posterior_mean", (1, codes.shape[1]), SCALE, ZERO_POINT),)))


@pytest.fixture
def small(monkeypatch):
    for name, value in (("EMBEDDED", 30), ("MAPPED", 6), ("PERPLEXITY", 10)):
        monkeypatch.setattr(latent_space, name, value)


def test_neighbours_are_the_nearest_of_an_independent_search(monkeypatch):
    monkeypatch.setattr(latent_space, "_BATCH", 64)  # more than one, the last not whole
    rng = np.random.default_rng(2)
    codes, label = rng.integers(-128, 128, (200, 40)).astype(np.int8), rng.integers(0, 5, 200)
    nearest = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(codes.astype(float)).kneighbors(codes.astype(float))[1][:, 1:]
    assert neighbours(codes, label, np.arange(200))[0] == pytest.approx((label[nearest] == label[:, None]).mean(axis=1))


def test_windows_of_the_same_scene_are_no_neighbours():
    # Ten scenes of 12 equal windows each on a line, in pairs: the first two are of one class, beside each of the others lies one of another class.
    place, label = np.array([0, 1, 20, 21, 40, 41, 60, 61, 80, 81]), np.array([0, 0, 1, 2, 3, 4, 1, 2, 3, 4])
    scene = np.repeat(np.arange(10), 12)
    share, chance = neighbours(np.repeat(place, 12)[:, None].astype(np.int8), label[scene], scene)
    assert (share[scene < 2] == 1).all() and (share[scene >= 2] == 0).all() and chance == pytest.approx(12 / 108)


def test_equal_distances_count_in_equal_parts_in_whatever_order():
    label = np.repeat([0, 1], (30, 10))
    codes = np.zeros((40, 3), np.int8)
    codes[:4, 0] = 1  # four of class 0 lie apart: they alone are nearer to one another than to the rest
    share, _ = neighbours(codes, label, np.arange(40))
    assert share[:4] == pytest.approx((3 + 7 * 26 / 36) / 10)
    assert share[4:30] == pytest.approx(25 / 35) and share[30:] == pytest.approx(9 / 35)
    shuffled = np.random.default_rng(1).permutation(40)
    assert neighbours(codes[shuffled], label[shuffled], np.arange(40))[0] == pytest.approx(share[shuffled])


def test_equally_many_windows_of_each_class_and_none_without():
    label = np.random.default_rng(1).permutation(np.repeat([-1, 0, 1, 2, 3, 4], (9, 30, 12, 20, 15, 40)))
    picks = equal_numbers(label, 1)
    assert picks.shape == (5, 12) and np.unique(picks).size == 60 and (label[picks] == np.arange(5)[:, None]).all()
    assert (equal_numbers(label, 1) == picks).all() and (equal_numbers(label, 2) != picks).any()


def test_separate_classes_are_told_apart_and_shuffled_ones_as_chance_has_it(small):
    codes, label = blobs()
    stage = latent_space.latent_space(material(codes, label, np.arange(len(label))))
    (record,) = stage.records
    assert record.id == "latents.neighbours.int8" and record.value > 0.99 and record.n == 200 and "by chance 0.196" in record.source  # 39 of 199
    assert stage.figures["tables"]["neighbours"]["rows"][0]["cells"] == [record.id]
    share, chance = neighbours(codes, np.random.default_rng(3).permutation(label), np.arange(len(label)))
    assert share.mean() == pytest.approx(chance, abs=0.05) and chance == pytest.approx(39 / 199)


def test_the_embeddings_keep_the_classes_apart_and_name_them(small):
    codes, label = blobs()
    data = latent_space.latent_space(material(codes, label, np.arange(len(label)))).figures["tsne"]
    told = np.array(data["label"])
    assert np.bincount(told).tolist() == [30] * 5
    for key, dimensions in (("plane", 2), ("space", 3)):
        points = np.array(data[key])
        nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points)[1][:, 1]
        assert points.shape == (150, dimensions) and (told[nearest] == told).mean() > 0.95
    assert len(json.dumps(data)) / 150 * 1_500 < 300_000


def test_the_feature_map_has_the_windows_of_each_class_in_the_priors_unit(small):
    label = np.repeat(np.arange(5), PER_CLASS)
    codes = np.repeat((20 * label + ZERO_POINT)[:, None], 8, axis=1).astype(np.int8)
    mixed = np.random.default_rng(4).permutation(len(label))
    data = latent_space.features(material(codes[mixed], label[mixed], np.arange(len(label))), equal_numbers(label[mixed], 1)[:, :6].ravel())
    assert data["label"] == np.repeat(np.arange(5), 6).tolist()
    assert np.array(data["values"]) == pytest.approx(np.repeat(SCALE * 20 * np.arange(5), 6)[:, None] * np.ones(8))
