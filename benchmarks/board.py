"""Whether the flight folder flies alone: edge_runtime and the bundle copied elsewhere, run there in a bare environment, its modules counted."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from .environment import on
from .results import Record, Stage

GROUND = ("torch", "tensorflow", "onnx", "astropy", "pandas", "matplotlib")
ROOT = Path(__file__).parents[1]
# Runs inside the copied folder: the flight command as it is typed there, then what it has imported.
FLIGHT = """
import json, os, sys
sys.path[:] = [os.getcwd()] + [path for path in sys.path if path]
from edge_runtime import cli
sys.argv[1:] = ["flag", "bundle", "counts.npz", "--out", "catalogue.jsonl"]
try:
    cli.board()
except SystemExit as left:
    status = left.code
import edge_runtime
print(json.dumps({"status": status, "home": os.path.dirname(edge_runtime.__file__), "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def board_imports(bundle: Path, counts: np.ndarray) -> Stage:
    """`board.imports`: ground modules in the flight process, None where flagging did not run; `counts` uint16 [3, n] is what it is given."""
    with tempfile.TemporaryDirectory(prefix="pixie-board-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "edge_runtime", folder / "edge_runtime", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(bundle, folder / "bundle", ignore=shutil.ignore_patterns("ground"))
        np.savez(folder / "counts.npz", counts=counts)
        # -P: the working folder is put on the path by the script, nothing else of ours is; PYTHON* of the caller is left behind.
        finished = subprocess.run([sys.executable, "-P", "-c", FLIGHT], cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": name}, capture_output=True,
                                  text=True, check=False, timeout=300)
        try:
            told = json.loads(finished.stderr.strip().splitlines()[-1])
        except (IndexError, ValueError):
            told = {"status": finished.returncode, "home": "", "modules": []}
        flew = told["status"] == 0 and Path(told["home"]).parent.resolve() == folder.resolve() and (folder / "catalogue.jsonl").is_file()
    ground = sorted({module.partition(".")[0] for module in told["modules"]} & set(GROUND))
    own = {"edge_runtime", "numpy", "__main__", "__mp_main__"}
    foreign = sorted({module.partition(".")[0] for module in told["modules"]} - set(sys.stdlib_module_names) - own)
    source = "copied edge_runtime and bundle, clean environment, `python -m edge_runtime flag`; besides NumPy and the standard library: "
    source += ", ".join(foreign) or "nothing"
    if ground:
        source += f"; ground modules found: {', '.join(ground)}"
    if not flew:
        source += f"; it did not run: {finished.stderr.strip()[-300:]}"
    return Stage((Record("board.imports", len(ground) if flew else None, "count", "measured", on(), None, len(told["modules"]), None, source),))
