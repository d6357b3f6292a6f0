"""Thresholds of a photometers' run, from calibration scenes that training never saw."""

from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import InputError

from . import evaluate, run_folder
from .configuration import Configuration
from .photometers import PhotometerSet
from .simulated import simulated_windows


def training_set(configuration: Configuration) -> PhotometerSet:
    """Simulated windows to learn from."""
    windows = simulated_windows("train", configuration.data.train_scenes, configuration.seed, configuration.training.threads,
                                configuration.model.samples)
    return PhotometerSet(windows.counts, windows.label)


def calibration(configuration: Configuration, folder: Path) -> dict[str, Any]:
    """The document of calibration.json: thresholds, what they achieve there, and which scenes these are."""
    quantised = run_folder.read_arrays(folder / "quantised.npz")
    unsealed = run_folder.Run(folder, configuration, {}, quantised, run_folder.read_arrays(folder / "float_twin.npz"), [], {})
    scenes = configuration.data.calibration_scenes
    windows = simulated_windows("calibration", scenes, configuration.seed, configuration.training.threads,
                                configuration.model.samples)
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


def told(calibration: dict[str, Any]) -> str:
    """What the calibration achieved, in a line."""
    achieved, thresholds = calibration["achieved"], calibration["thresholds"]
    return (f"calibration scenes: threshold {thresholds['flag']}, recall of light {achieved['signal_recall']:.3f}, "
            f"precision {achieved['signal_precision']:.3f}, macro F1 {achieved['macro_f1']:.3f}; "
            f"{achieved['false_flags']} of {achieved['noise_windows']} windows without light flagged")
