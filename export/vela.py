"""Arm's compiler Vela beside our rules, where it is installed: a program in an environment of its own, never imported.

    python3 -m venv vela && vela/bin/pip install ethos-u-vela && export PIXIE_VELA=$PWD/vela/bin/vela
"""

import csv
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn, TypedDict

from edge_runtime.errors import InputError, MissingError

SYSTEM_CONFIGURATION, MEMORY_MODE = "Ethos_U55_High_End_Embedded", "Shared_Sram"
_CONFIGURATION_FILE = "Arm/vela.ini"  # comes with Vela
_LONGEST_RUN = 120  # seconds; a flight network takes one
# Without --show-cpu-operations: that report of 5.2.0 falls over ARG_MAX (KeyError: '0'), and these lines say more, the reason too.
_FALLS_BACK = re.compile(r"^Warning \(supported operators\) operator: (.+), ofm: '(.*)'\nReason: (.*)$", re.MULTILINE)
_COUNT = r"^{} operators = (\d+) "


class FallsBack(TypedDict):
    """An operator that Vela leaves to the CPU: its kind, the name of its output, and why."""

    kind: str
    output: str
    reason: str


class Report(TypedDict):
    """What Vela says of a file. Cycles, seconds and bytes are its estimates for the part on the accelerator, without the operators on the CPU.

    `npu_operators` counts what Vela makes of the file's operators, which may be several of one or one of several.
    """

    version: str
    accelerator_config: str
    system_config: str
    memory_mode: str
    cpu_operators: int
    npu_operators: int
    falls_back: list[FallsBack]
    cycles_npu: int
    cycles_total: int
    inference_time_s: float
    sram_used_bytes: int
    off_chip_flash_used_bytes: int


def vela(path: Path, target: str) -> Report | None:
    """Vela's report on a .tflite file for an accelerator as it names it ("ethos-u55-128"); None where Vela is not installed.

    The program is the one that the environment variable PIXIE_VELA names (MissingError where that is none), else `vela` of the search path. InputError
    where it fails, with its last line.
    """
    program = _program()
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        output = _run(path, folder, program, str(path.resolve()), "--accelerator-config", target, "--config", _CONFIGURATION_FILE,
                      "--system-config", SYSTEM_CONFIGURATION, "--memory-mode", MEMORY_MODE, "--output-dir", folder)  # fmt: skip
        version = _run(path, folder, program, "--version").strip()
        summaries = list(Path(folder).glob("*_summary_*.csv"))
        rows = list(csv.DictReader(summaries[0].read_text(encoding="utf-8").splitlines())) if summaries else []
    counts = {place: re.search(_COUNT.format(place), output, re.MULTILINE) for place in ("CPU", "NPU")}
    try:
        (row,) = rows
        return Report(
            version=version, accelerator_config=target, system_config=row["system_config"], memory_mode=row["memory_mode"],
            cpu_operators=int(counts["CPU"][1]), npu_operators=int(counts["NPU"][1]),  # type: ignore[index]  # TypeError below
            falls_back=[FallsBack(kind=kind, output=name, reason=reason) for kind, name, reason in _FALLS_BACK.findall(output)],
            cycles_npu=int(row["cycles_npu"]), cycles_total=int(row["cycles_total"]), inference_time_s=float(row["inference_time"]),
            sram_used_bytes=round(1024 * float(row["sram_memory_used"])), off_chip_flash_used_bytes=round(1024 * float(row["off_chip_flash_memory_used"])),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        _fail(path, f"wrote no summary that is understood ({version or 'no version'}); 5.2.0 is: pip install ethos-u-vela==5.2.0", error)


def _program() -> str | None:
    named = os.environ.get("PIXIE_VELA")
    if named and shutil.which(named) is None:
        raise MissingError(named, "PIXIE_VELA", "is no program; name the vela of its environment, or unset it")
    return shutil.which(named or "vela")


def _run(path: Path, folder: str, *command: str) -> str:
    """Standard output of Vela."""
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_LONGEST_RUN)
    except subprocess.TimeoutExpired as error:
        _fail(path, f"did not end within {_LONGEST_RUN} s", error)
    except OSError as error:
        raise MissingError(command[0], "Vela", f"cannot be run ({error.strerror}); install it again") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        _fail(path, f"ended with status {done.returncode}: {last}")
    return done.stdout


def _fail(path: Path, reason: str, cause: Exception | None = None) -> NoReturn:
    raise InputError(path, "Vela", reason) from cause
