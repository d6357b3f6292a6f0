"""Small valid inputs to damage: one scene of a few frames in every recording format, and the settings of a run."""

from pathlib import Path

import numpy as np

from .damage import Sources

FRAMES = 3
SETTINGS = """\
seed = 1

[model]
latent = 16
channels = [16, 16, 24, 32, 32]
kernels = [7, 5, 5, 5, 5]
strides = [2, 2, 2, 2, 2]
observation = "poisson"

[training]
trunk_epochs = 1
tail_epochs = 1
learning_rate = 0.002

[data]
train_scenes = 16
"""


def make_sources(bundle: Path, run: Path, folder: Path, seed: int) -> Sources:
    """Write the recordings into `folder` (made), which takes a second; `bundle` and `run` are taken as they are."""
    from train.instruments.mmia.cdf import write_cdf
    from train.instruments.mmia.fits import write_fits
    from train.instruments.mmia.npz import write_npz
    from train.instruments.mmia.scene import simulate

    folder.mkdir(parents=True, exist_ok=True)
    scene = simulate("lightning", FRAMES, seed)
    fits, cdf, npz, raw = (folder / f"recording.{suffix}" for suffix in ("fits", "cdf", "npz", "raw"))
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    write_fits(scene, fits)
    write_cdf(scene, cdf)
    write_npz(scene, npz)
    raw.write_bytes(np.ascontiguousarray(scene.counts.T, "<u2").tobytes())
    return Sources(bundle, run, fits, cdf, npz, raw, settings)
