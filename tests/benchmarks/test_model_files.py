from pathlib import Path

import pytest

from benchmarks import mlperf_tiny
from benchmarks.bench import sort_targets
from benchmarks.model_files import joined, slugs, subject
from benchmarks.results import Record, Stage
from edge_runtime.errors import InputError
from hw_profiles.work import works
from tests.benchmarks.test_bare import onnx_sum, tflite
from tests.bundle_for_tests import make_bundle
from tests.export.test_parity import autoencoder


def test_names_in_ids_are_plain_and_each_its_own():
    assert slugs([Path("a/model.tflite"), Path("b/model.tflite"), Path("b/model_tflite"), Path("ö.onnx")]) == \
        ["model_tflite", "model_tflite__2", "model_tflite__3", "onnx"]


def test_every_file_has_the_engines_that_read_it(tmp_path):
    assert list(subject(tflite(tmp_path, "dense_tiny"), "tiny", tmp_path).engines) == ["litert", "tflite-runtime"]
    assert list(subject(onnx_sum(tmp_path, [1, 3]), "sum", tmp_path).engines) == ["onnxruntime"]


def test_an_int8_onnx_file_is_run_as_the_file_that_export_makes_of_it(tmp_path):
    found = subject(autoencoder(tmp_path), "qcdq", tmp_path)
    assert list(found.engines) == ["onnxruntime", "litert", "tflite-runtime", "reference"]
    assert found.engines["litert"].read_bytes()[4:8] == b"TFL3"


def test_a_bundle_is_its_network(tmp_path):
    bundle = make_bundle(tmp_path / "bundle")
    found = subject(bundle, "bundle", tmp_path)
    assert found.file == bundle / "model.tflite" and found.engines["reference"] == bundle


def test_a_damaged_bundle_is_refused(tmp_path):
    bundle = make_bundle(tmp_path / "bundle")
    (bundle / "model.tflite").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"model\.tflite"):
        subject(bundle, "bundle", tmp_path)


def test_a_file_under_a_wrong_name_is_refused(tmp_path):
    (tmp_path / "x.tflite").write_bytes(b"PK\3\4 and so on")
    with pytest.raises(InputError, match="LiteRT refuses it"):
        subject(tmp_path / "x.tflite", "x", tmp_path)


def test_the_word_for_mlperf_tiny_is_a_target_unless_a_file_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    word = Path("mlperf-tiny-ad")
    assert sort_targets([word]).models == (word,)
    (tmp_path / word).mkdir()
    with pytest.raises(InputError, match="is no run"):
        sort_targets([word])


def test_mlperf_tiny_s_shape_has_its_products_and_random_weights(tmp_path):
    from export.read_network import read_network

    found = subject(Path("mlperf-tiny-ad"), "ad", tmp_path)
    network = read_network(found.file)
    assert [tensor.shape for tensor in network.inputs + network.outputs] == [(1, 640), (1, 640)]
    assert [operator.outputs[0].shape[1] for operator in network.operators] == [128] * 4 + [8] + [128] * 4 + [640]
    assert sum(work.macs for work in works(network)) == 264_192  # mlcommons/tiny
    assert "random weights" in found.note and mlperf_tiny.reference_file(tmp_path).read_bytes() == found.file.read_bytes()


def test_one_engine_that_takes_it_is_enough(tmp_path):
    notes = {"notes": ["engine litert was not timed: no"], "tables": {}}
    one = Stage((Record("a", 1, "µs", "measured", "here"),), {"notes": [], "tables": {}})
    assert joined(tmp_path, [Stage((), notes), one]).figures["notes"] == notes["notes"]
    with pytest.raises(InputError, match=r"not timed: no; engine litert was not timed: no"):
        joined(tmp_path, [Stage((), notes), Stage((), notes)])
