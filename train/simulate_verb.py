"""`pixie simulate`: a recording with known truth."""

import argparse
from collections.abc import Callable
from pathlib import Path

from edge_runtime.cli import Outcome, Verb, progress
from edge_runtime.errors import InputError

from .instruments.minieuso.configuration import SESSIONS
from .instruments.minieuso.scene import MAXIMUM_FRAMES as MINIEUSO_FRAMES
from .instruments.mmia.scene import MAXIMUM_FRAMES as MMIA_FRAMES
from .instruments.mmia.scene import SCENES

_SUFFIXES = {"mmia": (".fits", ".npz"), "minieuso": (".root", ".npz")}
_MAXIMUM_FRAMES = {"mmia": MMIA_FRAMES, "minieuso": MINIEUSO_FRAMES}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("instrument", choices=tuple(_SUFFIXES), help="mmia: the photometers of ASIM; minieuso: the focal surface of Mini-EUSO")
    parser.add_argument("file", metavar="FILE", type=Path, help="mmia: FILE.fits with frames, gaps and time, or FILE.npz with the counts alone; "
                        "minieuso: FILE.root or FILE.npz with sums, times and mask")
    parser.add_argument("--frames", metavar="N", type=int, required=True,
                        help=f"mmia: readouts of 83.25 ms, 1 to {_MAXIMUM_FRAMES['mmia']}; minieuso: D3 frames of 40.96 ms, 1 to {_MAXIMUM_FRAMES['minieuso']}")
    parser.add_argument("--seed", metavar="S", type=int, required=True, help="0 or greater; the same seed gives the same bytes")
    parser.add_argument("--scene", choices=SCENES, help="mmia: what is in it (default: mix, by the priors of nature)")
    parser.add_argument("--session", metavar="K", type=int, choices=tuple(SESSIONS), help=f"minieuso: whose sky and voltage, {', '.join(map(str, SESSIONS))}")


def _run(arguments: argparse.Namespace) -> Outcome:
    path: Path = arguments.file
    instrument, suffixes = arguments.instrument, _SUFFIXES[arguments.instrument]
    if path.suffix not in suffixes:
        raise InputError(path, "suffix", f"is {path.suffix or 'missing'}, must be one of {', '.join(suffixes)}")
    if not path.parent.is_dir():  # before the work, not after it
        raise InputError(path, "file", f"cannot be written: the folder {path.parent} does not exist; make it first")
    if not 1 <= arguments.frames <= _MAXIMUM_FRAMES[instrument]:
        raise InputError("command line", "--frames", f"is {arguments.frames}, must be 1 to {_MAXIMUM_FRAMES[instrument]}; make several files")
    if arguments.seed < 0:
        raise InputError("command line", "--seed", f"is {arguments.seed}, must be 0 or greater")
    foreign, own = ("session", "scene") if instrument == "mmia" else ("scene", "session")
    if getattr(arguments, foreign) is not None:
        raise InputError("command line", f"--{foreign}", f"says nothing of {instrument}; did you mean --{own}?")
    if instrument == "minieuso" and arguments.session is None:
        raise InputError("command line", "--session", f"is missing; choose one of {', '.join(map(str, SESSIONS))}")
    progress(f"simulating {arguments.frames} frames")
    run: Callable[[argparse.Namespace, Path], Outcome] = _mmia if instrument == "mmia" else _minieuso
    return run(arguments, path.with_suffix(".labels.npz"))


def _mmia(arguments: argparse.Namespace, labels: Path) -> Outcome:
    from .instruments.mmia.fits import write_fits
    from .instruments.mmia.npz import write_labels, write_npz
    from .instruments.mmia.scene import simulate

    path: Path = arguments.file
    scene = simulate(arguments.scene or "mix", arguments.frames, arguments.seed)
    (write_fits if path.suffix == ".fits" else write_npz)(scene, path)
    write_labels(scene, labels)
    hits = int(scene.hit.sum())
    lit = float((scene.light > 0).mean())
    text = (f"{path}: {arguments.frames} frames of scene {scene.scene!r}, seed {scene.seed}; "
            f"light in {lit:.1%} of the samples, {hits} particle hits\n"
            f"{labels}: the truth, sample by sample")
    return Outcome(text, {"file": str(path), "labels": str(labels), "frames": arguments.frames, "scene": scene.scene, "seed": scene.seed,
                          "hit_regime": scene.hit_regime, "light_fraction": lit, "hits": hits})


def _minieuso(arguments: argparse.Namespace, labels: Path) -> Outcome:
    from .instruments.minieuso.npz import write_labels, write_npz
    from .instruments.minieuso.root import write_root
    from .instruments.minieuso.scene import Scene
    from .instruments.minieuso.sources import KINDS

    path: Path = arguments.file
    scene = Scene(arguments.session, arguments.frames, arguments.seed)
    (write_root if path.suffix == ".root" else write_npz)(scene, path)
    write_labels(scene, labels)
    seen = {kind: sum(light.kind == kind for light in scene.lights) for kind in KINDS}
    told = ", ".join(f"{number} {kind}" for kind, number in seen.items())
    text = f"{path}: {arguments.frames} frames of session {arguments.session}, seed {arguments.seed}; sources: {told}\n{labels}: the truth, source by source"
    return Outcome(text, {"file": str(path), "labels": str(labels), "frames": arguments.frames, "session": arguments.session, "seed": arguments.seed,
                          "sources": seen, "dead_pixels": int(scene.dead.sum()), "voltage_steps": len(scene.steps)})


SIMULATE = Verb(
    name="simulate",
    summary="write a simulated recording, and the truth about it beside it in FILE.labels.npz",
    example="simulate mmia storm.fits --frames 60 --seed 1 --scene mix; pixie simulate minieuso night.root --session 5 --frames 3200 --seed 1",
    add_arguments=_add_arguments,
    run=_run,
)
