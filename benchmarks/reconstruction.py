"""Three things that the 2020 report's reconstructions could not do: the edges of a window, the UV channel, and flags that do not depend on the tiling.

All of the int8 whole model, encoder and decoder on LiteRT, against the simulator's true rate.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from edge_runtime.counts import CHANNELS, FRAME_SAMPLES, SAMPLE_TIME
from edge_runtime.flagging import CLASSES
from edge_runtime.preprocess import WINDOW_SAMPLES

from .compression import LIGHT_LABELS, error_in_sigma
from .environment import on
from .material import Material
from .results import Record, Spread, Stage
from .statistics import scene_bootstrap, wilson

SCENES = {"demo": 300, "full": 3_000}  # cut at any sample, four windows each
EDGE = WINDOW_SAMPLES // 20  # samples at either end: the outer 5 % twice, the inner 90 % between them
UV, UV_PEAK = CHANNELS.index("uv"), 10.0  # expected counts of the pulse in its brightest sample
AMPLITUDES = (2.0, 4.0, 7.0, 10.0, 20.0, 40.0, 80.0, 160.0)
SMOOTH = 9  # samples of the running mean beside it, the width that fits UV pulses of some 100 us best
SHIFTS = (0, 130, 260, 390, 520, 650, 780, 910)  # samples by which the tiling begins later
SCENE_FRAMES = 40  # simulated at a time
SHIFTED_FRAMES = {"demo": 400, "full": 6_000}
SOURCE = "benchmarks/reconstruction.py; held-out simulated scenes, windows cut at any sample"


def reconstruction(material: Material) -> Stage:
    """`cvae.boundary`, `cvae.boundary.tiling`, `cvae.uv` and its two companions, and the curve of UV over amplitude."""
    from train.windows import window_set

    windows = window_set("test", SCENES[material.scale], material.seed + 1, anywhere=True)
    believed = material.decoded(material.told(windows.counts)[0])
    kinds = {"signal": np.isin(windows.label, LIGHT_LABELS), "quiet": windows.label == CLASSES.index("quiet")}
    records, rows = boundary(believed, windows.rate, kinds, windows.scene, material.seed)
    found, uv_rows, curve = ultraviolet(believed, windows.counts, windows.rate, windows.scene, material.seed)
    tiled = tiling(material)
    rows += [*uv_rows, {"name": f"recall of light, largest change when the tiling begins up to {SHIFTS[-1]} samples later", "cells": [tiled.id]}]
    note = (f"Edges: rms error in sigma of the outer {EDGE} samples at either end over that of the samples between, worst channel. UV: pulses whose brightest "
            f"sample has {UV_PEAK:.0f} or more expected counts, against the true rate of the channel.")
    return Stage((*records, *found, tiled), {"uv_curve": curve, "tables": {"problems": {
        "columns": ["the report's open problems", "value"], "rows": rows, "note": note}}})


def boundary(believed: np.ndarray, rate: np.ndarray, kinds: dict[str, np.ndarray], scene: np.ndarray, seed: int) -> tuple[list[Record], list[dict]]:
    """Outer over inner error of believed and rate [w, 3, t] by kind of window, bool [w]: the gate is the largest of the kinds and channels."""
    first, inner, last = (error_in_sigma(believed[..., part], rate[..., part]) for part in (slice(EDGE), slice(EDGE, -EDGE), slice(-EDGE, None)))  # [w, 3]
    outer = (first + last) / 2
    records, rows = [], []
    for kind, chosen in kinds.items():
        for number, channel in enumerate(CHANNELS):
            a, b = outer[chosen, number], inner[chosen, number]

            def ratio(picks: np.ndarray, a: np.ndarray = a, b: np.ndarray = b) -> float:
                return float(np.sqrt(a[picks].mean() / b[picks].mean()))
            records.append(Record(f"cvae.boundary.{kind}.{channel}", ratio(np.arange(len(a))), "x", "measured", on("litert"),
                                  scene_bootstrap(ratio, scene[chosen], seed, 200), len(a), seed,
                                  f"{SOURCE}; {kind} windows, {np.sqrt(a.mean()):.3f} sigma in the outer parts, {np.sqrt(b.mean()):.3f} between"))
            rows.append({"name": f"edges over inner part, {kind}, {channel} nm" if channel != "uv" else f"edges over inner part, {kind}, UV",
                         "cells": [records[-1].id]})
    worst = max(records, key=lambda record: record.value or 0.0)
    gate = Record("cvae.boundary", worst.value, "x", "measured", on("litert"), worst.spread, worst.n, seed, f"{worst.source}, the largest: {worst.id}")
    return [gate, *records], rows


def ultraviolet(believed: np.ndarray, counts: np.ndarray, rate: np.ndarray, scene: np.ndarray, seed: int) -> tuple[list[Record], list[dict], dict]:
    """`cvae.uv`: median correlation with the true rate; `.p10` its tenth percentile; `.peak_us` the median error of the peak's time. And both over
    amplitude, a running mean beside. All of windows [w, 3, t] with a UV pulse."""
    true = rate[:, UV].astype(np.float64)
    amplitude = true.max(axis=1) - np.median(true, axis=1)
    smooth = running_mean(counts[:, UV])
    ours, theirs = correlation(believed[:, UV], true), correlation(smooth, true)
    late = np.abs(believed[:, UV].argmax(axis=1) - true.argmax(axis=1)) * SAMPLE_TIME * 1e6
    pulses = amplitude >= UV_PEAK
    n, place = int(pulses.sum()), on("litert")

    def record(identity: str, values: np.ndarray, level: float, unit: str, words: str) -> Record:
        chosen = values[pulses]
        spread = scene_bootstrap(lambda picks: float(np.percentile(chosen[picks], level)), scene[pulses], seed, 200) if n else None
        return Record(identity, float(np.percentile(chosen, level)) if n else None, unit, "measured", place, spread, n, seed, f"{SOURCE}; {words}")

    records = [record("cvae.uv", ours, 50, "", "median correlation with the true rate"), record("cvae.uv.p10", ours, 10, "", "its tenth percentile"),
               record("cvae.uv.peak_us", late, 50, "µs", "median error of the peak's time"),
               record("cvae.uv.smoother", theirs, 50, "", f"median correlation of a running mean of {SMOOTH} samples")]
    rows = [{"name": f"UV pulses: {words}", "cells": [one.id]} for one, words in zip(records, (
        "median correlation", "tenth percentile of it", "median error of the peak's time", f"median correlation of a running mean of {SMOOTH} samples"),
        strict=True)]
    bins = [(low, high, (amplitude >= low) & (amplitude < high)) for low, high in pairwise(AMPLITUDES)]
    filled = [(np.sqrt(low * high), chosen) for low, high, chosen in bins if chosen.any()]
    curve = {"amplitude": [float(middle) for middle, _ in filled], "n": [int(chosen.sum()) for _, chosen in filled],
             "network": [float(np.median(ours[chosen])) for _, chosen in filled], "smoother": [float(np.median(theirs[chosen])) for _, chosen in filled]}
    return records, rows, curve


def correlation(believed: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Pearson's, of each row of [w, t]; 0 where one of them is constant."""
    a, b = believed - believed.mean(axis=1, keepdims=True), true - true.mean(axis=1, keepdims=True)
    norm = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    found: np.ndarray = np.divide((a * b).sum(axis=1), norm, out=np.zeros(len(a)), where=norm > 0)
    return found


