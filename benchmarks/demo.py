"""`pixie demo`: the whole way in one command, each stage the same command that a user would type, resumable stage by stage."""

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.cli import Outcome, Verb, progress
from edge_runtime.errors import InputError, MissingError, PixieError
from edge_runtime.files import read_json, write_file

ROOMS = ("edge_runtime", "hw_profiles", "train", "export", "benchmarks")
STATE = "demo.json"
GATE_FELL_SHORT = 1  # of bench, which has written its results all the same
RECORDING_FRAMES = {"demo": 36, "full": 720}  # 3 s and one minute of instrument time
PIXIE = (sys.executable, "-c", "from edge_runtime.cli import ground; ground()")


@dataclass(frozen=True)
class Stage:
    """One command of the way, `words` after `pixie`; `resume` is added where it was begun before and can go on."""

    name: str
    words: tuple[str, ...]
    resume: tuple[str, ...] = ()


def stages(out: Path, scale: str, seed: int) -> list[Stage]:
    """The commands in their order; each reads what those before it left in `out`."""
    recording, run, bundle, results = out / "recording.fits", out / "run", out / "bundle", out / "results.json"
    frames = RECORDING_FRAMES[scale]
    return [
        Stage("simulate", ("simulate", "mmia", f"{recording}", "--frames", f"{frames}", "--seed", f"{seed}", "--scene", "mix")),
        Stage("train", ("train", "mmia", "--out", f"{run}", "--config", scale, "--seed", f"{seed}"), resume=("--resume",)),
        Stage("export", ("export", f"{run}", "--out", f"{bundle}")),
        Stage("verify", ("verify", f"{bundle}")),
        Stage("flag", ("flag", f"{bundle}", f"{recording}", "--out", f"{out / 'catalogue.jsonl'}")),
        Stage("bench", ("bench", f"{run}", f"{bundle}", "--out", f"{results}", "--scale", scale, "--seed", f"{seed}")),
        Stage("report", ("report", f"{results}", "--out", f"{out / 'report.html'}")),
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The demo's own arguments."""
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for everything it leaves (default: %(default)s)")
    parser.add_argument("--scale", choices=tuple(RECORDING_FRAMES), default="demo",
                        help="demo: 10 minutes on two cores; full: up to 3 hours, go on with the same command (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of scenes and training (default: %(default)s)")


def run(arguments: argparse.Namespace) -> Outcome:
    """Run every stage that is not done yet for this code, scale and seed; exit status 1 where a gate fell short."""
    out: Path = arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(out, "folder", f"cannot be made ({error.strerror}); name another with --out") from error
    key = {"scale": arguments.scale, "seed": arguments.seed, "code": code_digest()}
    state = _state(out / STATE, key)
    to_do = stages(out, arguments.scale, arguments.seed)
    for place, stage in enumerate(to_do, start=1):
        if stage.name in state["seconds"]:
            progress(f"[{place}/{len(to_do)}] {stage.name}: done before")
            continue
        resume = stage.resume if stage.name in state["begun"] else ()
        command = (*stage.words, *resume)
        progress(f"[{place}/{len(to_do)}] pixie {shlex.join(command)}")
        if stage.name not in state["begun"]:
            state["begun"].append(stage.name)
            write_file(out / STATE, json.dumps(state, indent=1))
        start = time.monotonic()
        finished = subprocess.run([*PIXIE, *command], stdout=subprocess.PIPE, text=True, check=False)
        if finished.returncode != 0 and not (stage.name == "bench" and finished.returncode == GATE_FELL_SHORT):
            kind = {PixieError.status: PixieError, MissingError.status: MissingError}.get(finished.returncode, InputError)
            raise kind(out, stage.name, f"ended with exit status {finished.returncode} (its reason stands above); "
                                        f"mend it and run the same command again, stages that are done are kept")
        state["seconds"][stage.name] = round(time.monotonic() - start, 1)
        write_file(out / STATE, json.dumps(state, indent=1))
    gates = subprocess.run([*PIXIE, "gates", str(out / "results.json")], capture_output=True, text=True, check=False)
    seconds = state["seconds"]
    lines = [gates.stdout.rstrip(), "", "stages, s: " + ", ".join(f"{name} {spent:.0f}" for name, spent in seconds.items()),
             f"left in {out}: results.json, report.html (open it in a browser), bundle/, catalogue.jsonl"]
    return Outcome("\n".join(lines), {"out": str(out), "seconds": seconds, "gates_hold": gates.returncode == 0}, gates.returncode)


def code_digest() -> str:
    """SHA-256 over the code of all rooms: what older code left is made anew."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for room in ROOMS:
        for path in sorted((root / room).rglob("*")):
            if path.suffix in (".py", ".toml", ".html", ".css"):
                digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _state(path: Path, key: dict[str, object]) -> dict:
    fresh: dict = {"key": key, "begun": [], "seconds": {}}
    if not path.exists():
        return fresh
    state = read_json(path)
    return state if state.get("key") == key else fresh


DEMO = Verb("demo", "Run the whole way: simulate, train, export, verify, flag, bench, report.", "demo --out out/demo", add_arguments, run)
