"""Focal-surface counts to the network's int8 input: one code per pixel and frame, and a window of 48 frames for every pixel that slides by one frame.

The same code runs in training, parity, benchmarks and on board. A code is how far a pixel stands above its own recent level, in units of
its Poisson noise, compressed as a square root compresses, so that eight bits reach from a quarter of a standard deviation to 280 of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .frames import FRAME_GTU, PIXELS, FrameStretch

FOCAL_PIXELS = PIXELS * PIXELS
WINDOW_FRAMES = 48  # 1.97 s: a light on the ground drifts by 2.2 pixels meanwhile, a meteor crosses a pixel in 2 to 10 frames
_LEVEL_STEPS = 256  # parts of a count in which a level is kept
_LARGEST_SUM = 1 << 22  # counts of a frame: 256 parts of it fit into int32


@dataclass(frozen=True)
class PixelCodes:
    """How counts become codes. ValueError, beginning with the field's name, where a value cannot be.

    Of a pixel with n counts and level b: z = (n - b) / sqrt(b) in sigma, real value 2 sign(z) (sqrt(1 + |z|) - 1), code = that / scale,
    rounded half to even. The level then follows by (n - b) / memory, but by no more than limit sigma / memory: a flash leaves no
    trace. scale: a power of two, as all of the network's.
    """

    scale: float = 0.25
    memory: int = 32
    limit: int = 4

    def __post_init__(self) -> None:
        if type(self.scale) is not float or not 0 < self.scale <= 1 or math.frexp(self.scale)[0] != 0.5:
            raise ValueError(f"scale: is {self.scale!r}, must be a power of two, at most 1")
        for name, high in (("memory", 4096), ("limit", 64)):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= high:
                raise ValueError(f"{name}: is {value!r}, must be an integer of 1 to {high}")

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "PixelCodes":
        """From the manifest; ValueError where a field is missing or out of range."""
        return cls(*(document.get(name) for name in ("scale", "memory", "limit")))  # type: ignore[arg-type]  # checked above

    def to_document(self) -> dict[str, object]:
        """JSON form, as the manifest holds it."""
        return {"scale": self.scale, "memory": self.memory, "limit": self.limit}


class PixelWindows:
    """The state between frames: level, age and the last 48 codes of every pixel, of constant size.

    `age` int32 [2304]: frames since the pixel was last masked or a gap; its window is full from WINDOW_FRAMES on. A masked pixel begins anew:
    nothing is filled in. Float32 with square root and division alone, which IEEE 754 rounds the same on every machine.
    """

    def __init__(self, codes: PixelCodes) -> None:
        self._codes = codes
        self._level = np.full(FOCAL_PIXELS, _LEVEL_STEPS, np.int32)
        self.age = np.zeros(FOCAL_PIXELS, np.int32)
        # Every code is written twice, 48 frames apart, so that the window always lies in one piece.
        self._ring = np.zeros((FOCAL_PIXELS, 2 * WINDOW_FRAMES), np.int8)
        self._excess = np.zeros((WINDOW_FRAMES, FOCAL_PIXELS), np.float32)
        self._frame = 0

    def push(self, sums: npt.NDArray[np.uint32], masked: npt.NDArray[np.bool_]) -> npt.NDArray[np.int8]:
        """Take the next frame, sums and masked [48, 48]; gives its codes int8 [2304], 0 where masked."""
        counts = sums.ravel().astype(np.int32)
        counts *= _LEVEL_STEPS
        masked = masked.ravel()
        np.copyto(self._level, counts, where=self.age == 0)
        np.maximum(self._level, _LEVEL_STEPS, out=self._level)
        above = counts - self._level
        sigma = np.sqrt(self._level.astype(np.float32)) * np.float32(math.sqrt(_LEVEL_STEPS))  # of a level, in its steps
        z = above.astype(np.float32) / sigma
        real = np.copysign(np.sqrt(np.abs(z) + np.float32(1)) - np.float32(1), z)
        found: npt.NDArray[np.int8] = np.clip(np.rint(real * np.float32(2 / self._codes.scale)), -128, 127).astype(np.int8)
        found[masked] = 0
        limit = (sigma * np.float32(self._codes.limit)).astype(np.int32)
        # The mean of the first frames, as long as there are fewer than `memory`.
        known = np.minimum(self.age + 1, self._codes.memory)
        self._level += np.where(known < self._codes.memory, above, np.clip(above, -limit, limit)) // known
        self.age += 1
        self.age[masked] = 0
        place = self._frame % WINDOW_FRAMES
        self._ring[:, place] = found
        self._ring[:, place + WINDOW_FRAMES] = found
        np.multiply(above, np.float32(1 / (_LEVEL_STEPS * FRAME_GTU)), out=self._excess[place], casting="unsafe")
        self._frame += 1
        return found

    def gather(self, out: npt.NDArray[np.int8]) -> None:
        """Write the last 48 codes of every pixel, the oldest first, to `out` int8 [2304, 48]."""
        first = self._frame % WINDOW_FRAMES
        out[...] = self._ring[:, first:first + WINDOW_FRAMES]

    def excess(self, ago: npt.NDArray[np.intp], pixel: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """Counts per GTU above the level [k], of pixels [k] so many frames ago [k], 0 being the last one."""
        seen: npt.NDArray[np.float32] = self._excess[(self._frame - 1 - ago) % WINDOW_FRAMES, pixel]
        return seen

    def gap(self) -> None:
        """Frames are missing: every pixel begins anew."""
        self.age[:] = 0


def stretch_codes(codes: PixelCodes, stretch: FrameStretch) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """Codes int8 and ages int32 [n, 2304] of a whole stretch: what `PixelWindows` gives frame by frame after a gap."""
    windows = PixelWindows(codes)
    found = np.empty((len(stretch.sums), FOCAL_PIXELS), np.int8)
    age = np.empty(found.shape, np.int32)
    for k in range(len(found)):
        found[k] = windows.push(stretch.sums[k], stretch.masked[k])
        age[k] = windows.age
    return found, age
