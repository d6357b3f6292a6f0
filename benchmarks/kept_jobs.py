"""Hours of work in pieces: each piece's answer is kept when it is done, so that a long run goes on where it was cut off."""

import ast
import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from edge_runtime.cli import progress
from edge_runtime.files import read_json, write_file
from train.code_digest import ALL_ROOMS

Job = tuple[str, Callable[..., Any], tuple[Any, ...]]  # its name, and what gives its answer (JSON values) of which arguments
ROOT = Path(__file__).parents[1]  # of the rooms


def run_kept(jobs: list[Job], kept: Path, key: str) -> dict[str, Any]:
    """Answers by name: those that `kept`/NAME.json holds under `key` and the code that makes them, the others made in two processes and kept there."""
    kept.mkdir(parents=True, exist_ok=True)
    keys = {name: f"{key} {code_of(work.__module__)}" for name, work, _ in jobs}
    found: dict[str, Any] = {}
    for name in keys:
        file = kept / f"{name}.json"
        document: Any = read_json(file) if file.exists() else {}
        if document.get("key") == keys[name]:
            found[name] = document["found"]
    to_do = [job for job in jobs if job[0] not in found]
    # Spawned, not forked: a fork after torch has started its threads may hang.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [(name, pool.submit(work, *arguments)) for name, work, arguments in to_do]
        for done, (name, future) in enumerate(waiting, start=1):
            found[name] = future.result()
            write_file(kept / f"{name}.json", json.dumps({"key": keys[name], "found": found[name]}))
            progress(f"{name} done ({done} of {len(waiting)})")
    return found


@cache
def code_of(module: str) -> str:
    """SHA-256 over a module and every module of our rooms that it imports, and that those import, and over these rooms' settings (.toml).

    What others are measured by does not belong to it: an hour's work is not made anew for a word in a report.
    """
    files: set[Path] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        file = _file(name)
        if file is not None and file not in files:
            files.add(file)
            todo += [*_imported(file, name), name.rpartition(".")[0]]
    rooms = {file.relative_to(ROOT).parts[0] for file in files}
    files |= {file for room in rooms for file in (ROOT / room).rglob("*.toml")}
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def _file(name: str) -> Path | None:
    """The file of a module of our rooms; None of any other name."""
    if name.split(".")[0] not in ALL_ROOMS:
        return None
    place = ROOT.joinpath(*name.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _imported(file: Path, name: str) -> Iterator[str]:
    """Full names that a module imports, at its top or within a function; some of them are no modules."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
            whole = ".".join((*above, *([node.module] if node.module else [])))
            yield whole
            yield from (f"{whole}.{alias.name}" for alias in node.names)
