"""`pixie train mmia`: simulate windows, train both networks, fix the thresholds on calibration scenes, seal the run."""

import argparse
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

from edge_runtime.cli import Outcome, Verb, progress
from edge_runtime.errors import InputError
from edge_runtime.files import write_file

from . import run_folder
from .checkpoint import read_checkpoint
from .configuration import Configuration, read_configuration

_PACKAGES = ("torch", "brevitas", "numpy", "pixie-onboard")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `pixie train`."""
    parser.add_argument("task", choices=(run_folder.TASK,), metavar="mmia", help="what is trained: mmia, the photometers of ASIM")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run, made here")
    parser.add_argument("--config", metavar="FILE.toml", help="settings; the words demo (default) and full name the two that come with Pixie")
    parser.add_argument("--seed", type=_natural, help="seed of scenes, weights and noise (default: that of the settings)")
    parser.add_argument("--epochs", type=_natural, help="float epochs before the quantised ones (default: that of the settings)")
    parser.add_argument("--resume", action="store_true", help="go on where RUN was interrupted; begins it where there is none")


def run(arguments: argparse.Namespace) -> Outcome:
    """Train; every refusal comes before torch is imported and before anything is written."""
    folder: Path = arguments.out
    configuration = _configuration(arguments)
    if (folder / "checksums.json").is_file():
        return _outcome(run_folder.read_run(folder))
    read_checkpoint(folder, configuration)  # at the door, before torch and the scenes
    from . import loop  # heavy: only now is torch needed
    from .simulated import simulated_windows

    seed, threads = configuration.seed, configuration.training.threads
    if not (folder / "history.json").is_file():
        windows = simulated_windows("train", configuration.data.train_scenes, seed, threads)
        loop.train(configuration, folder, loop.TrainingSet(windows.counts, windows.label))
        del windows
    progress("fixing thresholds on calibration scenes")
    calibration = _calibration(configuration, folder)
    write_file(folder / "calibration.json", json.dumps(calibration, indent=1, allow_nan=False) + "\n")
    run_folder.write_checksums(folder)
    return _outcome(run_folder.read_run(folder))


def _configuration(arguments: argparse.Namespace) -> Configuration:
    """Of the run's own folder where it goes on, else of the arguments, and then the folder is begun."""
    folder: Path = arguments.out
    told = any(value is not None for value in (arguments.config, arguments.seed, arguments.epochs))
    asked = read_configuration(_settings_file(arguments.config), arguments.seed, arguments.epochs)
    if not arguments.resume or not folder.exists():
        run_folder.start_run(folder, asked, _versions())
        return asked
    own, versions = run_folder.read_started(folder)
    if told and own != asked:
        raise InputError(folder / run_folder.MARKER, "configuration",
                         "differs from the settings given; leave out --config, --seed and --epochs, or name another folder")
    for name, trained in versions.items():
        if _versions().get(name) != trained:
            raise InputError(folder / run_folder.MARKER, f"versions.{name}",
                             f"is {trained}, here is {_versions().get(name)}: the weights would differ; train again")
    return own


def _settings_file(word: str | None) -> Path | None:
    if word in ("demo", "full") and not Path(word).exists():
        return Path(__file__).with_name("configurations") / f"{word}.toml"
    return None if word is None else Path(word)


def _calibration(configuration: Configuration, folder: Path) -> dict[str, Any]:
    """The document of calibration.json: thresholds, what they achieve there, and which scenes these are."""
    import numpy as np

    from . import evaluate
    from .simulated import simulated_windows

    quantised = run_folder.read_arrays(folder / "quantised.npz")
    unsealed = run_folder.Run(folder, configuration, {}, quantised, run_folder.read_arrays(folder / "float_twin.npz"), [], {})
    scenes = configuration.data.calibration_scenes
    windows = simulated_windows("calibration", scenes, configuration.seed, configuration.training.threads)
    said = evaluate.answers(unsealed, "quantised", windows.counts)
    try:
        found = evaluate.calibrate(said, windows, configuration.threshold, configuration.seed)
    except ValueError as error:
        raise InputError("configuration", "data.calibration_scenes", f"is {scenes}, too few ({error})") from error
    named = windows.label >= 0
    label, told = windows.label[named], said.told[named]
    achieved = found["achieved"] | {"macro_f1": evaluate.macro_f1(label, told), "recalls": evaluate.recalls(label, told),
                                    "kl_nats": float(np.mean(said.kl)), "likelihood_gain_nats": float(np.mean(said.likelihood_gain))}
    return {"schema_version": run_folder.SCHEMA_VERSION, "thresholds": found["thresholds"], "split": "calibration", "scenes": scenes,
            "seed": configuration.seed, "windows": len(windows.label), "logit_scale": evaluate.logit_scale(configuration, quantised),
            "achieved": achieved}


def _outcome(finished: run_folder.Run) -> Outcome:
    achieved, thresholds = finished.calibration["achieved"], finished.calibration["thresholds"]
    last = {row["phase"]: row for row in finished.history}
    seconds = sum(row["seconds"] for row in finished.history)
    lines = [f"{finished.folder}: trained in {seconds:.0f} s, {len(finished.history)} epochs, seed {finished.configuration.seed}"]
    lines += [f"  {phase:10}  cross entropy {row['cross_entropy']:.4f}  ELBO {row['elbo']:.0f} nats  KL {row['kl']:.1f} nats" for phase, row in last.items()]
    lines.append(f"  calibration scenes: threshold {thresholds['flag']}, recall of light {achieved['signal_recall']:.3f}, "
                 f"precision {achieved['signal_precision']:.3f}, macro F1 {achieved['macro_f1']:.3f}; "
                 f"{achieved['false_flags']} of {achieved['noise_windows']} windows without light flagged")
    return Outcome("\n".join(lines), {"run": str(finished.folder), "thresholds": thresholds, "achieved": achieved, "history": finished.history})


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


TRAIN = Verb("train", "Train the photometers' network, quantised and float, and fix its thresholds on calibration scenes.",
             "train mmia --out out/run --seed 1", add_arguments, run)
