"""One command in a process of its own, with its exit status, time and peak memory."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 15.0  # a command that has not ended by then is ended: three times what the gate allows is clear enough

# A child starts with the memory peak of the process that forked it. This one is small (10 MB), so the peak it reads is the command's own.
LAUNCHER = """
import json, os, signal, sys, time
command, folder, stdin, limit = json.loads(sys.argv[1])
start = time.monotonic()
child = os.fork()
if not child:
    os.chdir(folder)
    os.setsid()
    os.close(0)
    if stdin is not None:
        os.set_inheritable(os.open(stdin, os.O_RDONLY), True)  # the lowest free number, so 0
    for name, target in (("stdout", 1), ("stderr", 2)):
        os.dup2(os.open(f"{folder}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), target)
    os.execv(command[0], command)
late = []
signal.signal(signal.SIGALRM, lambda *_: (late.append(1), os.killpg(child, signal.SIGKILL)))
signal.setitimer(signal.ITIMER_REAL, limit)
_, status, usage = os.wait4(child, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), time.monotonic() - start, usage.ru_maxrss / 1024, bool(late)]))
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status (negative: a signal), seconds, peak resident MB, what it printed, whether it was too late."""

    status: int
    seconds: float
    peak_mb: float
    stdout: str
    stderr: str
    late: bool


def run_measured(command: Sequence[str], folder: Path, stdin: Path | None, temporary: Path) -> Ended:
    """Run `command` in `folder` with standard input from the file or folder `stdin` (closed where None).

    What it prints is kept beside `folder` until it is read. `temporary` becomes the command's folder for temporary files.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    task = json.dumps([list(command), str(folder), None if stdin is None else str(stdin), LIMIT_S])
    launcher = (sys.executable, "-I", "-S", "-c", LAUNCHER, task)
    launched = subprocess.run(launcher, env=environment, capture_output=True, text=True, check=True)
    status, seconds, peak_mb, late = json.loads(launched.stdout)
    printed = []
    for name in ("stdout", "stderr"):
        file = Path(f"{folder}.{name}")
        printed.append(file.read_text(errors="replace")[:20_000])
        file.unlink()
    return Ended(status, seconds, peak_mb, printed[0], printed[1], late)


def program(board: bool) -> tuple[str, ...]:
    """The words before the verb: the board's door or the ground's, both without a shell."""
    return (sys.executable, "-m", "edge_runtime") if board else (sys.executable, "-c", "from edge_runtime.cli import ground; ground()")