def running_mean(counts: np.ndarray) -> np.ndarray:
    """Of SMOOTH samples of counts [w, t], float64; fewer at the ends."""
    half = SMOOTH // 2
    sums = np.cumsum(np.pad(counts.astype(np.float64), ((0, 0), (1, 0))), axis=1)
    place = np.arange(counts.shape[1])
    low, high = np.maximum(place - half, 0), np.minimum(place + half + 1, counts.shape[1])
    found: np.ndarray = (sums[:, high] - sums[:, low]) / (high - low)
    return found


def tiling(material: Material) -> Record:
    """`cvae.boundary.tiling`: of the pulses of light in the middle of frames the share that lies in a flagged window, and how far that moves when the
    windows begin later."""
    from train.slices2020 import windows_of

    flag = material.bundle.thresholds.flag
    table = material.bundle.score
    found: dict[int, list[np.ndarray]] = {shift: [] for shift in SHIFTS}
    for counts, frame, peak in _frames(material.seed, SHIFTED_FRAMES[material.scale]):
        for shift in SHIFTS:
            whole = (FRAME_SAMPLES - shift) // WINDOW_SAMPLES
            windows = windows_of(counts[:, :, shift:shift + whole * WINDOW_SAMPLES])
            flagged = table.scores(material.told(np.ascontiguousarray(windows))[1])[0] > flag
            found[shift].append(flagged[frame * whole + (peak - shift) // WINDOW_SAMPLES])
    recall = {shift: np.concatenate(parts) for shift, parts in found.items()}
    share = {shift: float(values.mean()) for shift, values in recall.items()}
    moved = max(abs(share[shift] - share[0]) for shift in SHIFTS)
    n = len(recall[0])
    low, high = wilson(int(recall[0].sum()), n)
    told = ", ".join(f"{shift}: {value:.4f}" for shift, value in share.items())
    return Record("cvae.boundary.tiling", moved, "share", "measured", on("litert"), Spread(low, high, "95 %, Wilson, of the recall itself"), n, material.seed,
                  f"{SOURCE}; recall of pulses by first sample of the tiling: {told}")


def _frames(seed: int, number: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Scenes of 40 frames, counts uint16 [40, 3, 8320]; and where light peaks, index of the frame and sample in it [p], each in a window of every tiling."""
    from train.instruments.mmia.scene import significance, simulate

    for k in range(number // SCENE_FRAMES):
        scene = simulate("mix", SCENE_FRAMES, int(np.random.SeedSequence([seed, 21, k]).generate_state(1)[0]))
        excess = scene.rate - scene.background
        strength, light = (values.reshape(SCENE_FRAMES, FRAME_SAMPLES) for values in (significance(excess, scene.background), excess.sum(axis=0)))
        yield (np.ascontiguousarray(scene.counts.reshape(3, SCENE_FRAMES, FRAME_SAMPLES).swapaxes(0, 1)), *peaks(light, strength))


def peaks(light: np.ndarray, strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the frame and sample [p] of every pulse of frames [f, n]: brighter than all within half a window on either side, which hold a signal.

    What a pulse is must not depend on any tiling: of a stretch that holds but the tail of a flash, the tiling that it belongs to sees the least.
    `light`: expected counts above the background; `strength`: significance of each sample, whose sum is SNR^2.
    """
    from scipy.ndimage import maximum_filter1d

    from train.windows import SIGNAL_SNR

    half = WINDOW_SAMPLES // 2
    sums = np.cumsum(np.pad(strength, ((0, 0), (1, 0))), axis=1)
    brightest = (light > 0) & (light == maximum_filter1d(light, 2 * half + 1, axis=1))
    inside = slice(WINDOW_SAMPLES, light.shape[1] - WINDOW_SAMPLES)
    around = sums[:, inside.start + half:inside.stop + half] - sums[:, inside.start - half:inside.stop - half]
    frame, sample = np.nonzero(brightest[:, inside] & (around >= SIGNAL_SNR**2))
    return frame, sample + WINDOW_SAMPLES
