"""Labelled windows for training, calibration and test, cut from simulated scenes; every split is by scene.

A scene is here one frame of one event. Scenes come in a fixed cycle of kinds (`CYCLE`) so that each class gets a comparable number of
windows, and four windows are cut from each: two where the scene's own kind shows (a pulse of it, or a particle hit), one at any pulse, hit
or place, one anywhere. In training the cuts lie at any sample; in calibration and test they are the eight tiles of a frame, as on board.
What a window is called depends on nothing but the simulator's truth, see `WindowSet`.
"""

from dataclasses import dataclass

import numpy as np

from edge_runtime.flagging import CLASSES
from edge_runtime.preprocess import FRAME_SAMPLES, WINDOW_SAMPLES

from .instruments.mmia.configuration import DEFAULT
from .instruments.mmia.constants import FRAME_PERIOD_SAMPLES, SAMPLE_TIME
from .instruments.mmia.scene import (
    HIT_REGIMES,
    Exposure,
    draw_background,
    draw_event_frames,
    draw_event_kind,
    draw_hit_regime,
    expose,
    significance,
)
from .instruments.mmia.sources import UV, Pulse, Sky

SPLITS = ("train", "calibration", "test")
CYCLE = ("lightning", "elve", "blue", "hits", "elve", "blue", "quiet", "elve", "hits", "blue", "elve", "lightning", "blue", "elve", "mix",
         "hits")
WINDOWS_PER_SCENE = 4
SIGNAL_SNR = 5.0  # from this matched-filter SNR on a window is signal
LIGHT_SNR = 0.5  # below this the light in a window counts as none: no detector can tell
WEAK = -1
_HITS = CLASSES.index("hits")


@dataclass(frozen=True)
class WindowSet:
    """w windows of t samples, 1,040 unless told, channels in the order 337, uv, 777.

    Label: with light of matched-filter SNR >= SIGNAL_SNR its class, which is "uv" where the light of class uv alone reaches SIGNAL_SNR (the
    parent flash of an elve nearly always outshines it), else that of the light with the greater SNR. WEAK where light of LIGHT_SNR to
    SIGNAL_SNR is present. Else "hits" where a particle hit is, else "quiet".
    """

    counts: np.ndarray  # uint16 [w, 3, t]
    rate: np.ndarray  # float32 [w, 3, t], expected counts per bin without hits
    label: np.ndarray  # int8 [w], index in CLASSES or WEAK
    snr: np.ndarray  # float32 [w], of all light in the window
    hit_regime: np.ndarray  # int8 [w], of the scene: 0 none, 1 low, 2 high
    scene: np.ndarray  # int32 [w], number of the scene within the split: what a bootstrap draws


