"""The command line: the board's verbs, and on the ground those that the other rooms bring through the entry points `pixie.verbs`.

Exit status 0 done; 1 a gate fell short or a check found a difference; 2 bad input or usage; 3 something is missing on this machine.
A defect of ours ends with a traceback and status 70, so that nobody takes it for a gate.
"""

import argparse
import errno
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from .errors import InputError, MissingError, PixieError

DEFECT = 70  # EX_SOFTWARE of sysexits.h
PIXIE = (sys.executable, "-c", "from edge_runtime.cli import ground; ground()")  # the words that call `pixie` with this very Python


@dataclass(frozen=True)
class Outcome:
    """What a verb did: exit status, the lines for a person and the document that `--json` prints instead."""

    text: str
    document: Mapping[str, object] = field(default_factory=dict)
    status: int = 0


@dataclass(frozen=True)
class Verb:
    """One word of the command line. `run` gets the parsed arguments; heavy imports belong inside it."""

    name: str
    summary: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Outcome]


_LINE = 600  # characters of a refusal: hostile input may be quoted in it, the remedy at its end is what counts


class _Parser(argparse.ArgumentParser):
    """argparse whose refusals are one line with exit status 2."""

    def error(self, message: str) -> NoReturn:
        name, _, reason = message.removeprefix("argument ").partition(": ")
        if not message.startswith("argument "):
            name, reason = "arguments", message
        raise InputError("command line", name, f"{reason}; see {self.prog} --help")


def progress(line: str) -> None:
    """One line about where a long piece of work is, on stderr; silent where stderr is no terminal."""
    if sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)


def run_verb(program: str, verbs: Mapping[str, Verb], argv: list[str]) -> int:
    """Parse `argv`, run its verb, print the outcome and give the exit status."""
    wants_json = "--json" in argv
    try:
        arguments = _parser(program, verbs).parse_args(argv)
        outcome = verbs[arguments.verb].run(arguments)
        text = json.dumps(outcome.document, allow_nan=False) if wants_json else outcome.text
        if text:
            print(text)
        sys.stdout.flush()
        return outcome.status
    except PixieError as error:
        print(f"pixie: {_one_line(str(error))}", file=sys.stderr)
        return error.status
    except ModuleNotFoundError as error:
        return _told_missing(error)
    except BrokenPipeError:
        # The reader of our output left. The interpreter flushes stdout once more at exit and would complain: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # every kind: this is the last place that sees it
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # as above
            print("pixie: stdout: disk space: is used up; free some and run again", file=sys.stderr)
            return MissingError.status
        import traceback

        traceback.print_exc()
        return DEFECT
    except KeyboardInterrupt:
        print("pixie: interrupted", file=sys.stderr)
        return 130


def board() -> NoReturn:
    """`python -m edge_runtime VERB`: the verbs of the board alone."""
    from .verbs import FLAG, VERIFY

    _end_on_sigterm()
    sys.exit(run_verb("python -m edge_runtime", {verb.name: verb for verb in (FLAG, VERIFY)}, sys.argv[1:]))


def ground() -> NoReturn:
    """`pixie VERB`: the board's verbs and those of every installed room."""
    from importlib.metadata import entry_points

    from .verbs import FLAG, VERIFY

    verbs = {verb.name: verb for verb in (FLAG, VERIFY)}
    points = {point.name: point for point in entry_points(group="pixie.verbs")}
    # Only the verb asked for is imported; --help lists all, and their modules import nothing heavy at the top.
    word = "".join(sys.argv[1:2])
    asked = [points[word]] if word in points else []
    for point in asked or (() if word in verbs else points.values()):
        try:
            verbs[point.name] = point.load()
        except ModuleNotFoundError as error:
            if asked:  # else a room that is not installed is left out of the list
                sys.exit(_told_missing(error))
    if not sys.warnoptions:  # what libraries warn their callers of is not for the user, whose stderr is our one line; python -W shows it
        warnings.simplefilter("ignore")
    _end_on_sigterm()
    sys.exit(run_verb("pixie", verbs, sys.argv[1:]))


def _parser(program: str, verbs: Mapping[str, Verb]) -> argparse.ArgumentParser:
    parser = _Parser(prog=program, description=__doc__.split("\n\n")[1] if __doc__ else None,
                     epilog=f"example: {program} verify out/demo/bundle", allow_abbrev=False)
    subparsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    for verb in verbs.values():
        subparser = subparsers.add_parser(verb.name, help=verb.summary, description=verb.summary, allow_abbrev=False,
                                          epilog=f"example: {program} {verb.example}")
        verb.add_arguments(subparser)
        subparser.add_argument("--json", action="store_true", help="print exactly one JSON document on stdout")
    return parser


def _end_on_sigterm() -> None:
    """Let a request to end pass through every `finally`, so that nothing half-written is left; exit status as a shell gives it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def _told_missing(error: ModuleNotFoundError) -> int:
    missing = MissingError(error.name, "module", _remedy(error.name or ""))
    print(f"pixie: {missing}", file=sys.stderr)
    return missing.status


def _one_line(message: str) -> str:
    line = " ".join(message.split())
    return line if len(line) <= _LINE else f"{line[:_LINE // 2]} ... {line[-_LINE // 2:]}"


EXTRA_OF_MODULE = {
    "ai_edge_litert": "runtime", "tflite_runtime": "runtime-tflite", "onnxruntime": "runtime-onnx", "torch": "train", "brevitas": "train",
    "sklearn": "train", "scipy": "train", "astropy": "train", "cdflib": "train", "uproot": "train", "xgboost": "train",
    "onnx": "export", "onnxscript": "export",
    "onnxoptimizer": "export", "flatbuffers": "export", "imagecodecs": "bench", "matplotlib": "bench", "jinja2": "bench", "psutil": "bench",
    "tensorflow": "oracle",
}


def _remedy(module: str) -> str:
    room = module.partition(".")[0]
    if room in ("train", "export", "benchmarks", "hw_profiles"):
        return f"is not the one of Pixie: the room {room}/ is not installed here, or a module of yours named {room} hides it"
    if room in EXTRA_OF_MODULE:
        return f"is not installed: pip install 'pixie-onboard[{EXTRA_OF_MODULE[room]}]'"
    return "is not installed; install it with pip"
