"""`pixie bench`, `pixie report`, `pixie gates` and `pixie demo`."""

import argparse
from pathlib import Path

from edge_runtime.cli import Outcome, Verb
from edge_runtime.errors import InputError
from edge_runtime.files import write_file

from .demo import DEMO

__all__ = ["BENCH", "DEMO", "GATES", "REPORT"]


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="+", metavar="TARGET", type=Path,
                        help="a run (gates of the training), a bundle (gates of flight), a sweep (its table), an .onnx or .tflite file (latency of the engines "
                             "that read it)")
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


def _bench(arguments: argparse.Namespace) -> Outcome:
    from .bench import Beside, bench
    from .gates import fall_short, lines
    from .results import to_document
    from .sweep import text

    beside = Beside(arguments.study, arguments.rival, tuple(arguments.padding), tuple(arguments.seeds))
    results = bench(arguments.targets, arguments.out, arguments.scale, arguments.recorded, arguments.seed, beside)
    tables = f"{text(results.records)}\n" if any(record.id.startswith("sweep.") for record in results.records) else ""
    return Outcome(f"{lines(results.gates)}\n{tables}{len(results.records)} records in {arguments.out}", to_document(results), int(fall_short(results.gates)))


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
REPORT = Verb("report", "Make one self-contained HTML page of the results.", "report results.json --out report.html", _add_report, _report)
GATES = Verb("gates", "Print one line per gate; exit status 1 where one falls short.", "gates out/demo/results.json", _add_gates, _gates)
