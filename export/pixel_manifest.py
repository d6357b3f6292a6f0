"""What a focal surface's manifest holds beyond every manifest's: codes of counts, threshold of a pixel, rules of tracks; and its golden inputs."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import InputError
from edge_runtime.frames import FRAME_GTU, PIXELS
from edge_runtime.graph.structure import Graph
from edge_runtime.pixels import FOCAL_PIXELS, WINDOW_FRAMES, PixelCodes, stretch_codes
from edge_runtime.tracking import TrackRules

if TYPE_CHECKING:
    from train.run_folder import Run

PREPROCESSING = "z = (n - b) / sqrt(b), b the level that follows; 2 sign(z) (sqrt(1 + |z|) - 1) / scale, rounded half to even: edge_runtime/pixels.py"
_SESSION, _FRAMES = 12, 128  # of the golden scene


def fields_of_run(run: "Run", graph: Graph) -> dict[str, object]:
    """The fields of a run whose network is `graph`; InputError where its thresholds were fixed for other logits."""
    flag, rules, magnitude_zero, calibration = thresholds_of(run)
    logit_scale = float(graph.tensors["logit"].scale[0])
    if calibration.get("logit_scale") != logit_scale:
        raise InputError(run.folder / "calibration.json", "logit_scale", f"is {calibration.get('logit_scale')}, the network's is {logit_scale}: "
                         "the thresholds were fixed for other logits; train again")
    return pixel_fields(PixelCodes(), flag, rules, magnitude_zero, calibration)


def thresholds_of(run: "Run") -> tuple[int, TrackRules, float, dict[str, object]]:
    """Threshold of a pixel, rules of tracks and magnitude zero of a run's calibration.json, and where they come from. InputError where they are not
    to be had."""
    path, found = run.folder / "calibration.json", run.calibration
    thresholds, tracks = found.get("thresholds"), found.get("tracks")
    if not isinstance(thresholds, dict) or type(thresholds.get("flag")) is not int or not isinstance(tracks, dict) \
            or type(tracks.get("magnitude_zero")) is not float:
        raise InputError(path, "thresholds", "or tracks are missing or of another kind; train again")
    try:
        rules = TrackRules.from_document(tracks)
    except ValueError as error:
        field, _, reason = str(error).partition(": ")
        raise InputError(path, f"tracks.{field}", f"{reason}; train again") from error
    calibration = {name: value for name, value in found.items() if name not in ("thresholds", "tracks")}
    calibration["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return thresholds["flag"], rules, tracks["magnitude_zero"], calibration


def pixel_fields(codes: PixelCodes, flag: int, rules: TrackRules, magnitude_zero: float, calibration: dict[str, object]) -> dict[str, object]:
    """The fields as the manifest holds them."""
    preprocessing = {"definition": PREPROCESSING, "pixels": [PIXELS, PIXELS], "frame_gtu": FRAME_GTU, "window_frames": WINDOW_FRAMES, **codes.to_document()}
    return {"task": "minieuso", "preprocessing": preprocessing, "thresholds": {"flag": flag, "calibration": calibration},
            "tracks": {**rules.to_document(), "magnitude_zero": magnitude_zero}}


def golden_inputs(seed: int) -> npt.NDArray[np.int8]:
    """Two inputs int8 [2, 1, 2304, 48]: every pixel of a simulated scene in its last frame, and the extremes."""
    from train.instruments.minieuso.scene import Scene
    from train.pixels.windows import stretch_of

    codes, _ = stretch_codes(PixelCodes(), stretch_of(Scene(_SESSION, _FRAMES, seed)))
    return np.stack([codes[-WINDOW_FRAMES:].T[None], extreme_inputs(seed)[0]])


def extreme_inputs(seed: int) -> npt.NDArray[np.int8]:
    """One input int8 [1, 1, 2304, 48] at the ends of what codes can be: some pixels all darkest, all brightest, alternating, a ramp, the rest noise."""
    codes = np.random.default_rng(seed).integers(-128, 128, (FOCAL_PIXELS, WINDOW_FRAMES)).astype(np.int8)
    frame = np.arange(WINDOW_FRAMES)
    codes[:4] = np.stack([np.full(WINDOW_FRAMES, -128), np.full(WINDOW_FRAMES, 127), np.where(frame % 2, 127, -128), frame * 5 - 128])
    return codes[None, None]
