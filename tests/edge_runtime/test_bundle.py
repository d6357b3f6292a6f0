"""A bundle opens as written, and each attack that bundle.py names is refused with file and field."""

import hashlib
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime import engines
from edge_runtime.bundle import FLOWN, MANIFEST, check_graph, check_ground, open_bundle, read_golden, verify
from edge_runtime.errors import InputError
from edge_runtime.files import sha256
from edge_runtime.flagging import score_table
from edge_runtime.manifest import sealed
from edge_runtime.preprocess import anscombe_tables
from tests.bundle_for_tests import THRESHOLDS, make_bundle, make_graph

SEAL = "manifest_sha256"


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("good") / "bundle")


@pytest.fixture
def bundle(good, tmp_path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(good, tmp_path / "bundle")


def manifest(folder: Path) -> dict:
    document = json.loads((folder / MANIFEST).read_text())
    del document[SEAL]
    return document


def write(folder: Path, document: dict) -> None:
    (folder / MANIFEST).write_bytes(sealed(document))


def reseal(folder: Path) -> None:
    """Let the manifest name the files as they are: then what lies behind the checksum has to notice."""
    document = manifest(folder)
    document["files"] = {name: sha256(folder / name) for name in FLOWN}
    write(folder, document)


def changed(document: dict, path: str, value: object) -> dict:
    """`document` with the field at `path` ("inputs.0.scale") set, or taken out where `value` is `GONE`."""
    *keys, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    target = document
    for key in keys:
        target = target[key]
    if value is GONE:
        del target[last]
    else:
        target[last] = value
    return document


GONE = object()


def refusal(folder: Path, text: str = ".") -> str:
    with pytest.raises(InputError, match=text) as caught:
        open_bundle(folder)
    message = str(caught.value)
    assert message.startswith(str(folder)) and "\n" not in message
    return message


def test_a_bundle_opens_as_it_was_written(good):
    bundle, graph = open_bundle(good), make_graph()
    assert (bundle.input.name, bundle.input.shape, bundle.input.zero_point) == ("counts", (1, 1, 1040, 3), -128)
    assert [(spec.name, spec.shape) for spec in bundle.outputs] == [("posterior_mean", (1, 16)), ("logits", (1, 5))]
    assert bundle.outputs[1].scale == float(graph.tensors["logits"].scale[0])
    assert np.array_equal(bundle.tables.codes, anscombe_tables().codes) and bundle.tables.scale == bundle.input.scale
    assert bundle.score == score_table(bundle.outputs[1].scale)
    assert (bundle.thresholds, bundle.seed) == (THRESHOLDS, 7)
    assert bundle.sha256 == hashlib.sha256((good / MANIFEST).read_bytes()).hexdigest()
    assert dict(bundle.files) == {name: sha256(good / name) for name in FLOWN}


def test_the_manifest_is_bytes_that_a_public_tool_can_check(good):
    """Set the seal to zeros and take the SHA-256: that is the seal."""
    text = (good / MANIFEST).read_text()
    seal = json.loads(text)[SEAL]
    assert hashlib.sha256(text.replace(seal, "0" * 64).encode()).hexdigest() == seal
    assert sealed({"a": 1, "b": [1.5, "x"]}) == (
        b'{\n"a": 1,\n"b": [1.5,"x"],\n"manifest_sha256": "' + hashlib.sha256(
            b'{\n"a": 1,\n"b": [1.5,"x"],\n"manifest_sha256": "' + b"0" * 64 + b'"\n}\n').hexdigest().encode() + b'"\n}\n')


@pytest.mark.parametrize(("path", "value", "field"), [
    ("schema_version", GONE, "schema_version: is None"),
    ("schema_version", 2, r"schema_version: is 2, newer than this runtime knows \(1\)"),
    ("schema_version", 0, "schema_version:"), ("schema_version", "1", "schema_version:"), ("schema_version", True, "schema_version:"),
    ("schema_version", 1.0, "schema_version:"),
    ("task", "solar", "task: is 'solar'"), ("task", GONE, "task:"), ("task", 3, "task:"),
    ("inputs", GONE, "inputs:"), ("inputs", [], "inputs:"), ("inputs", {}, "inputs:"), ("inputs", [3], "inputs:"),
    ("inputs/0/scale", -0.12, r"inputs\[0\].scale: is -0.12, must be finite and > 0"), ("inputs/0/scale", GONE, r"inputs\[0\].scale:"),
    ("inputs/0/scale", 0.0, r"inputs\[0\].scale:"), ("inputs/0/scale", "1", r"inputs\[0\].scale:"), ("inputs/0/scale", 0.1, ".*a float32's exact value"),
    ("inputs/0/scale", 1e300, ".*a float32's exact value"),
    ("inputs/0/scale", 0.125, r"inputs\[0\].scale: is 0.125, but preprocessing.scale is"),
    ("inputs/0/zero_point", -127, r"inputs\[0\].zero_point: is -127, but preprocessing.zero_point is -128"),
    ("inputs/0/zero_point", 128, r"inputs\[0\].zero_point:"), ("inputs/0/zero_point", -128.0, r"inputs\[0\].zero_point:"),
    ("inputs/0/dtype", "uint8", r"inputs\[0\].dtype: is 'uint8'"), ("inputs/0/dtype", GONE, r"inputs\[0\].dtype:"),
    ("inputs/0/shape", [1, 1, 1040, 4], "inputs:"), ("inputs/0/shape", [1, 1, 1040], "inputs:"), ("inputs/0/shape", [1, 1, -1040, 3], ".*shape:"),
    ("inputs/0/shape", [1, 1, 1040.0, 3], ".*shape:"), ("inputs/0/shape", "1", ".*shape:"), ("inputs/0/name", "", r"inputs\[0\].name:"),
    ("outputs/0/name", "mean", "outputs:"), ("outputs/1", GONE, "outputs:"), ("outputs/1/shape", [1, 6], r"outputs\[1\].shape:"),
    ("outputs/0/shape", [2, 16], r"outputs\[0\].shape:"), ("outputs/0/shape", [1, 16, 1], r"outputs\[0\].shape:"),
    ("preprocessing", GONE, "preprocessing:"), ("preprocessing", [], "preprocessing:"),
    ("preprocessing/codes", GONE, "preprocessing.codes:"), ("preprocessing/codes/0", GONE, "preprocessing.codes:"),
    ("preprocessing/codes/0/7", 128, "preprocessing.codes: channel 337"), ("preprocessing/codes/0/7", -1.5, "preprocessing.codes: channel 337"),
    ("preprocessing/scale", "x", "preprocessing.scale:"), ("preprocessing/zero_point", 1e3, "preprocessing.zero_point:"),
    ("preprocessing/channels", ["777", "uv", "337"], "preprocessing.channels:"), ("preprocessing/sample_time", 1e-3, "preprocessing.sample_time:"),
    ("preprocessing/window_samples", 1000, "preprocessing.window_samples:"), ("preprocessing/frame_samples", GONE, "preprocessing.frame_samples:"),
    ("classes", ["quiet"], "classes:"), ("classes", GONE, "classes:"), ("classes", ["quiet", "hits", "uv", "blue", "lightning"], "classes:"),
    ("score", GONE, "score:"), ("score/lengths", GONE, "score.lengths:"), ("score/lengths", 5, "score.lengths:"), ("score/lengths/0", 1.5, "score.lengths:"),
    ("score/lengths/0", 0, "score.lengths:"), ("score/lengths/0", 1 << 40, "score.lengths:"), ("score/lengths/3", None, "score.lengths:"),
    ("score/greatest", 3, "score.lengths:"), ("score/greatest", -1, "score.greatest:"), ("score/greatest", GONE, "score.greatest:"),
    ("thresholds", GONE, "thresholds:"), ("thresholds/flag", GONE, "thresholds.flag:"), ("thresholds/flag", 1.5, "thresholds.flag:"),
    ("thresholds/hits", "1", "thresholds.hits:"), ("thresholds/minimum_duration", 0, "thresholds.minimum_duration:"),
    ("thresholds/refractory", -1, "thresholds.refractory:"), ("thresholds/calibration", GONE, "thresholds.calibration:"),
    ("versions", [], "versions:"), ("versions/numpy", 1.26, "versions:"),
    ("seed", -1, "seed:"), ("seed", 1.0, "seed:"), ("seed", GONE, "seed:"),
    ("files", GONE, "files:"), ("files", [], "files:"), *((f"files/{name}", GONE, f"files.{name}: is missing") for name in FLOWN),
    ("files/golden.npz", "0" * 63, "files.golden.npz: is"), ("files/golden.npz", "G" * 64, "files.golden.npz: is"),
    ("files/golden.npz", 5, "files.golden.npz: is"),
])
def test_each_field_is_checked_and_named_though_the_seal_fits(bundle, path, value, field):
    write(bundle, changed(manifest(bundle), path, value))
    assert f"{MANIFEST}: " in refusal(bundle, f"{MANIFEST}: {field}")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_finite_number_is_refused(bundle, word):
    text = (bundle / MANIFEST).read_text()
    scale = manifest(bundle)["inputs"][0]["scale"]
    (bundle / MANIFEST).write_text(text.replace(f'"scale":{scale!r}', f'"scale":{word}', 1))
    refusal(bundle, MANIFEST)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"text"', "[" * 100_000, '{"schema_version": 1, "schema_version": 1}', "\0" * 100])
def test_a_manifest_that_is_no_object_is_refused(bundle, text):
    (bundle / MANIFEST).write_text(text)
    refusal(bundle, MANIFEST)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "a/../../outside", "./model.tflite", "..", ".", "a//b", "", "link", "links/outside", ".hidden",
                                  "a\\..\\b", "nul\0"])
