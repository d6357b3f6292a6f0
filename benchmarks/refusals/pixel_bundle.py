"""Bundles of the focal surface that must be refused. The files of the two networks are read as the photometers' are and not tried again."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle import MANIFEST
from edge_runtime.pixels import FOCAL_PIXELS, WINDOW_FRAMES
from edge_runtime.tracking import TrackRules

from .bundle_files import ANY_MANIFEST, ARRAY_DAMAGES, GRAPH_DAMAGES, PLAIN, change_arrays, drop_field, file_case, file_kind, no_vectors, set_field
from .damage import Case, FileDamage, Kind, undamaged

RECORDING = "frames.npz"


def _beyond_floats(*keys: str) -> FileDamage:
    """1e999, which JSON allows and Python reads as infinity."""
    def damage(path: Path, random: np.random.Generator) -> None:
        set_field(*keys, value=-98765)(path, random)
        path.write_text(path.read_text().replace("-98765", "1e999"))
    return damage


def _nan(*keys: str) -> FileDamage:
    """NaN, which JSON does not know and Python writes."""
    def damage(path: Path, random: np.random.Generator) -> None:
        document: Any = json.loads(path.read_text())
        document[keys[0]][keys[1]] = float("nan")
        path.write_text(json.dumps(document))
    return damage


# By case: the field that the refusal must name, and the damage. What is not said to be missing is of another value.
_MANIFEST: dict[str, tuple[str, FileDamage]] = {
    "task unknown": ("task", set_field("task", value="euso-spb2")),
    "the other task": ("preprocessing.channels", set_field("task", value="mmia")),
    "a pixel missing": ("inputs", set_field("inputs", 0, "shape", value=[1, 1, FOCAL_PIXELS - 1, WINDOW_FRAMES])),
    "channels first": ("inputs", set_field("inputs", 0, "shape", value=[1, WINDOW_FRAMES, 1, FOCAL_PIXELS])),
    "input scale not that of the codes": ("inputs[0].scale", set_field("inputs", 0, "scale", value=0.5)),
    "input zero point not that of the codes": ("inputs[0].zero_point", set_field("inputs", 0, "zero_point", value=1)),
    "output under another name": ("outputs", set_field("outputs", 0, "name", value="logits")),
    "one logit for all pixels": ("outputs", set_field("outputs", 0, "shape", value=[1, 1])),
    "windows of 47 frames": ("preprocessing.window_frames", set_field("preprocessing", "window_frames", value=WINDOW_FRAMES - 1)),
    "frames of 128 GTU": ("preprocessing.frame_gtu", set_field("preprocessing", "frame_gtu", value=128)),
    "8 x 8 pixels": ("preprocessing.pixels", set_field("preprocessing", "pixels", value=[8, 8])),
    "scale no power of two": ("preprocessing.scale", set_field("preprocessing", "scale", value=0.3)),
    "scale 0": ("preprocessing.scale", set_field("preprocessing", "scale", value=0.0)),
    "scale 1e999": ("preprocessing.scale", _beyond_floats("preprocessing", "scale")),
    "memory 0": ("preprocessing.memory", set_field("preprocessing", "memory", value=0)),
    "memory float": ("preprocessing.memory", set_field("preprocessing", "memory", value=32.0)),
    "limit missing": ("preprocessing.limit", drop_field("preprocessing", "limit")),
    "flag above int8": ("thresholds.flag", set_field("thresholds", "flag", value=128)),
    "flag far below": ("thresholds.flag", set_field("thresholds", "flag", value=-130)),
    "flag float": ("thresholds.flag", set_field("thresholds", "flag", value=12.5)),
    "flag missing": ("thresholds.flag", drop_field("thresholds", "flag")),
    "calibration missing": ("thresholds.calibration", drop_field("thresholds", "calibration")),
    "tracks missing": ("tracks", drop_field("tracks")),
    "tracks that are a list": ("tracks", set_field("tracks", value=[1, 2])),
    **{f"tracks.{rule.name} missing": (f"tracks.{rule.name}", drop_field("tracks", rule.name)) for rule in fields(TrackRules)},
    **{f"tracks.{rule.name} 2^31": (f"tracks.{rule.name}", set_field("tracks", rule.name, value=1 << 31)) for rule in fields(TrackRules)},
    "fastest below slowest": ("tracks.fastest", set_field("tracks", "fastest", value=0.01)),
    "more pixels at least than at most": ("tracks.maximum_pixels", set_field("tracks", "maximum_pixels", value=2)),
    "slowest NaN": ("JSON", _nan("tracks", "slowest")),
    "magnitude_zero NaN": ("JSON", _nan("tracks", "magnitude_zero")),
    "magnitude_zero 1e999": ("tracks.magnitude_zero", _beyond_floats("tracks", "magnitude_zero")),
    "magnitude_zero an integer": ("tracks.magnitude_zero", set_field("tracks", "magnitude_zero", value=1)),
    "magnitude_zero missing": ("tracks.magnitude_zero", drop_field("tracks", "magnitude_zero")),
}


def _pixel_missing(arrays: dict[str, NDArray], name: str) -> None:
    arrays["inputs"] = arrays["inputs"][:, :, 1:]


def _frame_missing(arrays: dict[str, NDArray], name: str) -> None:
    arrays["inputs"] = arrays["inputs"][..., 1:]


def _vector_missing(arrays: dict[str, NDArray], name: str) -> None:
    arrays["logit"] = arrays["logit"][1:]


def _manifest_cases() -> tuple[Case, ...]:
    general = [(name, MANIFEST, damage) for name, damage in {**PLAIN, **ANY_MANIFEST}.items()]
    own = [(name, f"{MANIFEST}: {field}: ", damage) for name, (field, damage) in _MANIFEST.items()]
    return tuple(file_case(MANIFEST, name, damage, place, names=names, recording=RECORDING) for place, (name, names, damage) in enumerate(general + own))


_GOLDEN: dict[str, FileDamage] = {**ARRAY_DAMAGES, "a pixel missing": change_arrays(_pixel_missing), "a frame missing": change_arrays(_frame_missing),
                                  "logits of fewer vectors": change_arrays(_vector_missing), "no vectors": change_arrays(no_vectors)}
PIXEL_BUNDLE = (
    Kind(MANIFEST, _manifest_cases(), file_case(MANIFEST, "undamaged", undamaged, 1, recording=RECORDING)),
    file_kind("graph.json", GRAPH_DAMAGES, recording=RECORDING),
    file_kind("graph.npz", ARRAY_DAMAGES, names="graph.", recording=RECORDING),  # graph.json says what must be there: either may be named
    file_kind("golden.npz", _GOLDEN, recording=RECORDING),
)
