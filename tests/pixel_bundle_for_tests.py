"""A small bundle of the focal surface made by hand, for tests that need one and no training: a pixel bright for the five middle frames is flagged."""

from pathlib import Path

import numpy as np

from edge_runtime.bundle import FLOWN
from edge_runtime.frames import PIXELS
from edge_runtime.graph import Graph, Operator, Tensor
from edge_runtime.pixel_stream import MIDDLE
from edge_runtime.pixels import FOCAL_PIXELS, WINDOW_FRAMES, PixelCodes
from edge_runtime.tracking import TrackRules
from export.pixel_manifest import extreme_inputs, pixel_fields
from export.write_bundle import write_manifest, write_network

FLAG = 12  # of the logit's code, whose noise is about 2
RULES = TrackRules(threshold=60)
MAGNITUDE_ZERO = 1.5
SUMMED = 5  # frames in the middle of a window
LEVEL = 10_650  # counts per frame of a quiet pixel: 0.65 per GTU


def make_graph() -> Graph:
    """One 1x1 convolution that sums the middle codes: int8 [1, 1, 2304, 48] to int8 [1, 1, 2304, 1]."""
    weights = np.zeros((1, 1, 1, WINDOW_FRAMES), np.int8)
    weights[..., MIDDLE - SUMMED // 2:MIDDLE + SUMMED // 2 + 1] = 4
    scale = PixelCodes().scale

    def tensor(name: str, shape: tuple[int, ...], scale: float, codes: np.ndarray | None = None) -> Tensor:
        return Tensor(name, shape, "int8" if codes is None else codes.dtype.name, np.array([scale], np.float32), 0, None, codes)

    tensors = (tensor("codes", (1, 1, FOCAL_PIXELS, WINDOW_FRAMES), scale), tensor("weights", weights.shape, 1 / 4, weights),
               tensor("bias", (1,), scale / 4, np.zeros(1, np.int32)), tensor("logit", (1, 1, FOCAL_PIXELS, 1), 1.0))
    operator = Operator("conv_2d", ("codes", "weights", "bias"), ("logit",),
                        {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0), "groups": 1, "clamp": (-128, 127)})
    return Graph({one.name: one for one in tensors}, (operator,), ("codes",), ("logit",))


def make_bundle(folder: Path, flag: int = FLAG, rules: TrackRules = RULES) -> Path:
    """Write the bundle of `make_graph` to `folder`, which is made; its model.onnx is a stand-in that no engine loads."""
    folder.mkdir(parents=True)
    graph = make_graph()
    write_network(graph, folder)
    (folder / "model.onnx").write_bytes(b"a stand-in")
    quiet = np.rint(3 * np.random.default_rng(2).standard_normal((1, 1, FOCAL_PIXELS, WINDOW_FRAMES))).astype(np.int8)
    calibration: dict[str, object] = {"nights": 0.0, "seed": 0}
    write_manifest(folder, graph, pixel_fields(PixelCodes(), flag, rules, MAGNITUDE_ZERO, calibration), np.concatenate([quiet, extreme_inputs(1)]),
                   {"numpy": np.__version__}, 7)
    assert all((folder / name).is_file() for name in FLOWN)
    return folder


def scene(frames: int, seed: int = 0, meteors: tuple[tuple[int, int, int], ...] = ()) -> np.ndarray:
    """Quiet sums uint32 [frames, 48, 48] with meteors that enter at (frame, row, column) and move along +row by 0.4 pixels per frame for 20 frames."""
    sums = np.random.default_rng(seed).poisson(LEVEL, (frames, PIXELS, PIXELS)).astype(np.uint32)
    for first, row, column in meteors:
        for k in range(20):
            sums[first + k, row + int(0.4 * k), column] += np.uint32(4000)
    return sums
