"""`pixie bench` of runs, bundles and sweeps: which measurements the targets allow, in which order, and their results in one file.

A long run goes on where it was cut off.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.cli import progress
from edge_runtime.errors import InputError
from edge_runtime.files import read_json, sha256, write_file
from train.code_digest import ALL_ROOMS, code_digest
from train.sweep import MARKER as SWEEP

from . import environment
from .gates import claims_of, judge
from .material import Material
from .mlperf_tiny import WORD, is_word
from .recorded import read_slices, recorded_folder
from .results import Results, Stage, stage_from_document, stage_to_document, write_results

if TYPE_CHECKING:
    from .refusals.damage import Kind

DEMO_KINDS = 4  # of the pixels' refusals: ROOT, NPZ, settings, another instrument
FLIGHT_ENGINES = ("litert", "tflite-runtime", "onnxruntime", "reference")


@dataclass(frozen=True)
class Targets:
    """What is measured: at most one run, one bundle and one sweep, and any number of model files."""

    run: Path | None
    bundle: Path | None
    models: tuple[Path, ...]
    sweep: Path | None = None


@dataclass(frozen=True)
class Beside:
    """What the targets are compared with: a study of pixels; a run of the 2020 report's network; two of it, trained on slices and on padded events; and
    runs of the target's settings and other seeds."""

    study: Path | None = None
    rival: Path | None = None
    padding: tuple[Path, ...] = ()
    seeds: tuple[Path, ...] = ()

    def paths(self) -> list[Path]:
        """Every one that was named."""
        return [path for path in (self.study, self.rival, *self.padding, *self.seeds) if path is not None]


@dataclass(frozen=True)
class Step:
    """One measurement. `share`: its rough part of the whole duration at demo scale, in s on two cores; only the forecast uses it."""

    name: str
    measure: Callable[[], Stage]
    share: float


def bench(paths: list[Path], out: Path, scale: str, recorded: Path | None, seed: int, beside: Beside = Beside()) -> Results:
    """Measure everything the targets allow and write the results to `out`. InputError for a target that is nothing we measure."""
    if seed < 0:
        raise InputError("command line", "--seed", f"is {seed}, must be 0 or greater")
    targets = sort_targets(paths)
    task = _check(targets)
    slices = recorded_folder(recorded)
    if slices is not None and task == "mmia":
        read_slices(slices)  # refused now, not after an hour
    _check_beside(beside, targets, task)
    if not out.parent.is_dir():
        raise InputError(out, "--out", f"cannot be written: the folder {out.parent} does not exist; make it first")
    here = environment.describe()
    kept = out.with_name(out.stem + ".stages")
    key = _key(targets, scale, seed, slices, beside) if scale == "full" else ""
    with tempfile.TemporaryDirectory(prefix="pixie-bench-") as scratch:
        material = Material(targets.run, targets.bundle, scale, seed, Path(scratch))
        to_do = steps(targets, material, slices, beside, scale, seed) if task == "mmia" else \
            pixel_steps(targets, beside.study, slices, kept, Path(scratch), scale, seed)
        found, seconds, before = _measure(to_do, kept, key, seed)
    records = tuple(record for stage in found for record in stage.records)
    # A sweep alone makes no claim: its table is what it is for.
    claims = () if targets == Targets(None, None, (), targets.sweep) else claims_of(task, scale)
    results = Results(scale, seed, str(here["date"]), {**here, "seconds_per_step": seconds, "measured_before": before}, records, judge(records, claims),
                      merged(stage.figures for stage in found), task)
    write_results(results, out)
    return results


def sort_targets(paths: Iterable[Path]) -> Targets:
    """Tell runs, bundles and model files apart; InputError for anything else and for a second run or bundle."""
    runs, bundles, sweeps, models = [], [], [], []
    for path in paths:
        if (path / SWEEP).exists():
            sweeps.append(path)
        elif (path / "manifest.json").exists():
            bundles.append(path)
        elif (path / "configuration.json").exists():
            runs.append(path)
        elif (path.suffix.lower() in (".onnx", ".tflite") and path.is_file()) or is_word(path):
            models.append(path)
        else:
            unknown = f"is no run (configuration.json), no bundle (manifest.json), no sweep ({SWEEP}), no .onnx and no .tflite file, and not {WORD}"
            reason = unknown if path.exists() else "does not exist; check the name"
            raise InputError(path, "TARGET", reason)
    for kind, found in (("run", runs), ("bundle", bundles), ("sweep", sweeps)):
        if len(found) > 1:
            raise InputError(found[1], "TARGET", f"is a second {kind}; one {kind} is measured at a time, so that every number has one owner")
    return Targets(runs[0] if runs else None, bundles[0] if bundles else None, tuple(models), sweeps[0] if sweeps else None)


