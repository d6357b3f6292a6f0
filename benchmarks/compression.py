"""Bytes on the downlink against error: int8 latents and lossless CCSDS-121 on the same held-out windows, headers counted.

A ratio never stands without the error beside it: root mean square difference to the simulator's true rate in units of its Poisson sigma,
sqrt(rate), per channel, signal and quiet windows apart. The photon noise of the counts themselves is 1.0 in that measure, so whatever
lies below has dropped noise, and whatever lies above has dropped light.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edge_runtime.counts import CHANNELS
from edge_runtime.flagging import CLASSES, LIGHT

from .environment import on, package_version
from .material import Material
from .results import Record, Stage
from .statistics import scene_bootstrap
from .transforms import WAVELET, Components, wavelet

PACKET_BYTES = 21  # CCSDS space packet: 6 primary, 8 secondary with time, 5 application (model, window, count), 2 CRC-16
WINDOWS_PER_PACKET = 16  # 166 ms of sky are lost with one packet
BLOCK_SAMPLES, REFERENCE_BLOCKS = 64, 128  # J and reference sample interval of CCSDS 121.0-B-3
LIGHT_LABELS = [CLASSES.index(name) for name in LIGHT]
UNIT_DELAY = 8  # libaec's AEC_DATA_PREPROCESS: the standard's own predictor
BEATEN = {"mean": "window_mean", "pca": "pca", "wavelet": "wavelet"}  # word of the gate cvae.beats_WORD and the way that it is about


@dataclass(frozen=True)
class Corpus:
    """Held-out windows: counts uint16 and rate float32 [w, 3, t], signal and quiet bool [w], scene int [w]."""

    counts: np.ndarray
    rate: np.ndarray
    signal: np.ndarray
    quiet: np.ndarray
    scene: np.ndarray


@dataclass(frozen=True)
class Way:
    """One way to send windows: `payload` bytes [w] of each, and what the ground then believes, `believed` float [w, 3, t] counts per sample."""

    id: str
    name: str
    payload: np.ndarray
    believed: np.ndarray
    source: str


def compression(material: Material) -> Stage:
    """Every way on the test windows; of a run, whose observation model says how the decoder's output becomes counts."""
    test = material.test
    corpus = Corpus(test.counts, test.rate, np.isin(test.label, LIGHT_LABELS), test.label == CLASSES.index("quiet"), test.scene)
    latents = material.flight[0]
    components = Components(material.learned, latents.shape[1], material.seed)
    all_ways = ways(corpus, latents, material.reconstruction, material.calibration_mean, components)
    compared = compare(corpus, all_ways, material.seed)
    if material.scale == "demo":  # too few windows for the claims
        return compared
    return Stage((*compared.records, *beats(corpus, all_ways, material.seed)), compared.figures)


def ccsds121(window: np.ndarray, predictor: bool) -> bytes:
    """A window's counts uint16 [3, t] as CCSDS 121.0-B-3 (libaec), channel behind channel; ValueError where it does not come back equal."""
    import imagecodecs

    settings = {"bitspersample": 16, "flags": UNIT_DELAY if predictor else 0, "blocksize": BLOCK_SAMPLES, "rsi": REFERENCE_BLOCKS}
    raw = np.ascontiguousarray(window, "<u2").tobytes()
    packed = bytes(imagecodecs.aec_encode(raw, **settings))
    # libaec writes whole reference intervals: the room for the answer must be larger than the answer.
    back = imagecodecs.aec_decode(packed, **settings, out=len(raw) + 2 * BLOCK_SAMPLES * REFERENCE_BLOCKS)
    if bytes(back[:len(raw)]) != raw:
        raise ValueError("CCSDS-121 did not give back the counts")
    return packed


