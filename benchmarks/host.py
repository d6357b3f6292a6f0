"""Measures this machine, fits its cost model and writes its profile: `python -m benchmarks.host hw_profiles/host.toml`."""

import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.errors import InputError
from edge_runtime.files import write_file
from edge_runtime.graph.storage import write_graph
from edge_runtime.graph.structure import Graph, Operator, Tensor
from export.write_tflite import tflite_bytes
from hw_profiles.cost_model import LEVEL
from hw_profiles.instructions import SECONDS, TILE
from hw_profiles.profile import Number, Profile, profile_text

from .environment import cpu_model, timer_resolution_ns
from .fitting import this_host
from .fitting.profiles import fitted_number

REPEATS = 50
TOLD_WELL = 0.15  # median error of as many models as are tested, above which the cost model is not said to be validated
BLOCK_BYTES = 64 << 20  # far beyond the last-level cache's share of one core
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
CAVEATS = (
    "The machine that made this file: on another one, make it again with python -m benchmarks.host.",
    "Warm caches, one thread, the least of repeats: what else the machine does comes on top.",
    "Fitted within a minute: the speed of a machine that is shared moves by more than the model's error from hour to hour.",
)


def measure_host() -> Profile:
    """The profile of this machine, one thread, LiteRT's default kernels; takes a minute. InputError where too few models run long enough for a fit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        call, runtime = _engine_call(_small_dense(), folder / "dense")
        overhead = _seconds(call, REPEATS * 100)
        convolution = _convolution()
        call, _ = _engine_call(convolution, folder / "convolution")
        conv = _seconds(call, REPEATS)
    macs = 1024 * 64 * 64 * 5
    source, target = np.ones(BLOCK_BYTES, np.uint8), np.empty(BLOCK_BYTES, np.uint8)  # zeros would all be one page of the kernel
    copy = _seconds(lambda: np.copyto(target, source), REPEATS)
    words = source.view(np.uint64)
    read = _seconds(words.max, REPEATS)
    matrix = np.ones((512, 512), np.float32)
    numbers = {
        "timer_resolution_s": Number(timer_resolution_ns() * 1e-9, "s", "measured", "smallest step of time.perf_counter_ns in 20,000 readings"),
        "call_overhead_s": _number(overhead, 1.0, "s", "LiteRT set, invoke and get of a 16 x 5 dense layer"),
        "int8_conv_mac_per_s": _number(conv, macs, "MAC/s", f"LiteRT, one 1 x 5 convolution of 64 to 64 channels over 1,024 samples, {macs} MAC"),
        "memory_copy_bytes_per_s": _number(copy, BLOCK_BYTES, "B/s", "NumPy copy of 64 MiB, bytes copied (each is read and written)"),
        "dram_read_bytes_per_s": _number(read, BLOCK_BYTES, "B/s", "NumPy maximum over 64 MiB of uint64"),
        "float32_matrix_mac_per_s": _number(_seconds(lambda: matrix @ matrix, REPEATS), 512**3, "MAC/s",
                                            "NumPy product of two 512 x 512 matrices, as many threads as NumPy takes"),
    }
    fit = this_host.fit_host(this_host.measured(), this_host.tile_here())
    if fit is None:
        raise InputError("this machine", "cost model", "too few of the counted models take 10 us to 20 ms here; estimate with another profile")
    date = datetime.now(UTC).date().isoformat()
    told_well = len(fit.tested) == this_host.EACH and np.median(fit.errors) < TOLD_WELL
    return Profile("host", f"{cpu_model()}, {platform.machine()}", runtime, date, {**numbers, **_fitted(fit)},
                   trust="validated-model" if told_well else "weak-calibration",
                   validation=f"{len(fit.tested)} models that took no part in the fit ({this_host.SOURCE})", cost_model="loops",
                   caveats=(*CAVEATS, f"Tested on models of {fit.latencies.min() * 1e6:.0f} to {fit.latencies.max() * 1e6:.0f} us; beyond, nothing was seen."))


def _fitted(fit: this_host.HostFit) -> dict[str, Number]:
    """What the cost model takes from a fit, and how far the fit is to be trusted."""
    words = (f"{this_host.SOURCE}, one number for each of {len(this_host.KERNELS)} kinds of loops, within which ratios are a Cortex-A76's; "
             f"{this_host.in_words(fit)}")
    tested = f"mean error of {', '.join(fit.tested)}"
    tile = dict(zip(TILE, astuple(fit.tile), strict=True))
    numbers = {f"l{level}_bytes": Number(float(size), "B", "measured", f"{CACHES} of the first processor") for level, size in _caches().items()}
    numbers |= {name: Number(float(value), "1", "published", "XNNPACK's int8 kernels for the flags of /proc/cpuinfo") for name, value in tile.items()}
    numbers |= {name: fitted_number(value, "s", words, len(fit.fitted)) for name, value in zip(SECONDS, fit.seconds, strict=True)}
    error = f"{LEVEL:.0%} of the fitted models are told this well by a fit without them"
    return numbers | {"model_error": fitted_number(np.quantile(fit.left_out, LEVEL), "share", error, len(fit.fitted)),
                      "validation_error": fitted_number(fit.errors.mean(), "share", tested, len(fit.tested))}


def _caches() -> dict[int, int]:
    """Bytes of the unified caches by level, as far as the system tells."""
    return {int((one / "level").read_text()): int((one / "size").read_text().rstrip("K\n")) << 10
            for one in sorted(CACHES.glob("index*")) if (one / "type").read_text() == "Unified\n"}


def _engine_call(graph: Graph, folder: Path) -> tuple[Callable[[], object], str]:
    folder.mkdir()
    write_graph(graph, folder)
    (folder / "model.tflite").write_bytes(tflite_bytes(graph))
    engine = engines.load("litert", folder, threads=1)
    codes = np.zeros(graph.tensors[graph.inputs[0]].shape, np.int8)
    runtime = f"{engine.name} {engine.description['version']}, {engine.description['kernel_set']}, 1 thread"
    return lambda: engine.run(codes), runtime


def _small_dense() -> Graph:
    tensors = [_tensor("x", (1, 16)), _weights("w", (5, 16)), _bias("b", 5), _tensor("y", (1, 5))]
    return Graph({t.name: t for t in tensors}, (Operator("fully_connected", ("x", "w", "b"), ("y",), {"clamp": (-128, 127)}),), ("x",), ("y",))


def _convolution() -> Graph:
    tensors = [_tensor("x", (1, 1, 1028, 64)), _weights("w", (64, 1, 5, 64)), _bias("b", 64), _tensor("y", (1, 1, 1024, 64))]
    attributes = {"stride": (1, 1), "dilation": (1, 1), "padding": (0, 0, 0, 0), "groups": 1, "clamp": (-128, 127)}
    return Graph({t.name: t for t in tensors}, (Operator("conv_2d", ("x", "w", "b"), ("y",), attributes),), ("x",), ("y",))


def _tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, shape, "int8", np.array([0.1], np.float32))


def _weights(name: str, shape: tuple[int, ...]) -> Tensor:
    codes = np.random.default_rng(0).integers(-127, 128, shape).astype(np.int8)
    return Tensor(name, shape, "int8", np.array([0.01], np.float32), codes=codes)


def _bias(name: str, length: int) -> Tensor:
    return Tensor(name, (length,), "int32", np.array([np.float32(0.1) * np.float32(0.01)], np.float32), codes=np.zeros(length, np.int32))


def _seconds(call: Callable[[], object], repeats: int) -> np.ndarray:
    """Seconds of each of `repeats` calls, float64 [repeats], after a tenth as many to warm up."""
    for _ in range(max(1, repeats // 10)):
        call()
    spent = np.empty(repeats)
    for repeat in range(repeats):
        start = time.perf_counter()
        call()
        spent[repeat] = time.perf_counter() - start
    return spent


def _number(seconds: np.ndarray, work: float, unit: str, source: str) -> Number:
    """Seconds per call, or `work` per second: median, 5th and 95th percentile."""
    values = seconds if unit == "s" else work / seconds
    low, middle, high = (float(f"{value:.4g}") for value in np.percentile(values, (5, 50, 95)))
    return Number(middle, unit, "measured", source, (low, high), len(seconds))


if __name__ == "__main__":
    write_file(Path(sys.argv[1]), profile_text(measure_host()))
