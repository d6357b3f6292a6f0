"""Small valid inputs to damage: a scene of a few frames of each instrument in each of its formats, and the settings of a run."""

from pathlib import Path

import numpy as np

from .damage import Sources

FRAMES = 3  # of the photometers
SESSION = 12  # of the focal surface
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
    """Write recordings of both instruments and settings into `folder` (made), which takes three seconds; `bundle` and `run` are taken as they are."""
    from train.instruments.minieuso import npz as minieuso_npz
    from train.instruments.minieuso.root import write_root
    from train.instruments.minieuso.scene import BLOCK, Scene
    from train.instruments.mmia.cdf import write_cdf
    from train.instruments.mmia.fits import write_fits
    from train.instruments.mmia.npz import write_npz
    from train.instruments.mmia.scene import simulate

    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    scene = simulate("lightning", FRAMES, seed)
    write_fits(scene, folder / "recording.fits")
    write_cdf(scene, folder / "recording.cdf")
    write_npz(scene, folder / "recording.npz")
    (folder / "recording.raw").write_bytes(np.ascontiguousarray(scene.counts.T, "<u2").tobytes())
    pixels = Scene(SESSION, BLOCK, seed)
    write_root(pixels, folder / "frames.root")
    minieuso_npz.write_npz(pixels, folder / "frames.npz")
    return Sources(bundle, run, folder, settings)
