"""Any model file and the engines that read it: a .tflite, an .onnx, or a bundle, which holds both."""

import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import InputError, MissingError
from edge_runtime.files import check_file

from . import mlperf_tiny
from .bare import LIMIT
from .latency import latency
from .results import Stage


@dataclass(frozen=True)
class Subject:
    """A model under its name in ids, `slug`. `file`: whose bytes and operators are told; `engines`: what each engine reads; `note`: what a reader must know."""

    slug: str
    file: Path
    engines: dict[str, Path]
    note: str = ""


def subject(path: Path, slug: str, scratch: Path) -> Subject:
    """The model of a file, of a bundle or of the word `mlperf-tiny-ad`; InputError where it is none of them."""
    if path.is_dir():
        from edge_runtime.bundle import open_bundle

        open_bundle(path)
        tflite = path / "model.tflite"
        return Subject(slug, tflite, {"litert": tflite, "tflite-runtime": tflite, "onnxruntime": path / "model.onnx", "reference": path})
    note = ""
    if mlperf_tiny.is_word(path):
        path, note = mlperf_tiny.reference_file(scratch), mlperf_tiny.NOTE
    check_file(path, LIMIT)
    if path.suffix.lower() == ".tflite":
        with open(path, "rb") as file:
            if file.read(8)[4:] != b"TFL3":
                raise InputError(path, "model", "LiteRT refuses it (bytes 4 to 7 are not TFL3); is it a whole .tflite file?")
        return Subject(slug, path, {"litert": path, "tflite-runtime": path}, note)
    return Subject(slug, path, {"onnxruntime": path, **_exported(path, scratch / slug)})


def slugs(paths: Iterable[Path]) -> list[str]:
    """A name for each path, of letters, digits and lower lines, no two alike."""
    found: list[str] = []
    for path in paths:
        name = path.resolve()  # a bundle may be called "."
        slug = re.sub(r"[^A-Za-z0-9]+", "_", name.name).strip("_") or "model"
        number = 1 + sum(before == slug or before.startswith(f"{slug}__") for before in found)
        found.append(slug if number == 1 else f"{slug}__{number}")
    return found


def model_file(path: Path, slug: str, scratch: Path, scale: str, seed: int) -> Stage:
    """Latency of one file on the engines that can read it, ids `latency_of.SLUG.`; InputError where none can."""
    one = subject(path, slug, scratch)
    stages = [latency(file, (engine,), None, scratch, scale, seed, f"latency_of.{slug}") for engine, file in one.engines.items()]
    return joined(path, stages)


def joined(path: Path, stages: Sequence[Stage]) -> Stage:
    """Stages of one table each, the same for all, as one; InputError with the notes of all where none has a record."""
    from .bench import merged

    notes = [note for stage in stages for note in stage.figures["notes"]]
    if not any(stage.records for stage in stages):
        raise InputError(path, "model", "; ".join(notes))
    return Stage(tuple(record for stage in stages for record in stage.records), merged(stage.figures for stage in stages))


def _exported(path: Path, folder: Path) -> dict[str, Path]:
    """The engines of an int8 ONNX file that `pixie export` takes, on the TFLite file that it would make; none for another."""
    try:
        from export.read_onnx import read_onnx
        from export.write_bundle import write_network

        graph = read_onnx(path)
        folder.mkdir()
        write_network(graph, folder)
    except (InputError, MissingError, ModuleNotFoundError):
        return {}
    shutil.copy(path, folder / "model.onnx")
    return {"litert": folder / "model.tflite", "tflite-runtime": folder / "model.tflite", "reference": folder}