def test_names_never_leave_the_folder(bundle, name):
    (bundle.parent / "outside").write_text("secret")
    (bundle / "link").symlink_to(bundle.parent / "outside")
    (bundle / "links").symlink_to(bundle.parent, target_is_directory=True)
    digest = hashlib.sha256(b"secret").hexdigest()
    write(bundle, changed(manifest(bundle), "files", {**manifest(bundle)["files"], name: digest}))
    assert "leads out of the folder" in refusal(bundle)


def test_a_file_that_is_a_link_out_of_the_folder_is_refused(bundle):
    shutil.move(bundle / "model.tflite", bundle.parent / "elsewhere")
    (bundle / "model.tflite").symlink_to(bundle.parent / "elsewhere")
    refusal(bundle, "files.model.tflite: leads out of the folder")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.sampled_from([MANIFEST, *FLOWN]), st.randoms(use_true_random=False), st.integers(0, 7))
def test_a_bit_flipped_anywhere_is_found(good, tmp_path, name, random, bit):
    folder = tmp_path / "flipped"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    content = bytearray((folder / name).read_bytes())
    content[random.randrange(len(content))] ^= 1 << bit
    (folder / name).write_bytes(content)
    assert name in refusal(folder)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.sampled_from([MANIFEST, *FLOWN]), st.randoms(use_true_random=False))
