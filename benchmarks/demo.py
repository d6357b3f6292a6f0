"""`pixie demo`: the whole way in one command, each stage the same command that a user would type, resumable stage by stage."""

import argparse
import json
import shlex
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import Any

from edge_runtime.cli import PIXIE, Outcome, Verb, progress
from edge_runtime.errors import InputError, MissingError, PixieError
from edge_runtime.files import read_json, write_file
from train.code_digest import ALL_ROOMS, TRAINING_ROOMS, code_digest

STATE = "demo.json"
GATE_FELL_SHORT = 1  # of bench, which has written its results all the same
RECORDING_FRAMES = {"demo": 36, "full": 720}  # 3 s and one minute of instrument time
NIGHT_FRAMES = {"demo": 3_200, "full": 32_000}  # of the focal surface: one file, ten files
STUDY_SCALE = {"demo": "demo", "full": "middle"}
EPOCHS_2020 = 13  # of the 2020 report's network: as many samples as ours sees, in more than an hour
EPOCHS_PADDING = 2  # of it on slices and on padded events, for their comparison
MORE_SEEDS = (1, 2)  # added to the seed: two more runs of the same settings
SWEPT = ("latent", "window")  # in `make full`; `pixie train mmia --sweep` alone does the rest
AT_ONCE = 2  # trainings beside each other, on one core each: faster than one after the other on two
SESSION = 14  # of that recording: in neither list of sessions that the run learns from or is calibrated on


@dataclass(frozen=True)
class Stage:
    """One command of the way, `words` after `pixie`; `resume` is added where it was begun before and can go on.

    beside: takes one core, and nothing that other stages beside it leave: neighbours of this kind run at once.
    """

    name: str
    words: tuple[str, ...]
    resume: tuple[str, ...] = ()
    beside: bool = False

    @property
    def code(self) -> str:
        """Digest of the code that decides what it leaves: another way to measure trains nothing again."""
        return code_digest(TRAINING_ROOMS if self.words[0] in ("simulate", "train", "study") else ALL_ROOMS)


def stages(out: Path, scale: str, seed: int) -> list[Stage]:
    """The commands in their order; each reads what those before it left in `out`, but for what those `beside` it leave."""
    recording, run, bundle, results = out / "recording.fits", out / "run", out / "bundle", out / "results.json"
    pixels = out / "pixels"
    night, pixel_run, pixel_bundle, study = pixels / "night.root", pixels / "run", pixels / "bundle", pixels / "study"
    frames, seeded = RECORDING_FRAMES[scale], ("--scale", scale, "--seed", f"{seed}")
    more = _full_only(out, seed) if scale == "full" else []
    beside = ("--rival", f"{out / 'run2020'}", "--padding", f"{out / 'sliced2020'}", f"{out / 'padded2020'}",
              "--seeds", *(f"{out / f'run-{seed + one}'}" for one in MORE_SEEDS)) if more else ()
    targets = (f"{run}", f"{bundle}", *((f"{out / 'sweep'}",) if more else ()))
    return [
        Stage("simulate", ("simulate", "mmia", f"{recording}", "--frames", f"{frames}", "--seed", f"{seed}", "--scene", "mix")),
        *more,
        _training("train", "mmia", run, scale, seed),
        _training("train pixels", "minieuso", pixel_run, scale, seed),
        Stage("export", ("export", f"{run}", "--out", f"{bundle}")),
        Stage("verify", ("verify", f"{bundle}")),
        Stage("flag", ("flag", f"{bundle}", f"{recording}", "--out", f"{out / 'catalogue.jsonl'}")),
        Stage("bench", ("bench", *targets, "--out", f"{results}", *beside, *seeded)),
        Stage("report", ("report", f"{results}", "--out", f"{out / 'report.html'}")),
        Stage("simulate pixels", ("simulate", "minieuso", f"{night}", "--session", f"{SESSION}", "--frames", f"{NIGHT_FRAMES[scale]}",
                                  "--seed", f"{seed}")),
        Stage("export pixels", ("export", f"{pixel_run}", "--out", f"{pixel_bundle}")),
        Stage("verify pixels", ("verify", f"{pixel_bundle}")),
        Stage("flag pixels", ("flag", f"{pixel_bundle}", f"{night}", "--out", f"{pixels / 'catalogue.jsonl'}")),
        Stage("study", ("study", "minieuso", "all", "--scale", STUDY_SCALE[scale], "--out", f"{study}", "--seed", f"{seed}")),
        Stage("bench pixels", ("bench", f"{pixel_run}", f"{pixel_bundle}", "--study", f"{study}", "--out", f"{pixels / 'results.json'}", *seeded)),
        Stage("report pixels", ("report", f"{pixels / 'results.json'}", "--out", f"{pixels / 'report.html'}")),
    ]


def _full_only(out: Path, seed: int) -> list[Stage]:
    """What else is trained at full scale: two more seeds, the 2020 report's network and its padded twin, a small sweep."""
    return [
        _training("train 2020", "mmia", out / "run2020", "cvae2020", seed, "--epochs", f"{EPOCHS_2020}"),  # the longest first
        *(_training(f"train seed {seed + one}", "mmia", out / f"run-{seed + one}", "full", seed + one) for one in MORE_SEEDS),
        _training("train 2020 on slices", "mmia", out / "sliced2020", "cvae2020", seed, "--epochs", f"{EPOCHS_PADDING}"),
        _training("train 2020 on padded events", "mmia", out / "padded2020", "padded2020", seed, "--epochs", f"{EPOCHS_PADDING}"),
        replace(_training("sweep", "mmia", out / "sweep", "sweep", seed, "--sweep", *SWEPT), resume=()),
    ]


