"""The verb `pixie profiles`: which devices there are, what is known of one and from where, whether a file is a profile."""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edge_runtime.cli import Outcome, Verb
from edge_runtime.errors import InputError

from .profile import STATUSES, Number, Profile, names, path_of, profile, read_profile


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "show", "check"), default="list",
                        help="list the boards; show one profile with every number and its source; check a file of yours (default: %(default)s)")
    parser.add_argument("target", nargs="?", metavar="NAME|FILE", help="show: a profile's name; check: a .toml file")


def _run(arguments: argparse.Namespace) -> Outcome:
    if (arguments.action == "list") != (arguments.target is None):
        wanted = {"list": "takes none", "show": "needs the NAME of a profile", "check": "needs a FILE"}[arguments.action]
        raise InputError("command line", "NAME|FILE", f"`pixie profiles {arguments.action}` {wanted}; see pixie profiles --help")
    if arguments.action == "list":
        return _list()
    return _show(arguments.target) if arguments.action == "show" else _check(Path(arguments.target))


def _list() -> Outcome:
    boards = [profile(name) for name in names()]
    rows = [("name", "trust", "validation error", "device", "runtime")]
    rows += [(board.name, board.trust, _error(board), board.device, board.runtime) for board in boards]
    document = [{"name": board.name, "device": board.device, "runtime": board.runtime, "trust": board.trust, "validation_error": _validation_error(board),
                 "cost_model": board.cost_model or None} for board in boards]
    return Outcome("\n".join(_aligned(rows)), {"profiles": document})


def _show(name: str) -> Outcome:
    board = read_profile(path_of(name))
    lines = [f"{board.name}{', abstract: a parent and no board' if board.abstract else ''}", f"  device      {board.device}", f"  runtime     {board.runtime}",
             f"  date        {board.date}", f"  trust       {board.trust or '-'}", f"  validation  {_validation(board)}"]
    lines += [f"  {label:<11} {text}" for label, text in (("cost model", board.cost_model), ("host", board.host), ("Vela system", board.system_configuration),
                                                        ("Vela memory", board.memory_mode)) if text]
    rows = [("number", "value", "unit", "range or spread", "status", "file", "source")]
    rows += [(key, f"{number.value:.10g}", number.unit, _span(number), number.status, _file(board, number), number.source)
             for key, number in board.numbers.items()]
    lines += ["", *_aligned(rows), "", *(f"note: {caveat}" for caveat in board.caveats)]
    numbers = {key: asdict(number) | {"file": _file(board, number)} for key, number in board.numbers.items()}
    return Outcome("\n".join(lines).rstrip(), asdict(board) | {"numbers": numbers})


def _check(file: Path) -> Outcome:
    found = read_profile(file)
    counted = Counter(number.status for number in found.numbers.values())
    counts = {status: counted[status] for status in STATUSES if counted[status]}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return Outcome(f"{file}: ok, {len(found.numbers)} numbers: {told}", {"file": str(file), "name": found.name, "numbers": counts})


def _validation_error(board: Profile) -> float | None:
    return board.numbers["validation_error"].value if "validation_error" in board.numbers else None


def _error(board: Profile) -> str:
    error = _validation_error(board)
    return "unvalidated" if error is None else f"{error:.1%}"


def _validation(board: Profile) -> str:
    if not board.validation:
        return "-"
    return f"unvalidated: {board.validation_reason}" if board.validation == "none" else f"error {_error(board)} against {board.validation}"


def _span(number: Number) -> str:
    spans = [f"{word}{pair[0]:.10g} to {pair[1]:.10g}" for word, pair in (("", number.range), ("5-95 % ", number.spread)) if pair]
    return ", ".join([*spans, *([f"n = {number.n}"] if number.n else [])]) or "-"


def _file(board: Profile, number: Number) -> str:
    return f"{number.inherited_from or board.name}.toml"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


PROFILES = Verb("profiles", "List the devices that costs can be told for, show what is known of one and from where, or check a profile of your own.",
                "profiles show raspberry-pi-4b", _add_arguments, _run)
