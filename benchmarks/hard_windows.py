"""Windows of what is hard to tell apart: each kind drawn alone, and only windows in which its own light has the SNR of a signal.

Never learned from and never a source of thresholds: seeds of their own, drawn for benchmarks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edge_runtime.preprocess import FRAME_SAMPLES, WINDOW_SAMPLES
from train.instruments.mmia.configuration import DEFAULT, Configuration
from train.instruments.mmia.constants import FLUX_PER_COUNT, FRAME_PERIOD_SAMPLES, SAMPLE_TIME
from train.instruments.mmia.scene import draw_background, expose
from train.instruments.mmia.sources import BLUE, LIGHTNING, UV, Pulse, Sky
from train.windows import label_of

_STREAM = 77  # of seeds
_EDGE = 20  # samples from a window's end within which a cut pulse peaks
_TRIES = 200  # scenes for one window before giving up
_DURATION = FRAME_PERIOD_SAMPLES * SAMPLE_TIME  # one frame
_TWILIGHT = {"background_337": (2.2, 20.0), "background_uv": (6.0, 30.0), "background_777": (2.1, 20.0)}  # log [assumed: up to ten times the night's]
_MOONLESS = {"background_337": (0.004, 0.02), "background_uv": (0.51, 0.7), "background_777": (0.062, 0.1)}  # log [the darkest recorded slices]
_WEAK = 25.0  # largest SNR of a weak pulse
Draw = Callable[[np.random.Generator], list[Pulse]]


@dataclass(frozen=True)
class Hard:
    """A kind: what is drawn, and what windows of it must be called. `regime`: of particle hits. `edge`: the pulse is cut by the window's end."""

    words: str
    label: int
    draw: Draw
    configuration: Configuration = DEFAULT
    regime: str = "none"
    edge: bool = False
    largest_snr: float = np.inf


@dataclass(frozen=True)
class HardSet:
    """w windows of one kind: counts uint16 [w, 3, 1040], SNR float32 [w]; all are to be called `label`."""

    counts: np.ndarray
    snr: np.ndarray
    label: int


def hard_windows(kind: str, number: int, seed: int) -> HardSet:
    """`number` windows of a kind of KINDS; same arguments, same bytes. RuntimeError, a defect of ours, where a kind gives too few."""
    hard = KINDS[kind]
    counts, snrs = np.empty((number, 3, WINDOW_SAMPLES), np.uint16), np.empty(number, np.float32)
    for w in range(number):
        for attempt in range(_TRIES):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, list(KINDS).index(kind), w, attempt)))
            pulses = hard.draw(rng)
            if all(pulse.light != hard.label for pulse in pulses):  # one jet in four hundred has no elve
                continue
            exposure = expose(pulses, draw_background(1, rng, hard.configuration), 0, 1, hard.regime, rng, hard.configuration)
            start = _start(pulses, hard, rng)
            cut = slice(start, start + WINDOW_SAMPLES)
            label, snr = label_of(exposure, cut)
            if label == hard.label and snr <= hard.largest_snr:
                counts[w], snrs[w] = exposure.counts[:, cut], snr
                break
        else:
            raise RuntimeError(f"{kind}: no window of class {hard.label} in {_TRIES} scenes")
    return HardSet(counts, snrs, hard.label)


def _start(pulses: list[Pulse], hard: Hard, rng: np.random.Generator) -> int:
    """First sample of a window that holds the peak of one of the kind's own pulses, near its end where the pulse is to be cut."""
    own = [pulse for pulse in pulses if pulse.light == hard.label]
    pulse = own[int(rng.integers(len(own)))]
    peak = pulse.first_sample + int(pulse.photons.sum(axis=0).argmax())
    inside = int(rng.integers(WINDOW_SAMPLES))
    if hard.edge:
        inside = int(rng.integers(_EDGE)) if rng.random() < 0.5 else WINDOW_SAMPLES - 1 - int(rng.integers(_EDGE))
    return min(max(peak - inside, 0), FRAME_SAMPLES - WINDOW_SAMPLES)


def _event(kind: str, configuration: Configuration = DEFAULT) -> Draw:
    return lambda rng: Sky(rng, configuration).event(kind, _DURATION)


def _jet(rng: np.random.Generator) -> list[Pulse]:
    """Onset of a blue jet: five bright blue flashes of some 10 us, most with an elve: Neubert et al., Nature 589 (2021) 371."""
    pulses, start = [], _DURATION * rng.uniform(0.2, 0.6)
    for _ in range(5):
        pulses.append(Pulse(BLUE, start, (rng.uniform(20, 80) / FLUX_PER_COUNT[0], 0.0, rng.uniform(0, 0.5) / FLUX_PER_COUNT[2]), 5e-6, 10e-6))
        if rng.random() < 0.7:
            pulses.append(Pulse(UV, start, (0.0, rng.uniform(2, 30), 0.0), 30e-6, 100e-6))
        start += rng.uniform(1e-3, 5e-3)
    return pulses


def _overlap(rng: np.random.Generator) -> list[Pulse]:
    """A BLUE on the shoulder of a lightning pulse, within a millisecond."""
    sky = Sky(rng, DEFAULT)
    flash, blue = sky.event("lightning", _DURATION), sky.event("blue", _DURATION)
    shift = flash[0].start + rng.uniform(-1e-3, 1e-3) - blue[0].start
    return flash + [replace(pulse, start=pulse.start + shift) for pulse in blue if pulse.light == BLUE]


_SHALLOW = replace(DEFAULT, shallow_chance=1.0)
_STORM = replace(DEFAULT, hits_high_337=(600.0, 600.0))
KINDS = {
    "sprite": Hard("sprite beside its parent flash", UV, _event("sprite")),
    "shallow": Hard("lightning so shallow that its UV gets out, beside elves", LIGHTNING, _event("lightning", _SHALLOW), _SHALLOW),
    "elve": Hard("elve, its parent flash beside it", UV, _event("elve")),
    "jet": Hard("onset of a blue jet, with elves", UV, _jet),
    "overlap": Hard("BLUE on the shoulder of lightning", LIGHTNING, _overlap),
    "edge_lightning": Hard("lightning cut by the window's end", LIGHTNING, _event("lightning"), edge=True),
    "edge_blue": Hard("BLUE cut by the window's end", BLUE, _event("blue"), edge=True),
    "moonless": Hard("lightning under a moonless sky", LIGHTNING, _event("lightning"), replace(DEFAULT, **_MOONLESS)),  # type: ignore[arg-type]
    "twilight": Hard("lightning in twilight", LIGHTNING, _event("lightning"), replace(DEFAULT, **_TWILIGHT)),  # type: ignore[arg-type]
    "twilight_blue": Hard("BLUE in twilight", BLUE, _event("blue"), replace(DEFAULT, **_TWILIGHT)),  # type: ignore[arg-type]
    "hits": Hard("weak lightning under 600 particle hits a second", LIGHTNING, _event("lightning"), _STORM, "high", largest_snr=_WEAK),
    "hits_blue": Hard("weak BLUE under 600 particle hits a second", BLUE, _event("blue"), _STORM, "high", largest_snr=_WEAK),
}
