"""Labelled light curves of single pixels, cut from simulated sessions; every split is by session.

A curve is what one pixel counts in N frames. It is a meteor's where the meteor's light in that pixel has a matched-filter SNR of SIGNAL_SNR
and its brightest frame lies in the curve, at a random place (or, centred, in the middle). It is none where no meteor left LIGHT_SNR in it;
what lies between is left out of the sets, and stands in the efficiency of tracks. Half of the curves without a meteor are taken anywhere, half
where something else is bright for a while: light that drifts through, flashers, satellites, lightning.
"""

from dataclasses import dataclass, fields

import numpy as np

from edge_runtime.frames import PIXELS

from ..instruments.minieuso.scene import FILE_FRAMES, Scene
from .truth import KINDS as KINDS
from .truth import LIGHT_SNR as LIGHT_SNR
from .truth import LONGEST as LONGEST
from .truth import SIGNAL_SNR as SIGNAL_SNR
from .truth import Noise, meteor_places

_METEORS = 600  # drawn for one file: most are too faint to count
_METEOR = KINDS.index("meteor")


@dataclass(frozen=True)
class Curves:
    """k curves of one session, each with LONGEST frames to both sides of its centre: a meteor's brightest frame, or any."""

    wide: np.ndarray  # uint32 [k, 2 * LONGEST], the centre being frame LONGEST
    place: np.ndarray  # float32 [k], where in a curve its centre comes to lie, as a share of N; 0.5 without a meteor
    meteor: np.ndarray  # bool [k]
    kind: np.ndarray  # int8 [k], index in KINDS
    snr: np.ndarray  # float32 [k], of the meteor in it, 0 without one
    source: np.ndarray  # int32 [k], number of the meteor within the session, -1 without one

    def counts(self, length: int = 48, centred: bool = False) -> np.ndarray:
        """The curves cut to N = `length` frames, uint32 [k, N]; ValueError for N outside 2..LONGEST.

        Every N and both kinds of place are cut from the same pixels, so that experiments differ in nothing else.
        """
        if not 2 <= length <= LONGEST:
            raise ValueError(f"curves of {length} frames, must be 2 to {LONGEST}")
        before = np.full(len(self.place), length // 2) if centred else (self.place * length).astype(int)
        return np.take_along_axis(self.wide, LONGEST - before[:, None] + np.arange(length), axis=1)


def curves(session: int, meteors: int, others: int, seed: int) -> Curves:
    """`meteors` curves with a meteor, then `others` without, of one session; same arguments, same bytes."""
    parts: list[Curves] = []
    while True:
        lit = sum(int(part.meteor.sum()) for part in parts)
        dark = sum(len(part.meteor) for part in parts) - lit
        if parts and lit >= meteors and dark >= others:
            break
        parts.append(_from_file(session, meteors - lit, others - dark, seed, len(parts)))
    joined = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Curves)]
    order = np.argsort(~np.concatenate([part.meteor for part in parts]), kind="stable")
    return Curves(*(array[order] for array in joined))


def _from_file(session: int, meteors: int, others: int, seed: int, file: int) -> Curves:
    """What the `file`-th file of a session gives, up to the numbers wanted."""
    seeds = np.random.SeedSequence([seed, file])
    scene = Scene(session, FILE_FRAMES, int(seeds.generate_state(1)[0]), meteors=_METEORS)
    rng = np.random.default_rng(seeds)
    noise = Noise(scene)
    lit, pixel, centre, snr, source = meteor_places(scene, noise, rng, meteors)
    other_pixel, other_centre = _other_places(scene, noise, lit, rng, others)
    pixels, centres = np.concatenate([pixel, other_pixel]), np.concatenate([centre, other_centre])
    sums = scene.sums().reshape(FILE_FRAMES, -1)
    k, dark = len(pixel), len(other_pixel)
    place = np.concatenate([rng.random(k), np.full(dark, 0.5)]).astype(np.float32)
    kind = np.concatenate([np.full(k, _METEOR, np.int8), noise.strongest(other_centre - LONGEST // 2, other_pixel)])
    return Curves(sums[centres[:, None] + np.arange(-LONGEST, LONGEST), pixels[:, None]], place, np.arange(k + dark) < k, kind,
                  np.concatenate([snr, np.zeros(dark)]).astype(np.float32), np.concatenate([source + file * _METEORS, np.full(dark, -1)]).astype(np.int32))


def _other_places(scene: Scene, noise: Noise, lit: np.ndarray, rng: np.random.Generator, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel and centre [k] of up to `wanted` curves far from every meteor; half of them, as far as there are such, disturbed."""
    seen = np.zeros((FILE_FRAMES + 1, PIXELS**2), np.int32)
    np.cumsum(lit, axis=0, out=seen[1:])
    tries = 12 * max(wanted, 0)
    centre, pixel = rng.integers(LONGEST, FILE_FRAMES - LONGEST, tries), rng.integers(0, PIXELS**2, tries)
    free = (seen[centre + LONGEST, pixel] == seen[centre - LONGEST, pixel]) & ~scene.dead.ravel()[pixel]
    centre, pixel = centre[free], pixel[free]
    disturbed = np.flatnonzero(noise.strongest(centre - LONGEST // 2, pixel) > 0)[:wanted // 2]
    rest = np.setdiff1d(np.arange(len(centre)), disturbed)[:wanted - len(disturbed)]
    chosen = np.sort(np.concatenate([disturbed, rest]))
    return pixel[chosen], centre[chosen]
