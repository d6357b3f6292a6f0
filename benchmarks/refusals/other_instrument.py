"""Whole recordings of the instrument that a bundle is not made for: frames for the photometers, photometers for the focal surface."""

import os
from pathlib import Path

import numpy as np

from .damage import Attack, Case, Kind, Sources, flag_words


def _case(name: str, recordings: tuple[str, ...], names: str = "", stdin: Path | None = Path(os.devnull)) -> Case:
    """Flag these recordings one after the other; the refusal must name `names`, else the last one."""
    def build(folder: Path, sources: Sources, random: np.random.Generator) -> Attack:
        verb, bundle, _, *options = flag_words(sources, "")
        paths = (recording if recording == "-" else str(sources.recordings / recording) for recording in recordings)
        return Attack((verb, bundle, *paths, *options), stdin=stdin)
    return Case("another instrument", name, build, names=names or recordings[-1])


NO_FRAMES = Kind("another instrument", (
    _case("frames as ROOT", ("frames.root",)),
    _case("frames as NPZ", ("frames.npz",)),
    _case("frames after a recording", ("recording.npz", "frames.root")),
    _case("frames before a recording", ("frames.root", "recording.npz"), names="frames.root"),
), _case("its own recording", ("recording.npz",)))
NO_PHOTOMETERS = Kind("another instrument", (
    _case("photometers as FITS", ("recording.fits",)),
    _case("photometers as CDF", ("recording.cdf",)),
    _case("photometers as NPZ", ("recording.npz",)),
    _case("photometers after frames", ("frames.npz", "recording.fits")),
    _case("a stream", ("-",), names="-: stdin"),
    _case("a closed standard input", ("-",), names="-: stdin", stdin=None),
), _case("its own recording", ("frames.npz",)))
