"""`pixie bench`, `pixie merge`, `pixie report`, `pixie gates` and `pixie demo`."""

import argparse
from pathlib import Path

from edge_runtime.cli import Outcome, Verb
from edge_runtime.errors import InputError
from edge_runtime.files import write_file

from .bare import MODULES
from .demo import DEMO

__all__ = ["BENCH", "DEMO", "GATES", "MERGE", "REPORT"]


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="+", metavar="TARGET", type=Path,
                        help="a run (gates of the training), a bundle (gates of flight), a sweep (its table), any .onnx or .tflite file (what it costs on this "
                             "machine), mlperf-tiny-ad (such a file of MLPerf Tiny's shape)")
    parser.add_argument("--out", type=Path, required=True, metavar="RESULTS.json", help="where the results go")
    parser.add_argument("--scale", choices=("demo", "full"), default="demo",
                        help="how much is measured; full goes on where it was cut off (default: %(default)s)")
    parser.add_argument("--recorded", type=Path, metavar="DIR",
                        help="folder with recorded data: mmia/, meteors/, minieuso_d3_frame/ (default: $PIXIE_RECORDED, else not supplied)")
    parser.add_argument("--study", type=Path, metavar="DIR", help="what `pixie study minieuso` left: its tables and its checks of the simulator")
    parser.add_argument("--rival", type=Path, metavar="RUN",
                        help="a run of the 2020 report's network (pixie train mmia --config cvae2020), to stand beside the run of the photometers")
    parser.add_argument("--padding", type=Path, nargs=2, default=(), metavar=("SLICED", "PADDED"),
                        help="two runs of that network on as many samples, with the settings cvae2020 and padded2020")
    parser.add_argument("--seeds", type=Path, nargs="+", default=(), metavar="RUN", help="runs with the settings of the target's and other seeds")
    parser.add_argument("--seed", type=int, default=1, help="seed of scenes and resampling (default: %(default)s)")
    model = parser.add_argument_group("of model files, and of a bundle as a model")
    model.add_argument("--engine", choices=tuple(MODULES), help="this engine alone (default: all that read the file)")
    model.add_argument("--threads", type=int, metavar="N", help="threads of every call (default: 1, and a sweep over the cores)")
    model.add_argument("--paced", type=float, metavar="HZ", help="calls a second where they are paced (default: the instrument's, 96 of the photometers)")
    model.add_argument("--mlperf-tiny", action="store_true", help="time calls as MLPerf Tiny does, no other way: 10 to warm up, 1,500 in five windows, median")
    model.add_argument("--profile", metavar="NAME", help="hardware profile of this machine, whose prediction stands beside (see `pixie profiles list`)")


def _bench(arguments: argparse.Namespace) -> Outcome:
    from .bench import Beside, bench, sort_targets
    from .gates import fall_short, lines
    from .model_bench import Wanted, bench_models, is_for_models
    from .model_bench import text as model_text
    from .results import to_document

    wanted = Wanted(arguments.engine, arguments.threads, arguments.paced, arguments.mlperf_tiny, arguments.profile)
    targets = sort_targets(arguments.targets)
    if is_for_models(targets, wanted):
        for option in ("recorded", "study", "rival", "padding", "seeds"):
            if getattr(arguments, option):
                raise InputError("command line", f"--{option}", "says nothing of a model file; leave it out")
        found = bench_models(targets, arguments.out, arguments.scale, arguments.seed, wanted)
        return Outcome(f"{model_text(found)}\n{len(found.records)} records in {arguments.out}", to_document(found))
    from .sweep import text  # not before: it needs SciPy, which a board has not

    beside = Beside(arguments.study, arguments.rival, tuple(arguments.padding), tuple(arguments.seeds))
    results = bench(arguments.targets, arguments.out, arguments.scale, arguments.recorded, arguments.seed, beside)
    tables = f"{text(results.records)}\n" if any(record.id.startswith("sweep.") for record in results.records) else ""
    return Outcome(f"{lines(results.gates)}\n{tables}{len(results.records)} records in {arguments.out}", to_document(results), int(fall_short(results.gates)))


def _add_merge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS.json", help="what `pixie bench` wrote, each on another machine")
    parser.add_argument("--out", type=Path, required=True, metavar="RESULTS.json", help="where they go together")


def _merge(arguments: argparse.Namespace) -> Outcome:
    from .merge import merge
    from .results import to_document, write_results

    merged = merge(arguments.results)
    write_results(merged, arguments.out)
    return Outcome(f"{len(merged.records)} records of {len(arguments.results)} machines in {arguments.out}", to_document(merged))


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, metavar="RESULTS.json", help="what `pixie bench` wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.html", help="the page to write")


def _report(arguments: argparse.Namespace) -> Outcome:
    from .report.render import render
    from .results import read_results

    if arguments.out.suffix.lower() not in (".html", ".htm"):
        raise InputError(arguments.out, "--out", "is no .html file; a browser must know it")
    page = render(read_results(arguments.results), arguments.results)
    write_file(arguments.out, page)
    return Outcome(f"{arguments.out}: {len(page.encode()):,} bytes, open it in a browser", {"report": str(arguments.out), "bytes": len(page.encode())})


def _add_gates(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path, metavar="RESULTS.json", help="what `pixie bench` wrote")


def _gates(arguments: argparse.Namespace) -> Outcome:
    from dataclasses import asdict

    from .gates import claims_of, fall_short, judge, lines
    from .results import read_results

    results = read_results(arguments.results)
    # Judged anew: the file's own verdicts may be older than the table. A file without any makes no claim: it is a sweep's.
    gates = judge(results.records, claims_of(results.task, results.scale) if results.gates else ())
    return Outcome(lines(gates), {"gates": [asdict(gate) for gate in gates]}, int(fall_short(gates)))


BENCH = Verb("bench", "Measure runs, bundles and model files and judge the gates.", "bench out/demo/run out/demo/bundle --out results.json", _add_bench, _bench)
MERGE = Verb("merge", "Join results of several machines for one report, a machine beside the other.", "merge host.json pi.json --out both.json",
             _add_merge, _merge)
REPORT = Verb("report", "Make one self-contained HTML page of the results.", "report results.json --out report.html", _add_report, _report)
GATES = Verb("gates", "Print one line per gate; exit status 1 where one falls short.", "gates out/demo/results.json", _add_gates, _gates)
