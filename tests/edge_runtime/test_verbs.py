"""`verify` and `flag` as they are typed: exit status, catalogue, one JSON document, nothing written where input is bad."""

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import verbs
from edge_runtime.bundle import FLOWN, MANIFEST
from edge_runtime.cli import run_verb
from edge_runtime.files import sha256
from edge_runtime.manifest import sealed
from edge_runtime.verbs import FLAG, VERIFY
from tests.bundle_for_tests import make_bundle, scene

UTC = 1_577_763_286_000_000_000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("verbs") / "bundle")


@pytest.fixture
def recording(tmp_path) -> Path:
    np.savez(tmp_path / "a.npz", counts=scene(20_000, pulses=((500, 40), (9000, 60))), utc_start_ns=np.int64(UTC))
    return tmp_path / "a.npz"


def pixie(*arguments) -> int:
    return run_verb("pixie", {"verify": VERIFY, "flag": FLAG}, [str(argument) for argument in arguments])


def wrong_golden(bundle: Path, folder: Path) -> Path:
    """A bundle with one golden code another than any engine gives, and everything sealed."""
    shutil.copytree(bundle, folder)
    with np.load(folder / "golden.npz") as archive:
        arrays = dict(archive)
    arrays["logits"][0, 0] -= 9
    np.savez(folder / "golden.npz", **arrays)
    document = json.loads((folder / MANIFEST).read_text())
    del document["manifest_sha256"]
    document["files"] = {name: sha256(folder / name) for name in FLOWN}
    (folder / MANIFEST).write_bytes(sealed(document))
    return folder


def stdin_of(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_verify_holds(bundle, capsys):
    assert pixie("verify", bundle, "--engine", "reference") == 0
    assert "engine reference: all 252 codes of 12 golden vectors are equal" in capsys.readouterr().out
    assert pixie("verify", bundle, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["identical"] and told["engines"][0]["engine"]["name"] == "reference"
    assert told["bundle_sha256"] == hashlib.sha256((bundle / MANIFEST).read_bytes()).hexdigest()


def test_verify_without_an_engine_checks_the_one_that_flag_would_choose(bundle, capsys, monkeypatch):
    monkeypatch.setattr(verbs, "find_spec", lambda name: None)
    assert pixie("verify", bundle, "--json") == 0
    assert [row["engine"]["name"] for row in json.loads(capsys.readouterr().out)["engines"]] == ["reference"]


def test_verify_finds_a_difference(bundle, tmp_path, capsys):
    folder = wrong_golden(bundle, tmp_path / "wrong")
    assert pixie("verify", folder, "--engine", "reference", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["identical"] and told["engines"][0]["differing"] == {"posterior_mean": 0, "logits": 1}


@pytest.mark.parametrize("name", [MANIFEST, *FLOWN])
def test_verify_refuses_a_changed_file(bundle, tmp_path, capsys, name):
    folder = Path(shutil.copytree(bundle, tmp_path / "changed"))
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    assert pixie("verify", folder) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.startswith("pixie: ") and name in error and error.count("\n") == 1


def test_flag_writes_a_catalogue(bundle, recording, tmp_path, capsys):
    out = tmp_path / "catalogue.jsonl"
    assert pixie("flag", bundle, recording, "--engine", "reference", "--out", out) == 0
    assert capsys.readouterr().out.splitlines() == [f"2 candidates in 20 windows of 1 recordings, engine reference: {out}",
                                                    f"  {recording}: 20000 samples, 20 windows, 2 candidates"]
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["class"], row["sample_start"], row["utc_start"]) for row in rows] == [
        ("lightning", 0, "2019-12-31T03:34:46.000000Z"), ("lightning", 8320, "2019-12-31T03:34:46.083200Z")]
    digest = hashlib.sha256((bundle / MANIFEST).read_bytes()).hexdigest()
    assert all(row["bundle_sha256"] == digest and row["score"] > row["threshold"] for row in rows)


def test_flag_without_out_prints_the_same_lines(bundle, recording, tmp_path, capsys):
    pixie("flag", bundle, recording, "--engine", "reference", "--out", tmp_path / "catalogue.jsonl")
    capsys.readouterr()
    assert pixie("flag", bundle, recording, "--engine", "reference") == 0
    assert capsys.readouterr().out == (tmp_path / "catalogue.jsonl").read_text()


def test_flag_gives_one_json_document(bundle, recording, tmp_path, capsys):
    quiet = tmp_path / "quiet.npz"
    np.savez(quiet, counts=scene(1))
    for out in ([], ["--out", tmp_path / "catalogue.jsonl"]):
        assert pixie("flag", bundle, recording, quiet, "--engine", "reference", "--json", *out) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["inputs"] == [{"input": str(recording), "samples": 20_000, "windows": 20, "candidates": 2},
                                  {"input": str(quiet), "samples": 1, "windows": 1, "candidates": 0}]
        assert len(told["candidates"]) == 2 and told["engine"]["name"] == "reference"
    assert [json.loads(line) for line in (tmp_path / "catalogue.jsonl").read_text().splitlines()] == told["candidates"]


def test_flag_reads_a_raw_stream(bundle, recording, tmp_path, capsys, monkeypatch):
    stdin_of(monkeypatch, scene(20_000, pulses=((500, 40), (9000, 60))).T.astype("<u2").tobytes())
    assert pixie("flag", bundle, "-", "--engine", "reference") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["sample_start"], row["utc_start"]) for row in rows] == [(0, None), (8320, None)]