def window_set(split: str, scenes: int, seed: int, anywhere: bool | None = None, samples: int = WINDOW_SAMPLES) -> WindowSet:
    """The windows of `scenes` scenes, WINDOWS_PER_SCENE each; same arguments, same bytes, and more scenes go on with the same series.

    `anywhere`: cut at any sample instead of at the tiles; of itself in training alone. `samples`: of a window; beyond a frame each scene gives one,
    the whole event with zeros behind it, or cut off.

    Splits have seed streams of their own, SeedSequence(seed, spawn_key=(split, scene)), so no split shares a scene with another. ValueError
    for an unknown split or fewer than one scene.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is none of {', '.join(SPLITS)}")
    if scenes < 1:
        raise ValueError(f"{scenes} scenes, at least 1 is needed")
    whole = samples > FRAME_SAMPLES
    total = scenes * (1 if whole else WINDOWS_PER_SCENE)
    counts = np.zeros((total, 3, samples), np.uint16)
    rate = np.zeros((total, 3, samples), np.float32)
    label, snr, regimes = np.empty(total, np.int8), np.empty(total, np.float32), np.empty(total, np.int8)
    w = 0
    for i in range(scenes):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), i)))
        exposure, marks, regime = _frame(CYCLE[i % len(CYCLE)], rng, whole)
        for start in [0] if whole else _starts(marks, split == "train" if anywhere is None else anywhere, samples, rng):
            cut = slice(start, min(start + samples, exposure.counts.shape[1]))
            seen = slice(cut.stop - start)
            counts[w, :, seen], rate[w, :, seen] = exposure.counts[:, cut], exposure.rate[:, cut]
            label[w], snr[w] = label_of(exposure, cut)
            regimes[w] = HIT_REGIMES.index(regime)
            w += 1
    return WindowSet(counts, rate, label, snr, regimes, np.repeat(np.arange(scenes, dtype=np.int32), total // scenes))


def matched_filter_snr(excess: np.ndarray, background: np.ndarray) -> float:
    """SNR of light with known shape over known background, both expected counts [3, n]: SNR^2 = sum of s^2 / (s + b)."""
    return float(np.sqrt(significance(excess, background).sum()))


def balanced_test(windows: WindowSet, seed: int) -> np.ndarray:
    """Indices int64 of equal numbers of signal, quiet and hits windows, half of the hits windows in each rate regime, sorted.

    Signal are the windows labelled as light. As many of each as the scarcest allows, drawn without replacement. ValueError where one kind
    is missing.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    hits = windows.label == _HITS
    pools = {
        "signal": np.flatnonzero(windows.label > _HITS),
        "quiet": np.flatnonzero(windows.label == CLASSES.index("quiet")),
        "hits at the low rate": np.flatnonzero(hits & (windows.hit_regime == 1)),
        "hits at the high rate": np.flatnonzero(hits & (windows.hit_regime == 2)),
    }
    half = min(len(pool) // (1 if name.startswith("hits") else 2) for name, pool in pools.items())
    if half == 0:
        scarce = min(pools, key=lambda name: len(pools[name]))
        raise ValueError(f"too few windows of {scarce} ({len(pools[scarce])}) to balance a test; take more scenes")
    wanted = {name: half if name.startswith("hits") else 2 * half for name in pools}
    return np.sort(np.concatenate([rng.choice(pool, wanted[name], replace=False) for name, pool in pools.items()]))


def _frame(scene: str, rng: np.random.Generator, whole: bool) -> tuple[Exposure, list[list[int]], str]:
    """One frame of one event, or the whole event: what was seen, the samples [own kind, any kind] at which something shows, and the hit regime."""
    regime = draw_hit_regime(scene, rng, DEFAULT)
    frames = draw_event_frames(rng, DEFAULT)
    kind = draw_event_kind(scene, rng, DEFAULT)
    pulses = Sky(rng, DEFAULT).event(kind, frames * FRAME_PERIOD_SAMPLES * SAMPLE_TIME)
    own = {"blue": [p for p in pulses if p.light not in (UV, _LIGHTNING)], "elve": [p for p in pulses if p.light == UV]}.get(kind, pulses)
    inside = [p for p in own if 0 <= p.first_sample < frames * FRAME_PERIOD_SAMPLES]
    k = inside[int(rng.integers(len(inside)))].first_sample // FRAME_PERIOD_SAMPLES if inside else int(rng.integers(frames))
    first, last = (0, frames) if whole else (k, k + 1)
    exposure = expose(pulses, draw_background(frames, rng, DEFAULT), first, last, regime, rng, DEFAULT)
    anything = _marks(pulses, k) + np.flatnonzero(exposure.hit.any(axis=0)).tolist()
    return exposure, [_marks(own, k) or anything, anything], regime


_LIGHTNING = CLASSES.index("lightning")


def _marks(pulses: list[Pulse], frame: int) -> list[int]:
    """Samples of a frame at which these pulses begin."""
    samples = [p.first_sample - frame * FRAME_PERIOD_SAMPLES for p in pulses]
    return [s for s in samples if 0 <= s < FRAME_SAMPLES]


def _starts(marks: list[list[int]], anywhere: bool, samples: int, rng: np.random.Generator) -> list[int]:
    """First samples of the windows of one frame: any sample where `anywhere`, else different tiles."""
    own, anything = marks
    last = FRAME_SAMPLES - samples
    starts: list[int] = []
    for wish in (own, own, anything, []):
        mark = wish[int(rng.integers(len(wish)))] if wish else int(rng.integers(FRAME_SAMPLES))
        if anywhere:
            # The mark may lie anywhere in the window, and a little before it: the tail of a pulse is light as well.
            start = min(max(mark - int(rng.integers(-100, samples)), 0), last)
            while start in starts:
                start = int(rng.integers(last + 1))
        else:
            start = mark // samples * samples
            while start in starts:
                start = int(rng.integers(FRAME_SAMPLES // samples)) * samples
        starts.append(start)
    return starts


def label_of(exposure: Exposure, cut: slice) -> tuple[int, float]:
    """Label and SNR of the window that `cut` takes out of an exposure, see `WindowSet`."""
    background = exposure.background[:, cut]
    by_class = {which: matched_filter_snr(excess[:, cut], background) for which, excess in exposure.excess.items()}
    snr = matched_filter_snr(exposure.rate[:, cut] - background, background) if by_class else 0.0
    if snr >= SIGNAL_SNR:
        return UV if by_class.get(UV, 0.0) >= SIGNAL_SNR else max(by_class, key=lambda which: by_class[which]), snr
    if snr >= LIGHT_SNR:
        return WEAK, snr
    return int(exposure.hit[:, cut].any()) * _HITS, snr
