"""The gate `input.refused`: malformed inputs of every format are tried on the real commands, and each must be refused as promised.

KINDS are those of the photometers, PIXEL_KINDS those of the focal surface (`pixels.input.refused`).

A refusal is exit status 2, nothing on stdout, exactly one line on stderr, `pixie: FILE: FIELD: reason and remedy`, that names the
damaged file, no byte written or overwritten, no file left anywhere, within LIMIT_SECONDS and LIMIT_MB. A format whose undamaged input is
not accepted counts none of its refusals: who refuses everything has shown nothing. docs/attacks.md lists the attacks.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..results import Record
from .bundle_files import BUNDLE_FILES
from .cdf_file import CDF
from .checkpoint import CHECKPOINT
from .configuration import CONFIGURATION, PIXEL_CONFIGURATION
from .damage import Case, Kind, Sources
from .fits_file import FITS
from .frames_npz import FRAMES_NPZ
from .npz import NPZ
from .onnx_file import ONNX
from .other_instrument import NO_FRAMES, NO_PHOTOMETERS
from .pixel_bundle import PIXEL_BUNDLE
from .process import LIMIT_S, Ended, program, run_measured
from .raw_stream import RAW_STREAM
from .root_file import ROOT
from .sources import make_sources

KINDS: tuple[Kind, ...] = (FITS, CDF, NPZ, RAW_STREAM, CHECKPOINT, CONFIGURATION, ONNX, NO_FRAMES, *BUNDLE_FILES)
PIXEL_KINDS: tuple[Kind, ...] = (ROOT, FRAMES_NPZ, PIXEL_CONFIGURATION, NO_PHOTOMETERS, *PIXEL_BUNDLE)
LIMIT_SECONDS = 5.0
LIMIT_MB = 200.0
AT_A_TIME = 2
KEPT = b"an older catalogue\n"
_LINE = re.compile(r"pixie: [^:\n]+: [^:\n]+: [^\n]+")
_SOURCE = "benchmarks/refusals: a process per case; time and peak resident memory by wait4"


@dataclass(frozen=True)
class Refusal:
    """What came of one malformed input.

    `kind` is the format, `case` the damage; exit `status`, `seconds`, `peak_mb` of the command; `line`: what it said on stderr; `written`:
    whether any file changed; `refused`: whether all that a refusal must be was there, and otherwise `why` not.
    """

    kind: str
    case: str
    status: int
    seconds: float
    peak_mb: float
    line: str
    written: bool
    refused: bool
    why: str


def run_refusals(bundle: Path, run: Path, folder: Path, seed: int, progress: Callable[[str], None] = lambda line: None,
                 kinds: Iterable[Kind] = KINDS) -> list[Refusal]:
    """Try every case on the real commands, two at a time, in `folder` (made; removed again where every case was refused).

    `bundle` and `run` are valid ones of the instrument whose `kinds` are tried, and stay untouched. The same seed makes the same damage.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sources = make_sources(Path(bundle).resolve(), Path(run).resolve(), folder / "sources", seed)
    kinds = tuple(kinds)
    controls = [kind.accepted for kind in kinds if kind.accepted is not None]
    cases = [case for kind in kinds for case in kind.cases]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        answers = pool.map(lambda case: _denied(case, sources, folder, seed), controls)
        denied = {case.kind: why for case, why in zip(controls, answers, strict=True) if why}
        found = []
        for place, refusal in enumerate(pool.map(lambda case: _attack(case, sources, folder, seed), cases), start=1):
            if refusal.kind in denied:
                refusal = replace(refusal, refused=False, why=f"the undamaged input is not accepted: {denied[refusal.kind]}")
            found.append(refusal)
            if not refusal.refused or place % 25 == 0:
                progress(f"refusals {place}/{len(cases)}: {refusal.kind}, {refusal.case}: {'refused' if refusal.refused else refusal.why}")
    if all(refusal.refused for refusal in found):
        shutil.rmtree(folder)
    return found


