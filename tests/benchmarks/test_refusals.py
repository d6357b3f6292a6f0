"""The gate `input.refused`: its cases, its ruler and its judgement, each shown to find fault; and a few of the cases for real."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.refusals import KINDS, PIXEL_KINDS, gate, process, records, run_refusals
from benchmarks.refusals.damage import ANY_FILE, Attack, Case, Kind, flipped_in_arrays
from benchmarks.refusals.gate import Refusal
from benchmarks.refusals.process import Ended, run_measured
from benchmarks.refusals.sources import make_sources
from tests import pixel_bundle_for_tests
from tests.bundle_for_tests import make_bundle
from tests.run_for_tests import make_run
from train import checkpoint, run_folder
from train.configuration import read_configuration

FORMATS = {"FITS", "CDF", "NPZ", "raw stream", "checkpoint", "configuration", "ONNX", "another instrument",
           "manifest.json", "model.tflite", "model.onnx", "graph.json", "graph.npz", "golden.npz"}
PIXEL_FORMATS = {"ROOT", "NPZ", "configuration", "another instrument", "manifest.json", "graph.json", "graph.npz", "golden.npz"}
GOOD_LINE = "pixie: thing.npz: counts: are bad; mend them\n"


@pytest.mark.parametrize(("kinds", "formats"), [(KINDS, FORMATS), (PIXEL_KINDS, PIXEL_FORMATS)])
def test_every_format_is_attacked_in_at_least_four_ways_and_all_in_at_least_sixty(kinds, formats):
    assert {kind.name for kind in kinds} == formats
    assert all(len({case.name for case in kind.cases}) >= 4 for kind in kinds)
    assert all(case.kind == kind.name for kind in kinds for case in kind.cases)
    names = [(case.kind, case.name) for kind in kinds for case in kind.cases]
    assert len(set(names)) == len(names) >= 60


def test_every_format_but_those_that_would_train_has_a_control():
    assert {kind.name for kind in KINDS if kind.accepted is None} == {"checkpoint", "configuration"}
    assert {kind.name for kind in PIXEL_KINDS if kind.accepted is None} == {"configuration"}


# The ruler.

def measured(tmp_path, code, stdin=None):
    folder = tmp_path / "work"
    folder.mkdir()
    return run_measured((sys.executable, "-I", "-S", "-c", code), folder, stdin, tmp_path)


def test_status_and_output_are_those_of_the_command(tmp_path):
    ended = measured(tmp_path, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)")
    assert (ended.status, ended.stdout, ended.stderr, ended.late) == (7, "out\n", "err\n", False)
    assert list((tmp_path / "work").iterdir()) == []


def test_the_peak_is_the_commands_own(tmp_path):
    ballast = np.ones(60 << 20, np.uint8)  # in this process, and not to be counted
    small = measured(tmp_path, "pass").peak_mb
    (tmp_path / "work").rmdir()
    large = measured(tmp_path, "x = bytearray(b'1') * (100 << 20)").peak_mb
    assert ballast.nbytes / 2**20 > small
    assert 100 < large - small + 1 < 140


def test_a_command_killed_by_a_signal_has_a_negative_status(tmp_path):
    assert measured(tmp_path, "import os; os.kill(os.getpid(), 11)").status == -11


def test_a_command_that_does_not_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "LIMIT_S", 0.3)
    ended = measured(tmp_path, "while True: pass")
    assert ended.late and ended.status == -9


def test_standard_input_is_the_file_or_closed(tmp_path):
    (tmp_path / "in").write_bytes(b"counts")
    assert measured(tmp_path, "import sys; print(sys.stdin.read())", tmp_path / "in").stdout == "counts\n"
    (tmp_path / "work").rmdir()
    assert measured(tmp_path, "import sys; print(sys.stdin)").stdout == "None\n"


# The judgement.

GOOD = Ended(2, 0.1, 30.0, "", GOOD_LINE, False)
CASE = Case("NPZ", "made up", lambda folder, sources, random: Attack(()), names="thing.npz")


@pytest.mark.parametrize(("fault", "why"), [
    ({"status": 0}, "exit status 0"),
    ({"status": 1}, "exit status 1"),
    ({"status": -11}, "exit status -11"),
    ({"late": True}, "had not ended"),
    ({"stderr": "Traceback (most recent call last):\n"}, "a traceback"),
    ({"stderr": ""}, "0 lines"),
    ({"stderr": "a warning\n" + GOOD_LINE}, "2 lines"),
    ({"stderr": "thing.npz is bad\n"}, "not `pixie:"),
    ({"stderr": "pixie: thing.npz: bad\n"}, "not `pixie:"),
    ({"stderr": "pixie: other.npz: counts: are bad; mend them\n"}, "does not name thing.npz"),
    ({"stdout": "{}\n"}, "stdout"),
    ({"seconds": 5.0}, "5.0 s"),
    ({"peak_mb": 200.0}, "200 MB"),
])
def test_each_fault_of_a_refusal_is_noticed(fault, why):
    ended = dataclasses.replace(GOOD, **fault)
    assert why in gate._why_not(CASE, ended, ended.stderr.splitlines(), "")


def test_a_refusal_as_promised_passes_and_one_that_wrote_does_not():
    assert gate._why_not(CASE, GOOD, [GOOD_LINE], "") == ""
    assert "changed: kept.jsonl" in gate._why_not(CASE, GOOD, [GOOD_LINE], "kept.jsonl")


def fake_case(name, word):
    """A case that hands its word to a program of the test's own."""
    def build(folder, sources, random):
        (folder / "thing.npz").write_bytes(b"counts")
        return Attack((word,))
    return Case("NPZ", name, build, names="thing.npz")


