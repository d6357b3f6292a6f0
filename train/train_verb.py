"""`pixie train`: simulate windows, train both networks, fix the thresholds on calibration scenes, seal the run."""

import argparse
import json
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from edge_runtime.cli import PIXIE, Outcome, Verb, progress
from edge_runtime.errors import InputError
from edge_runtime.files import write_file

from . import run_folder, sweep
from .checkpoint import read_checkpoint
from .configuration import TASKS, AnyConfiguration, Configuration, PixelConfiguration, read_configuration, settings_file, settings_words, task_of
from .configuration2020 import Configuration2020
from .sweep import SUBJECTS

_PACKAGES = ("torch", "brevitas", "numpy", "pixie-onboard")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `pixie train`."""
    parser.add_argument("task", choices=TASKS, metavar="|".join(TASKS),
                        help="what is trained: mmia, the photometers of ASIM; minieuso, the pixels of Mini-EUSO")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run, made here")
    parser.add_argument("--config", metavar="FILE.toml", help="settings; the words demo (default), full and, for mmia, sweep, "
                        "cvae2020 and padded2020 (the 2020 report's network, on slices and on padded events) name those that come with Pixie")
    parser.add_argument("--seed", type=_natural, help="seed of scenes, weights and noise (default: that of the settings)")
    parser.add_argument("--epochs", type=_natural, help="float epochs before the quantised ones (default: that of the settings)")
    parser.add_argument("--threads", type=_natural, help="cores to train on (default: that of the settings); two runs beside each other take one each")
    parser.add_argument("--sweep", nargs="*", choices=SUBJECTS, metavar="SUBJECT", help="train one run for each value of these settings instead, the "
                        f"others as they are: {', '.join(SUBJECTS)} (default: all); RUN becomes a folder of runs, and the same command goes on with it")
    parser.add_argument("--resume", action="store_true", help="go on where RUN was interrupted; begins it where there is none")


def run(arguments: argparse.Namespace) -> Outcome:
    """Train; every refusal comes before torch is imported and before anything is written."""
    if arguments.sweep is not None:
        return _sweep(arguments)
    folder: Path = arguments.out
    configuration = _configuration(arguments)
    if not (folder / "checksums.json").is_file():
        _train(configuration, folder)
    return _outcome(folder, configuration)


def _train(configuration: AnyConfiguration, folder: Path) -> None:
    """Train the run that was begun in `folder`, or go on with it, and seal it."""
    read_checkpoint(folder, configuration)  # at the door, before torch and the scenes
    from . import loop  # heavy: only now is torch needed

    subject = _subject(configuration)
    if not (folder / "history.json").is_file():
        loop.train(configuration, folder, subject.training_set(configuration))
    progress("fixing thresholds on calibration scenes")
    calibration = subject.calibration(configuration, folder)
    write_file(folder / "calibration.json", json.dumps(calibration, indent=1, allow_nan=False) + "\n")
    run_folder.write_checksums(folder)


def _sweep(arguments: argparse.Namespace) -> Outcome:
    """Train every point of a sweep that is not finished, and let `pixie bench` make the table."""
    folder: Path = arguments.out
    base = _asked(arguments)
    if not isinstance(base, Configuration):
        raise InputError("command line", "--sweep", "varies the photometers' autoencoder; name mmia and settings of it")
    points = sweep.begin(folder, base, tuple(arguments.sweep) or SUBJECTS)
    for place, (name, configuration) in enumerate(points.items(), start=1):
        run_of_point = folder / name
        progress(f"[{place}/{len(points)}] {name}")
        if not run_of_point.exists():
            run_folder.start_run(run_of_point, configuration, _versions())
        if not (run_of_point / "checksums.json").is_file():
            _train(configuration, run_of_point)
    results = folder / "results.json"
    finished = subprocess.run([*PIXIE, "bench", str(folder), "--out", str(results)], stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode:
        raise InputError(folder, "table", f"`pixie bench {folder} --out {results}` ended with exit status {finished.returncode} (its reason stands above)")
    return Outcome(finished.stdout.rstrip(), {"sweep": str(folder), "points": list(points), "results": str(results)})


def _subject(configuration: AnyConfiguration) -> Any:
    """The module with `training_set`, `calibration` and `told` of a task."""
    if isinstance(configuration, PixelConfiguration):
        from .pixels import calibration as pixels

        return pixels
    if isinstance(configuration, Configuration2020):
        from . import report2020

        return report2020
    from . import calibration as photometers

    return photometers


def _configuration(arguments: argparse.Namespace) -> AnyConfiguration:
    """Of the run's own folder where it goes on, else of the arguments, and then the folder is begun."""
    folder: Path = arguments.out
    told = any(value is not None for value in (arguments.config, arguments.seed, arguments.epochs, arguments.threads))
    asked = _asked(arguments)
    if not arguments.resume or not folder.exists():
        run_folder.start_run(folder, asked, _versions())
        return asked
    own, versions = run_folder.read_started(folder)
    if task_of(own) != arguments.task:
        raise InputError(folder / run_folder.MARKER, "task", f"is {task_of(own)!r}, not {arguments.task!r}; name another folder")
    if told and own != asked:
        raise InputError(folder / run_folder.MARKER, "configuration",
                         "differs from the settings given; leave out --config, --seed, --epochs and --threads, or name another folder")
    for name, trained in versions.items():
        if _versions().get(name) != trained:
            raise InputError(folder / run_folder.MARKER, f"versions.{name}",
                             f"is {trained}, here is {_versions().get(name)}: the weights would differ; train again")
    return own


def _asked(arguments: argparse.Namespace) -> AnyConfiguration:
    """The settings that the command line names, with what it says itself."""
    file = _settings_file(arguments.config, arguments.task)
    asked: AnyConfiguration = read_configuration(file, arguments.seed, arguments.epochs, arguments.threads, arguments.task)
    return asked


def _settings_file(word: str | None, task: str) -> Path | None:
    if word is not None and word in settings_words(task) and not Path(word).exists():
        return settings_file(task, word)
    return None if word is None else Path(word)


def _outcome(folder: Path, configuration: AnyConfiguration) -> Outcome:
    finished = run_folder.read_run2020(folder) if isinstance(configuration, Configuration2020) else run_folder.read_run(folder)
    last = {row["phase"]: row for row in finished.history}
    seconds = sum(row["seconds"] for row in finished.history)
    lines = [f"{finished.folder}: trained in {seconds:.0f} s, {len(finished.history)} epochs, seed {finished.configuration.seed}"]
    lines += [f"  {phase:10}  " + "  ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in row.items()
                                            if name in ("loss", "cross_entropy", "elbo", "kl", "accuracy")) for phase, row in last.items()]
    lines.append(f"  {_subject(finished.configuration).told(finished.calibration)}")
    return Outcome("\n".join(lines), {"run": str(finished.folder), "thresholds": finished.calibration["thresholds"],
                                      "achieved": finished.calibration["achieved"], "history": finished.history})


def _versions() -> dict[str, str]:
    found = {"python": python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a checkout that was never installed
            continue
    return found


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"is {value}, must be 0 or more")
    return value


TRAIN = Verb("train", "Train the network of an instrument, quantised and float, and fix its thresholds on calibration scenes.",
             "train mmia --out out/run --seed 1", add_arguments, run)
