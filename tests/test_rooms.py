"""The structure that the README and the import rules promise."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "brevitas", "tensorflow", "onnx", "astropy", "pandas", "matplotlib", "scipy", "sklearn")


def imported_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after `statement`."""
    code = f"import sys; {statement}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


def test_the_help_of_every_verb_loads_nothing_heavy():
    verbs = "train.cli, export.cli, export.lint_verb, export.estimate_verb, benchmarks.cli, benchmarks.arm.verb, edge_runtime.verbs, hw_profiles.cli"
    modules = imported_by(f"import {verbs}")
    assert not modules & set(HEAVY)


def test_every_entry_point_names_something_that_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for group in project["entry-points"].values():
        for target in group.values():
            module, _, name = target.partition(":")
            assert name in imported_names(module), target


def imported_names(module: str) -> set[str]:
    code = f"import {module}; print(*dir({module}))"
    return set(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split())


def test_constraints_pin_every_dependency_exactly():
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    pinned = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [entry for extra in project["optional-dependencies"].values() for entry in extra]
    names = {re.split(r"[<>=\[ ]", entry)[0].lower().replace("_", "-") for entry in wanted} - {"pixie-onboard"}
    assert names <= set(pinned)
    assert pinned["numpy"].startswith("1.26.")
