"""Hours of work in pieces: each piece's answer is kept when it is done, so that a long run goes on where it was cut off."""

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from edge_runtime.cli import progress
from edge_runtime.files import read_json, write_file
from train.code_digest import ALL_ROOMS, code_digest

Job = tuple[str, Callable[..., Any], tuple[Any, ...]]  # its name, and what gives its answer (JSON values) of which arguments


def run_kept(jobs: list[Job], kept: Path, key: str) -> dict[str, Any]:
    """Answers by name: those that `kept`/NAME.json holds under `key` and the code of today, the others made in two processes and kept there."""
    key = f"{key} {code_digest(ALL_ROOMS)}"
    kept.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    for name, *_ in jobs:
        file = kept / f"{name}.json"
        document: Any = read_json(file) if file.exists() else {}
        if document.get("key") == key:
            found[name] = document["found"]
    to_do = [job for job in jobs if job[0] not in found]
    # Spawned, not forked: a fork after torch has started its threads may hang.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [(name, pool.submit(work, *arguments)) for name, work, arguments in to_do]
        for done, (name, future) in enumerate(waiting, start=1):
            found[name] = future.result()
            write_file(kept / f"{name}.json", json.dumps({"key": key, "found": found[name]}))
            progress(f"{name} done ({done} of {len(waiting)})")
    return found