def records(refusals: list[Refusal], on: str, seed: int, gate: str = "input.refused") -> list[Record]:
    """The three numbers of `gate` (refused, missed, fewest damages tried on a format); then slowest, largest memory, refused by format."""
    kinds = list(dict.fromkeys(refusal.kind for refusal in refusals))
    tried = {kind: [refusal for refusal in refusals if refusal.kind == kind] for kind in kinds}

    def record(name: str, value: float, unit: str, n: int) -> Record:
        return Record(name, value, unit, "measured", on, None, n, seed, _SOURCE)

    refused, total = sum(refusal.refused for refusal in refusals), len(refusals)
    return [
        record(gate, refused, "inputs", total),
        record(f"{gate}.missed", total - refused, "inputs", total),
        record(f"{gate}.kinds", min(len({one.case for one in found}) for found in tried.values()), "kinds of damage", len(kinds)),
        record(f"{gate}.slowest_s", max(refusal.seconds for refusal in refusals), "s", total),
        record(f"{gate}.peak_mb", max(refusal.peak_mb for refusal in refusals), "MB", total),
        *(record(f"{gate}.of.{kind.replace(' ', '_')}", sum(one.refused for one in found), "inputs", len(found))
          for kind, found in tried.items()),
    ]


def _attack(case: Case, sources: Sources, folder: Path, seed: int) -> Refusal:
    ended, changed, place = _try(case, sources, folder, seed)
    lines = ended.stderr.splitlines()
    line = (lines[-1] if lines else "").replace(f"{place}/", "")
    why = _why_not(case, ended, lines, changed)
    if not why:
        shutil.rmtree(place.parent)
    return Refusal(case.kind, case.name, ended.status, ended.seconds, ended.peak_mb, line, changed != "", not why, why)


def _denied(case: Case, sources: Sources, folder: Path, seed: int) -> str:
    """Why the undamaged input of a format was not accepted; empty where it was."""
    ended, _, place = _try(replace(case, name=f"{case.name} control"), sources, folder, seed)
    if ended.status == 0:
        shutil.rmtree(place.parent)
        return ""
    return f"exit status {ended.status}, {ended.stderr.strip().splitlines()[-1:] or 'nothing said'}"


def _try(case: Case, sources: Sources, folder: Path, seed: int) -> tuple[Ended, str, Path]:
    """Build a case in a folder of its own and run its command there; how it ended, what changed in the folder, and the folder."""
    name = re.sub(r"[^a-z0-9.]+", "-", f"{case.kind} {case.name}".lower())
    place = folder / name / "work"
    shutil.rmtree(place.parent, ignore_errors=True)
    place.mkdir(parents=True)
    temporary = place / "temporary"
    temporary.mkdir()
    (place / "kept.jsonl").write_bytes(KEPT)
    random = np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:8]])
    attack = case.build(place, sources, random)
    before = _snapshot(place.parent)
    ended = run_measured((*program(case.board), *attack.words), place, attack.stdin, temporary)
    after = _snapshot(place.parent)
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return ended, ", ".join(changed), place


def _why_not(case: Case, ended: Ended, lines: list[str], changed: str) -> str:
    """The first thing that keeps what happened from being a refusal; empty where it is one."""
    checks = (
        (ended.late, f"had not ended after {LIMIT_S:.0f} s"),
        ("Traceback" in ended.stderr, "a traceback"),
        (ended.status != 2, f"exit status {ended.status}, must be 2"),
        (len(lines) != 1, f"{len(lines)} lines on stderr, must be one"),
        (not _LINE.fullmatch(ended.stderr.rstrip("\n")), "the line is not `pixie: FILE: FIELD: reason and remedy`"),
        (case.names not in ended.stderr, f"the line does not name {case.names}"),
        (ended.stdout != "", "something on stdout"),
        (changed != "", f"changed: {changed}"),
        (ended.seconds >= LIMIT_SECONDS, f"{ended.seconds:.1f} s, must be under {LIMIT_SECONDS:.0f}"),
        (ended.peak_mb >= LIMIT_MB, f"{ended.peak_mb:.0f} MB, must be under {LIMIT_MB:.0f}"),
    )
    return next((why for wrong, why in checks if wrong), "")


def _snapshot(folder: Path) -> dict[str, str]:
    """Every file, folder and link under `folder` and what it holds; large files by size and time of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            what = f"link to {os.readlink(path)}"
        elif path.is_dir():
            what = "folder"
        else:
            what = hashlib.sha256(path.read_bytes()).hexdigest() if status.st_size < 1 << 24 else f"{status.st_size} bytes"
            what += f" {status.st_mtime_ns} {status.st_ino}"
        found[str(path.relative_to(folder))] = what
    return found
