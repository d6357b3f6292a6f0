"""Stands in for QEMU and the counting plugin: guest.py runs in this very Python, and every inference takes 5,000 instructions.

    python stand_in.py -cpu CORE ... -D MARKS ... guest.py FOLDER
"""

import importlib.util
import itertools
import os
import sys
from pathlib import Path


def main() -> None:
    core, marks, script, folder = sys.argv[sys.argv.index("-cpu") + 1], sys.argv[sys.argv.index("-D") + 1], *sys.argv[-2:]
    spec = importlib.util.spec_from_file_location("guest", script)
    guest = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(guest)
    lengths, total, lines = itertools.cycle(guest.LENGTHS), 10**9, []

    def getsid(_process: int) -> int:
        nonlocal total
        total += 800 + 5000 * next(lengths)
        lines.append(f"{total} 1\n")
        if os.environ["STAND_IN"] == "dies" and len(lines) == len(guest.LENGTHS) + 3:
            os.kill(os.getpid(), 11)
        return 0

    os.getsid = getsid
    sys.argv = [script, folder]
    guest.main()
    Path(marks).write_text("".join(lines))
    if os.environ["STAND_IN"] == "differs" and core == "cortex-a72":
        path = Path(folder) / "dense_tiny.outputs"
        path.write_bytes(bytes(code ^ (index in (3, 700)) for index, code in enumerate(path.read_bytes())))


if __name__ == "__main__":
    main()
