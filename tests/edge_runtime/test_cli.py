"""The command line: exit status, one line per refusal, exactly one JSON document, and whole files even when it is asked to end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime import cli
from edge_runtime.cli import Outcome, Verb, progress, run_verb
from edge_runtime.errors import InputError, MissingError

ROOT = Path(__file__).parents[2]


def verb(run) -> dict[str, Verb]:
    return {"act": Verb("act", "act on a thing", "act thing", lambda parser: parser.add_argument("thing", metavar="THING"), run)}


def raising(error: BaseException):
    def run(arguments):
        raise error

    return verb(run)


def test_an_outcome_is_text_or_one_json_document(capsys):
    verbs = verb(lambda arguments: Outcome(f"did {arguments.thing}", {"did": arguments.thing}, 1))
    assert run_verb("pixie", verbs, ["act", "it"]) == 1
    assert capsys.readouterr().out == "did it\n"
    assert run_verb("pixie", verbs, ["act", "it", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"did": "it"}


def test_no_text_prints_nothing(capsys):
    assert run_verb("pixie", verb(lambda arguments: Outcome("")), ["act", "it"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("error", "status", "line"), [
    (InputError("a.npz", "counts", "are\nfloats"), 2, "pixie: a.npz: counts: are floats\n"),
    (InputError("a.npz", "counts", "x" * 10**6 + "; mend it"), 2, f"pixie: a.npz: counts: {'x' * 285} ... {'x' * 291}; mend it\n"),
    (MissingError("out", "disk", "is full"), 3, "pixie: out: disk: is full\n"),
    (ModuleNotFoundError("No module named 'torch'", name="torch"), 3, "pixie: torch: module: is not installed: pip install 'pixie-onboard[train]'\n"),
    (ModuleNotFoundError("No module named 'train.cli'", name="train.cli"), 3,
     "pixie: train.cli: module: is not the one of Pixie: the room train/ is not installed here, or a module of yours named train hides it\n"),
    (ModuleNotFoundError("No module named 'xyz'", name="xyz"), 3, "pixie: xyz: module: is not installed; install it with pip\n"),
    (KeyboardInterrupt(), 130, "pixie: interrupted\n"),
])
def test_an_error_is_one_line_and_a_status(capsys, error, status, line):
    assert run_verb("pixie", raising(error), ["act", "it"]) == status
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["act"], ["act", "a", "b"], ["act", "it", "--nonsense"], ["act", "it", "--js"]])
def test_wrong_usage_is_one_line_and_status_2(capsys, arguments):
    assert run_verb("pixie", verb(lambda arguments: Outcome("")), arguments) == 2
    out, error = capsys.readouterr()
    assert out == "" and error.startswith("pixie: command line: ") and error.count("\n") == 1 and "--help" in error


def test_help_has_an_example(capsys):
    for arguments, example in ((["--help"], "example: pixie verify"), (["act", "--help"], "example: pixie act thing")):
        with pytest.raises(SystemExit) as left:
            run_verb("pixie", verb(lambda arguments: Outcome("")), arguments)
        assert left.value.code == 0 and example in capsys.readouterr().out


def test_progress_is_silent_where_stderr_is_no_terminal(capsys, monkeypatch):
    progress("half way")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    progress("half way")
    assert capsys.readouterr().err == "half way\n"


class Point:
    def __init__(self, name: str, found) -> None:
        self.name, self.found = name, found

    def load(self):
        if isinstance(self.found, BaseException):
            raise self.found
        return self.found


def run_ground(monkeypatch, arguments: list[str]) -> int:
    act = verb(lambda arguments: Outcome("acted"))["act"]
    points = [Point("act", act), Point("simulate", ModuleNotFoundError("No module named 'train'", name="train"))]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points if group == "pixie.verbs" else [])
    monkeypatch.setattr(sys, "argv", ["pixie", *arguments])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as left:
            cli.ground()
    finally:
        signal.signal(signal.SIGTERM, before)
    return left.value.code


def test_rooms_bring_their_verbs(monkeypatch, capsys):
    assert run_ground(monkeypatch, ["act", "it"]) == 0
    assert capsys.readouterr().out == "acted\n"


def test_a_room_that_is_not_installed_is_told_where_asked_for_and_else_left_out(monkeypatch, capsys):
    assert run_ground(monkeypatch, ["simulate", "mmia"]) == 3
    assert capsys.readouterr().err.startswith("pixie: train: module: is not the one of Pixie")
    assert run_ground(monkeypatch, ["--help"]) == 0
    listed = capsys.readouterr().out
    assert "act on a thing" in listed and "verify" in listed and "simulate" not in listed


WRITER = """
import signal, sys, time
from pathlib import Path
from edge_runtime import cli
from edge_runtime.cli import Outcome, Verb
from edge_runtime.files import new_file
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
def run(arguments):
    with new_file(Path(sys.argv[2])) as temporary:
        temporary.write_text("half")
        print("begun", flush=True)
        time.sleep(60)
    return Outcome("done")
cli._end_on_sigterm()
sys.exit(cli.run_verb("pixie", {"act": Verb("act", "", "", lambda parser: parser.add_argument("out"), run)}, sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)])
def test_asked_to_end_it_leaves_nothing_half_written(tmp_path, number, status):
    process = subprocess.Popen([sys.executable, "-c", WRITER, "act", str(tmp_path / "a.txt")], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == status and list(tmp_path.iterdir()) == []


def test_a_reader_that_leaves_is_no_crash():
    code = ("import sys; from edge_runtime.cli import Outcome, Verb, run_verb; "
            "sys.exit(run_verb('pixie', {'act': Verb('act', '', '', lambda p: None, lambda a: Outcome('x' * 1_000_000))}, ['act']))")
    reading, writing = os.pipe()
    os.close(reading)
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (finished.returncode, finished.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_behind_stdout_is_something_missing():
    code = ("import sys; from edge_runtime.cli import Outcome, Verb, run_verb; "
            "sys.exit(run_verb('pixie', {'act': Verb('act', '', '', lambda p: None, lambda a: Outcome('x'))}, ['act']))")
    with open("/dev/full", "w") as full:
        finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert finished.returncode == 3 and finished.stderr.count(b"\n") == 1


def test_a_defect_is_not_taken_for_a_gate(capsys):
    def run(arguments):
        raise ZeroDivisionError("ours")

    assert cli.run_verb("pixie", {"act": Verb("act", "", "", lambda parser: None, run)}, ["act"]) == 70
    assert "ZeroDivisionError: ours" in capsys.readouterr().err
