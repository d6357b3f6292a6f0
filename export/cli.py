"""The verb `pixie export`: a training run into a bundle, or any QCDQ/QDQ ONNX file into an int8 TFLite file with the proof of parity."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.cli import Outcome, Verb, progress
from edge_runtime.errors import InputError

if TYPE_CHECKING:
    from .parity import Comparison

WINDOWS = 200  # random windows that the engines are compared on
SEED = 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, metavar="SOURCE", help="folder of a training run (gives a bundle) or a QCDQ/QDQ .onnx file")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; replaced only if it is an older export")


def _run(arguments: argparse.Namespace) -> Outcome:
    source: Path = arguments.source
    if source.suffix == ".onnx" and not source.is_dir():
        return _export_onnx(source, arguments.out)
    if not source.is_dir():
        raise InputError(source, "SOURCE", "is neither a folder nor an .onnx file; name a training run or a QCDQ/QDQ model"
                         if source.exists() else "does not exist; check the name")
    from .write_bundle import write_bundle

    progress(f"exporting {source}")
    folder = write_bundle(source, arguments.out)
    return Outcome(f"bundle written to {folder}", {"bundle": str(folder)})


def _export_onnx(source: Path, out: Path) -> Outcome:
    """model.tflite, model.onnx, graph.json, graph.npz and parity.json; exit status 1 where the reference engine and LiteRT differ."""
    from edge_runtime.files import new_folder, read_bytes, write_file
    from edge_runtime.graph import write_graph

    from .parity import compare_codes, compare_parameters, random_windows, write_parity
    from .read_onnx import read_onnx
    from .write_tflite import tflite_bytes

    graph = read_onnx(source)
    progress(f"{source}: {len(graph.operators)} operators")
    with new_folder(out, marker="parity.json") as folder:
        write_file(folder / "model.onnx", read_bytes(source, 256 << 20))
        write_graph(graph, folder)
        write_file(folder / "model.tflite", tflite_bytes(graph))
        progress("comparing parameters and engines")
        comparisons = compare_parameters(folder / "model.onnx", folder / "model.tflite")
        comparisons += compare_codes(folder, random_windows(graph, WINDOWS, SEED))
        write_parity(folder / "parity.json", comparisons)
    lines = [f"{source}: {len(graph.operators)} operators written to {out}", *_lines(comparisons)]
    document = {"folder": str(out), "operators": len(graph.operators),
                "parity": {comparison.name: {"compared": comparison.compared, "differing": comparison.differing, "greatest": comparison.greatest}
                           for comparison in comparisons}}
    claimed = [comparison for comparison in comparisons if comparison.name.startswith(("parameters.", "codes.reference.litert."))]
    return Outcome("\n".join(lines), document, status=int(any(comparison.differing for comparison in claimed)))


def _lines(comparisons: Iterable["Comparison"]) -> Iterable[str]:
    for comparison in comparisons:
        if comparison.compared is None:
            yield f"{comparison.name}: not compared ({comparison.on['missing']})"
        else:
            by = f", by at most {comparison.greatest}" if comparison.greatest else ""
            yield f"{comparison.name}: {comparison.differing} of {comparison.compared} differ{by}"


EXPORT = Verb("export", "turn a training run into a bundle, or a QCDQ/QDQ ONNX file into int8 TFLite with its parity proof",
              "export out/demo/run --out out/demo/bundle", _add_arguments, _run)
