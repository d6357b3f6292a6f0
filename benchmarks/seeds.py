"""What eight bits cost over several trainings: runs that differ in nothing but their seed, each quantised network beside its own float twin."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import InputError, MissingError
from edge_runtime.flagging import CLASSES, LIGHT
from train.evaluate import answers, float_scores, logit_scale
from train.run_folder import Run, read_run
from train.windows import WindowSet, balanced_test, window_set

from .classes import less
from .detection import DRAWS, auc_of
from .environment import on
from .material import Material
from .post_training import post_training_logits
from .results import Record, Spread, Stage
from .statistics import scene_draws

SCENES = {"demo": 60, "full": 14_000}  # a run; balancing leaves 1.3 windows of each, so that three runs make 55,000
LEAST_RUNS, LEAST_WINDOWS = 3, 50_000  # of all runs together: what the claim asks for
SOURCE = "benchmarks/seeds.py; held-out simulated scenes, balanced windows, other ones for each run; signal against quiet and hits; paired"
INT8 = f"{SOURCE}; int8 less float twin; the quantised network in torch, whose codes are those of the flight file (gates parity.training, parity.reference)"
POST = f"{SOURCE}; TensorFlow's post-training int8 file of the float twin less float twin"


@dataclass(frozen=True)
class Difference:
    """AUC of one method less that of another, else the float twin, on the same windows: as measured, and float64 [DRAWS] with scenes drawn again."""

    value: float
    draws: np.ndarray

    @property
    def spread(self) -> Spread:
        """The 95 % interval."""
        low, high = np.percentile(self.draws, (2.5, 97.5))
        return Spread(float(low), float(high), f"95 %, paired bootstrap by scene, {DRAWS:,} draws")

    def record(self, identity: str, n: int, seed: int, source: str) -> Record:
        """Its record."""
        return Record(identity, self.value, "AUC", "measured", on(), self.spread, n, seed, source)


@dataclass(frozen=True)
class Judged:
    """What one run shows on `windows` balanced windows: the differences to its float twin; without TensorFlow there is no `post_training`."""

    seed: int
    windows: int
    int8: Difference
    post_training: Difference | None
    note: str = ""


def seeds(runs: list[Path], material: Material) -> Stage:
    """`int8.seeds`: mean over runs of AUC int8 less float twin, None with too few runs or windows; `.low` its lower 95 % bound, `.windows`, `.SEED` of each.

    `int8.seeds.post_training` and `.SEED` are the same of TensorFlow's post-training file, `int8.seeds.over_post_training` is our mean less its. InputError
    unless the runs differ in their seeds, and in nothing else.
    """
    judged = [judge_run(run, number, material) for number, run in enumerate(read_runs(runs))]
    windows, posts = sum(one.windows for one in judged), [one.post_training for one in judged if one.post_training is not None]
    records, rows = [], []
    for one in judged:
        own = [one.int8.record(f"int8.seeds.{one.seed}", one.windows, material.seed, INT8)]
        if one.post_training is not None:
            own.append(one.post_training.record(f"int8.seeds.post_training.{one.seed}", one.windows, material.seed, POST))
        records += own
        rows.append(row(f"trained with seed {one.seed}", own))
    mean = mean_of([one.int8 for one in judged])
    means = [mean.record("int8.seeds", windows, material.seed, f"{INT8}; mean over seeds")]
    post = mean_of(posts) if len(posts) == len(judged) else None
    if post is not None:
        means.append(post.record("int8.seeds.post_training", windows, material.seed, f"{POST}; mean over seeds"))
    rows.append(row(f"mean over {len(judged)} seeds", means))
    if post is not None:  # the same scenes were drawn for both, so their draws are pairs
        over = Difference(mean.value - post.value, mean.draws - post.draws)
        means.append(over.record("int8.seeds.over_post_training", windows, material.seed, f"{INT8}, less the post-training file; mean over seeds"))
        rows.append({"name": "our mean less the post-training file's", "cells": [means[-1].id, None]})
    means.append(replace(means[0], id="int8.seeds.low", value=mean.spread.low, spread=None, source=f"{INT8}; lower 95 % bound of the mean over seeds"))
    if len(judged) < LEAST_RUNS or windows < LEAST_WINDOWS:
        means = [replace(record, value=None, spread=None) for record in means]
    records += [*means, Record("int8.seeds.windows", windows, "count", "measured", on(), None, len(judged), material.seed, f"{SOURCE}; of all runs together")]
    rows.append(row("balanced windows of all seeds", records[-1:]))
    columns = ["AUC less that of the float twin", "int8 network", "post-training int8 (TensorFlow)"]
    note = (f"Runs that differ in nothing but their seed, each judged on windows of its own. Intervals: 95 %, scenes drawn again within each seed, {DRAWS:,} "
            "times; they hold for these seeds, not for others.")
    return Stage(tuple(records), {"tables": {"seeds": {"columns": columns, "rows": rows, "note": note}},
                                  "notes": list(dict.fromkeys(one.note for one in judged if one.note))})


def row(name: str, records: list[Record]) -> dict[str, Any]:
    """A row of the table: the int8 network's record and, where there is one, the post-training file's."""
    return {"name": name, "cells": [*(record.id for record in records), None][:2]}


def read_runs(folders: list[Path]) -> list[Run]:
    """The runs; InputError where two share a seed or differ in anything else."""
    runs = [read_run(folder) for folder in folders]
    for place, run in enumerate(runs):
        file, first = run.folder / "configuration.json", runs[0]
        if run.configuration.seed in [other.configuration.seed for other in runs[:place]]:
            raise InputError(file, "configuration.seed", f"is {run.configuration.seed}, that of another of these runs; train one with another --seed")
        if replace(run.configuration, seed=first.configuration.seed) != first.configuration:
            raise InputError(file, "configuration", f"differs from that of {first.folder} in more than its seed; train it with the same settings")
    return runs


def judge_run(run: Run, number: int, material: Material) -> Judged:
    """The quantised network and the post-training file of the `number`-th run on test windows that no other run is judged on."""
    folder = material.scratch / f"seed{number}"
    folder.mkdir()
    own = Material(run.folder, None, material.scale, material.seed + number, folder)
    test = own.test = balanced(window_set("test", SCENES[material.scale], own.seed), own.seed)
    signal = np.isin(test.label, [CLASSES.index(name) for name in LIGHT])
    twin = answers(run, "float_twin", test.counts).score

    def beside_twin(score: np.ndarray) -> Difference:
        return difference(score, twin, signal, test.scene, own.seed)

    int8 = beside_twin(answers(run, "quantised", test.counts).score)
    try:
        post = beside_twin(float_scores(post_training_logits(own), logit_scale(run.configuration, run.quantised))[0])
    except MissingError as missing:
        return Judged(run.configuration.seed, signal.size, int8, None, f"no post-training int8 file of these runs: {missing}")
    return Judged(run.configuration.seed, signal.size, int8, post)


def balanced(windows: WindowSet, seed: int) -> WindowSet:
    """Those windows alone that `balanced_test` picks, so that the others' bytes are let go."""
    picks = balanced_test(windows, seed)
    return WindowSet(**{field.name: getattr(windows, field.name)[picks] for field in fields(windows)})


def difference(score: np.ndarray, other: np.ndarray, signal: np.ndarray, scene: np.ndarray, seed: int) -> Difference:
    """AUC of `score` [w] less that of `other` on the same windows; signal bool, scene int [w]. Scenes are drawn, not windows, the same for both."""
    first, second = auc_of(score, signal, ~signal), auc_of(other, signal, ~signal)
    statistic = less(first, second)
    return Difference(statistic(np.arange(scene.size)), scene_draws(statistic, scene, seed, DRAWS))


def mean_of(differences: list[Difference]) -> Difference:
    """The mean over runs, of the values and of each draw: the scenes of one run are drawn without regard to another's."""
    return Difference(float(np.mean([one.value for one in differences])), np.mean([one.draws for one in differences], axis=0))

