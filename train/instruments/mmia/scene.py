"""A simulated recording of MMIA's photometers: `simulate` gives a Scene of counts, the truth beside them, and time.

A scene is a run of triggered events of 3 to 9 frames; between events the instrument is silent and time goes on, within one 50 us pass
unseen after each frame. What is in an event follows from its kind: background alone, particle hits, a lightning flash, BLUE (sometimes with
a flash after it), an elve with its parent flash, or in the mix a draw of these and of sprites by their priors. Sprites and halos are light
from above the cloud with UV in it, so their class is "uv".
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge_runtime.counts import Stretch

from .configuration import DEFAULT, Configuration
from .constants import FRAME_PERIOD_SAMPLES, FRAME_SAMPLES, SAMPLE_TIME
from .detector import add_hits, draw_counts, expected_counts
from .sources import Pulse, Sky

SCENES = ("quiet", "hits", "lightning", "blue", "elve", "mix")
HIT_REGIMES = ("none", "low", "high")
MAXIMUM_FRAMES = 2048  # 170 s; counts and truth of a frame take 283 kB
LIGHT_PRESENT = 0.05  # expected counts of light in a bin, all channels together, below which its label is 0

_FRAME_NS = 83_250_000
_EPOCH_NS = 1_559_347_200_000_000_000  # 2019-06-01 00:00 UTC, where simulated time begins


@dataclass(frozen=True)
class Scene:
    """Counts of a recording and the truth about them; n = frames * FRAME_SAMPLES, channels in the order 337, uv, 777."""

    counts: np.ndarray  # uint16 [3, n]
    rate: np.ndarray  # float32 [3, n], expected counts per bin, dead time applied, without hits
    background: np.ndarray  # float32 [3, n], the part of it without light
    light: np.ndarray  # int8 [n], index in CLASSES of the light that stands out most from the background, 0 where there is none
    hit: np.ndarray  # bool [3, n]
    frame_utc_ns: np.ndarray  # int64 [frames], UTC of each frame's first sample in ns since 1970
    frame: np.ndarray  # int64 [frames], the instrument's frame number: it counts on between events
    seed: int
    scene: str
    hit_regime: str  # "none", "low" or "high"

    def stretches(self) -> Iterator[Stretch]:
        """One gap-free Stretch per frame."""
        for k, (utc, number) in enumerate(zip(self.frame_utc_ns, self.frame, strict=True)):
            first = k * FRAME_SAMPLES
            yield Stretch(self.counts[:, first : first + FRAME_SAMPLES], int(utc), int(number), first)


@dataclass(frozen=True)
class Background:
    """Light that is always there in one event: a level per channel and a slow drift."""

    level: np.ndarray  # float64 [3], expected photons per bin at the event's first sample
    slope: np.ndarray  # float64 [3], relative change per bin

    def photons(self, begin: int, end: int) -> np.ndarray:
        """Expected photons [3, end - begin] float64 of the event's samples begin..end - 1, counted through the gaps."""
        return self.level[:, None] * (1.0 + self.slope[:, None] * np.arange(begin, end))


@dataclass(frozen=True)
class Exposure:
    """Some frames of one event as seen by the counter; n = frames * FRAME_SAMPLES."""

    counts: np.ndarray  # uint16 [3, n]
    rate: np.ndarray  # float32 [3, n]
    background: np.ndarray  # float32 [3, n]
    excess: dict[int, np.ndarray]  # index in CLASSES -> expected counts [3, n] float32 of that class's light, summing to rate - background
    hit: np.ndarray  # bool [3, n]


def simulate(scene: str, frames: int, seed: int, configuration: Configuration = DEFAULT) -> Scene:
    """A Scene of `frames` frames; the same arguments give the same bytes.

    `scene` is one of SCENES: every event holds what the word says, in "mix" a draw by the priors. ValueError for another word or frames
    outside 1..MAXIMUM_FRAMES.
    """
    if scene not in SCENES:
        raise ValueError(f"scene {scene!r} is none of {', '.join(SCENES)}")
    if not 1 <= frames <= MAXIMUM_FRAMES:
        raise ValueError(f"{frames} frames, must be 1 to {MAXIMUM_FRAMES}")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    regime = draw_hit_regime(scene, rng, configuration)
    exposures, times = [], []
    start_us = int(rng.integers(0, 86_400_000_000))
    left = frames
    while left:
        length = min(left, draw_event_frames(rng, configuration))
        sky = Sky(rng, configuration)
        pulses = sky.event(draw_event_kind(scene, rng, configuration), length * FRAME_PERIOD_SAMPLES * SAMPLE_TIME)
        exposures.append(expose(pulses, draw_background(length, rng, configuration), 0, length, regime, rng, configuration))
        times.append(_EPOCH_NS + start_us * 1000 + np.arange(length) * _FRAME_NS)
        # The DPU counts frames of 83.25 ms through the silence as well, so an event starts at a whole one.
        start_us += _FRAME_NS // 1000 * (length + int(np.ceil(rng.exponential(configuration.event_interval) / (_FRAME_NS * 1e-9))))
        left -= length
    utc = np.concatenate(times)
    return Scene(
        counts=np.concatenate([e.counts for e in exposures], axis=1),
        rate=np.concatenate([e.rate for e in exposures], axis=1),
        background=np.concatenate([e.background for e in exposures], axis=1),
        light=np.concatenate([_light_labels(e) for e in exposures]),
        hit=np.concatenate([e.hit for e in exposures], axis=1),
        frame_utc_ns=utc,
        frame=(utc - _EPOCH_NS) // _FRAME_NS,
        seed=seed,
        scene=scene,
        hit_regime=regime,
    )


