"""`pixie bench MODEL`: everything that can be measured of any model file on this machine, each engine in processes of its own."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edge_runtime.cli import progress
from edge_runtime.errors import InputError
from edge_runtime.files import sha256

from . import engine_bench, environment
from .apart import Refused
from .bare import MODULES
from .bench import Targets, merged
from .gates import shown
from .latency import FRAME_PACE, PACE
from .layers import layers, predicted
from .model_files import Subject, slugs, subject
from .results import Results, Stage, write_results

TASK = "model"
SLOWEST_HZ, FASTEST_HZ = 0.1, 1e5


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line; None: all engines that read the file, one thread and a sweep of them, the instrument's pace, no profile."""

    engine: str | None = None
    threads: int | None = None
    paced_hz: float | None = None
    mlperf_tiny: bool = False
    profile: str | None = None

    def anything(self) -> bool:
        """Whether any of it was."""
        return self != Wanted()


def is_for_models(targets: Targets, wanted: Wanted) -> bool:
    """Whether these targets are benched as models: files alone, or a bundle with something wanted that only a model has. InputError where neither fits."""
    if targets.run is None and targets.sweep is None and (targets.bundle is None or wanted.anything()):
        return True
    if wanted.anything():
        raise InputError("command line", "TARGET", "a run or a sweep takes no --engine, --threads, --paced, --mlperf-tiny or --profile; bench its bundle alone")
    return False


def bench_models(targets: Targets, out: Path, scale: str, seed: int, wanted: Wanted) -> Results:
    """Measure each model and write the results to `out`. InputError where no engine takes one of them, or something wanted makes no sense."""
    _check(out, seed, wanted)
    paths = [*([targets.bundle] if targets.bundle else []), *targets.models]
    here = environment.describe(wanted.threads or 1)
    stages: list[Stage] = []
    told: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="pixie-bench-") as name:
        subjects = [subject(path, slug, Path(name)) for path, slug in zip(paths, slugs(paths), strict=True)]
        for place, (path, one) in enumerate(zip(paths, subjects, strict=True), start=1):
            stages += _stages(one, _pace(path, wanted), f"[{place}/{len(paths)}] {path.name}", wanted, scale, seed)
            words = f"{one.file.stat().st_size:,} bytes, SHA-256 {sha256(one.file)}. {one.note}".strip()
            told.append({"slug": one.slug, "name": path.name, "words": words})
    records = tuple(record for stage in stages for record in stage.on_seed(seed).records)
    if environment.emulated() is not None:
        records = tuple(replace(record, how="emulated") if record.how == "measured" and environment.cpu_model() in record.on else record for record in records)
    figures = {**merged(stage.figures for stage in stages), "models": told}
    machine = {"profile": wanted.profile} if wanted.profile else {}
    results = Results(scale, seed, str(here["date"]), {**machine, **here}, records, (), figures, TASK)
    write_results(results, out)
    return results


def text(results: Results) -> str:
    """A line for each model and engine, for a terminal."""
    value = {record.id: record.value for record in results.records}
    head = f"{'model, engine':<44} {'first call':>10} {'hot p50':>10} {'p99':>10} {'paced p50':>10} {'p99':>10}  us"
    lines = [] if any(name.startswith("mlperf_of.") for name in value) else [head]
    for model in results.figures["models"]:
        for engine in MODULES:
            name = f"latency_of.{model['slug']}.{engine}"
            cells = [value.get(f"{name}.{end}") for end in ("first_call", "hot.p50", "hot.p99", "paced.p50", "paced.p99")]
            rate = value.get(f"mlperf_of.{model['slug']}.{engine}")
            if any(cell is not None for cell in cells):
                lines.append(f"{model['name'] + ', ' + engine:<44} " + " ".join(f"{shown(cell):>10}" for cell in cells))
            if rate is not None:
                lines.append(f"{model['name'] + ', ' + engine:<44} {shown(rate)} inferences a second (MLPerf Tiny's way)")
    return "\n".join([*lines, *(f"note: {note}" for note in results.figures["notes"])])


def _check(out: Path, seed: int, wanted: Wanted) -> None:
    """Refuse now, not after minutes."""
    if seed < 0:
        raise InputError("command line", "--seed", f"is {seed}, must be 0 or greater")
    if not out.parent.is_dir():
        raise InputError(out, "--out", f"cannot be written: the folder {out.parent} does not exist; make it first")
    if wanted.threads is not None and not 1 <= wanted.threads <= engine_bench.cores():
        raise InputError("command line", "--threads", f"is {wanted.threads}, must be 1 to {engine_bench.cores()}, the cores of this machine")
    if wanted.paced_hz is not None and not SLOWEST_HZ <= wanted.paced_hz <= FASTEST_HZ:
        raise InputError("command line", "--paced", f"is {wanted.paced_hz}, must be {SLOWEST_HZ} to {FASTEST_HZ:.0f} calls a second")
    if wanted.mlperf_tiny and wanted.paced_hz is not None:
        raise InputError("command line", "--paced", "has no meaning with --mlperf-tiny, which times calls one after the other; leave one out")
    if wanted.profile is not None:
        from export.on_board import check_threads
        from hw_profiles.profile import profile

        check_threads(profile(wanted.profile), wanted.threads or 1)


def _pace(path: Path, wanted: Wanted) -> float:
    """Seconds from call to call: as asked, else those of the bundle's instrument, else the photometers'."""
    if wanted.paced_hz is not None:
        return 1 / wanted.paced_hz
    if path.is_dir():
        from edge_runtime.bundle import PixelBundle, open_bundle

        return FRAME_PACE if isinstance(open_bundle(path), PixelBundle) else PACE
    return PACE


def _stages(one: Subject, pace: float, told: str, wanted: Wanted, scale: str, seed: int) -> list[Stage]:
    """What each engine shows, and what the file and a profile say; InputError where no engine takes it."""
    engines: Mapping[str, Path] = one.engines
    if wanted.engine is not None:
        if wanted.engine not in engines:
            raise InputError(one.file, "--engine", f"{wanted.engine} does not read it; {', '.join(engines)} would")
        engines = {wanted.engine: engines[wanted.engine]}
    stages, refusals = [], []
    for engine, file in engines.items():
        progress(f"{told} on {engine}")
        job = engine_bench.Job(one.slug, engine, file, wanted.threads, pace, scale, seed)
        try:
            stages += engine_bench.mlperf(job) if wanted.mlperf_tiny else engine_bench.everything(job)
        except Refused as reason:
            refusals.append(str(reason))
    if not stages:
        raise InputError(one.file, "model", "; ".join(refusals))
    stages += [layers(one.file, one.slug), Stage((), {"notes": [f"not measured: {reason}" for reason in refusals]})]
    if wanted.profile is not None:
        engine = _measured(stages)
        name = f"latency_of.{one.slug}.{engine}"
        beside = {"measured, MLPerf Tiny's way": f"mlperf_of.{one.slug}.{engine}.us"} if wanted.mlperf_tiny else \
            {"measured, hot p50": f"{name}.hot.p50", "measured, paced p50": f"{name}.paced.p50"}
        stages.append(predicted(one.file, one.slug, wanted.profile, wanted.threads or 1, engine, beside))
    return stages


def _measured(stages: list[Stage]) -> str:
    """The engine that a prediction stands beside: LiteRT, of which the profiles are, where it was measured."""
    engines = [record.id.split(".")[2] for stage in stages for record in stage.records if record.id.startswith(("latency_of.", "mlperf_of."))]
    return "litert" if "litert" in engines else engines[0]