def _check(targets: Targets) -> str:
    """The targets' task. Refuse now, not after an hour: a damaged run or bundle, and a bundle that was not exported from the run beside it (InputError)."""
    from edge_runtime.bundle import MANIFEST, PixelBundle, open_bundle
    from train.configuration import task_of
    from train.run_folder import read_run

    if targets.sweep is not None:
        from train.sweep import read_points

        read_points(targets.sweep)
    tasks = []
    if targets.run is not None:
        tasks.append(task_of(read_run(targets.run).configuration))
    if targets.bundle is not None:
        tasks.append("minieuso" if isinstance(open_bundle(targets.bundle), PixelBundle) else "mmia")
    if len(set(tasks)) > 1:
        raise InputError(targets.bundle, "task", f"is {tasks[1]!r}, that of {targets.run} is {tasks[0]!r}; name a run and the bundle exported from it")
    if targets.run is not None and targets.bundle is not None:
        document: Any = read_json(targets.bundle / MANIFEST)
        if document["thresholds"]["calibration"].get("sha256") != sha256(targets.run / "calibration.json"):
            raise InputError(targets.bundle, f"{MANIFEST} thresholds.calibration.sha256",
                             f"is not that of {targets.run}: the bundle was not exported from this run; export the run again")
    return tasks[0] if tasks else "mmia"


def _check_beside(beside: Beside, targets: Targets, task: str) -> None:
    """Refuse now, not after an hour: what says nothing of the targets, and what is damaged (InputError)."""
    from train.run_folder import read_run2020

    if beside.study is not None and task != "minieuso":
        raise InputError("command line", "--study", "says nothing of the photometers; name a run or bundle of minieuso")
    for option, runs in (("--rival", (beside.rival,)), ("--padding", beside.padding), ("--seeds", beside.seeds)):
        for run in runs:
            if run is None:
                continue
            if task != "mmia" or targets.run is None:
                raise InputError("command line", option, "stands beside a run of the photometers; name one")
            if option != "--seeds":
                read_run2020(run)
    if beside.seeds:
        from .seeds import read_runs

        read_runs([targets.run, *beside.seeds])  # type: ignore[list-item]  # named: checked above


def pixel_steps(targets: Targets, study: Path | None, recorded: Path | None, kept: Path, scratch: Path, scale: str, seed: int) -> list[Step]:
    """The measurements of a pixel run and its bundle, timings first; `kept` holds what a long run has done."""
    from . import (
        boards,
        kernel_sets,
        latency,
        lint_rules,
        pixel_parity,
        pixel_pictures,
        pixel_recorded,
        pixel_sessions,
        pixel_study,
        pixel_time,
        pixel_tracks,
        sizes,
    )

    found: list[Step] = []
    if targets.bundle is not None:
        bundle = targets.bundle
        found += [
            Step("bytes", lambda: sizes.sizes(bundle, "pixels.flight_bytes"), 1),
            Step("time of a frame", lambda: pixel_time.frame_time(bundle, scratch, scale, seed), 25),
            Step("latency", lambda: latency.latency(bundle, FLIGHT_ENGINES, (latency.pixel_windows(seed),), scratch, scale, seed, pace=latency.FRAME_PACE), 50),
            Step("figures", lambda: pixel_pictures.focal_figures(bundle, seed), 5),
            Step("refusals", lambda: _pixel_refusals(bundle, targets.run or bundle, scratch, scale, seed), 50),
            Step("boards", lambda: boards.boards({"pixels": bundle}, "minieuso"), 3),
        ]
        if scale == "full":
            found += [Step("kernel sets", lambda: kernel_sets.pixel_kernel_sets(bundle, scale, seed), 60),
                      Step("rules", lambda: lint_rules.lint_rules({"pixels": bundle}), 5)]
        if recorded is not None and (recorded / "meteors").is_dir():
            found.append(Step("recorded meteor", lambda: pixel_recorded.recorded_meteor(bundle, recorded, seed), 2))
    if targets.run is not None and targets.bundle is not None:
        run, flown = targets.run, targets.bundle
        found.append(Step("parity", lambda: pixel_parity.parity(run, flown, scale, seed), 10))
        if scale == "demo":
            found.append(Step("sessions", lambda: pixel_sessions.of_run(run, seed), 60))
    if scale == "full":
        found.append(Step("sessions", lambda: pixel_sessions.leave_one_out(kept / "sessions", seed), 3000))
        if targets.bundle is not None:
            watched = targets.bundle
            found.append(Step("tracks", lambda: pixel_tracks.tracks(watched, kept / "tracks", seed), 2700))
    if study is not None:
        tables = pixel_study.study(study, scale)  # refused now, not after an hour
        found += [Step("study", lambda: tables, 1), Step("simulator", lambda: pixel_study.simulator(tables, recorded), 2)]
    return found