def draw_hit_regime(scene: str, rng: np.random.Generator, configuration: Configuration) -> str:
    """The regime of particle hits of a whole scene: none where it is "quiet", low or high alike where it is "hits"."""
    weights = {"quiet": (1.0, 0.0, 0.0), "hits": (0.0, 0.5, 0.5)}.get(scene, configuration.hit_regime_weights)
    return HIT_REGIMES[int(rng.choice(3, p=weights))]


def draw_event_frames(rng: np.random.Generator, configuration: Configuration) -> int:
    """Frames of one triggered event."""
    return int(rng.choice(configuration.event_frames, p=configuration.event_frames_weights))


def draw_event_kind(scene: str, rng: np.random.Generator, configuration: Configuration) -> str:
    """What an event of a scene holds: "dark", "lightning", "blue", "elve" or "sprite"."""
    if scene in ("quiet", "hits"):
        return "dark"
    if scene != "mix":
        return scene
    if rng.random() < configuration.mix_dark_chance:
        return "dark"
    weights = np.array(configuration.mix_weights)
    return ("lightning", "blue", "elve", "sprite")[int(rng.choice(4, p=weights / weights.sum()))]


def draw_background(frames: int, rng: np.random.Generator, configuration: Configuration) -> Background:
    """The background of one event of `frames` frames."""
    c = configuration
    low, high = np.array([c.background_337, c.background_uv, c.background_777]).T
    return Background(low * (high / low) ** rng.random(3), rng.normal(size=3) * c.background_drift / (frames * FRAME_PERIOD_SAMPLES))


def expose(pulses: list[Pulse], background: Background, first: int, last: int, regime: str, rng: np.random.Generator,
           configuration: Configuration) -> Exposure:
    """What the counter makes of frames first..last - 1 of an event: photons, dead time, hits, and no sample in the gap after a frame."""
    begin, end = first * FRAME_PERIOD_SAMPLES, last * FRAME_PERIOD_SAMPLES
    dark = _seen(background.photons(begin, end))
    photons = dark.copy()
    light: dict[int, np.ndarray] = {}
    for pulse in pulses:
        low, high = max(begin, pulse.first_sample), min(end, pulse.first_sample + pulse.samples)
        if low < high:
            total = light.setdefault(pulse.light, np.zeros((3, end - begin)))
            total[:, low - begin : high - begin] += pulse.photons[:, low - pulse.first_sample : high - pulse.first_sample]
    seen = {which: _seen(total) for which, total in light.items()}
    for total in seen.values():
        photons += total
    rate, background_rate = expected_counts(photons), expected_counts(dark)
    counts = draw_counts(photons, rng)
    hit = add_hits(counts, regime, rng, configuration)
    excess: dict[int, np.ndarray] = {}
    if seen:
        share = (rate - background_rate) / np.maximum(photons - dark, 1e-30)  # dead time takes from every photon alike
        excess = {which: (total * share).astype(np.float32) for which, total in seen.items()}
    return Exposure(counts, rate.astype(np.float32), background_rate.astype(np.float32), excess, hit)


def significance(excess: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Squared matched-filter SNR of light, expected counts [3, n], in each bin: s^2 / (s + b) summed over channels, [n]."""
    return (excess**2 / (excess + background)).sum(axis=0)


def _light_labels(exposure: Exposure) -> np.ndarray:
    labels = np.zeros(exposure.counts.shape[1], np.int8)
    if exposure.excess:
        classes = np.array(list(exposure.excess), np.int8)
        weight = np.stack([significance(s, exposure.background) for s in exposure.excess.values()])  # [classes, n]
        bright = (exposure.rate - exposure.background).sum(axis=0) >= LIGHT_PRESENT
        labels[bright] = classes[weight.argmax(axis=0)][bright]
    return labels


def _seen(timeline: np.ndarray) -> np.ndarray:
    """Leave out of [3, frames * FRAME_PERIOD_SAMPLES] what falls between frames: [3, frames * FRAME_SAMPLES]."""
    return timeline.reshape(3, -1, FRAME_PERIOD_SAMPLES)[:, :, :FRAME_SAMPLES].reshape(3, -1)

