"""A scene as plain NumPy archives: counts alone, as `pixie flag` reads them, and the truth beside a recording."""

import io
from pathlib import Path

import numpy as np

from edge_runtime.files import write_file

from .scene import Scene


def write_npz(scene: Scene, path: Path) -> None:
    """Write `counts` uint16 [3, n] and `utc_start_ns` int64 of the first sample.

    A plain archive has no frames: the 50 us after each frame and the silence between events are lost, and the samples read as one gap-free
    stretch.
    """
    _write(path, {"counts": scene.counts, "utc_start_ns": scene.frame_utc_ns[0]})


def write_labels(scene: Scene, path: Path) -> None:
    """Write the truth about a scene, every field of `Scene` but the counts under its own name."""
    truth = ("rate", "background", "light", "hit", "frame_utc_ns", "frame", "scene", "hit_regime")
    seed = np.asarray(str(scene.seed))  # text: a seed has any size
    _write(path, {name: np.asarray(getattr(scene, name)) for name in truth} | {"seed": seed})


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_file(path, buffer.getvalue())
