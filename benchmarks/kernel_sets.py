"""Kernel sets: the reference engine with the rounding of each against the runtime itself, and what flying another set than the default would change.

The flight file's codes depend on the kernels that run it. Equality is counted on every output of every network, codes, reconstruction and flags
against the default set on held-out windows alone: latents of each set go through one ground decoder, on its default kernels.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.bundle import open_pixels
from edge_runtime.engines.reference import ReferenceEngine
from edge_runtime.errors import InputError, MissingError
from edge_runtime.graph import read_interface
from edge_runtime.graph.operators import KERNEL_SETS
from edge_runtime.pixels import FOCAL_PIXELS, WINDOW_FRAMES

from .compression import error_in_sigma
from .environment import on
from .material import Material
from .results import Record, Spread, Stage
from .statistics import scene_bootstrap, wilson

WINDOWS = {"demo": 1_000, "full": 10_000}
CALLS = {"demo": 8, "full": 128}  # of the pixel network, 2,304 windows each
NOISE_SHARE = 8  # one input in so many is noise over all codes: it drives accumulators further than scenes do
AT_ONCE = 500  # windows whose reconstructions lie in memory together
NETWORKS = ("encoder", "decoder", "whole")
DEFAULT, *OTHERS = KERNEL_SETS
NAMES = {"xnnpack": "LiteRT, default (XNNPACK)", "litert_builtin": "LiteRT, built-in kernels", "litert_reference": "LiteRT, reference kernels",
         "tflite_runtime": "tflite-runtime", "onnxruntime": "ONNX Runtime, node by node"}
SOURCE = "benchmarks/kernel_sets.py"


@dataclass(frozen=True)
class Compared:
    """Networks in one kernel set. `flown`: the reference engine's outputs int8 [n, ...] of the first, which flies. `differing`: by "network output" the
    codes that differ from the runtime's and all that were compared. `runtime`: its name and version."""

    flown: Sequence[np.ndarray]
    differing: Mapping[str, tuple[int, int]]
    runtime: str


