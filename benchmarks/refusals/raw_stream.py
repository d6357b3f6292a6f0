"""Raw streams that must be refused: little-endian uint16, channels interleaved, so six bytes a sample.

Any six bytes are a valid sample and a stream may be of any length, so a flipped byte, NaN or a length of 2 GB cannot be told from light:
what can be noticed is a length that is no whole number of samples, and a standard input that is none. (A folder as standard input stops
Python itself.)
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .damage import Attack, Build, Case, Kind, Sources, flag_words


def _stream(change: Callable[[bytes, np.random.Generator], bytes]) -> Build:
    """A command that reads what `change` makes of the valid stream."""
    def build(folder: Path, sources: Sources, random: np.random.Generator) -> Attack:
        path = folder / "stream"
        path.write_bytes(change((sources.recordings / "recording.raw").read_bytes(), random))
        return Attack(flag_words(sources, "-"), stdin=path)
    return build


def _truncated(data: bytes, random: np.random.Generator) -> bytes:
    samples = int(random.integers(1, len(data) // 6))
    return data[:6 * samples + int(random.integers(1, 6))]  # a random offset inside a sample: at its end it would be a shorter stream


def _channel_missing(data: bytes, random: np.random.Generator) -> bytes:
    """The third channel left out; the number of samples is chosen so that the length shows it."""
    counts = np.frombuffer(data, "<u2").reshape(-1, 3)[:2000]  # 2 x 2000 values are no multiple of 3
    return counts[:, :2].tobytes()


def _channel_extra(data: bytes, random: np.random.Generator) -> bytes:
    counts = np.frombuffer(data, "<u2").reshape(-1, 3)[:2000]  # 4 x 2000 values are no multiple of 3
    return np.column_stack((counts, counts[:, 0])).tobytes()


def _byte_lost(data: bytes, random: np.random.Generator) -> bytes:
    place = int(random.integers(len(data)))
    return data[:place] + data[place + 1:]


def _closed(folder: Path, sources: Sources, random: np.random.Generator) -> Attack:
    return Attack(flag_words(sources, "-"), stdin=None)


def _twice(folder: Path, sources: Sources, random: np.random.Generator) -> Attack:
    verb, bundle, dash, *options = flag_words(sources, "-")
    return Attack((verb, bundle, dash, dash, *options), stdin=sources.recordings / "recording.raw")


def _case(name: str, build: Build) -> Case:
    return Case("raw stream", name, build, names="-")


RAW_STREAM = Kind("raw stream", (
    _case("truncated at a random offset", _stream(_truncated)),
    _case("channel missing", _stream(_channel_missing)),
    _case("channel extra", _stream(_channel_extra)),
    _case("a byte lost", _stream(_byte_lost)),
    _case("empty", lambda folder, sources, random: Attack(flag_words(sources, "-"), stdin=Path(os.devnull))),
    _case("closed", _closed),
    _case("the stream given twice", _twice),
), _case("undamaged", _stream(lambda data, random: data)))
