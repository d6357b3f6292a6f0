"""Damage that any file can take, and the record of one malformed input."""

import os
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SPARSE_BYTES = 2 << 30


@dataclass(frozen=True)
class Sources:
    """Small valid inputs, one of each format; every malformed input is made from a copy of one of them.

    `recordings` is a folder: recording.fits, .cdf, .npz and .raw of the photometers, frames.root and .npz of the focal surface.
    """

    bundle: Path
    run: Path
    recordings: Path
    configuration: Path


@dataclass(frozen=True)
class Attack:
    """A command to try: the words after the program, run in the case's folder; `stdin` is a file, None where standard input is closed."""

    words: tuple[str, ...]
    stdin: Path | None = Path(os.devnull)


Build = Callable[[Path, Sources, np.random.Generator], Attack]


@dataclass(frozen=True)
class Case:
    """One malformed input: `build` fills a folder and gives the command; `names` must stand in the refusal, to be of this fault."""

    kind: str
    name: str
    build: Build
    names: str
    board: bool = False


@dataclass(frozen=True)
class Kind:
    """A format under attack: its cases and the undamaged input, which must be accepted (None where the way of the demo has shown it)."""

    name: str
    cases: tuple[Case, ...]
    accepted: Case | None = None


FileDamage = Callable[[Path, np.random.Generator], None]


def truncated(path: Path, random: np.random.Generator) -> None:
    """Cut the file at a random offset in its inner nine tenths: neither empty nor almost whole."""
    size = path.stat().st_size
    os.truncate(path, int(random.integers(max(1, size // 20), max(2, size - size // 20))))


def flipped(path: Path, random: np.random.Generator) -> None:
    """Change one random byte of the file to another value. Only for files in which every byte is under a checksum."""
    data = bytearray(path.read_bytes())
    data[int(random.integers(len(data)))] ^= int(random.integers(1, 256))
    path.write_bytes(data)


def flipped_in_arrays(path: Path, random: np.random.Generator) -> None:
    """Change one random byte of a random array of an .npz file: under the zip's CRC-32. (A zip's time stamps and comments are not.)"""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    entry = entries[int(random.integers(len(entries)))]
    data = bytearray(path.read_bytes())
    lengths = data[entry.header_offset + 26:entry.header_offset + 30]  # of name and extra field, which stand between header and data
    begin = entry.header_offset + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
    data[begin + int(random.integers(entry.compress_size))] ^= int(random.integers(1, 256))
    path.write_bytes(data)


def empty(path: Path, random: np.random.Generator) -> None:
    """A file of no bytes."""
    path.write_bytes(b"")


def sparse(path: Path, random: np.random.Generator) -> None:
    """2 GB: the true content first, then a hole that takes no disk but reads as zeros."""
    os.truncate(path, SPARSE_BYTES)


def directory(path: Path, random: np.random.Generator) -> None:
    """A folder of that name."""
    path.unlink()
    path.mkdir()


def dangling(path: Path, random: np.random.Generator) -> None:
    """A link to nothing."""
    path.unlink()
    path.symlink_to(path.parent / "nothing")


ANY_FILE: dict[str, FileDamage] = {"truncated at a random offset": truncated, "empty": empty, "2 GB sparse": sparse,
                                   "a directory": directory, "dangling link": dangling}


def flag_words(sources: Sources, recording: str) -> tuple[str, ...]:
    """`flag` with a catalogue that exists already: it has to keep its bytes."""
    return ("flag", str(sources.bundle), recording, "--engine", "reference", "--out", "kept.jsonl")


def recording_cases(kind: str, file: str, damages: dict[str, FileDamage], field: str = "") -> tuple[Case, ...]:
    """A case per damage of a recording, `file` being its name in `Sources.recordings`; each goes through `flag` into an existing catalogue.

    `field` is what the refusal must name besides the file, where the case leaves no choice.
    """

    def build_with(damage: FileDamage) -> Build:
        def build(folder: Path, sources: Sources, random: np.random.Generator) -> Attack:
            shutil.copy(sources.recordings / file, folder / file)
            damage(folder / file, random)
            return Attack(flag_words(sources, file))
        return build

    return tuple(Case(kind, name, build_with(damage), names=f"{file}: {field}") for name, damage in damages.items())


def undamaged(path: Path, random: np.random.Generator) -> None:
    """Nothing: the control that has to be accepted."""
