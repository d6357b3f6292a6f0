"""The parity gates of the pixel network: files against each other, engines against the reference, the flight file against the network as trained."""

from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.bundle import open_pixels
from edge_runtime.pixels import FOCAL_PIXELS, WINDOW_FRAMES
from train.instruments.minieuso.scene import Scene

from .environment import on
from .parity_gates import OTHER_KERNELS, codes_of
from .results import Record, Stage

CALLS = {"demo": 16, "full": 128}  # of 2,304 windows each
NOISE_SHARE = 4  # one call in so many is noise over all codes


def parity(run_folder: Path, bundle_folder: Path, scale: str, seed: int) -> Stage:
    """`parity.*` of the pixel network: files against each other, engines against the reference, the flight file against Brevitas."""
    import torch

    from export.onnx_export import modules_of_run
    from export.parity import compare_codes, compare_parameters
    from train.pixels.windows import successive_windows
    from train.run_folder import read_run

    bundle = open_pixels(bundle_folder)
    calls = CALLS[scale]
    inputs = successive_windows(Scene(14, WINDOW_FRAMES + calls, seed, meteors=40, confusers=30.0))  # [calls, 1, 2304, 48]
    noisy = inputs[::NOISE_SHARE]
    noisy[:] = np.random.default_rng(seed).integers(-128, 128, noisy.shape)
    source = f"export/parity.py; {calls} calls of {FOCAL_PIXELS:,} windows, simulated session 14, 1 in {NOISE_SHARE} noise over all codes"
    parameters = compare_parameters(bundle_folder / "model.onnx", bundle_folder / "model.tflite")
    compared = compare_codes(bundle_folder, inputs, [("reference", "litert"), *(("reference", name) for name, _ in OTHER_KERNELS)])
    records = [Record("parity.parameters", sum(one.differing or 0 for one in parameters), "count", "measured", "files", None,
                      sum(one.compared or 0 for one in parameters), None, "export/parity.py; weights, biases and scale bits of both files, read anew")]
    words = {"parity.parameters": "integer weights, int32 biases and scale bits that differ, ONNX against TFLite"}
    for one, (engine, said) in zip(compared, [("litert", "codes that differ, LiteRT against the reference engine"), *OTHER_KERNELS], strict=True):
        identity = "parity.reference" if engine == "litert" else f"parity.{engine.replace('-', '_')}"
        place = "; ".join(f"{name} {what}" for name, what in one.on.items())
        records.append(Record(identity, one.differing, "count", "measured", on(place), None, one.compared, seed, source))
        words[identity] = said
    run = read_run(run_folder)
    module, _ = modules_of_run(run)["pixels"]
    spec = bundle.outputs[0]
    with torch.no_grad():
        reals = [module(torch.from_numpy(one[0].T[None].astype(np.float32) * np.float32(bundle.input.scale))).numpy() for one in inputs]  # [1, 1, 2304]
    trained = codes_of(np.concatenate(reals)[:, 0], spec.scale, spec.zero_point)  # [calls, 2304]
    flag = bundle.settings.flag
    for identity, engine, what in (("parity.training", "onnxruntime", "codes"), ("parity.training.flight", "litert", "codes"),
                                   ("parity.flips", "litert", "flags"), ("parity.flips.tflite_runtime", "tflite-runtime", "flags")):
        loaded = engines.load(engine, bundle_folder)
        flown = np.concatenate([loaded.run(one[None])[0].reshape(1, -1) for one in inputs])
        differing = int(np.count_nonzero(flown != trained if what == "codes" else (flown > flag) != (trained > flag)))
        records.append(Record(identity, differing, "count", "measured", on(engine), None, trained.size, seed, source))
        words[identity] = f"{what} that differ, Brevitas in eval mode against the file on {engine}"
    rows = [{"name": said, "cells": [identity]} for identity, said in words.items()]
    return Stage(tuple(records), {"tables": {"parity": {"columns": ["what is compared", "differing"], "rows": rows, "note": "Integers, compared one by one."}}})
