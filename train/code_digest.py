"""What code made something that is kept: older code's answers are made anew, never passed off as today's."""

import hashlib
from functools import cache
from pathlib import Path

TRAINING_ROOMS = ("edge_runtime", "train")  # what decides a simulation, a training or a fold of a study
ALL_ROOMS = ("edge_runtime", "hw_profiles", "train", "export", "benchmarks")


@cache
def code_digest(rooms: tuple[str, ...]) -> str:
    """SHA-256 over the code of these rooms."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for room in rooms:
        for path in sorted((root / room).rglob("*")):
            if path.suffix in (".py", ".toml", ".html", ".css"):
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
