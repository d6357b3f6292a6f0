"""A small bundle made by hand, for tests that need one and no training: bright windows are light, uv alone is "uv", the rest is quiet."""

from pathlib import Path

import numpy as np

from edge_runtime.bundle import FLOWN
from edge_runtime.flagging import CLASSES, Thresholds
from edge_runtime.graph import Graph, Operator, Tensor
from edge_runtime.preprocess import WINDOW_SAMPLES, anscombe_tables
from export.photometer_manifest import extreme_inputs, photometer_fields
from export.write_bundle import write_manifest, write_network

THRESHOLDS = Thresholds(flag=0, hits=-600, minimum_duration=1, refractory=WINDOW_SAMPLES)
KERNEL = 16  # samples that one convolution output sums: a boxcar


def make_graph(latent: int = 16) -> Graph:
    """Boxcar sums of 337 + 777, of uv, and of 337 - 777; the greatest of each; then two dense layers: int8 [1, latent] and [1, 5]."""
    tables = anscombe_tables()
    s_x = np.float32(tables.scale)
    tensors: dict[str, Tensor] = {}

    def add(name, shape, scale, zero_point=0, codes=None):
        dtype = "int8" if codes is None else codes.dtype.name
        tensors[name] = Tensor(name, shape, dtype, np.array([scale], np.float32), zero_point, None, codes)
        return np.float32(scale)

    add("counts", (1, 1, WINDOW_SAMPLES, 3), s_x, tables.zero_point)
    boxcar = np.zeros((4, 1, KERNEL, 3), np.int8)
    boxcar[0, ..., 0] = boxcar[0, ..., 2] = 4
    boxcar[1, ..., 1] = 8
    boxcar[2, ..., 0], boxcar[2, ..., 2] = 8, -8
    boxcar[3, 0, 0, :] = 100  # one sample alone
    s_w = add("boxcar.weights", boxcar.shape, np.float32(1 / 127), codes=boxcar)
    add("boxcar.bias", (4,), s_x * s_w, codes=np.zeros(4, np.int32))
    s_b = add("sums", (1, 1, WINDOW_SAMPLES // KERNEL, 4), s_x * s_w * np.float32(70), -128)
    add("greatest", (1, 1, 1, 4), s_b, -128)
    add("features", (1, 4), s_b, -128)
    rng = np.random.default_rng(5)
    s_v = np.float32(1 / 100)
    mean = rng.integers(-100, 101, (latent, 4)).astype(np.int8)
    # rows: quiet, hits, lightning, blue, uv; columns: 337 + 777, uv, 337 - 777, single samples
    head = np.array([[-100, -60, 0, -40], [-100, -20, 0, 80], [100, 0, -40, 0], [40, 0, 100, -40], [-30, 100, 0, 0]], np.int8)
    head_bias = np.array([11000, -2500, -2500, -1500, -3000], np.int32)
    for name, weights, bias, divisor in (("posterior_mean", mean, np.zeros(latent, np.int32), 300), ("logits", head, head_bias, 120)):
        add(f"{name}.weights", weights.shape, s_v, codes=weights)
        add(f"{name}.bias", bias.shape, s_b * s_v, codes=bias)
        add(name, (1, len(bias)), s_b * s_v * np.float32(divisor), 3)
    whole = (-128, 127)
    operators = (
        Operator("conv_2d", ("counts", "boxcar.weights", "boxcar.bias"), ("sums",),
                 {"stride": (1, KERNEL), "dilation": (1, 1), "padding": (0, 0, 0, 0), "groups": 1, "clamp": whole}),
        Operator("max_pool_2d", ("sums",), ("greatest",),
                 {"kernel": (1, WINDOW_SAMPLES // KERNEL), "stride": (1, 1), "padding": (0, 0, 0, 0)}),
        Operator("reshape", ("greatest",), ("features",), {}),
        Operator("fully_connected", ("features", "posterior_mean.weights", "posterior_mean.bias"), ("posterior_mean",), {"clamp": whole}),
        Operator("fully_connected", ("features", "logits.weights", "logits.bias"), ("logits",), {"clamp": whole}),
    )
    assert len(head) == len(CLASSES)
    return Graph(tensors, operators, ("counts",), ("posterior_mean", "logits"))


def make_bundle(folder: Path, thresholds: Thresholds = THRESHOLDS) -> Path:
    """Write the bundle of `make_graph` to `folder`, which is made; its model.onnx is a stand-in that no engine loads."""
    folder.mkdir(parents=True)
    graph = make_graph()
    write_network(graph, folder)
    (folder / "model.onnx").write_bytes(b"a stand-in")
    quiet = np.random.default_rng(2).poisson((0.4, 2.0, 0.4), (6, WINDOW_SAMPLES, 3)).astype(np.uint16).transpose(0, 2, 1)
    scenes = anscombe_tables().quantise(quiet).transpose(0, 2, 1)[:, None]
    golden = np.concatenate([scenes, extreme_inputs(1)])
    fields = photometer_fields(graph, anscombe_tables(), thresholds, {"scenes": 0, "seed": 0})
    write_manifest(folder, graph, fields, golden, {"numpy": np.__version__}, 7)
    assert all((folder / name).is_file() for name in FLOWN)
    return folder


def scene(samples: int, seed: int = 0, pulses: tuple[tuple[int, int], ...] = ()) -> np.ndarray:
    """Quiet counts uint16 [3, samples] with pulses of light at (sample, peak counts), 100 samples wide, in 337 and 777."""
    counts = np.random.default_rng(seed).poisson(np.array([[0.4], [2.0], [0.4]]), (3, samples)).astype(np.uint16)
    for at, peak in pulses:
        light = (peak * np.exp(-0.5 * ((np.arange(samples) - at) / 20) ** 2)).astype(np.uint16)
        counts[0] += light
        counts[2] += light
    return counts