REFUSE = f"sys.stderr.write({GOOD_LINE!r}); sys.exit(2)"


@pytest.mark.parametrize(("bad", "good", "refused", "why"), [
    (REFUSE, "pass", True, ""),
    (REFUSE, REFUSE, False, "the undamaged input is not accepted"),  # who refuses everything has shown nothing
    ("pass", "pass", False, "exit status 0"),
    ("open('kept.jsonl', 'a').write('x'); " + REFUSE, "pass", False, "kept.jsonl"),
    ("open('left', 'w'); " + REFUSE, "pass", False, "left"),
    ("import tempfile; tempfile.mkstemp(); " + REFUSE, "pass", False, "temporary/"),
    ("import os; os.utime('thing.npz'); " + REFUSE, "pass", False, "thing.npz"),
    ("open('../left', 'w'); " + REFUSE, "pass", False, "left"),
])
def test_what_a_command_does_to_files_decides_and_so_does_the_control(tmp_path, monkeypatch, bad, good, refused, why):
    code = f"import sys\nif sys.argv[1] == 'bad': {bad}\nelse: {good}"
    monkeypatch.setattr(gate, "program", lambda board: (sys.executable, "-c", code))
    monkeypatch.setattr(gate, "make_sources", lambda *arguments: None)
    kind = Kind("NPZ", (fake_case("made up", "bad"),), fake_case("undamaged", "good"))
    refusal, = run_refusals(tmp_path, tmp_path, tmp_path / "attacks", 1, kinds=[kind])
    assert refusal.refused is refused
    assert why in refusal.why and (refused or refusal.why)
    assert (tmp_path / "attacks").exists() is not refused  # what was not refused is kept to be looked at


@pytest.mark.parametrize("name", ["input.refused", "pixels.input.refused"])
def test_the_records_are_those_that_the_gates_read(name):
    found = [Refusal("NPZ", "empty", 2, 0.2, 40.0, "", False, True, ""), Refusal("NPZ", "NaN", 0, 0.9, 50.0, "", False, False, "status 0"),
             Refusal("FITS", "empty", 2, 0.1, 90.0, "", False, True, "")]
    by_id = {record.id: record for record in records(found, "a machine", 3, name)}
    assert (by_id[name].value, by_id[f"{name}.missed"].value, by_id[f"{name}.kinds"].value) == (2, 1, 1)
    assert (by_id[f"{name}.slowest_s"].value, by_id[f"{name}.peak_mb"].value) == (0.9, 90.0)
    assert by_id[f"{name}.of.NPZ"].value == 1 and by_id[f"{name}.of.NPZ"].n == 2
    assert all(record.on == "a machine" and record.seed == 3 and record.how == "measured" for record in by_id.values())


def test_the_photometers_are_what_is_meant_without_a_word():
    assert records([Refusal("NPZ", "empty", 2, 0.2, 40.0, "", False, True, "")], "a machine", 3)[0].id == "input.refused"


# The damages.

