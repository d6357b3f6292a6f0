"""The tuning that the 2020 report left undone: one setting changed at a time, each point a training run of its own under one folder."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_runtime.cli import progress
from edge_runtime.errors import InputError
from edge_runtime.files import read_json, write_file
from edge_runtime.preprocess import FRAME_SAMPLES, WINDOW_SAMPLES

from .configuration import OBSERVATION_MODELS, Configuration
from .instruments.mmia.configuration import DEFAULT
from .windows import WINDOWS_PER_SCENE

MARKER = "sweep.json"
SCHEMA_VERSION = 1
EVENT_SAMPLES = 9 * FRAME_SAMPLES  # the longest event: shorter ones are padded with zeros
FRAMES_OF_EVENT = sum(n * weight for n, weight in zip(DEFAULT.event_frames, DEFAULT.event_frames_weights, strict=True))  # on average
LATENTS, WIDTHS, BETAS, WARM_UPS, WINDOWS = (4, 8, 16, 32, 50), (0.5, 2.0), (0.25, 4.0), (0, 6), (520, 2080)
SUBJECTS = ("latent", "width", "beta", "warm-up", "window", "observation")


def points(base: Configuration, subjects: tuple[str, ...] = SUBJECTS) -> dict[str, Configuration]:
    """The runs of a sweep by name: `base` itself, and for each of `subjects` the settings of it that differ from those of `base`."""
    model, training, data = base.model, base.training, base.data
    found = {"base": base}

    def add(subject: str, value: object, **changed: Any) -> None:
        if subject in subjects and (point := replace(base, **changed)) != base:
            found[f"{subject}-{value}"] = point

    for latent in LATENTS:
        add("latent", latent, model=replace(model, latent=latent))
    for factor in WIDTHS:
        channels, decoder = ([max(1, round(factor * width)) for width in widths] for widths in (model.channels, model.decoder_channels))
        add("width", factor, model=replace(model, channels=tuple(channels), decoder_channels=tuple(decoder)))
    for beta in BETAS:
        add("beta", beta, training=replace(training, beta=beta))
    for epochs in WARM_UPS:
        add("warm-up", epochs, training=replace(training, warm_up_epochs=epochs))
    for samples in WINDOWS:
        # As many samples to learn from as the base has; a window can be halved only so often.
        scenes = max(1, data.train_scenes * WINDOW_SAMPLES // samples)
        halvings = (samples & -samples).bit_length() - 1
        add("window", samples, model=replace(model, samples=samples, decoder_channels=model.decoder_channels[-halvings:]),
            data=replace(data, train_scenes=scenes))
    add("window", "event", **_of_events(base))
    for observation in OBSERVATION_MODELS:
        add("observation", observation, model=replace(model, observation=observation))
    return found


def _of_events(base: Configuration) -> dict[str, Any]:
    """Whole events padded with zeros: more layers of stride 4 and more doublings, so that the innermost map is no longer than twice that of a window."""
    model, data = base.model, base.data
    longer = EVENT_SAMPLES / model.samples
    more = max(0, round(math.log(longer, 4)))
    channels, kernels = ((*sizes, *(sizes[-1],) * more) for sizes in (model.channels, model.kernels))
    strides = (*model.strides, *(4,) * more)
    decoder = (*(model.decoder_channels[0] for _ in range(7 - len(model.decoder_channels))), *model.decoder_channels)
    scenes = max(48, round(data.train_scenes * WINDOWS_PER_SCENE * WINDOW_SAMPLES / (FRAMES_OF_EVENT * FRAME_SAMPLES)))
    return {"model": replace(model, samples=EVENT_SAMPLES, channels=channels, kernels=kernels, strides=strides, decoder_channels=decoder),
            "training": replace(base.training, batch=max(1, base.training.batch // 16)),
            "data": replace(data, train_scenes=scenes, calibration_scenes=min(data.calibration_scenes, 600))}


def begin(folder: Path, base: Configuration, subjects: tuple[str, ...]) -> dict[str, Configuration]:
    """The points of the sweep in `folder`, which is made, or goes on where it was cut off; InputError where another sweep lies there."""
    found = points(base, subjects)
    document = {"schema_version": SCHEMA_VERSION, "base": base.to_document(), "points": list(found)}
    marker = folder / MARKER
    if marker.is_file():
        if read_json(marker) != document:
            raise InputError(marker, "points", "is another sweep, or of other settings; name another folder with --out")
        progress(f"{folder}: goes on with a sweep of {len(found)} points")
    elif folder.exists() and any(folder.iterdir()):
        raise InputError(folder, "--out", "exists and is no sweep; name a new folder")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        write_file(marker, json.dumps(document, indent=1) + "\n")
    return found


def read_points(folder: Path) -> dict[str, Path]:
    """Folders of a sweep's runs by the name of the point, in their order; InputError where the sweep is not there or not finished."""
    marker = folder / MARKER
    document: Any = read_json(marker)
    names = document.get("points") if isinstance(document, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) and name == Path(name).name for name in names) or "base" not in names:
        raise InputError(marker, "points", "is missing or no list of names; train the sweep again")
    for name in names:
        if not (folder / name / "checksums.json").is_file():
            raise InputError(folder / name, "run", "is not finished; give the same `pixie train --sweep` again to go on")
    return {name: folder / name for name in names}