def steps(targets: Targets, material: Material, slices: Path | None, beside: Beside, scale: str, seed: int) -> list[Step]:
    """The measurements for these targets, the quiet ones first: timings suffer least while nothing else has warmed the machine."""
    from . import board, boards, budget, compression, detection, latency, memory, model_files, parity_gates, recorded, sizes, streams
    from .refusals import KINDS

    found: list[Step] = []
    if targets.bundle is not None:
        bundle = targets.bundle
        found += [
            Step("bytes", lambda: sizes.sizes(bundle), 1),
            Step("latency", lambda: latency.latency(bundle, FLIGHT_ENGINES, (material.few_codes(),), material.scratch, scale, seed), 35),
            Step("added time", lambda: latency.added(bundle, material.stream(), material.scratch, scale, seed), 5),
            *([Step("budget", lambda: budget.budget(material), 10)] if scale == "full" else []),
            Step("memory and throughput", lambda: memory.memory(bundle, material.stream(), scale, seed), 15),
            Step("board", lambda: board.board_imports(bundle, material.stream()[:, :83_200]), 3),
            Step("streams", lambda: streams.streams(bundle, scale, seed), 5),
            Step("boards", lambda: boards.boards(material.networks(), "mmia"), 6),
            *(hardware_steps(material, seed) if scale == "full" else []),
        ]
        if targets.run is not None:
            run = targets.run
            found.append(Step("refusals", lambda: _refusals(bundle, run, material.scratch, seed, KINDS, "input.refused"), 40))
        if slices is not None:
            found.append(Step("recorded slices", lambda: recorded.recorded(bundle, slices), 1))
    if targets.run is not None or targets.bundle is not None:
        found += [
            Step("parity", lambda: parity_gates.parity(material), 40),
            Step("detection", lambda: detection.detection(material), 25),
            # A run's observation model says how the decoder's output becomes counts; a bundle alone does not.
            *([Step("compression", lambda: compression.compression(material), 10)] if targets.run is not None else []),
        ]
    if targets.run is not None and scale == "full":
        found += full_steps(targets.run, material, slices, beside, scale, seed)
    if targets.sweep is not None:
        from . import sweep

        folder = targets.sweep
        found.append(Step("sweep", lambda: sweep.sweep(folder, material.scratch, scale, seed), 200))
    found += [Step(f"latency of {path.name}", lambda path=path, slug=slug: model_files.model_file(path, slug, material.scratch, scale, seed), 35)  # type: ignore[misc]
              for path, slug in zip(targets.models, model_files.slugs(targets.models), strict=True)]
    return found


def hardware_steps(material: Material, seed: int) -> list[Step]:
    """The measurements behind claims about boards, kernels and files that `make full` alone makes."""
    from . import foreign, kernel_sets, lint_rules, repository
    from .fitting import stage, this_host

    return [
        Step("cost model of this machine", this_host.this_host, 10),
        Step("cost model", stage.fitting, 20),
        Step("emulated ARM", repository.arm_identical, 20),
        Step("rules", lambda: lint_rules.lint_rules(material.networks()), 5),
        Step("profiles", repository.profile_sources, 5),
        Step("kernel sets", lambda: kernel_sets.kernel_sets(material), 300),
        Step("files of others", lambda: foreign.foreign(material.scratch, seed), 450),
    ]


def full_steps(run: Path, material: Material, slices: Path | None, beside: Beside, scale: str, seed: int) -> list[Step]:
    """The measurements behind claims that `make full` alone makes of a run."""
    from . import classes, hard_scenes, latent_space, model_score, observed, padding, reconstruction, rival2020, seeds

    rival = beside.rival
    found = [
        Step("reconstruction", lambda: reconstruction.reconstruction(material), 60),
        Step("hard scenes", lambda: hard_scenes.hard_scenes(material), 120),
        Step("classes", lambda: classes.classes(material), 200),
        Step("latent space", lambda: latent_space.latent_space(material), 60),
        Step("observed slices", lambda: observed.observed(material, rival), 10),
        Step("model score", lambda: model_score.model_score(run, rival, scale, seed), 100),
    ]
    if rival is not None:
        found.append(Step("2020 report", lambda: rival2020.beats_2020(material, rival), 30))
    if beside.padding:
        sliced, padded = beside.padding
        found.append(Step("slices and padding", lambda: padding.padding(sliced, padded, scale, seed), 120))
    if beside.seeds:
        found.append(Step("seeds", lambda: seeds.seeds([run, *beside.seeds], material), 400))
    if slices is not None:
        found.append(Step("published slices", lambda: rival2020.published(material, slices), 2))
    return found


