"""`pixie demo`: the whole way in one command, each stage the same command that a user would type, resumable stage by stage."""

import argparse
import json
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.cli import PIXIE, Outcome, Verb, progress
from edge_runtime.errors import InputError, MissingError, PixieError
from edge_runtime.files import read_json, write_file
from train.code_digest import ALL_ROOMS, code_digest

STATE = "demo.json"
GATE_FELL_SHORT = 1  # of bench, which has written its results all the same
RECORDING_FRAMES = {"demo": 36, "full": 720}  # 3 s and one minute of instrument time
NIGHT_FRAMES = {"demo": 3_200, "full": 32_000}  # of the focal surface: one file, ten files
STUDY_SCALE = {"demo": "demo", "full": "middle"}
EPOCHS_2020 = 10  # of the 2020 report's network: more than an hour
EPOCHS_PADDING = 2  # of it on slices and on padded events, for their comparison
MORE_SEEDS = (1, 2)  # added to the seed: two more runs of the same settings
SWEPT = ("latent", "window")  # in `make full`; `pixie train mmia --sweep` alone does the rest
SESSION = 14  # of that recording: in neither list of sessions that the run learns from or is calibrated on


@dataclass(frozen=True)
class Stage:
    """One command of the way, `words` after `pixie`; `resume` is added where it was begun before and can go on."""

    name: str
    words: tuple[str, ...]
    resume: tuple[str, ...] = ()


def stages(out: Path, scale: str, seed: int) -> list[Stage]:
    """The commands in their order; each reads what those before it left in `out`."""
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
        Stage("train", ("train", "mmia", "--out", f"{run}", "--config", scale, "--seed", f"{seed}"), resume=("--resume",)),
        Stage("export", ("export", f"{run}", "--out", f"{bundle}")),
        Stage("verify", ("verify", f"{bundle}")),
        Stage("flag", ("flag", f"{bundle}", f"{recording}", "--out", f"{out / 'catalogue.jsonl'}")),
        *more,
        Stage("bench", ("bench", *targets, "--out", f"{results}", *beside, *seeded)),
        Stage("report", ("report", f"{results}", "--out", f"{out / 'report.html'}")),
        Stage("simulate pixels", ("simulate", "minieuso", f"{night}", "--session", f"{SESSION}", "--frames", f"{NIGHT_FRAMES[scale]}",
                                  "--seed", f"{seed}")),
        Stage("train pixels", ("train", "minieuso", "--out", f"{pixel_run}", "--config", scale, "--seed", f"{seed}"), resume=("--resume",)),
        Stage("export pixels", ("export", f"{pixel_run}", "--out", f"{pixel_bundle}")),
        Stage("verify pixels", ("verify", f"{pixel_bundle}")),
        Stage("flag pixels", ("flag", f"{pixel_bundle}", f"{night}", "--out", f"{pixels / 'catalogue.jsonl'}")),
        Stage("study", ("study", "minieuso", "all", "--scale", STUDY_SCALE[scale], "--out", f"{study}", "--seed", f"{seed}")),
        Stage("bench pixels", ("bench", f"{pixel_run}", f"{pixel_bundle}", "--study", f"{study}", "--out", f"{pixels / 'results.json'}", *seeded)),
        Stage("report pixels", ("report", f"{pixels / 'results.json'}", "--out", f"{pixels / 'report.html'}")),
    ]


def _full_only(out: Path, seed: int) -> list[Stage]:
    """What else is trained at full scale: two more seeds, the 2020 report's network and its padded twin, a small sweep."""
    def training(name: str, folder: str, settings: str, epochs: int | None, own: int) -> Stage:
        words = ("train", "mmia", "--out", f"{out / folder}", "--config", settings, "--seed", f"{own}")
        return Stage(name, words if epochs is None else (*words, "--epochs", f"{epochs}"), resume=("--resume",))

    return [
        *(training(f"train seed {seed + one}", f"run-{seed + one}", "full", None, seed + one) for one in MORE_SEEDS),
        training("train 2020", "run2020", "cvae2020", EPOCHS_2020, seed),
        training("train 2020 on slices", "sliced2020", "cvae2020", EPOCHS_PADDING, seed),
        training("train 2020 on padded events", "padded2020", "padded2020", EPOCHS_PADDING, seed),
        Stage("sweep", ("train", "mmia", "--sweep", *SWEPT, "--out", f"{out / 'sweep'}", "--config", "sweep", "--seed", f"{seed}")),
    ]


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
    key = {"scale": arguments.scale, "seed": arguments.seed, "code": code_digest(ALL_ROOMS)}
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
        if finished.returncode != 0 and not (stage.name.startswith("bench") and finished.returncode == GATE_FELL_SHORT):
            kind = {PixieError.status: PixieError, MissingError.status: MissingError}.get(finished.returncode, InputError)
            raise kind(out, stage.name, f"ended with exit status {finished.returncode} (its reason stands above); "
                                        f"mend it and run the same command again, stages that are done are kept")
        state["seconds"][stage.name] = round(time.monotonic() - start, 1)
        write_file(out / STATE, json.dumps(state, indent=1))
    gates = [subprocess.run([*PIXIE, "gates", str(folder / "results.json")], capture_output=True, text=True, check=False)
             for folder in (out, out / "pixels")]
    seconds, status = state["seconds"], max(one.returncode for one in gates)
    spent = "stages, s: " + ", ".join(f"{name} {lasted:.0f}" for name, lasted in seconds.items())
    lines = [*(one.stdout.rstrip() + "\n" for one in gates), spent,
             f"left in {out}, and for the focal surface in {out / 'pixels'}: results.json, report.html (open it in a browser), bundle/, catalogue.jsonl"]
    return Outcome("\n".join(lines), {"out": str(out), "seconds": seconds, "gates_hold": status == 0}, status)


def _state(path: Path, key: dict[str, object]) -> dict:
    fresh: dict = {"key": key, "begun": [], "seconds": {}}
    if not path.exists():
        return fresh
    state = read_json(path)
    return state if state.get("key") == key else fresh


DEMO = Verb("demo", "Run the whole way of both instruments: simulate, train, export, verify, flag, study, bench, report.", "demo --out out/demo",
            add_arguments, run)
