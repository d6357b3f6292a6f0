"""A session as plain NumPy archives: sums as the readers take them, and the truth beside a recording."""

import io
from pathlib import Path

import numpy as np

from edge_runtime.files import write_file

from .constants import PIXELS
from .scene import Scene


def write_npz(scene: Scene, path: Path) -> None:
    """Write `sums` uint32 [n, 48, 48], `frame_time_unix` float64 [n] and `mask` bool [48, 48], the dead pixels."""
    _write(path, {"sums": scene.sums(), "frame_time_unix": scene.frame_time_unix, "mask": scene.dead})


def write_labels(scene: Scene, path: Path) -> None:
    """Write the truth: of source i its `kind`, `magnitude`, `speed_km_s`, `track` (row, column at its middle, pixels per frame along both), of each
    pixel-frame it lights `source`, `frame`, `row`, `column` and `level` (counts per pixel and GTU before the detector); gains, voltage steps."""
    lights = scene.lights
    source = np.repeat(np.arange(len(lights), dtype=np.int32), [light.frame.size for light in lights])
    pixel = np.concatenate([light.pixel for light in lights]) if lights else np.empty(0, np.int16)
    _write(path, {
        "kind": np.array([light.kind for light in lights], "U9"), "magnitude": np.array([light.magnitude for light in lights]),
        "speed_km_s": np.array([light.speed_km_s for light in lights]), "track": np.array([light.track for light in lights]).reshape(-1, 4),
        "source": source, "row": (pixel // PIXELS).astype(np.int16), "column": (pixel % PIXELS).astype(np.int16),
        "frame": np.concatenate([light.frame for light in lights]) if lights else np.empty(0, np.int32),
        "level": np.concatenate([light.level for light in lights]) if lights else np.empty(0, np.float32),
        "gain": scene.gain, "voltage_steps": np.array([(step.first, step.last, step.unit, step.gain) for step in scene.steps]).reshape(-1, 4),
        "session": np.asarray(scene.session.number), "seed": np.asarray(str(scene.seed)),
    })


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_file(path, buffer.getvalue())
