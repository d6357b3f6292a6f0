"""The counted models: the same files at every call, as large as said, and codes that say something."""

import hashlib

import numpy as np
import pytest

from benchmarks.arm.models import has_places, longer, macs, models
from edge_runtime.graph import run
from edge_runtime.graph.operators import KINDS
from export.write_tflite import tflite_bytes


@pytest.fixture(scope="module")
def graphs():
    return models()


def test_two_builds_give_the_same_files(graphs):
    def digests(of):
        return {name: hashlib.sha256(tflite_bytes(graph)).hexdigest() for name, graph in of.items()}

    found = digests(graphs)
    assert found == digests(models()) and len(set(found.values())) == len(found) >= 28


def test_every_kind_of_operator_is_counted_in_at_least_one_model(graphs):
    assert {operator.kind for graph in graphs.values() for operator in graph.operators} == set(KINDS)


@pytest.mark.parametrize(("name", "wanted"), [
    ("pixels", 2304 * (48 * 64 + 64 * 32 + 32)),
    ("dense_anomaly", 640 * 128 + 3 * 128 * 128 + 128 * 8 + 8 * 128 + 3 * 128 * 128 + 128 * 640),  # 0.264 M: MLPerf Tiny's autoencoder
    ("decoder", 16 * 1560 + 4 * (65 * 24 * 16 + 130 * 16 * 12 + 260 * 12 * 8 + 520 * 8 * 3)),
    ("depthwise_alone", 48 * 48 * 16 * (9 + 25)),
    ("groups_series", 256 * 5 * (32 * 8 + 64 * 4)),
    ("sums", 0),
])
def test_macs_by_hand(graphs, name, wanted):
    assert macs(graphs[name]) == wanted


def test_sizes_reach_from_hundreds_of_weights_to_a_million_and_tens_of_millions_of_macs(graphs):
    assert macs(graphs["dense_tiny"]) == 384 and macs(graphs["dense_single"]) == 1 << 20
    assert 20e6 < max(macs(graph) for graph in graphs.values()) < 60e6


def test_a_longer_input_has_as_many_more_places_and_a_vector_has_none(graphs):
    assert longer("series_deep", 4).tensors["x"].shape == (1, 1, 4 * 260, 24) and macs(longer("series_deep", 4)) == 4 * macs(graphs["series_deep"])
    assert tflite_bytes(longer("dense_wide", 4)) == tflite_bytes(graphs["dense_wide"]) and not has_places("dense_wide")


@pytest.mark.parametrize("name", ["pixel_alone", "dense_anomaly", "decoder", "plane_48", "transposed_plane", "joined_plane", "moves_series", "odds_plane"])
def test_few_codes_saturate_and_most_outputs_follow_the_input(graphs, name):
    graph = graphs[name]
    x = graph.tensors["x"]
    given = np.random.default_rng(1).integers(-128, 128, (8, *x.shape[1:])).astype(np.int8)
    for codes in run(graph, given):
        assert np.mean(np.abs(codes.astype(int) * 2 + 1) == 255) < 0.25
        assert np.mean(codes.astype(float).std(axis=0) > 0.5) > 0.7
