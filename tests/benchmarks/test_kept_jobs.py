import json
import operator

import pytest

from benchmarks import kept_jobs
from benchmarks.kept_jobs import run_kept


@pytest.fixture
def code(monkeypatch):
    """Names the code of today."""
    def name(word):
        monkeypatch.setattr(kept_jobs, "code_digest", lambda rooms: word)
    name("code")
    return name


def test_jobs_that_are_done_are_taken_up_and_each_is_kept_as_it_is_done(tmp_path, code):
    jobs = [("one", operator.add, (1, 2)), ("two", operator.truediv, (1, 0)), ("three", operator.mul, (3, 4))]
    with pytest.raises(ZeroDivisionError):
        run_kept(jobs, tmp_path / "kept", "key")
    assert json.loads((tmp_path / "kept" / "one.json").read_text()) == {"key": "key code", "found": 3}
    (tmp_path / "kept" / "one.json").write_text('{"key": "key code", "found": 30}')
    (tmp_path / "kept" / "three.json").write_text('{"key": "another code", "found": 120}')
    jobs[1] = ("two", operator.truediv, (1, 4))
    assert run_kept(jobs, tmp_path / "kept", "key") == {"one": 30, "two": 0.25, "three": 12}
    jobs = [(name, operator.truediv, (1, 0)) for name, *_ in jobs]
    assert run_kept(jobs, tmp_path / "kept", "key") == {"one": 30, "two": 0.25, "three": 12}


def test_what_other_code_kept_is_made_anew(tmp_path, code):
    assert run_kept([("one", operator.add, (1, 2))], tmp_path, "key") == {"one": 3}
    assert run_kept([("one", operator.add, (5, 5))], tmp_path, "key") == {"one": 3}
    code("newer")
    assert run_kept([("one", operator.add, (5, 5))], tmp_path, "key") == {"one": 10}
