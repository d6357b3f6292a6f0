"""The flight folder flies alone: edge_runtime copied elsewhere, NumPy and the standard library, and nothing else can be imported."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bundle_for_tests import make_bundle, scene

ROOT = Path(__file__).parents[2]
GROUND = ("torch", "tensorflow", "onnx", "astropy", "pandas", "matplotlib")
# The command as it is typed, then what it has loaded.
ALONE = """
import sys
from edge_runtime import cli
try:
    cli.board()
finally:
    print("MODULES", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    shutil.copytree(ROOT / "edge_runtime", folder / "edge_runtime", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "packages").mkdir()
    for package in Path(np.__file__).parents[1].glob("numpy*"):  # numpy, numpy.libs
        (folder / "packages" / package.name).symlink_to(package)
    make_bundle(folder / "bundle")
    np.savez(folder / "input.npz", counts=scene(20_000, pulses=((500, 40), (9000, 60))))
    return folder


def fly(board: Path, *arguments: str) -> tuple[int, str, str, set[str]]:
    """Exit status, stdout, stderr and top-level modules of a command without site-packages, but for NumPy."""
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([".", "packages"])}
    finished = subprocess.run([sys.executable, "-S", "-c", ALONE, *arguments], cwd=board, env=environment, capture_output=True, text=True, check=False)
    words, _, modules = finished.stderr.partition("MODULES")
    return finished.returncode, finished.stdout, words, set(modules.split())


def test_the_copied_folder_flags_with_numpy_alone(board):
    status, out, words, modules = fly(board, "flag", "bundle", "input.npz", "--engine", "reference")
    assert (status, words) == (0, "")
    assert [json.loads(line)["sample_start"] for line in out.splitlines()] == [0, 8320]
    assert not modules & set(GROUND)
    cython = {name for name in modules if "cython" in name}  # names that NumPy's own extensions register
    assert modules - set(sys.stdlib_module_names) - cython == {"__main__", "edge_runtime", "numpy"}


def test_without_an_engine_installed_the_reference_flies_and_says_so(board):
    status, out, words, _ = fly(board, "flag", "bundle", "input.npz")
    assert status == 0 and len(out.splitlines()) == 2
    assert words == "pixie: note: engine reference runs, because ai-edge-litert is not installed\n"


def test_an_engine_that_is_not_installed_is_told_with_its_remedy(board):
    for engine, package in (("litert", "ai-edge-litert"), ("tflite-runtime", "tflite-runtime"), ("onnxruntime", "onnxruntime")):
        status, out, words, _ = fly(board, "flag", "bundle", "input.npz", "--engine", engine)
        assert (status, out) == (3, "") and words.count("\n") == 1 and f"pip install {package}" in words


def test_verify_runs_there_too(board):
    status, out, _, modules = fly(board, "verify", "bundle", "--json")
    assert status == 0 and json.loads(out)["identical"] and not modules & set(GROUND)


def test_only_the_boards_verbs_are_there(board):
    status, out, _, _ = fly(board, "--help")
    assert status == 0 and "verify" in out and "flag" in out and "train" not in out
    assert fly(board, "simulate", "mmia", "a.npz")[0] == 2


def test_an_instruments_file_is_refused_naming_what_the_board_reads(board):
    (board / "a.fits").write_text("SIMPLE")
    status, _, words, _ = fly(board, "flag", "bundle", "a.fits", "--engine", "reference")
    assert status == 2 and words == "pixie: a.fits: suffix: .fits has no reader; known are .npz, and - for a raw stream\n"


def test_litert_flies_without_ground_modules(board):
    pytest.importorskip("ai_edge_litert")
    code = "import sys; from edge_runtime import cli\ntry: cli.board()\nfinally: print('MODULES', *sys.modules, file=sys.stderr)"
    finished = subprocess.run([sys.executable, "-c", code, "flag", "bundle", "input.npz", "--engine", "litert"], cwd=board,
                              env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
    loaded = finished.stderr.partition("MODULES")[2].split()
    modules = {name.partition(".")[0] for name in loaded}
    # Memory is counted on board: photometers need nothing of the focal surface.
    assert not {f"edge_runtime.{name}" for name in ("frames", "masking", "pixels", "pixel_stream", "tracking", "recurrence")} & set(loaded)
    assert "ai_edge_litert" in modules and not modules & set(GROUND)
    assert len(finished.stdout.splitlines()) == 2
