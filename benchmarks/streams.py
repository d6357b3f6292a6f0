"""The flight loop over simulated streams: light candidates where the simulator put no light, per hour, and the share of lit windows it finds."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.bundle import open_photometers
from edge_runtime.counts import SAMPLE_TIME
from edge_runtime.flagging import LIGHT, Candidate
from edge_runtime.stream import Flagger

from .environment import on
from .results import Record, Spread, Stage

SCENES = ("quiet", "hits", "mix")
FRAMES = {"demo": 1_440, "full": 7_200}  # of 83.2 ms: 2 and 10 minutes of each scene
FRAMES_PER_SCENE = 360
STREAMS = 1 << 20  # key of the seed stream: no window of training, calibration or test comes from it


def streams(bundle_folder: Path, scale: str, seed: int) -> Stage:
    """False triggers per hour of live time of each kind of scene, with the exact Poisson interval, and candidates of particle hits beside them."""
    from train.instruments.mmia.scene import simulate

    bundle = open_photometers(bundle_folder)
    flagger = Flagger(bundle, engines.load("litert", bundle.folder))
    records, rows = [], []
    for number, scene in enumerate(SCENES):
        seeds = np.random.SeedSequence(seed, spawn_key=(STREAMS, number)).generate_state(FRAMES[scale] // FRAMES_PER_SCENE)
        false = hits = lit = samples = 0
        for one in seeds:
            recording = simulate(scene, FRAMES_PER_SCENE, int(one))
            candidates = list(flagger.flag(recording.stretches()))
            lit_here, false_here = lit_and_false(candidates, recording.light)
            lit, false, samples = lit + lit_here, false + false_here, samples + recording.counts.shape[1]
            hits += sum(candidate.class_name == "hits" for candidate in candidates)
        hours = samples * SAMPLE_TIME / 3600
        low, high = poisson_interval(false)
        source = f"benchmarks/streams.py; {samples * SAMPLE_TIME:.0f} s of live time, {len(seeds)} simulated streams of scene {scene}"
        name = f"streams.{scene}"
        records += [Record(f"{name}.false_triggers_per_hour", false / hours, "per hour", "measured", on("litert"),
                           Spread(low / hours, high / hours, "95 %, exact Poisson"), false, seed, f"{source}; light candidates without light"),
                    Record(f"{name}.lit_candidates", lit, "count", "measured", on("litert"), None, len(seeds), seed, f"{source}; light candidates with light"),
                    Record(f"{name}.hits_candidates", hits, "count", "measured", on("litert"), None, len(seeds), seed, f"{source}; candidates of class hits")]
        rows.append({"name": f"{scene}, {samples * SAMPLE_TIME:.0f} s",
                     "cells": [f"{name}.false_triggers_per_hour", f"{name}.lit_candidates", f"{name}.hits_candidates"]})
    columns = ["simulated stream", "light candidates without light, per hour", "light candidates with light", "candidates of class hits"]
    note = ("False triggers per hour of live time: what is sent down for nothing. In a stream without one, the upper end of the interval is what the "
            "stream's length can exclude.")
    return Stage(tuple(records), {"tables": {"streams": {"columns": columns, "rows": rows, "note": note}}})


def lit_and_false(candidates: Iterable[Candidate], light: np.ndarray) -> tuple[int, int]:
    """Numbers of light candidates that overlap light and that do not; `light` int8 [n], 0 where there is none."""
    of_light = [candidate for candidate in candidates if candidate.class_name in LIGHT]
    lit = sum(bool(light[candidate.sample_start:candidate.sample_end].any()) for candidate in of_light)
    return lit, len(of_light) - lit


def poisson_interval(count: int) -> tuple[float, float]:
    """95 % interval of a Poisson mean after `count` events: Garwood, Biometrika 28 (1936) 437."""
    from scipy.special import gammaincinv

    return (float(gammaincinv(count, 0.025)) if count else 0.0), float(gammaincinv(count + 1, 0.975))
