"""Photon counts as they come: gap-free stretches from .npz files, a raw stream on standard input, or an instrument's own reader."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .arrays import Archive, Member, open_npz
from .errors import InputError
from .files import check_file
from .readers import read_installed

CHANNELS = ("337", "uv", "777")  # the order everywhere; a name is the band: 337 nm, 180-230 nm, 777.4 nm
SAMPLE_TIME = 10e-6
SAMPLE_TIME_NS = 10_000
FRAME_SAMPLES = 8320  # one frame of the instrument: 83.2 ms
_LIMIT = 512 << 20  # bytes of one recording: a quarter of an hour of three channels
_COUNTS_MAX = 65535


@dataclass(frozen=True, eq=False)
class Stretch:
    """Gap-free counts. ValueError where they are not uint16 [3, n], n >= 1.

    utc_start_ns: ns since 1970-01-01 UTC of the first sample, None where the recording has no clock. frame: the instrument's frame number
    of the first sample; recordings without one count frames of 8320 samples from 0. sample_start: index of the first sample in the
    recording (gaps are not counted).
    """

    counts: npt.NDArray[np.uint16]
    utc_start_ns: int | None
    frame: int
    sample_start: int

    def __post_init__(self) -> None:
        counts = self.counts
        if counts.dtype != np.uint16 or counts.ndim != 2 or counts.shape[0] != len(CHANNELS) or counts.shape[1] < 1:
            raise ValueError(f"counts are {counts.dtype} {list(counts.shape)}, must be uint16 [{len(CHANNELS)}, n] with n >= 1")


def read_counts(path: str | Path) -> Iterator[Stretch]:
    """The stretches of a recording: an .npz file, `-` for a raw stream on standard input, or any suffix for which a reader is installed.

    .npz: `counts` uint16 [3, n] and, if known, `utc_start_ns`, an integer. Raw stream: little-endian uint16, the three channels of a sample
    side by side. A file is checked whole before the first stretch is given; a stream as it comes. Memory does not grow with n.
    InputError names the file and the field that is wrong, and for an unknown suffix the known ones.
    """
    if str(path) == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("-", "stdin", "is closed or a terminal; pipe raw little-endian uint16 counts into it, channels interleaved")
        return raw_stretches(sys.stdin.buffer)
    path = Path(path)
    check_file(path, _LIMIT)
    suffix = path.suffix.lower().removeprefix(".")
    return _npz(path) if suffix == "npz" else read_installed(path, suffix, Stretch, "photometer counts")


def raw_stretches(stream: IO[bytes]) -> Iterator[Stretch]:
    """Stretches of a raw stream, each as soon as its bytes are there: little-endian uint16, channels interleaved, no clock.

    InputError where the stream is empty or ends within a sample.
    """
    sample_bytes = 2 * len(CHANNELS)
    rest, sample = b"", 0
    while block := stream.read1(FRAME_SAMPLES * sample_bytes):  # type: ignore[attr-defined]  # what has come; read() would wait for all
        data = rest + block
        whole = len(data) // sample_bytes
        rest = data[whole * sample_bytes:]
        if whole:
            counts = np.frombuffer(data, "<u2", whole * len(CHANNELS)).reshape(whole, len(CHANNELS)).T
            yield Stretch(np.ascontiguousarray(counts, np.uint16), None, sample // FRAME_SAMPLES, sample)
            sample += whole
    if rest:
        raise InputError("-", "stdin", f"ends after {sample * sample_bytes + len(rest)} bytes, within a sample, which is {sample_bytes} "
                         f"bytes ({len(CHANNELS)} channels of uint16); send whole samples")
    if sample == 0:
        raise InputError("-", "stdin", "is empty; send raw little-endian uint16 counts, channels interleaved")


def _npz(path: Path) -> Iterator[Stretch]:
    with open_npz(path, _LIMIT) as archive:
        member, utc_start_ns = _counts_member(archive), _utc_start_ns(archive)
        for _ in _blocks(archive, member):  # the whole file once for its checksum and range: a bad end is known before anything is flagged
            pass
    return _stretches(path, member, utc_start_ns)


def _stretches(path: Path, member: Member, utc_start_ns: int | None) -> Iterator[Stretch]:
    with open_npz(path, _LIMIT) as archive:
        sample = 0
        for counts in _blocks(archive, member):
            utc = None if utc_start_ns is None else utc_start_ns + sample * SAMPLE_TIME_NS
            yield Stretch(counts, utc, sample // FRAME_SAMPLES, sample)
            sample += counts.shape[1]


def _counts_member(archive: Archive) -> Member:
    path, members = archive.path, archive.members
    known = ("counts", "utc_start_ns")
    for name in members.keys() - set(known):
        from difflib import get_close_matches  # only where a name is strange

        meant = [word for word in get_close_matches(name.lower(), known, n=1, cutoff=0.7) if word not in members]
        if meant:
            raise InputError(path, meant[0], f"is missing, but there is {name!r}; rename it")
    if "counts" not in members:
        held = ", ".join(sorted(members)) or "nothing"
        raise InputError(path, "counts", f"is missing, the file holds {held}; save uint16 counts [3, n] as 'counts'")
    member = members["counts"]
    if member.dtype.kind == "f":
        raise InputError(path, "counts", f"are floats ({member.dtype}), must be integer photon counts (uint16); turn flux into counts")
    if member.dtype.kind not in "iu":
        raise InputError(path, "counts", f"have dtype {member.dtype}, must be integer photon counts (uint16); convert them")
    if len(member.shape) != 2 or member.shape[0] != len(CHANNELS):
        bands = ", ".join(CHANNELS)
        raise InputError(path, "counts", f"have shape {list(member.shape)}, must be [{len(CHANNELS)}, n]; the channels are {bands}")
    if member.shape[1] == 0:
        raise InputError(path, "counts", "hold no sample; at least one is needed")
    return member


def _utc_start_ns(archive: Archive) -> int | None:
    member = archive.members.get("utc_start_ns")
    if member is None:
        return None
    if member.dtype.kind not in "iu" or member.data_bytes != member.dtype.itemsize:
        found = f"{member.dtype} {list(member.shape)}"
        raise InputError(archive.path, "utc_start_ns", f"is {found}, must be one integer, ns since 1970-01-01 UTC; or leave it out")
    utc = int(archive.read("utc_start_ns").ravel()[0])
    if not 0 <= utc < 1 << 62:  # 2116: what is added for a recording's length stays within int64
        raise InputError(archive.path, "utc_start_ns", f"is {utc}, must be ns since 1970-01-01 UTC, before the year 2116")
    return utc


def _blocks(archive: Archive, member: Member) -> Iterator[npt.NDArray[np.uint16]]:
    """The counts as uint16 [3, up to 8320], checked to be in range; the member's checksum is compared when its end is read.

    One handle per channel, because rows lie one behind the other in the file and a packed file cannot be jumped about in; the last one
    reads the member from its first byte to its last, which is where its checksum is compared.
    """
    channels, total = member.shape
    item = member.dtype.itemsize
    rows = 1 if member.fortran_order else channels
    with archive.reading("counts"):
        handles = [archive.open("counts") for _ in range(rows)]
        for row, handle in enumerate(handles):
            _skip(handle, member.data_at + row * total * item)
    for begin in range(0, total, FRAME_SAMPLES):
        n = min(FRAME_SAMPLES, total - begin)
        with archive.reading("counts"):
            data = b"".join(handle.read(n * item * channels // rows) for handle in handles)
            block = np.frombuffer(data, member.dtype).reshape((channels, n), order="F" if member.fortran_order else "C")
        yield _in_range(archive.path, block, begin)


def _skip(handle: IO[bytes], count: int) -> None:
    while count > 0:  # not by seek(): it reads in pieces of 16 MiB, and in later Pythons jumps past the checksum
        count -= len(handle.read(min(count, 1 << 16))) or count


def _in_range(path: Path, block: npt.NDArray[Any], begin: int) -> npt.NDArray[np.uint16]:
    if block.dtype != np.dtype(np.uint16):
        for wrong, what in ((block < 0, "negative"), (block > _COUNTS_MAX, f"above {_COUNTS_MAX}")):
            if wrong.any():
                channel, at = np.argwhere(wrong)[0]
                place = f"channel {CHANNELS[channel]}, sample {begin + at}"
                raise InputError(path, "counts", f"are {what} ({block[channel, at]}) at {place}; counts are uint16, mend the recording")
    return np.ascontiguousarray(block, np.uint16)
