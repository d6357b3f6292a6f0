"""The verb `pixie lint`: which operators of a model an accelerator takes, and what to build instead of the others."""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.cli import Outcome, Verb
from edge_runtime.errors import InputError

if TYPE_CHECKING:
    from .rules import Judged, Verdict
    from .vela import Report

_WIDEST = 60  # letters of a name
TARGETS = ("edgetpu", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="a .tflite or .onnx file, or a bundle, whose model.tflite is taken")
    parser.add_argument("--target", required=True, choices=TARGETS, help="the accelerator")


def _run(arguments: argparse.Namespace) -> Outcome:
    from .read_network import read_network
    from .rules import DOES_NOT_MAP, judge

    model: Path = arguments.model
    verdict = judge(read_network(model), arguments.target)
    compiled = model / "model.tflite" if model.is_dir() else model
    beside, failure = _vela(compiled, arguments.target) if arguments.target != "edgetpu" and compiled.suffix == ".tflite" else (None, None)
    lines = [f"{model}: {verdict.target}: {verdict.verdict}", *_table(verdict), "", *_summary(verdict), *_rules(verdict), *_beside(verdict, beside, failure)]
    document = _document(model, verdict)
    if arguments.target != "edgetpu":
        document["vela"] = {"error": failure} if failure else beside
    return Outcome("\n".join([*lines, *_doubts(verdict)]), document, status=int(verdict.verdict == DOES_NOT_MAP))


def _vela(model: Path, target: str) -> tuple["Report | None", str | None]:
    """Vela's report, and why there is none; where it fails ours still stands."""
    from .vela import vela

    try:
        return vela(model, target), None
    except InputError as error:
        return None, str(error)


def _document(model: Path, verdict: "Verdict") -> dict[str, object]:
    def rules(broken: Iterable[object]) -> list[dict[str, str]]:
        return [{field: getattr(rule, field) for field in ("id", "verdict", "reason", "source", "remedy")} for rule in broken]

    operators = [{"index": index, "kind": judged.operator.kind, "name": _name(judged), "verdict": judged.verdict, "rules": rules(judged.broken)}
                 for index, judged in enumerate(verdict.operators)]
    return {"model": str(model), "target": verdict.target, "verdict": verdict.verdict, "rules": rules(verdict.broken), "operators": operators,
            "partition": verdict.partition, "certain": verdict.certain, "weights_bytes": verdict.weights_bytes}


def _name(judged: "Judged") -> str:
    return judged.operator.outputs[0].name if judged.operator.outputs else ""


def _shown(text: str) -> str:
    """A name out of a file, of any origin, for one line of a terminal."""
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= _WIDEST else f"...{line[3 - _WIDEST :]}"


def _table(verdict: "Verdict") -> Iterable[str]:
    """What maps counted by kind, everything else one by one."""
    whole = Counter(judged.operator.kind for judged in verdict.operators if not judged.broken)
    rows = [(_shown(kind), f"{count} of them", "maps", "") for kind, count in whole.items()]
    rows += [(_shown(judged.operator.kind), f"{index} {_shown(_name(judged))}", judged.verdict, " ".join(rule.id for rule in judged.broken))
             for index, judged in enumerate(verdict.operators) if judged.broken]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        yield "  " + "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3]]).rstrip()


def _summary(verdict: "Verdict") -> Iterable[str]:
    total = len(verdict.operators)
    least = "" if verdict.certain == verdict.partition else f" ({verdict.certain} if no uncertain one maps)"
    rest = "" if verdict.partition == total else ", the rest on the CPU"
    if rest and verdict.target == "edgetpu":
        rest += ": the compiler cuts once, so all behind the first that does not map stay there"
    yield f"  {verdict.partition} of {total} operators run on the accelerator{least}{rest}; weights {verdict.weights_bytes:,} bytes"


def _rules(verdict: "Verdict") -> Iterable[str]:
    """Every broken rule once: why, what to do, who says so."""
    for rule in verdict.rules:
        grade = "warning" if rule.verdict == "maps" else rule.verdict + ("; the compiler stops" if rule.stops else "")
        yield f"  {rule.id} ({grade}): {rule.reason}"
        yield f"    remedy: {rule.remedy}"
        yield f"    source: {rule.source}"


def _beside(verdict: "Verdict", report: "Report | None", failure: str | None) -> Iterable[str]:
    """Vela's verdict, and each operator that it judges otherwise."""
    if failure is not None:
        yield f"  Vela: {failure}"
    if report is None:
        return
    yield (f"  Vela {report['version']}, {report['accelerator_config']}, {report['system_config']}, {report['memory_mode']}: "
           f"{report['cpu_operators']} operators on the CPU; the others take {report['cycles_total']:,} cycles, {1e3 * report['inference_time_s']:.4g} ms "
           f"(its estimate); SRAM {report['sram_used_bytes']:,} bytes, off-chip flash {report['off_chip_flash_used_bytes']:,} bytes")
    reasons = {one["output"]: one["reason"] for one in report["falls_back"]}
    ours = {_name(judged) for judged in verdict.operators if judged.verdict == "does not map"}
    for name in sorted(reasons.keys() - ours):
        yield f"  Vela differs: it leaves {_shown(name)} to the CPU: {reasons[name]}"
    for name in sorted(ours - reasons.keys()):
        yield f"  Vela differs: it takes {_shown(name)}"


def _doubts(verdict: "Verdict") -> Iterable[str]:
    doubts = sum(judged.verdict == "uncertain" for judged in verdict.operators)
    if doubts:
        yield f"uncertain: whether {doubts} of the {len(verdict.operators)} operators map is not known before the closed compiler has seen the file"


LINT = Verb("lint", "tell which operators of a model an accelerator takes, and what to build instead of the others",
            "lint out/demo/bundle --target edgetpu", _add_arguments, _run)