def test_nothing_to_flag_is_an_empty_catalogue(bundle, tmp_path, capsys):
    np.savez(tmp_path / "a.npz", counts=scene(5000))
    assert pixie("flag", bundle, tmp_path / "a.npz", "--engine", "reference", "--out", tmp_path / "c.jsonl") == 0
    assert (tmp_path / "c.jsonl").read_bytes() == b""


def test_a_bad_second_recording_writes_nothing_and_leaves_the_old_catalogue(bundle, recording, tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", counts=np.zeros((3, 4)))
    (tmp_path / "c.jsonl").write_text("older\n")
    before = sorted(tmp_path.iterdir())
    for out in ([], ["--out", tmp_path / "c.jsonl"], ["--json"]):
        assert pixie("flag", bundle, recording, tmp_path / "bad.npz", "--engine", "reference", *out) == 2
        printed, error = capsys.readouterr()
        assert printed == "" and "bad.npz: counts: are floats" in error and error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "c.jsonl").read_text() == "older\n"


def test_a_stream_cut_within_a_sample_writes_no_catalogue(bundle, tmp_path, capsys, monkeypatch):
    stdin_of(monkeypatch, scene(20_000, pulses=((500, 40),)).T.astype("<u2").tobytes()[:-1])
    assert pixie("flag", bundle, "-", "--engine", "reference", "--out", tmp_path / "c.jsonl") == 2
    assert "pixie: -: stdin: ends after 119999 bytes, within a sample" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "text"), [
    (["-", "-"], "command line: INPUT: - is there twice"), (["--engine", "cuda", "-"], "command line: --engine: invalid choice"), ([], "command line: "),
])
def test_wrong_usage_of_flag(bundle, capsys, arguments, text):
    assert pixie("flag", bundle, *arguments) == 2
    assert text in capsys.readouterr().err


def test_the_choice_of_engine_is_never_silent(bundle, recording, capsys, monkeypatch):
    monkeypatch.setattr(verbs, "find_spec", lambda name: None)
    assert pixie("flag", bundle, recording) == 0
    assert capsys.readouterr().err == "pixie: note: engine reference runs, because ai-edge-litert is not installed\n"


def test_flag_refuses_to_fly_where_the_engine_does_not_give_the_golden_codes(bundle, recording, tmp_path, capsys):
    folder = wrong_golden(bundle, tmp_path / "wrong")
    assert pixie("flag", folder, recording, "--engine", "reference", "--out", tmp_path / "c.jsonl") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"pixie: {folder}/golden.npz: codes: engine reference: codes of 12 golden vectors differ") and error.count("\n") == 1
    assert not (tmp_path / "c.jsonl").exists()


def test_an_engine_whose_kernels_round_otherwise_flies_and_says_so(bundle, recording, tmp_path, capfd):
    pytest.importorskip("tflite_runtime")
    assert pixie("flag", wrong_golden(bundle, tmp_path / "wrong"), recording, "--engine", "tflite-runtime", "--out", tmp_path / "c.jsonl") == 0
    assert capfd.readouterr().err.startswith("pixie: note: engine tflite-runtime: codes of 12 golden vectors differ")


def test_what_an_engines_own_code_says_is_not_on_stderr(bundle, tmp_path, capfd):
    pytest.importorskip("ai_edge_litert")
    assert pixie("flag", bundle, tmp_path / "none.npz", "--engine", "litert") == 2
    assert capfd.readouterr().err.count("\n") == 1  # LiteRT's C++ tells there of its delegate


def test_a_catalogue_replaces_neither_a_recording_nor_a_file_of_the_bundle(bundle, recording, tmp_path, capsys):
    before = recording.read_bytes(), (bundle / MANIFEST).read_bytes()
    link = tmp_path / "link.jsonl"
    link.symlink_to(recording)
    for out in (recording, link, bundle / MANIFEST, bundle / "ground" / "new.jsonl", "-"):
        assert pixie("flag", bundle, recording, "--out", out) == 2
        assert ": --out: " in capsys.readouterr().err
    assert (recording.read_bytes(), (bundle / MANIFEST).read_bytes()) == before
