import pytest

from benchmarks import apart
from benchmarks.apart import Refused, ask

MODULE = "tests.benchmarks.dying_engine"


def one(task):
    return ask(MODULE, {"task": task, "engine": "litert", "path": "folder/x.tflite"})


def test_the_last_line_is_the_answer():
    assert one("talk") == {"said": "litert"}


def test_a_refusal_comes_back_without_the_file_s_name():
    with pytest.raises(Refused, match=r"^LiteRT refuses it \(no reason\)$"):
        one("refuse")


def test_an_engine_that_dies_is_named_with_its_signal():
    with pytest.raises(Refused, match=r"^litert died of it \(SIGSEGV\)$"):
        one("die")


def test_a_defect_is_no_refusal():
    with pytest.raises(RuntimeError, match=r"(?s)litert ended with 1: .*a defect of ours"):
        one("fail")


def test_an_engine_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(apart, "LIMIT_S", 1.0)
    with pytest.raises(Refused, match="litert was stopped after 1 s"):
        one("hang")
