"""What a photometers' manifest holds beyond every manifest's: tables, classes, score, thresholds; and its golden inputs."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import InputError
from edge_runtime.flagging import CLASSES, SCORE_DEFINITION, Thresholds, score_table
from edge_runtime.graph.structure import Graph
from edge_runtime.preprocess import CHANNELS, FRAME_SAMPLES, SAMPLE_TIME, WINDOW_SAMPLES, CountTables, anscombe_tables

if TYPE_CHECKING:
    from train.run_folder import Run

GOLDEN_SCENES = 16  # one cycle of the scenes' kinds, one window of each
PREPROCESSING = "2 sqrt(n + 3/8) - 2 sqrt(3/8) (Anscombe 1948), in codes by table; counts above the last entry take its code"


def fields_of_run(run: "Run", graph: Graph) -> dict[str, object]:
    """The fields of a run whose encoder is `graph`; InputError where its thresholds were fixed for other logits."""
    thresholds, calibration = thresholds_of(run)
    logit_scale = float(graph.tensors["logits"].scale[0])
    if calibration.get("logit_scale") != logit_scale:
        raise InputError(run.folder / "calibration.json", "logit_scale", f"is {calibration.get('logit_scale')}, the network's is {logit_scale}: "
                         "the thresholds were fixed for other logits; train again")
    return photometer_fields(graph, anscombe_tables(), thresholds, calibration)


def photometer_fields(graph: Graph, tables: CountTables, thresholds: Thresholds, calibration: Mapping[str, object]) -> dict[str, object]:
    """The fields as the manifest holds them."""
    preprocessing = {"definition": PREPROCESSING, "channels": list(CHANNELS), "sample_time": SAMPLE_TIME, "window_samples": WINDOW_SAMPLES,
                     "frame_samples": FRAME_SAMPLES, **tables.to_document()}
    score = score_table(float(graph.tensors["logits"].scale[0]))
    return {"task": "mmia", "preprocessing": preprocessing, "classes": list(CLASSES), "score": {"definition": SCORE_DEFINITION, **score.to_document()},
            "thresholds": {**thresholds.to_document(), "calibration": dict(calibration)}}


def golden_inputs(seed: int) -> npt.NDArray[np.int8]:
    """Inputs int8 [k, 1, 1040, 3] of the golden vectors: windows of held-out scenes, then codes that no scene gives.

    The extremes are all darkest, all brightest, alternating, a ramp up, a ramp down, and noise over all codes: they drive the accumulators
    further than light does.
    """
    from train.windows import window_set

    windows = window_set("test", GOLDEN_SCENES, seed)
    first = np.unique(windows.scene, return_index=True)[1]
    scenes = np.ascontiguousarray(anscombe_tables().quantise(windows.counts[first]).transpose(0, 2, 1))[:, None]  # [k, 1, 1040, 3]
    return np.concatenate([scenes, extreme_inputs(seed)])


def extreme_inputs(seed: int) -> npt.NDArray[np.int8]:
    """Six inputs int8 [6, 1, 1040, 3] at the ends of what codes can be."""
    shape = (1, WINDOW_SAMPLES, len(CHANNELS))
    ramp = np.broadcast_to((np.arange(WINDOW_SAMPLES) % 256 - 128)[None, :, None], shape)
    alternating = np.broadcast_to(np.where(np.arange(WINDOW_SAMPLES) % 2, 127, -128)[None, :, None], shape)
    noise = np.random.default_rng(seed).integers(-128, 128, shape)
    extremes = np.stack([np.full(shape, -128), np.full(shape, 127), alternating, ramp, ramp[:, ::-1], noise])
    codes: npt.NDArray[np.int8] = extremes.astype(np.int8)
    return codes


def thresholds_of(run: "Run") -> tuple[Thresholds, dict[str, object]]:
    """Thresholds of a run's calibration.json, and all else that stands there: where they come from.

    InputError where they are not to be had, and for a run of windows that do not fly.
    """
    if run.configuration.model.samples != WINDOW_SAMPLES:
        raise InputError(run.folder / "configuration.json", "model.samples", f"is {run.configuration.model.samples}; only windows of {WINDOW_SAMPLES} "
                         "samples fly; export another run")
    path = run.folder / "calibration.json"
    found = run.calibration.get("thresholds")
    if not isinstance(found, dict):
        raise InputError(path, "thresholds", "is missing or no object; train again")
    try:
        thresholds = Thresholds.from_document(found)
    except ValueError as error:
        field, _, reason = str(error).partition(": ")
        raise InputError(path, f"thresholds.{field}", f"{reason}; train again") from error
    digest = hashlib.sha256((run.folder / "calibration.json").read_bytes()).hexdigest()
    return thresholds, {**{name: value for name, value in run.calibration.items() if name != "thresholds"}, "sha256": digest}