def test_a_file_truncated_anywhere_is_found(good, tmp_path, name, random):
    folder = tmp_path / "cut"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:random.randrange(len(content))])
    assert name in refusal(folder)


@pytest.mark.parametrize("name", [MANIFEST, *FLOWN])
def test_files_that_are_none_are_refused(bundle, name):
    path = bundle / name
    path.unlink()
    refusal(bundle, f"{name}: file: does not exist")
    path.symlink_to(bundle / "gone")
    refusal(bundle, f"{name}: file: is a link to")
    path.unlink()
    path.symlink_to(path)
    refusal(bundle, f"{name}: file: is a link to")
    path.unlink()
    path.mkdir()
    refusal(bundle, f"{name}: file: is a folder")
    path.rmdir()
    with open(path, "wb") as file:
        file.truncate(2 << 30)
    refusal(bundle, f"{name}: file: holds 2147483648 bytes")
    path.unlink()
    os.mkfifo(path)
    refusal(bundle, f"{name}: file: is a device or a pipe")


def test_what_is_no_folder_is_refused(good, tmp_path):
    with pytest.raises(InputError, match="folder: does not exist"):
        open_bundle(tmp_path / "none")
    with pytest.raises(InputError, match="folder: is a file"):
        open_bundle(good / MANIFEST)


# Golden vectors.

def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def golden(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "golden.npz") as archive:
        return dict(archive)


@pytest.mark.parametrize(("change", "text"), [
    (lambda a: {**a, "inputs": a["inputs"].astype(np.uint8)}, "inputs: is uint8"),
    (lambda a: {**a, "logits": a["logits"].astype(np.float32)}, "logits: is float32"),
    (lambda a: {**a, "logits": a["logits"][:-1]}, r"logits: is int8 \[11, 5\], must be int8 \[12, 5\]"),
    (lambda a: {**a, "inputs": a["inputs"][..., :2]}, "inputs: is int8"),
    (lambda a: {**a, "inputs": a["inputs"][0, 0, 0, 0]}, "inputs: hold no vector"),
    (lambda a: {name: array[:0] for name, array in a.items()}, "inputs: hold no vector"),
    (lambda a: {name: array for name, array in a.items() if name != "logits"}, "arrays: are inputs, posterior_mean, must be"),
    (lambda a: {**a, "stowaway": a["logits"]}, "arrays: are"),
    (lambda a: {**a, "logits": np.array([{"code": "would run"}], object)}, "logits: has dtype object"),
])
def test_golden_vectors_of_another_kind_are_refused(bundle, change, text):
    (bundle / "golden.npz").write_bytes(npz(**change(golden(bundle))))
    reseal(bundle)
    with pytest.raises(InputError, match=f"golden.npz: {text}"):
        read_golden(open_bundle(bundle))


