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
from train.configuration import settings_words


def command(tmp_path, code):
    """A stand-in for `pixie`: notes its words in tmp_path/words, then runs `code` with `verb` set."""
    note = f"import sys; verb = sys.argv[1]; open({str(tmp_path / 'words')!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10)); "
    return (sys.executable, "-c", note + code)


def run(tmp_path):
    return demo.run(argparse.Namespace(out=tmp_path / "out", scale="demo", seed=3))


def verbs(tmp_path):
    return [line.split()[0] for line in (tmp_path / "words").read_text().splitlines()]


ALL = ["simulate", "train", "export", "verify", "flag", "bench", "report", "simulate", "train", "export", "verify", "flag", "study", "bench", "report"]


def test_every_stage_runs_once_and_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, "sys.exit(0)"))
    assert run(tmp_path).status == 0
    assert run(tmp_path).status == 0
    assert verbs(tmp_path) == [*ALL, *["gates"] * 4]
    monkeypatch.setattr(demo, "code_digest", lambda rooms: "another")
    run(tmp_path)
    assert verbs(tmp_path) == [*ALL, *["gates"] * 4, *ALL, *["gates"] * 2]


def test_a_gate_that_falls_short_ends_no_demo_but_is_its_status(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, "sys.exit(verb in ('bench', 'gates'))"))
    assert run(tmp_path).status == 1
    assert verbs(tmp_path) == [*ALL, "gates", "gates"]


@pytest.mark.parametrize(("stage", "status", "error"),
                         [("verify", 1, PixieError), ("bench", 70, InputError), ("train", 2, InputError), ("bench", 3, MissingError)])
def test_a_stage_that_fails_stops_it_is_told_and_is_run_again(tmp_path, monkeypatch, stage, status, error):
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, f"sys.exit({status} if verb == {stage!r} else 0)"))
    with pytest.raises(error, match=f"{stage}: ended with exit status {status}"):
        run(tmp_path)
    assert verbs(tmp_path) == ALL[:ALL.index(stage) + 1]
    assert stage not in json.loads((tmp_path / "out" / demo.STATE).read_text())["seconds"]
    monkeypatch.setattr(demo, "PIXIE", command(tmp_path, "sys.exit(0)"))
    assert run(tmp_path).status == 0
    again = (tmp_path / "words").read_text().splitlines()[ALL.index(stage) + 1]
    assert again.split()[0] == stage and ("--resume" in again) == (stage == "train")


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
