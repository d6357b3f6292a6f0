"""Runs an experiment session by session: each left out in turn, learned from the others, judged on the one. Resumable fold by fold."""

import json
import math
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.cli import progress
from edge_runtime.errors import InputError
from edge_runtime.files import read_json, write_file

from ..code_digest import TRAINING_ROOMS, code_digest
from ..evaluate import roc_auc
from ..instruments.minieuso.configuration import SESSIONS
from .curves import Curves, curves
from .experiments import SCALES, SLIDES_BY_SESSION, Experiment, Method, experiments
from .showers import showers
from .stacks import Stacks, chunk_stacks, frame_stacks

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Fold:
    """One session left out: ROC AUC, and the recall where one in a thousand of what has no meteor is flagged."""

    auc: float
    recall_1e3: float
    seconds: float


@dataclass
class Study:
    """The sets of one scale and seed, made when first asked for; `swapped` gives meteors the larger number of curves, as the slides print it."""

    scale: str
    seed: int
    swapped: bool = False
    _sets: dict[tuple[str, int], Curves | Stacks] = field(default_factory=dict)

    def session(self, number: int, what: str = "curves") -> Curves | Stacks:
        """A set of one session: "curves", "showers", "chunks" or "frames"."""
        if (what, number) not in self._sets:
            progress(f"simulating session {number}: {what}")
            scale = SCALES[self.scale]
            meteors, others = (scale.others, scale.meteors) if self.swapped else (scale.meteors, scale.others)
            place = list(SESSIONS).index(number)  # what nine does not divide goes to the first sessions, one each
            of_curves = (meteors + len(SESSIONS) - 1 - place) // len(SESSIONS), (others + len(SESSIONS) - 1 - place) // len(SESSIONS)
            make: dict[str, tuple[Callable[[int, int, int, int], Curves | Stacks], tuple[int, int]]] = {
                "curves": (curves, of_curves), "showers": (showers, of_curves),
                "chunks": (chunk_stacks, (scale.chunks // 4, scale.chunks - scale.chunks // 4)),
                "frames": (frame_stacks, (scale.frames // 2, scale.frames - scale.frames // 2)),
            }
            draw, sizes = make[what]
            self._sets[what, number] = draw(number, *sizes, self.seed)
        return self._sets[what, number]

    def run(self, name: str, out: Path) -> "Table":
        """The table of experiment `name`; folds that `out`/NAME.json holds already are taken from there, and each new one is kept there.

        InputError where that file belongs to another scale, seed or version. What other code left is made anew.
        """
        experiment = experiments(SCALES[self.scale])[name]
        file = out / f"{name}.json"
        key = {"schema_version": SCHEMA_VERSION, "experiment": name, "scale": self.scale, "seed": self.seed, "swapped": self.swapped}
        code, kept = code_digest(TRAINING_ROOMS), _kept(file, key)
        if kept and read_json(file).get("code") != code:
            progress(f"{name}: the folds there are of other code, and made anew")
            kept = {}
        table = Table(experiment, {**key, "code": code}, kept)
        to_do = [(method, session) for method in experiment.methods for session in method.sessions if table.fold(method, session) is None]
        began = time.monotonic()
        for done, (method, session) in enumerate(to_do, start=1):
            fold = self._fold(experiment, method, session)
            table.keep(method, session, fold)
            write_file(file, json.dumps(table.to_document(), indent=1, allow_nan=False) + "\n")
            left = (time.monotonic() - began) / done * (len(to_do) - done)
            progress(f"{name}: {method.name}, session {session} left out: AUC {fold.auc:.4f} ({done} of {len(to_do)}, about {left / 60:.0f} min left)")
        return table

    def _fold(self, experiment: Experiment, method: Method, left_out: int) -> Fold:
        learned = experiment.train or tuple(number for number in SESSIONS if number != left_out)
        began = time.monotonic()
        parts = [method.view(self.session(number, method.learns)) for number in learned]
        classifier = method.make(self.seed)
        classifier.fit(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
        x, label = method.view(self.session(left_out, method.judged))
        score = classifier.score(x)
        meteor, other = score[label == 1], score[label == 0]
        threshold = np.sort(other)[::-1][len(other) // 1000]
        return Fold(roc_auc(meteor, other), float((meteor > threshold).mean()), round(time.monotonic() - began, 2))


_STUDY: list[Study] = []  # of a worker: its sets are made once for all its experiments


def run_side_by_side(study: Study, names: Sequence[str], out: Path) -> None:
    """Run several experiments in two processes, each a table at a time; their folds are kept in `out`."""
    # Spawned, not forked: a fork after torch has started its threads may hang.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn"), _begin_worker, (Study(study.scale, study.seed, study.swapped),)) as pool:
        for _ in pool.map(_run_in_worker, names, repeat(out)):
            pass


def _begin_worker(study: Study) -> None:
    _STUDY.append(study)


def _run_in_worker(name: str, out: Path) -> None:
    _STUDY[0].run(name, out)


@dataclass
class Table:
    """The folds of one experiment, by method and session."""

    experiment: Experiment
    key: Mapping[str, object]
    _folds: dict[str, dict[str, Fold]]

    @property
    def sessions(self) -> tuple[int, ...]:
        """The sessions that any of the methods is judged on, in their order."""
        return tuple(session for session in SESSIONS if any(session in method.sessions for method in self.experiment.methods))

    def fold(self, method: Method, session: int) -> Fold | None:
        """What was found, or None."""
        return self._folds.get(method.name, {}).get(str(session))

    def keep(self, method: Method, session: int, fold: Fold) -> None:
        """Add a fold."""
        self._folds.setdefault(method.name, {})[str(session)] = fold

    def rows(self) -> list[dict[str, object]]:
        """One row per method: name, AUC by session, their mean and standard deviation, mean recall, the slides' mean AUC."""
        found = []
        for method in self.experiment.methods:
            folds = [fold for session in method.sessions if (fold := self.fold(method, session)) is not None]
            auc = np.array([fold.auc for fold in folds])
            found.append({"method": method.name, "auc": dict(zip(map(str, method.sessions), auc.round(4).tolist(), strict=True)), "mean": float(auc.mean()),
                          "spread": float(auc.std(ddof=1)) if len(auc) > 1 else None, "recall_1e3": float(np.mean([fold.recall_1e3 for fold in folds])),
                          "seconds": sum(fold.seconds for fold in folds), "slides": method.slides})
        return found

    def text(self) -> str:
        """The table for a person: ROC AUC of every left-out session."""
        rows = self.rows()
        width = max(len(method.name) for method in self.experiment.methods)
        lines = [f"{self.experiment.title}; ROC AUC by session left out",
                 f"{'':{width}}  {'  '.join(f'{session:>5}' for session in self.sessions)}    mean  spread  slides  recall at 1e-3"]
        for row in rows:
            aucs: dict[str, float] = row["auc"]  # type: ignore[assignment]
            spread, slides = (f"{row[name]:.4f}" if row[name] is not None else "-" for name in ("spread", "slides"))
            told = (f"{aucs[str(session)]:.3f}" if str(session) in aucs else f"{'-':>5}" for session in self.sessions)
            lines.append(f"{row['method']:{width}}  {'  '.join(told)}  {row['mean']:.4f}  {spread:>6}  {slides:>6}  "
                         f"{row['recall_1e3']:>14.3f}")
            if row["method"] in SLIDES_BY_SESSION:
                lines.append(f"{'  the slides':{width}}  {'  '.join(f'{auc:.3f}' for auc in SLIDES_BY_SESSION[str(row['method'])])}")
        return "\n".join(lines)

    def to_document(self) -> dict[str, object]:
        """JSON form, as it is kept."""
        return {**self.key, "title": self.experiment.title,
                "folds": {name: {session: vars(fold) for session, fold in folds.items()} for name, folds in self._folds.items()}}


def kept_tables(out: Path) -> list[Table]:
    """The tables that a study left in `out`, in the order of the experiments; InputError where there is none, or one is not finished."""
    found = []
    for name in experiments(SCALES["demo"]):
        file = out / f"{name}.json"
        if not file.exists():
            continue
        document = read_json(file)
        scale = document.get("scale")
        if scale not in SCALES:
            raise InputError(file, "scale", f"is {scale!r}, must be one of {', '.join(SCALES)}; run the study again")
        if document.get("code") != code_digest(TRAINING_ROOMS):
            raise InputError(file, "code", "is not today's: the folds were made by another version of Pixie; run the same study again, it makes them anew")
        key = {field: document.get(field) for field in ("schema_version", "experiment", "scale", "seed", "swapped")}
        table = Table(experiments(SCALES[scale])[name], key, _kept(file, key))
        if any(table.fold(method, session) is None for method in table.experiment.methods for session in method.sessions):
            raise InputError(file, "folds", "are not complete; run the same study again, it goes on where it was cut off")
        found.append(table)
    if not found:
        raise InputError(out, "folder", "holds no table of a study; run pixie study minieuso all --out there first")
    return found


def _kept(file: Path, key: Mapping[str, object]) -> dict[str, dict[str, Fold]]:
    if not file.exists():
        return {}
    document = read_json(file)
    for name, value in key.items():
        if document.get(name) != value:
            raise InputError(file, name, f"is {document.get(name)!r}, not {value!r}: the folder holds another study; name another one with --out")
    kept: Any = document.get("folds")
    try:
        found = {name: {session: Fold(**fold) for session, fold in folds.items()} for name, folds in kept.items()}
        if not all(type(value) is float and math.isfinite(value) for folds in found.values() for fold in folds.values() for value in vars(fold).values()):
            raise TypeError("a value is no finite number")
        return found
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(file, "folds", f"cannot be read ({error}); delete the file, and its folds are run again") from error
