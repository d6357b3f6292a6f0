"""`pixie simulate`: a recording with known truth."""

import argparse
from pathlib import Path

from edge_runtime.cli import Outcome, Verb, progress
from edge_runtime.errors import InputError

from .instruments.mmia.scene import MAXIMUM_FRAMES, SCENES

_SUFFIXES = (".fits", ".npz")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("instrument", choices=("mmia",), help="whose recording")
    parser.add_argument("file", metavar="FILE", type=Path, help="FILE.fits with frames, gaps and time, or FILE.npz with the counts alone")
    parser.add_argument("--frames", metavar="N", type=int, required=True, help=f"readouts of 83.25 ms, 1 to {MAXIMUM_FRAMES}")
    parser.add_argument("--seed", metavar="S", type=int, required=True, help="0 or greater; the same seed gives the same bytes")
    parser.add_argument("--scene", choices=SCENES, default="mix", help="what is in it (default: %(default)s, by the priors of nature)")


def _run(arguments: argparse.Namespace) -> Outcome:
    from .instruments.mmia.fits import write_fits
    from .instruments.mmia.npz import write_labels, write_npz
    from .instruments.mmia.scene import simulate

    path: Path = arguments.file
    if path.suffix not in _SUFFIXES:
        raise InputError(path, "suffix", f"is {path.suffix or 'missing'}, must be one of {', '.join(_SUFFIXES)}")
    if not path.parent.is_dir():  # before the work, not after it
        raise InputError(path, "file", f"cannot be written: the folder {path.parent} does not exist; make it first")
    if not 1 <= arguments.frames <= MAXIMUM_FRAMES:
        raise InputError("command line", "--frames", f"is {arguments.frames}, must be 1 to {MAXIMUM_FRAMES}; make several files")
    if arguments.seed < 0:
        raise InputError("command line", "--seed", f"is {arguments.seed}, must be 0 or greater")
    progress(f"simulating {arguments.frames} frames")
    scene = simulate(arguments.scene, arguments.frames, arguments.seed)
    labels = path.with_suffix(".labels.npz")
    (write_fits if path.suffix == ".fits" else write_npz)(scene, path)
    write_labels(scene, labels)
    hits = int(scene.hit.sum())
    lit = float((scene.light > 0).mean())
    text = (f"{path}: {arguments.frames} frames of scene {scene.scene!r}, seed {scene.seed}; "
            f"light in {lit:.1%} of the samples, {hits} particle hits\n"
            f"{labels}: the truth, sample by sample")
    return Outcome(text, {"file": str(path), "labels": str(labels), "frames": arguments.frames, "scene": scene.scene, "seed": scene.seed,
                          "hit_regime": scene.hit_regime, "light_fraction": lit, "hits": hits})


SIMULATE = Verb(
    name="simulate",
    summary="write a simulated recording, and the truth about it beside it in FILE.labels.npz",
    example="simulate mmia storm.fits --frames 60 --seed 1 --scene mix",
    add_arguments=_add_arguments,
    run=_run,
)
