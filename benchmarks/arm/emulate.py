"""Runs the models of `models.py` under QEMU as a Cortex-A53, A72 and A76, compares their outputs with this host's and counts their instructions.

What it finds is a fixture, `counted.json` beside this file: from then on any host can say, without QEMU, whether its LiteRT gives the codes that the
emulated cores gave. `pixie emulate arm64 --cache DIR --out benchmarks/arm/counted.json` makes it again.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.cli import progress
from edge_runtime.errors import InputError, PixieError
from edge_runtime.files import read_json
from edge_runtime.graph.structure import Graph
from export.write_tflite import tflite_bytes

from . import guest
from .cache import CORES, PYTHON, Emulator
from .models import macs, models

SCHEMA_VERSION = 1
FIXTURE = Path(__file__).with_name("counted.json")


@dataclass(frozen=True)
class Core:
    """What one emulated core did with a model: instructions of one inference with one thread, CPython's call included; its outputs."""

    instructions: int
    outputs_sha256: str
    differing_bytes: int


@dataclass(frozen=True)
class Counted:
    """One model: SHA-256 of its .tflite file, MACs of one inference, SHA-256 and bytes of the host's outputs for all inputs, and each core's."""

    sha256: str
    macs: int
    outputs_sha256: str
    output_bytes: int
    cores: Mapping[str, Core]


@dataclass(frozen=True)
class Fixture:
    """`versions` of what ran; `inputs` seeded inputs to each of `models`, by name."""

    versions: Mapping[str, str]
    inputs: int
    models: Mapping[str, Counted]


def chosen(names: Sequence[str]) -> dict[str, Graph]:
    """The models named, or all where none is; InputError for a name that no model has."""
    graphs = models()
    for name in names:
        if name not in graphs:
            raise InputError("command line", "--models", f"{name!r} is none of {', '.join(graphs)}")
    return {name: graph for name, graph in graphs.items() if not names or name in names}


def emulate(emulator: Emulator, graphs: Mapping[str, Graph]) -> Fixture:
    """Run and count the models, all of them in some five minutes.

    PixieError where a guest ends early or its counts are of no use.
    """
    with tempfile.TemporaryDirectory(dir=emulator.folder) as work:
        folder = Path(work)
        files = {name: tflite_bytes(graph) for name, graph in graphs.items()}
        wanted, versions = _host(folder, files)
        cores: dict[str, dict[str, Core]] = {name: {} for name in graphs}
        short = folder.relative_to(emulator.folder)  # see cache._emulator
        plugin = ("-plugin", "./libcount.so", "-d", "plugin", "-D", f"{short}/marks")
        for core in CORES:
            progress(f"{core}: {len(graphs)} models")
            command = (*emulator.command, "-cpu", core, "-L", core, *plugin, PYTHON, f"{short}/guest.py", str(short))
            found, told = _run(core, command, folder, list(graphs), cwd=emulator.folder, env=dict(emulator.environment))
            for name, instructions in parse_marks((folder / "marks").read_text(), list(graphs), core).items():
                cores[name][core] = Core(instructions, _digest(found[name]), differing_bytes(wanted[name], found[name]))
        counted = {name: Counted(_digest(files[name]), macs(graph), _digest(wanted[name]), len(wanted[name]), cores[name]) for name, graph in graphs.items()}
    host = {f"host {package}": version for package, version in versions.items()}
    return Fixture({**emulator.versions, **{f"guest {package}": version for package, version in told.items()}, **host}, guest.INPUTS, counted)


