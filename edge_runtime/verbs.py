"""The verbs of the board: `verify` and `flag`. Everything beyond the command line is imported when a verb runs."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli import Outcome, Verb, progress
from .errors import InputError, PixieError

if TYPE_CHECKING:
    from .bundle import Bundle, PhotometerBundle, PixelBundle, Verification
    from .engines import Engine

_MODULE_OF_ENGINE = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}  # the order in which an engine is chosen
_ENGINES = ("reference", "litert", "tflite-runtime", "onnxruntime")


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="the bundle's folder")
    parser.add_argument("--engine", choices=_ENGINES, help="engine to check; else the reference engine and the one that flag would choose")


def _flag_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", type=Path, help="the bundle's folder")
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="recording: .npz with counts uint16 [3, n] of the photometers or sums uint32 "
                        "[n, 48, 48] of the focal surface, a suffix for which a reader is installed (.fits, .cdf, .root), or - for raw "
                        "little-endian uint16 photometer counts, channels interleaved, on stdin")
    parser.add_argument("--engine", choices=_ENGINES, help="else the first installed of litert, tflite-runtime, reference")
    parser.add_argument("--out", metavar="CATALOGUE.jsonl", type=Path, help="write the catalogue here, whole or not at all; else to stdout")


def _run_verify(arguments: argparse.Namespace) -> Outcome:
    from .bundle import check_graph, check_ground, open_bundle, verify

    bundle = open_bundle(arguments.bundle)
    check_graph(bundle)
    ground_files = check_ground(bundle.folder)
    names = [arguments.engine] if arguments.engine else list(dict.fromkeys(["reference", _chosen_engine()]))
    checks = [verify(bundle, _load(bundle, name)) for name in names]
    identical = all(check.identical for check in checks)
    lines = [f"bundle {bundle.folder}: schema and SHA-256 of {len(bundle.files)} files hold, {ground_files} ground files beside it",
             *(_verdict(check) for check in checks)]
    document = {"bundle": str(bundle.folder), "bundle_sha256": bundle.sha256, "files": len(bundle.files), "ground_files": ground_files,
                "identical": identical, "engines": [_check_document(check) for check in checks]}
    return Outcome("\n".join(lines), document, 0 if identical else 1)


def _run_flag(arguments: argparse.Namespace) -> Outcome:
    from .bundle import check_graph, open_bundle
    from .catalogue import line

    if arguments.inputs.count("-") > 1:
        raise InputError("command line", "INPUT", "- is there twice; a stream can be read once")
    if arguments.out is not None:
        _check_out(arguments.out, arguments.bundle, arguments.inputs)
    bundle = open_bundle(arguments.bundle)
    check_graph(bundle)
    read, begin = _task(bundle)
    recordings = [(source, read(source)) for source in arguments.inputs]  # a file that is bad is known before an engine is loaded
    name = arguments.engine or _chosen_engine()
    if arguments.engine is None and name != "litert":
        print(f"pixie: note: engine {name} runs, because ai-edge-litert is not installed", file=sys.stderr)
    engine = _load(bundle, name)
    _self_test(bundle, engine)
    found: list[dict[str, object]] = []
    inputs: list[dict[str, object]] = []
    task = begin(engine)
    with _catalogue(arguments) as write:
        for source, stretches in recordings:
            lines = 0
            for fields in task.entries(stretches):
                lines += 1
                write(line(fields))
                if arguments.json:
                    found.append(fields)
            seen = task.seen()
            inputs.append({"input": source, **seen, task.word: lines})
            progress(f"{source}: {_told(seen)}, {lines} {task.word}")
    total = sum(int(str(one[task.word])) for one in inputs)
    windows = sum(int(str(one["windows"])) for one in inputs)
    summary = "\n".join([f"{total} {task.word} in {windows} windows of {len(inputs)} recordings, engine {engine.name}: {arguments.out}",
                         *(f"  {one['input']}: {_told({key: value for key, value in one.items() if key != 'input'})}" for one in inputs)])
    document = {"bundle": str(bundle.folder), "bundle_sha256": bundle.sha256, "engine": dict(engine.description), "inputs": inputs,
                "catalogue": None if arguments.out is None else str(arguments.out), task.word: found}
    return Outcome("" if arguments.out is None else summary, document)


def _told(seen: Mapping[str, object]) -> str:
    """Counts in words: "3200 frames, 0 gaps, ..., masked 1200 dead"."""
    words = [f"{value} {key}" for key, value in seen.items() if isinstance(value, int)]
    for key, reasons in seen.items():
        if isinstance(reasons, dict):
            words.append(f"{key} " + (", ".join(f"{value} {reason}" for reason, value in reasons.items() if value) or "nothing"))
    return ", ".join(words)


def _task(bundle: "PhotometerBundle | PixelBundle") -> tuple[Callable[[str], Any], Callable[["Engine"], "_Photometers | _Pixels"]]:
    """How recordings for a bundle are read, and what flags them on an engine."""
    from .bundle import PixelBundle

    if isinstance(bundle, PixelBundle):
        from .frames import read_frames

        return read_frames, lambda engine: _Pixels(bundle, engine)
    from .counts import read_counts

    return read_counts, lambda engine: _Photometers(bundle, engine)


class _Photometers:
    """Candidates of photometer counts."""

    word = "candidates"

    def __init__(self, bundle: "PhotometerBundle", engine: "Engine") -> None:
        from .stream import Flagger

        self._flagger, self._sha256 = Flagger(bundle, engine), bundle.sha256
        self._windows = self._samples = 0

    def entries(self, stretches: Any) -> Iterator[dict[str, object]]:
        from .catalogue import entry

        self._windows, self._samples = self._flagger.windows, self._flagger.samples
        for candidate in self._flagger.flag(stretches):
            yield entry(candidate, self._sha256)

    def seen(self) -> dict[str, object]:
        """What there was in the last recording."""
        return {"samples": self._flagger.samples - self._samples, "windows": self._flagger.windows - self._windows}


class _Pixels:
    """Tracks on the focal surface."""

    word = "tracks"

    def __init__(self, bundle: "PixelBundle", engine: "Engine") -> None:
        from .pixel_stream import PixelFlagger

        self._flagger, self._bundle = PixelFlagger(bundle.settings, engine), bundle
        self._before: dict[str, int] = {}

    def entries(self, stretches: Any) -> Iterator[dict[str, object]]:
        from .catalogue import track_entry

        self._before = self._counted()
        for found in self._flagger.flag(stretches):
            yield track_entry(found, self._bundle.settings.magnitude_zero, self._bundle.sha256)

    def seen(self) -> dict[str, object]:
        """What there was in the last recording; missing: frames for which there was time in its gaps; masked: pixel-frames by reason."""
        return {**{name: value - self._before[name] for name, value in self._counted().items()}, "masked": dict(self._flagger.masker.counts)}

    def _counted(self) -> dict[str, int]:
        return {name: getattr(self._flagger, name) for name in ("frames", "windows", "gaps", "missing")}


def _check_out(out: Path, bundle: Path, inputs: list[str]) -> None:
    """Refuse a catalogue that would replace what it is made from."""
    target = out.resolve()
    if str(out) == "-":
        raise InputError("command line", "--out", "is -; leave --out away and the catalogue goes to stdout")
    if any(source != "-" and Path(source).resolve() == target for source in inputs):
        raise InputError(out, "--out", "is one of the recordings and would replace it; name another file")
    if target.is_relative_to(bundle.resolve()):
        raise InputError(out, "--out", f"lies in the bundle {bundle} and would damage it; name a file outside")


@contextlib.contextmanager
def _catalogue(arguments: argparse.Namespace) -> Iterator[Callable[[str], object]]:
    """Where lines go: into --out, whole or not at all; else to stdout, of a stream each as it comes, of files when all are read without error."""
    if arguments.out is not None:
        from .files import new_file

        with new_file(arguments.out) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
            yield file.write
    elif arguments.json:
        yield lambda text: None  # the document carries them
    elif "-" in arguments.inputs:
        yield lambda text: print(text, end="", flush=True)
    else:
        lines: list[str] = []
        yield lines.append
        print("".join(lines), end="")


def _chosen_engine() -> str:
    return next((name for name, module in _MODULE_OF_ENGINE.items() if find_spec(module) is not None), "reference")


def _load(bundle: "Bundle", name: str) -> "Engine":
    from . import engines

    return engines.load(name, bundle.folder)


def _self_test(bundle: "Bundle", engine: "Engine") -> None:
    """Re-run the golden vectors before anything is flagged: who must reproduce them and does not is refused, another's difference is told."""
    from .bundle import EXACT_ENGINES, verify

    check = verify(bundle, engine)
    if check.identical:
        return
    if engine.name in EXACT_ENGINES:
        raise PixieError(bundle.folder / "golden.npz", "codes", f"{_verdict(check)}; this machine does not compute what was trained, so "
                         "nothing is flagged: choose another engine")
    print(f"pixie: note: {_verdict(check)}; its kernels round otherwise", file=sys.stderr)


def _check_document(check: "Verification") -> dict[str, object]:
    return {"engine": dict(check.engine), "vectors": check.vectors, "codes": check.codes, "differing": dict(check.differing),
            "largest_difference": check.largest, "identical": check.identical}


def _verdict(check: "Verification") -> str:
    if check.identical:
        return f"engine {check.engine['name']}: all {check.codes} codes of {check.vectors} golden vectors are equal"
    differing = ", ".join(f"{count} of {name}" for name, count in check.differing.items())
    return f"engine {check.engine['name']}: codes of {check.vectors} golden vectors differ ({differing}; by {check.largest} at most)"


VERIFY = Verb("verify", "check a bundle: schema, SHA-256 of every file, golden vectors re-run", "verify out/demo/bundle",
              _verify_arguments, _run_verify)
FLAG = Verb("flag", "flag light or meteors in recordings: counts to a catalogue", "flag out/demo/bundle scene.npz --out catalogue.jsonl",
            _flag_arguments, _run_flag)
