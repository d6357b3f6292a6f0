"""The table of a sweep (train/sweep.py): what each setting does to the score of the model, the classes, the bytes and the time of a window."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.preprocess import WINDOW_SAMPLES

from .environment import on
from .latency import hot_loop
from .model_score import window_bounds
from .results import Record, Stage
from .statistics import percentile_spread, scene_bootstrap

if TYPE_CHECKING:
    from train.run_folder import Run

EVENTS = {"demo": 24, "full": 150}  # held-out events without particle hits, whole
SCENES = {"demo": 200, "full": 1_500}  # of the test split, for the classes
FEW = 16  # windows that the timing goes round
SOURCE = "benchmarks/sweep.py"


def sweep(folder: Path, scratch: Path, scale: str, seed: int) -> Stage:
    """`sweep.POINT.nats`, `.f1`, `.bytes`, `.us` and both per 1,040 samples of every run of the sweep in `folder`, and their table."""
    from train.run_folder import read_run
    from train.slices2020 import slice_set
    from train.sweep import EVENT_SAMPLES, read_points

    events = slice_set("test", EVENTS[scale], EVENT_SAMPLES, "padded", seed, 2, truth=True)
    records: list[Record] = []
    rows: list[dict[str, Any]] = []
    for name, place in read_points(folder).items():
        run = read_run(place)
        own = [*_score(name, run, events.counts, events.rate, seed), *_classes(name, run, SCENES[scale], seed), *_cost(name, run, scratch, scale, seed)]
        records += own
        rows.append({"name": _words(name, run), "cells": [record.id for record in own]})
    columns = ["setting", "nats per sample", "classes, macro F1", "bytes per window", "per 1,040 samples", "µs per window", "per 1,040 samples"]
    note = ("Each run differs from the base in one setting. Nats: evidence lower bound of whole held-out events, per sample of a channel. Classes: of windows "
            "as long as the run's own, so those of other lengths are another task. Time: engine call of the int8 encoder, LiteRT, one thread, closed loop.")
    return Stage(tuple(records), {"tables": {"sweep": {"columns": columns, "rows": rows, "note": note, "units": False}}})


def text(records: tuple[Record, ...]) -> str:
    """The table for a terminal, a line for each point."""
    names = [record.id.removeprefix("sweep.").removesuffix(".nats") for record in records if record.id.startswith("sweep.") and record.id.endswith(".nats")]
    value = {record.id: record.value for record in records}
    lines = [f"{'setting':<28} {'nats/sample':>12} {'macro F1':>9} {'bytes':>6} {'µs':>8}"]
    lines += [f"{name:<28} {value[f'sweep.{name}.nats']:>12.4f} {value[f'sweep.{name}.f1']:>9.3f} {value[f'sweep.{name}.bytes']:>6} "
              f"{value[f'sweep.{name}.us']:>8.1f}" for name in names]
    return "\n".join(lines)


def _words(name: str, run: "Run") -> str:
    if name == "base":
        return f"base: {run.configuration.model.latent} latents, {run.configuration.training.trunk_epochs} float epochs"
    subject, _, value = name.rpartition("-")
    return f"{subject} {value.replace('_', ' ')}"


def _score(name: str, run: "Run", counts: np.ndarray, rate: np.ndarray, seed: int) -> list[Record]:
    from train.slices2020 import windows_of

    samples = run.configuration.model.samples
    nats = np.empty(len(counts))
    for number, (event, true) in enumerate(zip(counts, rate, strict=True)):
        length = int(np.count_nonzero(true[0]))  # what lies behind is padding
        cut = event if samples > length else event[:, :length]
        nats[number] = window_bounds(run, windows_of(cut[None], samples), seed).sum() / (len(event) * length)
    spread = scene_bootstrap(lambda picks: float(nats[picks].mean()), np.arange(len(nats)), seed, 400)
    return [Record(f"sweep.{name}.nats", float(nats.mean()), "nats/sample", "measured", on("fake-quantised"), spread, len(nats), seed,
                   f"{SOURCE}; evidence lower bound of held-out simulated events without particle hits")]


def _classes(name: str, run: "Run", scenes: int, seed: int) -> list[Record]:
    from train.evaluate import answers, macro_f1
    from train.windows import window_set

    windows = window_set("test", scenes, seed, samples=run.configuration.model.samples)
    named = np.flatnonzero(windows.label >= 0)
    told = answers(run, "quantised", windows.counts).told[named]
    label = windows.label[named].astype(np.int64)
    spread = scene_bootstrap(lambda picks: macro_f1(label[picks], told[picks]), windows.scene[named], seed, 200)
    return [Record(f"sweep.{name}.f1", macro_f1(label, told), "F1", "measured", on("fake-quantised"), spread, len(named), seed,
                   f"{SOURCE}; held-out simulated scenes, five classes")]


def _cost(name: str, run: "Run", scratch: Path, scale: str, seed: int) -> list[Record]:
    """Bytes and time of a window, each also per 1,040 samples."""
    from edge_runtime.preprocess import anscombe_tables
    from export.onnx_export import INPUTS, OUTPUTS, export_onnx, modules_of_run
    from export.read_onnx import read_onnx
    from export.write_bundle import write_network
    from train.windows import window_set

    model = run.configuration.model
    folder = scratch / "sweep" / name
    folder.mkdir(parents=True)
    module, example = modules_of_run(run)["encoder"]
    export_onnx(module, example, folder / "model.onnx", (INPUTS["encoder"],), OUTPUTS["encoder"])
    write_network(read_onnx(folder / "model.onnx"), folder)
    windows = window_set("test", FEW, seed, samples=model.samples).counts[:FEW]
    codes = np.ascontiguousarray(anscombe_tables().quantise(windows).transpose(0, 2, 1))[:, None]
    calls, engine = hot_loop(folder / "model.tflite", (codes,), scratch, scale)
    call, share = float(np.median(calls)), WINDOW_SAMPLES / model.samples
    timed = f"{SOURCE}; median of a closed loop of benchmarks/latency.py: set input, invoke, read outputs; one thread"
    words = f"{SOURCE}; one int8 code for each latent, not entropy-coded"
    return [Record(f"sweep.{name}.bytes", model.latent, "bytes", "measured", on(), None, 1, seed, words),
            Record(f"sweep.{name}.bytes_per_1040", model.latent * share, "bytes", "measured", on(), None, 1, seed, words),
            Record(f"sweep.{name}.us", call, "µs", "measured", on(engine), percentile_spread(calls, 50, seed), calls.size, seed, timed),
            Record(f"sweep.{name}.us_per_1040", call * share, "µs", "measured", on(engine), None, calls.size, seed, timed)]
