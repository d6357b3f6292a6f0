import json
import operator

import pytest

from benchmarks import kept_jobs
from benchmarks.kept_jobs import code_of, run_kept


@pytest.fixture
def code(monkeypatch):
    """Names the code of today."""
    def name(word):
        monkeypatch.setattr(kept_jobs, "code_of", lambda module: word)
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


@pytest.fixture
def rooms(tmp_path, monkeypatch):
    """`benchmarks.piece` imports `train.maker` within a function, and that one `train.deep`."""
    for name, text in {"benchmarks/__init__.py": "", "benchmarks/piece.py": "def work():\n    from train import maker\n",
                       "benchmarks/report.py": "words = 1\n", "train/__init__.py": "", "train/maker.py": "from . import deep\n", "train/deep.py": "x = 1\n",
                       "train/settings.toml": "a = 1\n", "export/other.toml": "b = 1\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(kept_jobs, "ROOT", tmp_path)
    code_of.cache_clear()
    yield tmp_path
    code_of.cache_clear()


@pytest.mark.parametrize(("file", "decides"), [
    ("benchmarks/piece.py", True), ("train/deep.py", True), ("train/settings.toml", True), ("train/__init__.py", True), ("benchmarks/report.py", False),
    ("export/other.toml", False)])
def test_the_code_of_a_piece_is_what_it_imports(rooms, file, decides):
    before = code_of("benchmarks.piece")
    (rooms / file).write_text("y = 2\n")
    code_of.cache_clear()
    assert (code_of("benchmarks.piece") != before) == decides


def test_the_code_of_the_sessions_knows_nothing_of_boards_and_reports():
    files = set()
    real = kept_jobs._file

    def seen(name):
        files.add(real(name))
        return real(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_jobs, "_file", seen)
        code_of.cache_clear()
        code_of("benchmarks.pixel_sessions")
    names = {file.relative_to(kept_jobs.ROOT).as_posix() for file in files if file}
    assert {"train/pixels/training.py", "train/loop.py", "benchmarks/kept_jobs.py"} <= names
    assert not any(name.startswith(("hw_profiles/", "benchmarks/report/")) or name == "benchmarks/bench.py" for name in names)
