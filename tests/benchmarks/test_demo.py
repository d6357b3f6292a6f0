import argparse
import json
import sys
from pathlib import Path

import pytest

from benchmarks import demo
from benchmarks.cli import BENCH, REPORT
from edge_runtime.cli import _parser
from edge_runtime.errors import InputError, MissingError, PixieError
from edge_runtime.verbs import FLAG, VERIFY
from export.cli import EXPORT
from train.cli import SIMULATE, STUDY, TRAIN
from train.code_digest import code_digest
from train.configuration import settings_words


def command(tmp_path, code):
    """A stand-in for `pixie`: notes its words in tmp_path/words, then runs `code` with `verb` set."""
    note = f"import sys; verb = sys.argv[1]; open({str(tmp_path / 'words')!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10)); "
    return (sys.executable, "-c", note + code)


def run(tmp_path):
    return demo.run(argparse.Namespace(out=tmp_path / "out", scale="demo", seed=3))


def verbs(tmp_path):
    return [line.split()[0] for line in (tmp_path / "words").read_text().splitlines()]


ALL = ["simulate", *["train"] * 2, "export", "verify", "flag", "bench", "report", "simulate", "export", "verify", "flag", "study", "bench", "report"]


def test_every_stage_runs_once_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, "sys.exit(0)"))
    assert run(tmp_path).status == 0
    assert run(tmp_path).status == 0
    assert verbs(tmp_path) == [*ALL, *["gates"] * 4]
    monkeypatch.setattr(demo, "code_digest", lambda rooms: "another" if "benchmarks" in rooms else code_digest(rooms))
    run(tmp_path)
    measured = [verb for verb in ALL if verb not in ("simulate", "train", "study")]
    assert verbs(tmp_path) == [*ALL, *["gates"] * 4, *measured, *["gates"] * 2]
    monkeypatch.setattr(demo, "code_digest", lambda rooms: "a third")
    run(tmp_path)
    assert verbs(tmp_path) == [*ALL, *["gates"] * 4, *measured, *["gates"] * 2, *ALL, *["gates"] * 2]


def test_a_gate_that_falls_short_ends_no_demo_but_is_its_status(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, "sys.exit(verb in ('bench', 'gates'))"))
    assert run(tmp_path).status == 1
    assert verbs(tmp_path) == [*ALL, "gates", "gates"]


@pytest.mark.parametrize(("stage", "status", "error"),
                         [("verify", 1, PixieError), ("bench", 70, InputError), ("train", 2, InputError), ("bench", 3, MissingError)])
def test_a_stage_that_fails_stops_it_is_told_and_is_run_again(tmp_path, monkeypatch, stage, status, error):
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, f"sys.exit({status} if verb == {stage!r} else 0)"))
    with pytest.raises(error, match=f"{stage}( pixels)?: ended with exit status {status}"):
        run(tmp_path)
    begun = len(verbs(tmp_path))
    assert verbs(tmp_path) == ALL[:begun] and ALL.index(stage) < begun <= ALL.index(stage) + (2 if stage == "train" else 1)
    state = json.loads((tmp_path / "out" / demo.STATE).read_text())
    assert stage not in state["seconds"] or f"{stage} pixels" not in state["seconds"]
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, "sys.exit(0)"))
    assert run(tmp_path).status == 0
    again = (tmp_path / "words").read_text().splitlines()[begun]
    assert again.split()[0] == stage and ("--resume" in again) == (stage == "train")


def test_trainings_run_beside_each_other_and_nothing_else_does(tmp_path, monkeypatch):
    # A training ends when it has seen another one run, and a moment later; every other stage sees none.
    meet = f"""
import os, pathlib, time
here = pathlib.Path({str(tmp_path / "running")!r})
here.mkdir(exist_ok=True)
(here / str(os.getpid())).touch()
until = time.monotonic() + (20 if verb == "train" else 0.05)
while (most := len(list(here.iterdir()))) < 2 and time.monotonic() < until:
    time.sleep(0.01)
time.sleep(0.5 * (verb == "train"))
(here / str(os.getpid())).unlink()
sys.exit(0 if most == (2 if verb == "train" else 1) else 2)
"""
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, f"exec({meet!r})"))
    assert run(tmp_path).document["wall_s"] > 0


def test_seconds_of_a_stage_count_what_was_lost_before(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, "import time; time.sleep(0.3 * (verb == 'simulate')); sys.exit(2 * (verb == 'simulate'))"))
    with pytest.raises(InputError):
        run(tmp_path)
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, "sys.exit(0)"))
    told = run(tmp_path).document
    assert told["seconds"]["simulate"] >= 0.3 and told["wall_s"] >= 0.3  # rounded to tenths


@pytest.mark.parametrize("scale", ["demo", "full"])
def test_every_command_is_one_that_pixie_takes_and_reads_what_an_earlier_one_left(tmp_path, scale):
    verbs = {verb.name: verb for verb in (SIMULATE, STUDY, TRAIN, EXPORT, BENCH, REPORT, FLAG, VERIFY)}
    made = set()
    for stage in demo.stages(tmp_path, scale, 3):
        parser = _parser("pixie", verbs)
        told = vars(parser.parse_args([*stage.words, *stage.resume]))
        if told["verb"] == "train":
            words = settings_words(told["task"])
            assert told["config"] in words, stage.name
        read = [path for name, value in told.items() if name not in ("out", "file") for path in (value if isinstance(value, list | tuple) else [value])
                if isinstance(path, Path)]
        assert set(read) <= made, stage.name
        made |= {path for path in (told.get("out"), told.get("file")) if path is not None}
    runs = [stage.name for stage in demo.stages(tmp_path, scale, 3) if stage.name.startswith(("train", "sweep"))]
    assert len(runs) == (2 if scale == "demo" else 8)