def _training(name: str, task: str, folder: Path, settings: str, seed: int, *more: str) -> Stage:
    words = ("train", task, "--out", f"{folder}", "--config", settings, "--seed", f"{seed}", "--threads", "1", *more)
    return Stage(name, words, resume=("--resume",), beside=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The demo's own arguments."""
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for everything it leaves (default: %(default)s)")
    parser.add_argument("--scale", choices=tuple(RECORDING_FRAMES), default="demo",
                        help="demo: 15 minutes on two cores; full: some hours, go on with the same command (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of scenes and training (default: %(default)s)")


def run(arguments: argparse.Namespace) -> Outcome:
    """Run every stage that is not done yet for this code, scale and seed; exit status 1 where a gate fell short."""
    out: Path = arguments.out
    try:
        (out / "pixels").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(out, "folder", f"cannot be made ({error.strerror}); name another with --out") from error
    way = _Way(out / STATE, {"scale": arguments.scale, "seed": arguments.seed}, stages(out, arguments.scale, arguments.seed))
    way.walk()
    gates = [subprocess.run([*PIXIE, "gates", str(folder / "results.json")], capture_output=True, text=True, check=False)
             for folder in (out, out / "pixels")]
    seconds, wall, status = way.state["seconds"], way.state["wall_s"], max(one.returncode for one in gates)
    spent = f"{wall / 60:.0f} minutes; stages, s: " + ", ".join(f"{name} {lasted:.0f}" for name, lasted in seconds.items())
    lines = [*(one.stdout.rstrip() + "\n" for one in gates), spent,
             f"left in {out}, and for the focal surface in {out / 'pixels'}: results.json, report.html (open it in a browser), bundle/, catalogue.jsonl"]
    return Outcome("\n".join(lines), {"out": str(out), "seconds": seconds, "wall_s": wall, "gates_hold": status == 0}, status)


class _Way:
    """How far the way was walked, kept in `file` after every stage: `seconds` of each stage that is done, `lost` of those begun, `wall_s` in all.

    What belongs to another key or, by `code`, to other code is begun anew.
    """

    def __init__(self, file: Path, key: dict[str, object], to_do: list[Stage]) -> None:
        begun: dict[str, Any] = dict(read_json(file)) if file.exists() else {}
        if begun.get("key") != key:
            begun = dict(key=key, code={}, lost={}, seconds={}, wall_s=0.0)
        code = {stage.name: stage.code for stage in to_do}
        for column in ("lost", "seconds"):
            begun[column] = {name: spent for name, spent in begun[column].items() if begun["code"].get(name) == code.get(name)}
        self.state: dict[str, Any] = {**begun, "code": code}
        self._file, self._to_do, self._lock, self._failed = file, to_do, Lock(), False
        self._marked = time.monotonic()  # up to where wall_s counts

    def walk(self) -> None:
        """Run what is not done; the error of the first stage that fails, when those that run beside it have ended."""
        told = {stage.name: f"[{place}/{len(self._to_do)}]" for place, stage in enumerate(self._to_do, start=1)}
        for beside, group in groupby(self._to_do, key=lambda stage: stage.beside):
            with ThreadPoolExecutor(AT_ONCE if beside else 1) as pool:
                running = [pool.submit(self._run, stage, told[stage.name]) for stage in group]
                try:
                    for done in as_completed(running):
                        done.result()
                except BaseException:  # an interrupt, too
                    self._failed = True
                    raise

    def _run(self, stage: Stage, told: str) -> None:
        if self._failed:
            return
        if stage.name in self.state["seconds"]:
            progress(f"{told} {stage.name}: done before")
            return
        command = (*stage.words, *(stage.resume if stage.name in self.state["lost"] else ()))
        progress(f"{told} pixie {shlex.join(command)}")
        self._keep("lost", stage, 0.0)
        start = time.monotonic()
        finished = subprocess.run([*PIXIE, *command], stdout=subprocess.PIPE, text=True, check=False)
        lasted = time.monotonic() - start
        if finished.returncode != 0 and not (stage.name.startswith("bench") and finished.returncode == GATE_FELL_SHORT):
            self._failed = True  # here: a moment later this thread has begun the next stage
            self._keep("lost", stage, lasted)
            kind = {PixieError.status: PixieError, MissingError.status: MissingError}.get(finished.returncode, InputError)
            raise kind(self._file.parent, stage.name, f"ended with exit status {finished.returncode} (its reason stands above); "
                                                      "mend it and run the same command again, stages that are done are kept")
        self._keep("seconds", stage, lasted)

    def _keep(self, column: str, stage: Stage, seconds: float) -> None:
        """Add to a stage's seconds; one that is done takes over what it lost before."""
        with self._lock:
            if column == "seconds":
                seconds += self.state["lost"].pop(stage.name)
            now = time.monotonic()
            self.state["wall_s"], self._marked = round(self.state["wall_s"] + now - self._marked, 1), now
            self.state[column][stage.name] = round(self.state[column].get(stage.name, 0.0) + seconds, 1)
            write_file(self._file, json.dumps(self.state, indent=1))


DEMO = Verb("demo", "Run the whole way of both instruments: simulate, train, export, verify, flag, study, bench, report.", "demo --out out/demo",
            add_arguments, run)
