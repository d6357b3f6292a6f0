"""`pixie study minieuso`: the experiments of the meteor-pixel study, one table each."""

import argparse
from pathlib import Path

from edge_runtime.cli import Outcome, Verb
from edge_runtime.errors import InputError

from .pixels.experiments import SCALES, experiments

EXPERIMENTS = tuple(experiments(SCALES["demo"]))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `pixie study`."""
    parser.add_argument("instrument", choices=("minieuso",), metavar="minieuso", help="whose pixels: the focal surface of Mini-EUSO")
    parser.add_argument("experiment", choices=(*EXPERIMENTS, "all"), metavar="EXPERIMENT", help=f"{', '.join(EXPERIMENTS)}, or all of them")
    parser.add_argument("--scale", choices=tuple(SCALES), default="demo", help="how many curves: about 5,000, 60,000 or 580,000 (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the tables; folds that it holds already are not run again")
    parser.add_argument("--seed", type=int, default=1, help="seed of sessions and weights (default: %(default)s)")
    parser.add_argument("--swap-set-sizes", action="store_true", help="as many curves with a meteor as else without: so the slides print it")


def run(arguments: argparse.Namespace) -> Outcome:
    """Run what is asked for, table by table."""
    if arguments.seed < 0:
        raise InputError("command line", "--seed", f"is {arguments.seed}, must be 0 or greater")
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(arguments.out, "--out", f"cannot be made a folder ({error.strerror}); name another") from error
    from .pixels.study import Study, run_side_by_side

    study = Study(arguments.scale, arguments.seed, arguments.swap_set_sizes)
    names = EXPERIMENTS if arguments.experiment == "all" else (arguments.experiment,)
    if len(names) > 1:
        run_side_by_side(study, names, arguments.out)
    tables = [study.run(name, arguments.out) for name in names]  # of several, all folds are kept by now
    document = {"scale": arguments.scale, "seed": arguments.seed, "out": str(arguments.out),
                "tables": [{"experiment": table.experiment.name, "title": table.experiment.title, "rows": table.rows()} for table in tables]}
    return Outcome("\n\n".join(table.text() for table in tables), document)


STUDY = Verb("study", "repeat the meteor-pixel study of Mini-EUSO on simulated sessions, each left out in turn, the slides' figure beside ours",
             "study minieuso classical --scale demo --out out/study", add_arguments, run)