def test_golden_vectors_that_would_fill_the_memory_are_refused_by_what_they_say(bundle):
    with zipfile.ZipFile(bundle / "golden.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive, archive.open("inputs.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|i1", "fortran_order": False, "shape": (1 << 20, 1, 1040, 3)})
        for _ in range(70):
            file.write(bytes(1 << 20))
    reseal(bundle)
    with pytest.raises(InputError, match=r"golden.npz: inputs: holds"):
        read_golden(open_bundle(bundle))


@pytest.mark.parametrize("name", ["reference", "litert"])
def test_exact_engines_give_every_golden_code(good, name):
    pytest.importorskip("ai_edge_litert") if name == "litert" else None
    check = verify(open_bundle(good), engines.load(name, good))
    assert check.identical and (check.vectors, check.codes, check.largest) == (12, 12 * 21, 0)
    assert check.differing == {"posterior_mean": 0, "logits": 0} and check.engine["name"] == name


def test_differing_codes_are_counted_by_output(bundle):
    arrays = golden(bundle)
    arrays["logits"][3, 2] -= 5
    arrays["posterior_mean"][:2] += 1
    (bundle / "golden.npz").write_bytes(npz(**arrays))
    reseal(bundle)
    check = verify(open_bundle(bundle), engines.load("reference", bundle))
    assert not check.identical and check.differing == {"posterior_mean": 32, "logits": 1} and check.largest == 5


class OtherEngine:
    """An engine for another network."""

    name, description = "other", {"name": "other"}

    def __init__(self, *outputs) -> None:
        self.outputs = outputs

    def run(self, *codes):
        return self.outputs


@pytest.mark.parametrize("outputs", [
    (), (np.zeros((1, 16), np.int8),), (np.zeros((1, 16), np.int8), np.zeros((1, 4), np.int8)), (np.zeros((1, 16), np.int8), np.zeros((1, 5), np.float32)),
])
def test_an_engine_that_gives_other_tensors_is_refused(good, outputs):
    with pytest.raises(InputError, match="engine other: gives"):
        verify(open_bundle(good), OtherEngine(*outputs))


@pytest.mark.parametrize(("path", "value", "field"), [
    ("inputs/0/name", "light", "inputs"), ("outputs/0/shape", [1, 17], "outputs"), ("outputs/1/scale", 0.5, "outputs"), ("outputs/1/zero_point", 4, "outputs"),
])
def test_a_graph_for_other_tensors_than_the_manifests_is_refused(bundle, path, value, field):
    check_graph(open_bundle(bundle))
    write(bundle, changed(manifest(bundle), path, value))
    with pytest.raises(InputError, match=f"graph.json: {field}: are .*, the manifest says"):
        check_graph(open_bundle(bundle))


def test_ground_files_are_checked_where_there_are_any(bundle):
    assert check_ground(bundle) == 0
    ground = bundle / "ground"
    (ground / "decoder").mkdir(parents=True)
    (ground / "decoder" / "model.onnx").write_bytes(b"decoder")
    (ground / MANIFEST).write_bytes(sealed({"schema_version": 1, "files": {"decoder/model.onnx": hashlib.sha256(b"decoder").hexdigest()}}))
    assert check_ground(bundle) == 1
    (ground / "decoder" / "model.onnx").write_bytes(b"Decoder")
    with pytest.raises(InputError, match=r"decoder/model.onnx: SHA-256: differs"):
        check_ground(bundle)
    open_bundle(bundle)  # what stays on the ground does not keep a bundle from flying
    shutil.rmtree(ground)
    ground.write_text("no folder")
    with pytest.raises(InputError, match="ground"):
        check_ground(bundle)


def test_the_flight_files_are_small(good):
    """The manifest of the real bundle differs from this one in a few hundred bytes."""
    assert (good / MANIFEST).stat().st_size < 16_000
