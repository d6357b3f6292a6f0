"""What the simulator knows of every pixel-frame of a scene: whose light is in it, and how far it stands out of the noise."""

import numpy as np

from edge_runtime.frames import FRAME_GTU, PIXELS

from ..instruments.minieuso.scene import FILE_FRAMES, Scene

SIGNAL_SNR = 5.0  # matched-filter SNR of a meteor's light in a pixel from which it is to be found
LIGHT_SNR = 0.5  # below which it counts as none
LONGEST = 64  # frames of the longest curve that is cut
KINDS = ("quiet", "ground", "flasher", "satellite", "lightning", "elve", "meteor")  # what is in a curve; of several the strongest


class Noise:
    """Squared SNR of what each kind of source leaves in a pixel-frame, and what the sky alone counts there."""

    def __init__(self, scene: Scene) -> None:
        self._gain = scene.gain.ravel() * FRAME_GTU
        level = scene.background(0, FILE_FRAMES).reshape(FILE_FRAMES, -1)
        self._level = level
        self._dense: dict[str, np.ndarray] = {}
        for light in scene.lights:
            if light.kind != "meteor":
                dense = self._dense.setdefault(light.kind, np.zeros((FILE_FRAMES + 1, PIXELS**2), np.float32))
                np.add.at(dense, (light.frame + 1, light.pixel), self.squared(light.frame, light.pixel, light.level))
        for dense in self._dense.values():
            np.cumsum(dense, axis=0, out=dense)

    def squared(self, frame: np.ndarray, pixel: np.ndarray, level: np.ndarray) -> np.ndarray:
        """s^2 / b of light `level` [k] in pixel-frames."""
        squares: np.ndarray = level**2 / np.maximum(self._level[frame, pixel], 1e-6) * self._gain[pixel]
        return squares

    def ground(self, start: np.ndarray, pixel: np.ndarray) -> np.ndarray:
        """SNR [k] of what is not flat in the sky's level over LONGEST frames from `start`."""
        seen = self._level[start[:, None] + np.arange(LONGEST), pixel[:, None]]  # [k, LONGEST]
        low = np.median(seen, axis=1, keepdims=True)
        return np.sqrt(((seen - low) ** 2 / low).sum(axis=1) * self._gain[pixel])

    def transient(self, kind: str, start: np.ndarray, pixel: np.ndarray) -> np.ndarray:
        """SNR [k] of a kind of source over LONGEST frames from `start`."""
        dense = self._dense.get(kind)
        if dense is None:
            return np.zeros(len(start), np.float32)
        return np.sqrt(np.maximum(dense[start + LONGEST, pixel] - dense[start, pixel], 0))

    def strongest(self, start: np.ndarray, pixel: np.ndarray) -> np.ndarray:
        """Index in KINDS [k] of what stands out most by SNR, "quiet" below SIGNAL_SNR."""
        table = np.stack([np.full(len(start), SIGNAL_SNR), self.ground(start, pixel), *(self.transient(kind, start, pixel) for kind in KINDS[2:-1])])
        strongest: np.ndarray = table.argmax(axis=0).astype(np.int8)
        return strongest


def meteor_places(scene: Scene, noise: Noise, rng: np.random.Generator, wanted: int) -> tuple[np.ndarray, ...]:
    """Where any meteor is, bool [frames, 2304]; then pixel, brightest frame, SNR and meteor of up to `wanted` pixels that see one well, each [k]."""
    lit = np.zeros((FILE_FRAMES, PIXELS**2), bool)
    rows: list[tuple[int, int, float, int]] = []
    for number, light in enumerate(light for light in scene.lights if light.kind == "meteor"):
        pixels, which = np.unique(light.pixel, return_inverse=True)
        snr = np.sqrt(np.bincount(which, noise.squared(light.frame, light.pixel, light.level)))
        seen = snr[which] > LIGHT_SNR
        lit[light.frame[seen], light.pixel[seen]] = True
        for k in np.flatnonzero(snr >= SIGNAL_SNR):
            mine = which == k
            peak = int(light.frame[mine][light.level[mine].argmax()])
            if LONGEST <= peak <= FILE_FRAMES - LONGEST:
                rows.append((int(pixels[k]), peak, float(snr[k]), number))
    chosen = [rows[k] for k in np.sort(rng.permutation(len(rows))[:max(wanted, 0)])]
    columns = [np.array([row[k] for row in chosen], float) for k in range(4)]
    return lit, columns[0].astype(int), columns[1].astype(int), columns[2], columns[3].astype(int)