def packet_bits_per_sample(payload: np.ndarray, samples: int, windows_per_packet: int = WINDOWS_PER_PACKET) -> float:
    """Bits per sample with headers, for payload bytes [w] of windows with `samples` samples each; windows of a packet lie end to end."""
    packets = -(-payload.size // windows_per_packet)
    return 8 * float(payload.sum() + packets * PACKET_BYTES) / (payload.size * samples)


def error_in_sigma(believed: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Mean square of (believed - rate) / sqrt(rate) per window and channel, float64 [w, 3]; rate [w, 3, t] > 0 where any light can be."""
    sigma = np.sqrt(np.maximum(rate, 1e-6))
    return np.mean(((believed - rate) / sigma) ** 2, axis=2, dtype=np.float64)


def ways(corpus: Corpus, latents: np.ndarray, reconstruction: np.ndarray, constant: np.ndarray, components: Components) -> list[Way]:
    """Everything compared. `latents` int8 [w, k]; `reconstruction` float [w, 3, t] counts per sample from the whole model; `constant`
    float [3], mean counts per sample of calibration windows: what one believes without any bit; `components` learned from training windows."""
    payload = latents.shape[1]
    count, samples = len(corpus.counts), corpus.counts[0].size
    counts = corpus.counts.astype(np.float32)
    # Two bytes a channel: 1/16 count up to 4095 counts; finer than the noise of the mean of 1,040 samples unless it is almost dark.
    means = np.rint(counts.mean(axis=2, keepdims=True) * 16) / 16
    flat = np.broadcast_to
    lossless = {predictor: np.array([len(ccsds121(window, predictor)) for window in corpus.counts]) for predictor in (True, False)}
    coder = (f"imagecodecs {package_version('imagecodecs')} (libaec), J {BLOCK_SAMPLES}, reference every {REFERENCE_BLOCKS} blocks, "
             "each window alone, decoded and equal")
    return [
        Way("counts", "uint16 counts as they are", np.full(count, 2 * samples), counts, "benchmarks/compression.py"),
        Way("ccsds121", "CCSDS-121 (lossless)", lossless[True], counts, f"{coder}, unit-delay predictor"),
        Way("ccsds121_plain", "CCSDS-121, no predictor (lossless)", lossless[False], counts, f"{coder}, no predictor"),
        Way("latents", f"{latents.shape[1]} int8 latents (denoised)", np.full(count, latents.shape[1]), reconstruction,
            "int8 posterior means, not entropy-coded; reconstruction of the int8 whole model"),
        Way("pca", f"{payload} int8 principal components", np.full(count, payload), components.believed(corpus.counts),
            f"scikit-learn {package_version('scikit-learn')}, learned from {components.windows:,} training windows, of 2 sqrt(n + 3/8)"),
        Way("wavelet", f"largest {WAVELET} wavelets in {payload} bytes", np.full(count, payload), wavelet(corpus.counts, payload),
            f"PyWavelets {package_version('PyWavelets')}, channel means and the largest coefficients above the universal threshold, of 2 sqrt(n + 3/8)"),
        Way("window_mean", "window mean (3 numbers)", np.full(count, 2 * len(CHANNELS)), flat(means, counts.shape), "mean of each channel in 1/16 count"),
        Way("constant", "0-bit constant", np.zeros(count), flat(constant[None, :, None].astype(np.float32), counts.shape),
            "mean of each channel over the calibration windows; nothing is sent"),
    ]


def beats(corpus: Corpus, all_ways: list[Way], seed: int) -> list[Record]:
    """`cvae.beats_*`: rms error of the int8 whole model less that of each rival, signal windows, by channel; the gate is the worst channel's."""
    way = {one.id: one for one in all_ways}
    ours, records = error_in_sigma(way["latents"].believed, corpus.rate)[corpus.signal], []
    for word, identity in BEATEN.items():
        theirs = error_in_sigma(way[identity].believed, corpus.rate)[corpus.signal]
        source = f"benchmarks/compression.py; rms error of the int8 whole model less that of: {way[identity].name}; signal windows, paired"
        records += worst_channel(f"cvae.beats_{word}", ours, theirs, corpus.scene[corpus.signal], seed, source)
    return records


def worst_channel(identity: str, ours: np.ndarray, theirs: np.ndarray, scene: np.ndarray, seed: int, source: str) -> list[Record]:
    """Root of the mean of `ours` less that of `theirs`, squared errors [w, 3] of the same windows: the largest under `identity`, each under its channel's."""
    by_channel = []
    for number, channel in enumerate(CHANNELS):
        def difference(picks: np.ndarray, number: int = number) -> float:
            return float(np.sqrt(ours[picks, number].mean()) - np.sqrt(theirs[picks, number].mean()))
        by_channel.append(Record(f"{identity}.{channel}", difference(np.arange(len(ours))), "sigma", "measured", on(),
                                 scene_bootstrap(difference, scene, seed, 200), len(ours), seed, source))
    worst = max(by_channel, key=lambda record: float(record.value or 0))
    return [replace(worst, id=identity, source=f"{source}; the worst channel, {worst.id.rsplit('.', 1)[1]}"), *by_channel]


def compare(corpus: Corpus, all_ways: list[Way], seed: int) -> Stage:
    """Bits per sample, bytes per window, ratio to uint16 counts, and the errors of every way; intervals by scene."""
    samples, place, records = corpus.counts[0].size, on(), []
    columns = ["what is sent", "bits a sample, with headers", "bytes a window, payload", "ratio to uint16 counts"]
    columns += [f"error, {kind}, {channel} (σ)" for kind in ("signal", "quiet") for channel in CHANNELS]
    rows = []
    for way in all_ways:
        prefix, error = f"compression.{way.id}", error_in_sigma(way.believed, corpus.rate)
        bits = packet_bits_per_sample(way.payload, samples) if way.id != "constant" else 0.0
        spread = scene_bootstrap(lambda picks, way=way: packet_bits_per_sample(way.payload[picks], samples), corpus.scene, seed, 200) if bits else None  # type: ignore[misc]
        packing = f"{PACKET_BYTES} bytes of headers per packet of {WINDOWS_PER_PACKET} windows"
        records += [
            Record(f"{prefix}.bits_per_sample", bits, "bits/sample", "measured", place, spread, len(way.payload), seed, f"{way.source}; {packing}"),
            Record(f"{prefix}.window_bytes", float(way.payload.mean()), "bytes", "measured", place, None, len(way.payload), seed, way.source),
        ]
        cells: list[str | None] = [f"{prefix}.bits_per_sample", f"{prefix}.window_bytes", None]
        if bits:
            records.append(Record(f"{prefix}.ratio", 16 / bits, "to uint16", "measured", place, None, len(way.payload), seed,
                                  f"16 bits over bits a sample; {packing}"))
            cells[2] = f"{prefix}.ratio"
        for kind, chosen in (("signal", corpus.signal), ("quiet", corpus.quiet)):
            for number, channel in enumerate(CHANNELS):
                name = f"{prefix}.{kind}.error_{channel}"
                root = _root_mean(error[chosen, number])
                records.append(Record(name, root(np.arange(chosen.sum())), "sigma", "measured", place,
                                      scene_bootstrap(root, corpus.scene[chosen], seed, 200), int(chosen.sum()), seed,
                                      "rms of (believed - true rate) / sqrt(true rate), simulated scenes"))
                cells.append(name)
        rows.append({"name": way.name, "cells": cells})
    alone = packet_bits_per_sample(next(way for way in all_ways if way.id == "latents").payload, samples, 1)
    records.append(Record("compression.latents.bits_per_sample_alone", alone, "bits/sample", "measured", place, None, len(corpus.counts), seed,
                          f"one window per packet of {PACKET_BYTES} bytes of headers"))
    note = (f"{corpus.signal.sum():,} signal and {corpus.quiet.sum():,} quiet windows among {len(corpus.counts):,} of held-out scenes. Headers: "
            f"{PACKET_BYTES} bytes per CCSDS packet of {WINDOWS_PER_PACKET} windows; latents with one window per packet cost {alone:.3f} bits a "
            "sample. Lossless and denoised are different products: their bits are not rivals. Window mean and 0-bit constant are the floor that a "
            "network must leave behind in signal windows.")
    return Stage(tuple(records), {"tables": {"compression": {"columns": columns, "rows": rows, "note": note, "units": False}}})


def _root_mean(squares: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda picks: float(np.sqrt(squares[picks].mean()))