def _refusals(bundle: Path, run: Path, scratch: Path, seed: int, kinds: Iterable["Kind"], gate: str) -> Stage:
    from .refusals import records, run_refusals

    refusals = run_refusals(bundle, run, scratch / "refusals", seed, progress, kinds)
    notes = [f"not refused as promised: {one.kind}, {one.case}: {one.why}" for one in refusals if not one.refused]
    return Stage(tuple(records(refusals, environment.on(), seed, gate)), {"notes": notes})


def _pixel_refusals(bundle: Path, run: Path, scratch: Path, scale: str, seed: int) -> Stage:
    """All kinds at full scale; at demo scale recordings and settings alone, because the photometers' gate tries bundles already. With a table."""
    from .refusals import PIXEL_KINDS

    gate = "pixels.input.refused"
    stage = _refusals(bundle, run, scratch, seed, PIXEL_KINDS if scale == "full" else PIXEL_KINDS[:DEMO_KINDS], gate)
    rows = [{"name": one.id.removeprefix(gate).lstrip(".").replace("_", " ") or "refused", "cells": [one.id]} for one in stage.records]
    return Stage(stage.records, {**stage.figures, "tables": {"refusals": {"columns": ["malformed inputs", "value"], "rows": rows}}})


def merged(all_figures: Iterable[Any]) -> dict[str, Any]:
    """Figures of all stages as one mapping; tables and names are joined, notes follow each other."""
    joined: dict[str, Any] = {"tables": {}, "notes": []}
    for figures in all_figures:
        for name, data in figures.items():
            if name == "notes":
                joined["notes"] += data
            elif name == "tables":
                for title, table in data.items():
                    before = joined["tables"].setdefault(title, {**table, "rows": []})
                    before["rows"] = [*before["rows"], *table["rows"]]
            else:
                joined[name] = data
    return joined


def _measure(to_do: list[Step], kept: Path, key: str, seed: int) -> tuple[list[Stage], dict[str, float], dict[str, str]]:
    """Run the steps in order and give their stages, the seconds that each took, and the date of each that was not measured now.

    With a key, what was finished before under the same key is taken from `kept`, and each step is kept there.
    """
    if key:
        kept.mkdir(exist_ok=True)
    found: list[Stage] = []
    seconds: dict[str, float] = {}
    dates: dict[str, str] = {}
    spent = forecast = 0.0
    for place, step in enumerate(to_do, start=1):
        file = kept / f"{step.name.replace(' ', '-')}.json"
        before = _kept(file, key)
        if before is not None:
            stage, seconds[step.name], dates[step.name] = before
            progress(f"[{place}/{len(to_do)}] {step.name}: done before, {dates[step.name]}")
            found.append(stage)
            continue
        left = sum(other.share for other in to_do[place - 1:]) * (spent / forecast if forecast else 1)
        progress(f"[{place}/{len(to_do)}] {step.name} (about {left:.0f} s left)")
        start = time.monotonic()
        stage = step.measure().on_seed(seed)
        seconds[step.name] = round(time.monotonic() - start, 1)
        spent, forecast = spent + seconds[step.name], forecast + step.share
        found.append(stage)
        if key:
            made = {"seconds": seconds[step.name], "date": datetime.now(UTC).isoformat(timespec="seconds")}
            write_file(file, json.dumps({"key": key, **made, "stage": stage_to_document(stage)}, allow_nan=False))
    return found, seconds, dates


def _kept(file: Path, key: str) -> tuple[Stage, float, str] | None:
    """A step's stage, the seconds that it took and when it ended, where it is kept under that key."""
    if not key or not file.exists():
        return None
    match read_json(file):
        case {"key": its, "seconds": float(seconds), "date": str(date), "stage": dict(stage)} if its == key:
            return stage_from_document(stage, file), seconds, date
    return None


def _key(targets: Targets, scale: str, seed: int, slices: Path | None, beside: Beside) -> str:
    """What a kept step belongs to: the code, the targets' bytes, scale and seed."""
    digest = hashlib.sha256(f"{code_digest(ALL_ROOMS)} {scale} {seed} {slices}".encode())
    for target in (targets.run, targets.bundle, targets.sweep, *beside.paths(), *targets.models):
        files = [target] if target is not None and target.is_file() else sorted(target.rglob("*")) if target is not None else []
        for file in files:
            if file.is_file():
                digest.update(f"{file.name} {sha256(file)}".encode())
    return digest.hexdigest()
