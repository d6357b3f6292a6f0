import json

import pytest

from benchmarks.arm import cache
from benchmarks.arm.verb import EMULATE
from edge_runtime.cli import run_verb
from tests.benchmarks.arm.test_emulate import stand_in


def pixie(capsys, *words):
    status = run_verb("pixie", {"emulate": EMULATE}, [str(word) for word in words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(("behaviour", "different"), [("computes", 0), ("differs", 2)])
def test_it_writes_the_fixture_and_its_status_says_whether_all_is_equal(tmp_path, monkeypatch, capsys, behaviour, different):
    monkeypatch.setattr(cache, "prepare", lambda folder: stand_in(folder, behaviour))
    out = tmp_path / "fixture.json"
    status, text, err = pixie(capsys, "emulate", "arm64", "--cache", tmp_path, "--out", out, "--models", "dense_tiny")
    assert (status, err) == (int(different > 0), "") and text.endswith(f"{different} differing bytes, 1 models, 100 inputs each\n")
    cores = json.loads(out.read_text())["models"]["dense_tiny"]["cores"]
    assert [core["equal"] for core in cores.values()] == [True, different == 0, True]


@pytest.mark.parametrize("words", [
    ("emulate", "arm64"), ("emulate", "riscv", "--cache", "{}"), ("emulate", "arm64", "--cache", "{}", "--models", "none_such"),
    ("emulate", "arm64", "--cache", "{}", "--out", "{}/none/fixture.json"),
])
def test_bad_usage_is_refused_before_anything_is_fetched(tmp_path, monkeypatch, capsys, words):
    monkeypatch.setattr(cache, "prepare", lambda folder: pytest.fail("the cache was touched"))
    status, out, err = pixie(capsys, *(word.format(tmp_path) for word in words))
    assert (status, out, len(err.splitlines())) == (2, "", 1) and err.startswith("pixie: ") and list(tmp_path.iterdir()) == []