@pytest.mark.parametrize("name", ANY_FILE)
def test_damage_of_any_file_changes_what_it_says(tmp_path, name):
    path = tmp_path / "file"
    content = bytes(range(256)) * 4
    path.write_bytes(content)
    ANY_FILE[name](path, np.random.default_rng(1))
    if name == "2 GB sparse":
        assert path.stat().st_size == 2 << 30 and path.stat().st_blocks * 512 < 1 << 20
    elif name == "a directory":
        assert path.is_dir()
    elif name == "dangling link":
        assert path.is_symlink() and not path.exists()
    else:
        assert content.startswith(path.read_bytes()) and path.stat().st_size < len(content)


@pytest.mark.parametrize("seed", range(20))
def test_a_byte_flipped_in_an_archive_is_one_of_an_array(tmp_path, seed):
    path = tmp_path / "arrays.npz"
    np.savez_compressed(path, a=np.arange(300), b=np.arange(5))
    whole = path.read_bytes()
    flipped_in_arrays(path, np.random.default_rng(seed))
    assert sum(x != y for x, y in zip(path.read_bytes(), whole, strict=True)) == 1
    with pytest.raises(Exception), np.load(path) as archive:  # noqa: B017 (zip, zlib and NumPy each have their own)
        for name in archive.files:
            archive[name]


# For real: the commands themselves, on a bundle made by hand and a run whose weights are noise.

SUBSET = {
    "FITS": ["truncated at a random offset", "negative", "time going back", "duplicate frame"],
    "CDF": ["a byte flipped", "wrong unit"],
    "NPZ": ["channel missing", "2 GB sparse"],
    "raw stream": ["truncated at a random offset", "closed"],
    "checkpoint": ["checkpoint.npz: a byte flipped", "checkpoint.npz: dangling link", "quantised.npz: NaN in a weight, sealed",
                   "configuration.json: newer schema"],
    "configuration": ["unknown setting", "NaN"],
    "manifest.json": ["../ in a name", "newer schema"],
    "model.tflite": ["truncated at a random offset, sealed"],
    "graph.json": ["unknown operator, sealed"],
    "golden.npz": ["channel missing, sealed"],
    "another instrument": ["frames as ROOT", "frames as NPZ", "frames after a recording", "frames before a recording"],
}
RECORDINGS = ("ROOT", "NPZ")


def test_a_few_of_the_cases_are_refused_by_the_real_commands(tmp_path):
    kinds = [dataclasses.replace(kind, cases=tuple(case for case in kind.cases if case.name in SUBSET[kind.name]))
             for kind in KINDS if kind.name in SUBSET]
    assert sum(len(kind.cases) for kind in kinds) == sum(map(len, SUBSET.values()))
    found = run_refusals(make_bundle(tmp_path / "bundle"), make_run(tmp_path / "run"), tmp_path / "attacks", 1, kinds=kinds)
    assert [(refusal.kind, refusal.case, refusal.why, refusal.line) for refusal in found if not refusal.refused] == []


@pytest.mark.parametrize("recordings", [True, False])
def test_every_case_of_the_focal_surface_is_refused_by_the_real_commands(tmp_path, recordings):
    kinds = [kind for kind in PIXEL_KINDS if (kind.name in RECORDINGS) is recordings]
    found = run_refusals(pixel_bundle_for_tests.make_bundle(tmp_path / "bundle"), tmp_path / "run", tmp_path / "attacks", 1, kinds=kinds)
    assert [(refusal.kind, refusal.case, refusal.why, refusal.line) for refusal in found if not refusal.refused] == []
    assert len(found) == sum(len(kind.cases) for kind in kinds)


def test_onnx_runtime_leaves_nothing_behind(tmp_path):
    pytest.importorskip("onnxruntime")
    code = "from pathlib import Path; from edge_runtime.engines.onnxruntime import OnnxEngine; OnnxEngine(Path('nowhere'))"
    environment = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")} | {"TMPDIR": str(tmp_path)}
    assert b"nowhere" in subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False).stderr
    assert list(tmp_path.iterdir()) == []


def test_the_undamaged_sources_of_run_and_configuration_are_accepted(tmp_path):
    sources = make_sources(tmp_path, tmp_path, tmp_path / "sources", 1)
    assert read_configuration(sources.configuration).training.trunk_epochs == 1
    run = make_run(tmp_path / "run")
    configuration = run_folder.read_run(run).configuration
    assert checkpoint.read_checkpoint(run, configuration).epoch == 1