def _host(folder: Path, files: Mapping[str, bytes]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Outputs of the models by name, and versions, of this Python's LiteRT; leaves files and guest.py in the folder."""
    shutil.copy(guest.__file__, folder / "guest.py")
    for name, data in files.items():
        (folder / f"{name}.tflite").write_bytes(data)
    return _run("host", (sys.executable, str(folder / "guest.py"), str(folder)), folder, list(files))


def _run(who: str, command: Sequence[str], folder: Path, names: list[str], **options: Any) -> tuple[dict[str, bytes], dict[str, str]]:
    """Let guest.py do its work in `folder`; the outputs by name and the versions it tells. PixieError naming the model where it ends early."""
    done = subprocess.run(command, input="\n".join(names), capture_output=True, text=True, errors="replace", check=False, **options)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(lines) != len(names):
        last = " ".join(done.stderr.strip().splitlines()[-1:])
        raise PixieError(who, [*names, "end"][len(lines)], f"LiteRT ended here with status {done.returncode} ({last}); try --models without it")
    versions = {package: version for line in lines for package, version in line.items() if package != "name"}
    outputs = {}
    for name in names:
        path = folder / f"{name}.outputs"
        outputs[name] = path.read_bytes()
        path.unlink()  # the next to run cannot pass this one's off as its own
    return outputs, versions


def parse_marks(text: str, names: Sequence[str], core: str) -> dict[str, int]:
    """Instructions of one inference by name, from the plugin's lines "COUNT THREADS", one for each of guest.LENGTHS and each model.

    A long run less the short one before it is so many inferences and nothing else, so the pairs agree; but once in some fifty calls CPython does
    something of its own, 154 instructions, and one pair may have met that. From process to process a model's count moves by some 20 instructions.
    PixieError where pairs disagree, another thread has run, or lines are missing.
    """
    rows = [line.split() for line in text.splitlines()]
    if len(rows) != len(names) * len(guest.LENGTHS) or any(len(row) != 2 or not all(word.isdecimal() for word in row) for row in rows):
        raise PixieError(core, "marks", f"are {len(rows)} lines, must be {len(names) * len(guest.LENGTHS)} with two numbers each; make the cache folder anew")
    if any(row[1] != "1" for row in rows):
        raise PixieError(core, "threads", "more than one has run, and all would be counted; find out which library starts it")
    counts = [int(row[0]) for row in rows]
    found = {}
    for index, name in enumerate(names):
        end = (index + 1) * len(guest.LENGTHS)
        runs = [after - before for before, after in pairwise(counts[end - 2 * guest.PAIRS - 1:end])]
        steps = Counter(long - short for short, long in zip(runs[::2], runs[1::2], strict=True))
        (step, agreeing), = steps.most_common(1)
        if agreeing < guest.PAIRS - 1 or step <= 0 or step % (guest.LONG - guest.SHORT):
            raise PixieError(core, name, f"{guest.LONG - guest.SHORT} inferences took {list(steps)} instructions, in pairs that should agree; run it again")
        found[name] = step // (guest.LONG - guest.SHORT)
    return found


def differing_bytes(wanted: bytes, found: bytes) -> int:
    """Bytes that are not the same, those that one has beyond the other included."""
    shorter = min(len(wanted), len(found))
    codes, others = (np.frombuffer(data[:shorter], np.uint8) for data in (wanted, found))
    return int(np.count_nonzero(codes != others)) + max(len(wanted), len(found)) - shorter


def identical(fixture: Fixture) -> tuple[int, int, int]:
    """(differing bytes, models, inputs to each): the gate `arm.identical`, with the models built and run on this host now.

    Bytes that differed when the fixture was made; and all of a model's output bytes where its file, or what LiteRT makes of it here, is not what it was.
    """
    files = {name: tflite_bytes(graph) for name, graph in models().items() if name in fixture.models}
    with tempfile.TemporaryDirectory() as work:
        found, _ = _host(Path(work), files)
    different = 0
    for name, counted in fixture.models.items():
        same = name in files and _digest(files[name]) == counted.sha256 and _digest(found[name]) == counted.outputs_sha256
        different += sum(core.differing_bytes for core in counted.cores.values()) if same else counted.output_bytes
    return different, len(fixture.models), fixture.inputs


def to_document(fixture: Fixture) -> dict[str, Any]:
    """The fixture as JSON values."""
    document = {"schema_version": SCHEMA_VERSION, **asdict(fixture)}
    for model in document["models"].values():
        for core in model["cores"].values():
            core["equal"] = core["differing_bytes"] == 0
    return document


def read_fixture(path: Path = FIXTURE) -> Fixture:
    """What `to_document` wrote; InputError naming file and field where it is of another schema or not whole."""
    document: Any = read_json(path)
    if document.get("schema_version") != SCHEMA_VERSION:
        raise InputError(path, "schema_version", f"is {document.get('schema_version')!r}, this Pixie reads {SCHEMA_VERSION}; update Pixie or make it again")
    try:
        fixture = Fixture({str(key): str(value) for key, value in document["versions"].items()}, int(document["inputs"]), {
            name: Counted(str(model["sha256"]), int(model["macs"]), str(model["outputs_sha256"]), int(model["output_bytes"]), {
                core: Core(int(entry["instructions"]), str(entry["outputs_sha256"]), int(entry["differing_bytes"]))
                for core, entry in model["cores"].items()})
            for name, model in document["models"].items()})  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(path, "models", f"are not whole ({type(error).__name__}: {error}); make it again by pixie emulate arm64") from error
    for name, model in fixture.models.items():
        if set(model.cores) != set(CORES):
            raise InputError(path, f"models.{name}.cores", f"are {', '.join(model.cores) or 'none'}, must be {', '.join(CORES)}; make it again")
    return fixture


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def table(fixture: Fixture) -> str:
    """For a person: instructions of one inference on each core, and the bytes that differ."""
    width = max(map(len, fixture.models))
    lines = [f"{'model':{width}} {'MAC':>12}" + "".join(f" {core:>14}" for core in CORES) + "  differing bytes"]
    for name, model in fixture.models.items():
        counts = "".join(f" {model.cores[core].instructions:14,}" for core in CORES)
        lines.append(f"{name:{width}} {model.macs:12,}{counts}  {' '.join(str(model.cores[core].differing_bytes) for core in CORES)}")
    return "\n".join(lines)
