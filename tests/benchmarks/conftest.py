"""Results as a benchmark run would leave them, made up from seeded numbers, so that the report is tested without a network."""

import numpy as np
import pytest

from benchmarks import statistics
from benchmarks.gates import CLAIMS, judge
from benchmarks.results import Record, Results, Spread

CLASSES = ["quiet", "hits", "lightning", "blue", "uv"]
ENGINES = {"reference": 900.0, "litert": 40.0, "tflite-runtime": 65.0, "onnxruntime": 80.0}
ON = "a made-up processor, Python 3.11, NumPy 1.26.4"


def auc(positive, negative):
    return float(np.mean(positive[:, None] > negative))


def record(name, value, unit, spread=None, n=1000):
    return Record(name, value, unit, "measured", ON, spread and Spread(*spread, "95 %, made up"), n, 1, "tests/benchmarks/conftest.py")


def figures_of_2020() -> dict:
    rng = np.random.default_rng(2)
    label = np.repeat(np.arange(5), 60)
    cloud = np.eye(5)[label] @ rng.normal(0, 30, (5, 3)) + rng.normal(0, 6, (len(label), 3))
    values = rng.normal(0, 2, (5, 16))[label[::2]] + rng.normal(0, 0.4, (len(label) // 2, 16))
    time, slices = np.arange(500), []
    for snr in (14, 45, 107):
        rate = np.stack([b + a * snr / 50 * np.exp(-np.maximum(time - 200, 0) / 12) * (time >= 200) for b, a in ((0.4, 20), (2.1, 3), (0.6, 35))])
        curves = {"counts": rng.poisson(rate * 10) / 10, "rate": rate, "ours": rate * 0.93 + 0.1, "report": rate * 0.8 + 9.0 * (time < 4)}
        largest = {words: {name: curve[:, part].max(axis=1).round(1).tolist() for name, curve in curves.items()}
                   for words, part in (("whole", slice(None)), ("inner", slice(25, -25)))}
        slices.append({"title": f"SNR {snr}", **{name: curve.round(3).tolist() for name, curve in curves.items()}, "largest": largest})
    return {"tsne": {"classes": CLASSES, "label": label.tolist(), "plane": cloud[:, :2].round(1).tolist(), "space": cloud.round(1).tolist()},
            "features": {"classes": CLASSES, "label": label[::2].tolist(), "values": values.round(2).tolist()},
            "observed": {"step_s": 1e-4, "edge": 25, "slices": slices}}


def made_up_results(network_auc: float = 0.9991) -> Results:
    rng = np.random.default_rng(1)
    beyond = {"<": -0.4, ">": 0.4}
    records = [record(claim.id, claim.bound + beyond.get(claim.op, 0), "count", (0.001, 1.0) if claim.low else None)
               for claim in CLAIMS if not claim.supplied]
    records += [record("detection.auc_quiet", network_auc, "AUC", (network_auc - 0.0008, 0.9997)), record("detection.auc_hits", 0.9952, "AUC"),
                record("detection.auc_noise", 0.9973, "AUC", (0.9961, 0.9985)), record("detection.macro_f1", 0.913, "F1", (0.90, 0.925)),
                record("rival.boxcar_clipped.auc_quiet", 0.9982, "AUC", (0.997, 0.999)), record("rival.boxcar_clipped.auc_hits", 0.981, "AUC"),
                record("rival.peak.auc_quiet", 0.931, "AUC"), record("rival.peak.auc_hits", 0.41, "AUC"), record("rival.boxcar_clipped.macro_f1", 0.781, "F1"),
                record("compression.latents.bits_per_sample", 0.0472, "bits/sample"), record("compression.ccsds121.bits_per_sample", 2.31, "bits/sample"),
                record("latents.neighbours.int8", 0.871, "share", (0.86, 0.88)),
                record("compression.latents.signal.error_337", 0.71, "sigma", (0.65, 0.78)), record("compression.ccsds121.signal.error_337", 1.0, "sigma")]
    levels = list(statistics.LEVELS)
    engines = {}
    for name, middle in ENGINES.items():
        draws = {mode: middle * factor * np.exp(rng.normal(0, 0.07, 4000)) + rng.exponential(middle * 0.06, 4000)
                 for mode, factor in (("hot", 1.0), ("paced", 1.7))}
        engines[name] = {**{mode: [round(float(v), 2) for v in np.percentile(values, levels)] for mode, values in draws.items()},
                         "first_call": [round(middle * 9, 1), round(middle * 11, 1)]}
        records += [record(f"latency.{name}.{mode}.p{level}", float(np.percentile(values, level)), "µs", (middle, middle * 2))
                    for mode, values in draws.items() for level in (50, 95, 99)]
    signal, quiet, hits = rng.normal(5, 1.2, 900), rng.normal(0, 1, 900), rng.normal(0.8, 1, 900)

    def curve(name, shift):
        out = {}
        for key, noise in (("quiet", quiet), ("hits", hits)):
            fpr, tpr = statistics.roc_curve(signal - shift, noise)
            out[key] = {"name": name, "fpr": fpr, "tpr": tpr, "auc": auc(signal - shift, noise)}
        recall, precision = statistics.precision_recall_curve(signal - shift, np.r_[quiet, hits])
        out["precision_recall"] = {"name": name, "recall": recall, "precision": precision}
        return out

    curves = [curve(name, shift) for name, shift in (("int8 network", 0), ("boxcar 32, clipped", 0.6), ("frame peak", 2.5))]
    snr = [1.0, 1.8, 3.2, 5.6, 10.0, 18.0, 32.0]
    share = 1 / (1 + np.exp(-2.2 * (np.log(snr) - np.log(3.4))))
    labels = rng.integers(0, 5, 700)
    time = np.arange(260)
    windows = []
    for title in ("lightning", "blue", "uv", "hits", "quiet"):
        rate = np.stack([b + a * np.exp(-np.maximum(time - 90, 0) / d) * (time >= 90) for b, a, d in ((0.4, 20, 40), (2.1, 3, 15), (0.6, 35, 25))])
        windows.append({"title": title, "step_s": 40e-6, "counts": rng.poisson(rate).tolist(), "rate": rate.round(2).tolist(),
                        "reconstruction": (rate * 0.93 + 0.1).round(2).tolist()})
    figures = {
        "latency": {"levels": levels, "engines": engines},
        "roc": {**{key: [c[key] for c in curves] for key in ("quiet", "hits", "precision_recall")}, "operating_point": {"recall": 0.95, "precision": 0.97}},
        "confusion": {"classes": CLASSES, "counts": (rng.integers(0, 30, (5, 5)) + np.eye(5, dtype=int) * 500).tolist()},
        "efficiency": {"snr": snr, "signal_from": 5.0, "curves": [{"name": "int8 network", "efficiency": share.tolist(),
                       "low": (share - 0.04).clip(0).tolist(), "high": (share + 0.04).clip(max=1).tolist()}]},
        "latents": {"classes": CLASSES, "label": labels.tolist(), "explained": [0.52, 0.21],
                    "points": (rng.normal(0, 1, (700, 2)) + 3 * np.stack([np.cos(labels), np.sin(labels)], 1)).round(2).tolist()},
        "uv_curve": {"amplitude": [2.8, 8.4, 28.0, 110.0], "n": [9, 40, 50, 12], "network": [0.31, 0.82, 0.95, 0.98], "smoother": [0.35, 0.71, 0.9, 0.97]},
        **figures_of_2020(),
        "windows": windows, "rival_names": {"boxcar_clipped": "boxcar 32, clipped", "peak": "frame peak"}, "notes": ["Nothing here was measured."],
        "tables": {
            "rivals": {"columns": ["score", "signal / quiet, AUC", "signal / hits, AUC", "macro F1"], "note": "Always-noise scores 0.5.", "rows": [
                {"name": "int8 network", "cells": ["detection.auc_quiet", "detection.auc_hits", "detection.macro_f1"]},
                {"name": "boxcar 32, clipped", "cells": ["rival.boxcar_clipped.auc_quiet", "rival.boxcar_clipped.auc_hits", "rival.boxcar_clipped.macro_f1"]},
                {"name": "frame peak", "cells": ["rival.peak.auc_quiet", "rival.peak.auc_hits", None]}]},
            "latency": {"columns": ["engine", "paced p50", "paced p95", "paced p99"], "rows": [
                {"name": name, "cells": [f"latency.{name}.paced.p{level}" for level in (50, 95, 99)]} for name in ENGINES]},
            "neighbours": {"columns": ["neighbours in the latent space", "value"], "note": "By chance 0.200.",
                           "rows": [{"name": "of its own class", "cells": ["latents.neighbours.int8"]}]},
            "compression": {"columns": ["what is sent", "bits a sample", "error at 337 nm, signal"], "rows": [
                {"name": "int8 latents (D)", "cells": ["compression.latents.bits_per_sample", "compression.latents.signal.error_337"]},
                {"name": "CCSDS-121 (L)", "cells": ["compression.ccsds121.bits_per_sample", "compression.ccsds121.signal.error_337"]}]}}}
    environment = {"date": "2026-01-01T00:00:00+00:00", "cpu": "a made-up processor", "governor": None, "versions": {"numpy": "1.26.4"}}
    return Results("demo", 1, "2026-01-01T00:00:00+00:00", environment, tuple(records), judge(records), figures)


@pytest.fixture(scope="session")
def results() -> Results:
    return made_up_results()
