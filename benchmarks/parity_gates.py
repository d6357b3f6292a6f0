"""The parity gates: files against files, engines against the reference, the flight file against the network as it was trained."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .environment import on
from .material import Material, run_all
from .results import Record, Stage

if TYPE_CHECKING:
    from export.parity import Comparison

WINDOWS = {"demo": 2_000, "full": 10_000}
TRAINED_WINDOWS = {"demo": 500, "full": 10_000}  # Brevitas takes 20 ms for each
COUNTED_WINDOWS = {"demo": 400, "full": 10_000}  # for kernel sets whose differences are only counted
RANDOM_SHARE = 8  # one input in so many is noise over all codes: it drives accumulators further than scenes do
BATCH = 32
NETWORKS = ("encoder", "decoder", "whole")
OTHER_KERNELS = (("tflite-runtime", "codes that differ between tflite-runtime's kernels and the reference engine"),
                 ("onnxruntime", "codes that differ between ONNX Runtime without its optimiser, as Pixie flies it, and the reference engine"),
                 ("onnxruntime_all", "codes that differ between ONNX Runtime at its own default level and the reference engine"))


def parity(material: Material) -> Stage:
    """`parity.parameters`, `parity.reference`; and of a run `parity.training` and `parity.flips`."""
    from export.parity import compare_codes, compare_parameters

    folders = {name: material.network_folder(name) for name in NETWORKS if material.network_folder(name).is_dir()}
    parameters: list[Comparison] = []
    codes: list[tuple[str, Comparison]] = []
    count = WINDOWS[material.scale]
    others = [("reference", name) for name, _ in OTHER_KERNELS]
    for name, folder in folders.items():
        parameters += compare_parameters(folder / "model.onnx", folder / "model.tflite")
        codes += [(name, one) for one in compare_codes(folder, _inputs(material, name, count), [("reference", "litert")])]
        codes += [(name, one) for one in compare_codes(folder, _inputs(material, name, COUNTED_WINDOWS[material.scale]), others)]
    litert = [(name, one) for name, one in codes if one.name.startswith("codes.reference.litert.")]
    whole = len(folders) == len(NETWORKS) and all(one.differing is not None for _, one in litert)
    source = f"export/parity.py; {{}} inputs each for {', '.join(folders)}: held-out scenes, 1 in {RANDOM_SHARE} noise over all codes"
    told = "; ".join(f"{name} {one.name.rpartition('.')[2]}: {one.differing} of {one.compared:,}" for name, one in litert if one.compared)
    records = [
        Record("parity.parameters", sum(one.differing or 0 for one in parameters) if len(folders) == len(NETWORKS) else None, "count", "measured",
               "files", None, sum(one.compared or 0 for one in parameters), None,
               f"export/parity.py; weights, biases and scale bits of model.onnx and model.tflite, both read anew; {', '.join(folders)}"),
        Record("parity.reference", sum(one.differing or 0 for _, one in litert) if whole else None, "count", "measured", on(_engines(litert)), None,
               sum(one.compared or 0 for _, one in litert), material.seed, f"{source.format(count)}; {told}"),
    ]
    rows = [{"name": "integer weights, int32 biases and scale bits that differ, ONNX against TFLite", "cells": ["parity.parameters"]},
            {"name": "codes that differ, LiteRT against the reference engine", "cells": ["parity.reference"]}]
    for engine, words in OTHER_KERNELS:
        found = [(name, one) for name, one in codes if one.name.startswith(f"codes.reference.{engine}.")]
        measured = all(one.differing is not None for _, one in found)
        identity = f"parity.{engine.replace('-', '_')}"
        greatest = max((one.greatest or 0 for _, one in found), default=0)
        told = f"{source.format(COUNTED_WINDOWS[material.scale])}; {words}; by {greatest} codes at most"
        records.append(Record(identity, sum(one.differing or 0 for _, one in found) if measured else None, "count", "measured", on(_engines(found)), None,
                              sum(one.compared or 0 for _, one in found), material.seed, told))
        rows.append({"name": words, "cells": [identity]})
    if material.run is not None:
        for record, words in _training(material, _inputs(material, "encoder", TRAINED_WINDOWS[material.scale])):
            records.append(record)
            rows.append({"name": words, "cells": [record.id]})
    note = "Numbers counted are integers, compared one by one; n of each is in the last table. What differs between kernel sets is counted, not judged."
    return Stage(tuple(records), {"tables": {"parity": {"columns": ["what is compared", "differing"], "rows": rows, "note": note}}})


def _inputs(material: Material, network: str, count: int) -> np.ndarray:
    """Inputs int8 [count, ...] of a network: of held-out scenes (latents for the decoder), the last 1 in RANDOM_SHARE noise."""
    scenes = material.flight[0] if network == "decoder" else material.codes
    noise = np.random.default_rng([material.seed, NETWORKS.index(network)]).integers(-128, 128, (count // RANDOM_SHARE, *scenes.shape[1:])).astype(np.int8)
    picks = np.arange(count - len(noise)) % len(scenes)
    return np.concatenate([scenes[picks], noise])


def _training(material: Material, inputs: np.ndarray) -> Iterable[tuple[Record, str]]:
    trained = Trained(material, inputs)
    place, source = on(trained.place), f"benchmarks/parity_gates.py; encoder's posterior_mean and logits, {len(inputs):,} inputs"
    n = int(trained.fake_quantised[0].size + trained.fake_quantised[1].size)
    yield (Record("parity.training", trained.differing("disable"), "count", "measured", place, None, n, material.seed, f"{source}; ORT_DISABLE_ALL"),
           "codes that differ, Brevitas in eval mode against ONNX Runtime without its optimiser")
    yield (Record("parity.training.default_level", trained.differing("all"), "count", "measured", place, None, n, material.seed, f"{source}; ORT_ENABLE_ALL"),
           "the same with ONNX Runtime's default optimiser")
    yield (Record("parity.training.flight", trained.differing_in_flight(), "count", "measured", on("litert"), None, n, material.seed,
                  f"{source}; model.tflite on LiteRT, which rounds a tie up where torch rounds it to even"),
           "codes that differ, Brevitas in eval mode against the flight file on LiteRT (rounding of ties; counted, see flips)")
    for engine, identity in (("litert", "parity.flips"), ("tflite-runtime", "parity.flips.tflite_runtime")):
        yield (Record(identity, trained.flips(engine), "count", "measured", on(engine), None, len(inputs), material.seed,
                      f"benchmarks/parity_gates.py; flags of Brevitas in eval mode against those of model.tflite on {engine}"),
               f"flags that flip, Brevitas in eval mode against the flight file on {engine}")


class Trained:
    """The encoder as it was trained, fake-quantised in Brevitas, on the same inputs as its files."""

    def __init__(self, material: Material, inputs: np.ndarray) -> None:
        self._material, self._inputs = material, inputs
        self.place = f"brevitas {material.bundle.versions.get('brevitas', '')}, torch {material.bundle.versions.get('torch', '')}"

    @cached_property
    def fake_quantised(self) -> tuple[np.ndarray, np.ndarray]:
        """Codes of posterior mean int8 [n, k] and logits int8 [n, 5], from the reals that Brevitas computes."""
        import torch

        from export.onnx_export import modules_of_run
        from train.run_folder import read_run

        assert self._material.run is not None  # for the type checker: asked for with a run only
        module, _ = modules_of_run(read_run(self._material.run))["encoder"]
        bundle, parts = self._material.bundle, []
        # torch's own convolutions, window by window within a batch: oneDNN's add up in another order for a batch than for one window, and the
        # float sums of an inner layer then fall to the other side of a tie about once in 5,000 codes. Flight and ONNX Runtime see one window.
        onednn = torch.backends.mkldnn
        before, onednn.enabled = onednn.enabled, False  # type: ignore[assignment]
        try:
            for begin in range(0, len(self._inputs), BATCH):
                codes = self._inputs[begin:begin + BATCH, 0].transpose(0, 2, 1)  # [b, 3, 1040]
                with torch.no_grad():
                    outputs = module(torch.from_numpy(np.ascontiguousarray(bundle.tables.dequantise(codes))))
                parts.append([codes_of(output.numpy(), spec.scale, spec.zero_point) for output, spec in zip(outputs, bundle.outputs, strict=True)])
        finally:
            onednn.enabled = before
        mean, logits = (np.concatenate(one) for one in zip(*parts, strict=True))
        return mean, logits

    def differing(self, level: str) -> int:
        """Codes that differ between Brevitas and ONNX Runtime at an optimisation level."""
        from edge_runtime.engines.onnxruntime import OnnxEngine

        engine = OnnxEngine(self._material.bundle.folder, level=level)
        found = [engine.run(self._inputs[number:number + 1]) for number in range(len(self._inputs))]
        return sum(int(np.count_nonzero(np.concatenate(parts) != own)) for parts, own in zip(zip(*found, strict=True), self.fake_quantised, strict=True))

    def differing_in_flight(self) -> int:
        """Codes that differ between Brevitas and the flight file on LiteRT."""
        found = run_all(self._material.bundle.folder, "litert", self._inputs)
        return sum(int(np.count_nonzero(flown != own)) for flown, own in zip(found, self.fake_quantised, strict=True))

    def flips(self, engine_name: str) -> int:
        """Inputs on which the flag differs between Brevitas and the flight file on an engine."""
        _, logits = run_all(self._material.bundle.folder, engine_name, self._inputs)
        score, threshold = self._material.bundle.score, self._material.bundle.thresholds.flag
        return int(np.count_nonzero((score.scores(logits)[0] > threshold) != (score.scores(self.fake_quantised[1])[0] > threshold)))


def codes_of(reals: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """int8 codes of reals that lie on the grid of `scale` and `zero_point`; ValueError where one lies off it by more than 1/100 of a step."""
    steps = reals.astype(np.float64) / np.float64(np.float32(scale))
    codes = np.rint(steps)
    if np.abs(steps - codes).max(initial=0) > 0.01:
        raise ValueError("reals off their grid: scale of the manifest and of the trained network differ")
    return (codes + zero_point).clip(-128, 127).astype(np.int8)


def _engines(found: "Sequence[tuple[str, Comparison]]") -> str:
    return "; ".join(f"{name} {what}" for name, what in found[0][1].on.items()) if found else ""

