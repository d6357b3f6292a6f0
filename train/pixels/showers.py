"""Labelled light curves of single pixels at D1 scale, 2.5 us a frame: tracks like those of air showers, against what else is bright for microseconds.

A shower runs down through the atmosphere at the speed of light, so it crosses a pixel in ten to thirty frames; a pixel counts one photon or
none in each. The rules are those of the meteors' curves: a pixel sees a shower whose matched-filter SNR in it is SIGNAL_SNR or more. Sky, gains
and dead pixels are those of the session; one packet of 128 GTU, in which the sky stands still, is drawn for each source.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_runtime.frames import PIXELS

from ..instruments.minieuso.constants import DEAD_TIME_GTU
from ..instruments.minieuso.ground import log_uniform
from ..instruments.minieuso.optics import SIDE, pixel_shares
from ..instruments.minieuso.scene import Scene
from .curves import Curves
from .truth import LONGEST, SIGNAL_SNR

GTU_KM = 0.7495  # the way of light in a GTU [derived]
PIXEL_KM = 6.3  # side of a pixel on the ground, and, within 3 %, at the height of showers [read]
PACKET = 2 * LONGEST  # GTU of a packet of D1 [read], and just what a curve is cut from
KINDS = ("quiet", "hit", "flash", "lightning", "elve", "shower")  # what `Curves.kind` counts in here
_SUBSTEPS = 2  # places of a shower within a GTU
_DRAWN = 64  # sources between two looks at whether there are enough


@dataclass(frozen=True)
class Showers:
    """Every free number, marked as in the configuration of the D3 simulator. Levels in counts per pixel and GTU, times in GTU; ranges are log-uniform."""

    zenith: tuple[float, float] = (30.0, 85.0)  # degrees, of cos^2 uniform between [assumed; steeper ones stay in a pixel]
    level: tuple[float, float] = (0.3, 12.0)  # at the maximum, before the optics spread it [assumed: at and above the threshold of 1e21 eV]
    length_km: tuple[float, float] = (4.0, 12.0)  # standard deviation of the light along the track [assumed: some 10 km of slant depth above 100 g/cm2]
    psf_pixels: float = 0.45  # as in the D3 simulator [assumed]
    quiet_share: float = 0.5  # of the curves without a shower, as of those without a meteor; the rest are one of the confusers each
    hit_level: tuple[float, float] = (3.0, 100.0)  # counts in the one GTU of a direct hit of a cosmic ray [assumed; one GTU: read]
    flash_level: tuple[float, float] = (0.3, 10.0)  # of a lamp on the ground that goes on within the packet [assumed]
    flash_rise: tuple[float, float] = (1.0, 30.0)  # [assumed]
    flash_time: tuple[float, float] = (30.0, 1000.0)  # in which it fades again [assumed]
    lightning_level: tuple[float, float] = (0.3, 30.0)  # at the packet's end [assumed]
    lightning_rise: tuple[float, float] = (40.0, 400.0)  # in which it grows by a factor e: 0.1 to 1 ms [assumed]
    elve_level: tuple[float, float] = (0.3, 10.0)  # [assumed]
    elve_rise: tuple[float, float] = (4.0, 15.0)  # standard deviation of the light's front in a pixel: tens of us [assumed]
    elve_fall: tuple[float, float] = (15.0, 80.0)  # [assumed]


DEFAULT = Showers()


def showers(session: int, lit: int, others: int, seed: int, numbers: Showers = DEFAULT) -> Curves:
    """`lit` curves of pixels that see a shower, then `others` without, at D1 scale, of one session; same arguments, same bytes.

    `Curves.meteor` says whether there is a shower, `Curves.kind` is an index in this module's KINDS.
    """
    seeds = np.random.SeedSequence([seed, session, PACKET])
    rng = np.random.default_rng(seeds)
    scene = Scene(session, 1, int(seeds.generate_state(1)[0]), meteors=0)
    alive = np.flatnonzero(~scene.dead)
    gain, sky = scene.gain.ravel(), scene.background(0, 1).ravel()  # [2304] each
    light, pixel, snr, source = _seen(lit, gain, sky, rng, numbers)

    other = rng.choice(alive, others)
    quiet = round(numbers.quiet_share * others)
    kind = np.concatenate([np.zeros(quiet, np.int8), rng.integers(1, len(KINDS) - 1, others - quiet).astype(np.int8)])
    confusers = [np.zeros(PACKET), *(_CONFUSERS[KINDS[k]](rng, numbers) for k in kind[quiet:])]
    level = np.concatenate([light, np.stack(confusers)[np.maximum(np.arange(others) - quiet + 1, 0)]])  # [lit + others, PACKET]

    pixels = np.concatenate([pixel, other])
    expected = (sky[pixels][:, None] + level) * gain[pixels][:, None]
    wide = rng.poisson(expected * np.exp(-DEAD_TIME_GTU * expected)).astype(np.uint32)
    shower = np.arange(lit + others) < lit
    place = np.where(shower, rng.random(lit + others), 0.5).astype(np.float32)
    return Curves(wide, place, shower, np.concatenate([np.full(lit, KINDS.index("shower"), np.int8), kind]),
                  np.concatenate([snr, np.zeros(others)]).astype(np.float32), np.concatenate([source, np.full(others, -1)]).astype(np.int32))


def track(rng: np.random.Generator, numbers: Showers = DEFAULT) -> np.ndarray:
    """Light of a shower, float32 [PACKET, 2304] counts per pixel and GTU before the detector, its maximum anywhere in view in the packet's middle.

    Seen from above, of a shower at zenith angle z that runs away at c: the light of dl along the track arrives over dl (1 + cos z) / c, in
    which the image moves on by dl sin z. So it takes PIXEL_KM / (c tan(z / 2)) to cross a pixel.
    """
    low, high = np.cos(np.radians(numbers.zenith)) ** 2
    cos_zenith = np.sqrt(rng.uniform(high, low))
    spread = log_uniform(numbers.length_km, rng) * (1 + cos_zenith) / GTU_KM  # GTU
    step = GTU_KM / PIXEL_KM * np.sqrt((1 - cos_zenith) / (1 + cos_zenith))  # pixels per GTU: tan(z / 2) in terms of cos z
    azimuth = rng.uniform(0, 2 * np.pi)
    time = (np.arange(PACKET * _SUBSTEPS) + 0.5) / _SUBSTEPS - PACKET / 2
    level = log_uniform(numbers.level, rng) * np.exp(-0.5 * (time / spread) ** 2) / _SUBSTEPS
    rows, columns = (pixel_shares(rng.uniform(0, SIDE) + step * time * direction, numbers.psf_pixels) for direction in (np.cos(azimuth), np.sin(azimuth)))
    whole = np.einsum("tsr,tsc->trc", (level[:, None] * rows).reshape(PACKET, _SUBSTEPS, PIXELS), columns.reshape(PACKET, _SUBSTEPS, PIXELS), optimize=True)
    return whole.reshape(PACKET, PIXELS**2).astype(np.float32)


def _seen(wanted: int, gain: np.ndarray, sky: np.ndarray, rng: np.random.Generator, numbers: Showers) -> tuple[np.ndarray, ...]:
    """Light [wanted, PACKET] about its brightest GTU, pixel, SNR and number of the shower of pixels that see one well."""
    found: list[tuple[np.ndarray, int, float, int]] = []
    number = 0
    while len(found) < wanted:
        light = track(rng, numbers)
        snr = np.sqrt((light**2).sum(axis=0) / sky * gain)
        for pixel in np.flatnonzero(snr >= SIGNAL_SNR):
            # As a curve of meteors is cut about its brightest frame; what then lies outside the packet is dark.
            shift = LONGEST - int(light[:, pixel].argmax())
            moved = np.zeros(PACKET, np.float32)
            moved[max(shift, 0):PACKET + min(shift, 0)] = light[max(-shift, 0):PACKET - max(shift, 0), pixel]
            found.append((moved, int(pixel), float(snr[pixel]), number))
        number += 1
    chosen = found[:wanted]
    columns = [np.array([row[k] for row in chosen], kind) for k, kind in ((1, int), (2, float), (3, int))]
    return np.array([row[0] for row in chosen]).reshape(-1, PACKET), *columns


def _hit(rng: np.random.Generator, numbers: Showers) -> np.ndarray:
    level = np.zeros(PACKET)
    level[_anywhere(rng)] = log_uniform(numbers.hit_level, rng)
    return level


def _flash(rng: np.random.Generator, numbers: Showers) -> np.ndarray:
    after = np.maximum(np.arange(PACKET) - _anywhere(rng), 0)
    rise, fade = log_uniform(numbers.flash_rise, rng), log_uniform(numbers.flash_time, rng)
    return log_uniform(numbers.flash_level, rng) * (1 - np.exp(-after / rise)) * np.exp(-after / fade)


def _lightning(rng: np.random.Generator, numbers: Showers) -> np.ndarray:
    return log_uniform(numbers.lightning_level, rng) * np.exp((np.arange(PACKET) - PACKET) / log_uniform(numbers.lightning_rise, rng))


def _elve(rng: np.random.Generator, numbers: Showers) -> np.ndarray:
    time = np.arange(PACKET) - _anywhere(rng)
    rise, fall = log_uniform(numbers.elve_rise, rng), log_uniform(numbers.elve_fall, rng)
    return log_uniform(numbers.elve_level, rng) * np.exp(-0.5 * (time / np.where(time < 0, rise, fall)) ** 2)


def _anywhere(rng: np.random.Generator) -> int:
    """A GTU that every curve of 48 about the packet's middle holds."""
    return int(rng.integers(LONGEST - 24, LONGEST + 24))


_CONFUSERS: dict[str, Callable[[np.random.Generator, Showers], np.ndarray]] = {"hit": _hit, "flash": _flash, "lightning": _lightning, "elve": _elve}