def kernel_sets(material: Material) -> Stage:
    """`kernels.*` of the photometers' bundle: encoder, decoder and whole model, all of its kernel sets whose runtime is installed."""
    count, bundle = WINDOWS[material.scale], material.bundle
    given = {name: _inputs(material.flight[0] if name == "decoder" else material.codes, count, material.seed + number)
             for number, name in enumerate(NETWORKS) if material.network_folder(name).is_dir()}
    found, left_out = compare({name: material.network_folder(name) for name in given}, given)
    held_out = np.arange(count - count // NOISE_SHARE) % len(material.codes)
    scene = material.test.scene[held_out]
    words = f"{SOURCE}; {count:,} inputs each for {', '.join(given)}: held-out scenes, 1 in {NOISE_SHARE} noise over all codes"
    records = equal(found, material.seed, words, complete=len(given) == len(NETWORKS) and _all_missing(left_out))
    flown = {name: [output[:len(held_out)] for output in one.flown] for name, one in found.items()}  # posterior mean, logits
    flags = {name: bundle.score.scores(logits)[0] > bundle.thresholds.flag for name, (_, logits) in flown.items()}
    for name in _others(found):
        records.append(codes(name, flown[name], flown[DEFAULT], scene, material.seed, "posterior mean and logits, held-out windows"))
        records.append(flips(name, flags[name], flags[DEFAULT], material.seed, "held-out windows"))
        if material.run is not None:
            records += _reconstruction(material, name, flown[name][0], flown[DEFAULT][0], held_out)
    columns = {"equal": "codes that differ from the runtime's", "codes": "codes of the encoder that differ from the default's",
               "flips": "flags that flip", "reconstruction": "reconstruction moves by (rms, σ)", "error": "its error grows by (rms, σ)"}
    return _stage(records, found, columns, left_out)


def pixel_kernel_sets(bundle_folder: Path, scale: str, seed: int) -> Stage:
    """`kernels.*` of the pixel network, all of its kernel sets whose runtime is installed."""
    from train.instruments.minieuso.scene import Scene
    from train.pixels.windows import successive_windows

    calls = CALLS[scale]
    scenes = calls - calls // NOISE_SHARE
    windows = successive_windows(Scene(14, WINDOW_FRAMES + scenes, seed, meteors=40, confusers=30.0))  # [scenes, 1, 2304, 48]
    found, left_out = compare({"pixels": bundle_folder}, {"pixels": _inputs(windows, calls, seed)})
    words = f"{SOURCE}; {calls} calls of {FOCAL_PIXELS:,} windows, simulated session 14, 1 in {NOISE_SHARE} noise over all codes"
    records = equal(found, seed, words, _all_missing(left_out))
    logits = {name: one.flown[0][:scenes] for name, one in found.items()}
    threshold = open_pixels(bundle_folder).settings.flag
    for name in _others(found):
        records.append(codes(name, [logits[name]], [logits[DEFAULT]], np.arange(scenes), seed, "logits, simulated windows"))
        records.append(flips(name, logits[name] > threshold, logits[DEFAULT] > threshold, seed, "simulated windows"))
    columns = {"equal": "codes that differ from the runtime's", "codes": "logits that differ from the default's", "flips": "flags that flip"}
    return _stage(records, found, columns, left_out)


def compare(folders: Mapping[str, Path], given: Mapping[str, np.ndarray]) -> tuple[dict[str, Compared], dict[str, Exception]]:
    """Each kernel set on the inputs int8 [n, ...] of each network, and those left out with the reason: a runtime that is not installed (MissingError),
    or a network that it or the reference engine refuses in this set (InputError)."""
    found: dict[str, Compared] = {}
    left_out: dict[str, Exception] = {}
    for name in KERNEL_SETS:
        flown: Sequence[np.ndarray] = ()
        differing: dict[str, tuple[int, int]] = {}
        try:
            for network, folder in folders.items():
                engine = runtime(name, folder)
                told = ReferenceEngine(folder, name).run(given[network])
                calls = [engine.run(given[network][number:number + 1]) for number in range(len(given[network]))]
                for output, ours, theirs in zip(read_interface(folder).outputs, told, zip(*calls, strict=True), strict=True):
                    differing[f"{network} {output.name}"] = int(np.count_nonzero(ours != np.concatenate(theirs))), ours.size
                flown = flown or told
        except (MissingError, InputError) as reason:
            left_out[name] = reason
        else:
            found[name] = Compared(flown, differing, f"{engine.name} {engine.description['version']}")
    return found, left_out


def _all_missing(left_out: Mapping[str, Exception]) -> bool:
    """Whether every set left out is so for want of a package: one that is refused was not shown to be equal."""
    return all(isinstance(reason, MissingError) for reason in left_out.values())


def _others(found: Mapping[str, Compared]) -> list[str]:
    """The sets that can be held against the default."""
    return [name for name in OTHERS if name in found and DEFAULT in found]


def runtime(kernel_set: str, folder: Path) -> engines.Engine:
    """The runtime whose codes a kernel set has, with the network of a folder; MissingError where it is not installed."""
    if kernel_set not in ("litert_builtin", "litert_reference"):
        return engines.load({"xnnpack": "litert", "tflite_runtime": "tflite-runtime", "onnxruntime": "onnxruntime"}[kernel_set], folder)
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ModuleNotFoundError as missing:
        raise MissingError("ai-edge-litert", "engine", "is not installed: pip install ai-edge-litert") from missing
    from edge_runtime.engines.interpreter import TfliteEngine

    resolver = OpResolverType.BUILTIN_REF if kernel_set == "litert_reference" else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = partial(Interpreter, experimental_op_resolver_type=resolver)
    return TfliteEngine(interpreter, folder, 1, "litert", version("ai-edge-litert"), kernel_set)


def equal(found: Mapping[str, Compared], seed: int, words: str, complete: bool) -> list[Record]:
    """`kernels.equal` over all sets found, and `kernels.equal.SET`: codes that differ from the runtime's. None over all where they are not `complete`, or
    none was found."""
    totals = {name: [sum(column) for column in zip(*one.differing.values(), strict=True)] for name, one in found.items()}
    place = "; ".join(f"{name} {one.runtime}" for name, one in found.items())
    differing, compared = (sum(total[place] for total in totals.values()) for place in range(2))
    records = [Record("kernels.equal", differing if found and complete else None, "count", "measured", on(place), None, compared, seed,
                      f"{words}; {', '.join(found)}")]
    for name, one in found.items():
        told = "; ".join(f"{output}: {count} of {size:,}" for output, (count, size) in one.differing.items())
        records.append(Record(f"kernels.equal.{name}", totals[name][0], "count", "measured", on(one.runtime), None, totals[name][1], seed, f"{words}; {told}"))
    return records


def codes(name: str, ours: Sequence[np.ndarray], default: Sequence[np.ndarray], scene: np.ndarray, seed: int, words: str) -> Record:
    """`kernels.SET.codes`: share of codes that differ from the default set's, of outputs int8 [n, ...] each; resampled by scene [n]."""
    apart = np.concatenate([np.abs(a.astype(np.int16) - b).reshape(len(a), -1) for a, b in zip(ours, default, strict=True)], axis=1)
    by_window = (apart > 0).mean(axis=1)

    def share(picks: np.ndarray) -> float:
        return float(by_window[picks].mean())

    return Record(f"kernels.{name}.codes", share(np.arange(len(by_window))), "share", "measured", on(), scene_bootstrap(share, scene, seed, 200), apart.size,
                  seed, f"{SOURCE}; {words}; by {int(apart.max())} at most")


def flips(name: str, ours: np.ndarray, default: np.ndarray, seed: int, windows: str) -> Record:
    """`kernels.SET.flips`: share of flags bool [n] that differ from the default set's."""
    flipped = int(np.count_nonzero(ours != default))
    return Record(f"kernels.{name}.flips", flipped / ours.size, "share", "measured", on(), Spread(*wilson(flipped, ours.size), "95 %, Wilson"), ours.size, seed,
                  f"{SOURCE}; {flipped:,} of {ours.size:,} {windows}, {int(default.sum()):,} of them flagged by the default set")


def _reconstruction(material: Material, name: str, latents: np.ndarray, default: np.ndarray, windows: np.ndarray) -> Iterable[Record]:
    """What the ground makes of latents int8 [n, k] of a set against those of the default, on test windows [n]: how far it moves, and its error grows."""
    moved, ours, theirs = [], [], []
    for begin in range(0, len(windows), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        rate = material.test.rate[windows[part]]
        believed, before = material.decoded(latents[part]), material.decoded(default[part])
        moved.append(np.mean((believed - before) ** 2 / np.maximum(rate, 1e-6), axis=2, dtype=np.float64))
        ours.append(error_in_sigma(believed, rate))
        theirs.append(error_in_sigma(before, rate))
    a, b, c = (np.concatenate(parts) for parts in (moved, ours, theirs))  # mean squares [n, 3]
    scene = material.test.scene[windows]

    def root(picks: np.ndarray) -> float:
        return float(np.sqrt(a[picks].mean()))

    def growth(picks: np.ndarray) -> float:
        return float(np.sqrt(b[picks].mean()) - np.sqrt(c[picks].mean()))

    words = f"{SOURCE}; latents of the set through the ground's decoder, held-out windows, all channels; in sqrt(true rate)"
    for identity, statistic, said in (("reconstruction", root, "rms change against the default set"), ("error", growth, "rms error less that of the default")):
        yield Record(f"kernels.{name}.{identity}", statistic(np.arange(len(a))), "sigma", "measured", on("litert"),
                     scene_bootstrap(statistic, scene, material.seed, 200), len(a), material.seed, f"{words}; {said}")


def _inputs(scenes: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Inputs int8 [count, ...]: scenes in order, over again where they are too few, and the last 1 in NOISE_SHARE noise."""
    noise = np.random.default_rng(seed).integers(-128, 128, (count // NOISE_SHARE, *scenes.shape[1:])).astype(np.int8)
    return np.concatenate([scenes[np.arange(count - len(noise)) % len(scenes)], noise])


def _stage(records: list[Record], found: Mapping[str, Compared], columns: Mapping[str, str], left_out: Mapping[str, Exception]) -> Stage:
    known = {record.id for record in records}
    rows = []
    for name in found:
        ids = [f"kernels.equal.{name}" if column == "equal" else f"kernels.{name}.{column}" for column in columns]
        rows.append({"name": NAMES[name], "cells": [identity if identity in known else None for identity in ids]})
    notes = [f"kernel set {name} is left out: {reason}" for name, reason in left_out.items()]
    note = ("First column: the reference engine with the rounding of each kernel set against the runtime itself, every output. The others: each set "
            "against the default.")
    return Stage(tuple(records), {"tables": {"kernel_sets": {"columns": ["kernel set", *columns.values()], "rows": rows, "note": note}}, "notes": notes})
