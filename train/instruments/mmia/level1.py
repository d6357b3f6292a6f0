"""Level-1 recordings of MMIA whatever the file format: names of the fields, checks of a whole recording, counts from its flux.

One record per frame: flux of the three photometers [8320] in uW/m2, whether their data exist, a frame number and two times. The first
sample of frame k is seen at corrected_datetime_level1[0] + frame_time_phot[k] - frame_time_phot[0]: frame_time_phot is the middle of a
frame on the instrument's clock, the other field corrects that clock once per observation.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from edge_runtime.counts import Stretch
from edge_runtime.errors import InputError

from .constants import FRAME_SAMPLES
from .flux import LATTICE_COUNTS, flux_to_counts

FRAME_NUMBER = "frame_number"
CORRECTED_TIME = "corrected_datetime_level1"
FRAME_TIME = "frame_time_phot"
FLUX = tuple(f"PHOT{n}_photon_flux" for n in (1, 2, 3))  # 337, uv, 777
EXISTS = tuple(f"PHOT{n}Data_exists" for n in (1, 2, 3))
FIELDS = (FRAME_NUMBER, CORRECTED_TIME, FRAME_TIME, *EXISTS, *FLUX)
UNIT = "uW/m2"
FILE_LIMIT = 512 << 20  # bytes of a file that is read

_FRAME_NS = 83_200_000
_OVERLAP_NS = 100_000  # two frames may seem to overlap by this: the clock is corrected in steps of 50 us
_DISAGREEMENT_NS = 41_600_000  # half a frame between the two times, beyond which one of them is damaged
_MANY = 100  # samples
_BLOCK = 32  # frames held at once: 8 MB


@dataclass(frozen=True)
class Recording:
    """What a file format gives of a recording; flux is read in blocks, because a recording may be larger than memory should be."""

    path: Path
    number: np.ndarray  # int64 [frames]
    corrected_ns: np.ndarray  # int64 [frames], ns since 1970-01-01 UTC
    frame_time_ns: np.ndarray  # int64 [frames]
    exists: np.ndarray  # bool [3, frames]
    read_flux: Callable[[int, int, int], np.ndarray]  # (channel, first, last) -> float [last - first, 8320], uW/m2


def stretches(recording: Recording) -> Iterator[Stretch]:
    """One Stretch per frame with data; every frame is checked before the first is given.

    Frames without data are left out, as time shows. InputError for times that go back or overlap, duplicate frames, a frame with the data
    of some photometers only, and flux that is no flux of whole counts.
    """
    start_ns = _start_times(recording)
    with_data = _frames_with_data(recording)
    for frames in _blocks(with_data):
        _counts(recording, frames)
    return _read(recording, start_ns, with_data)


def check_names(path: Path, names: Sequence[str]) -> None:
    """InputError where a field of Level 1 is missing among `names`, or a photometer is there that MMIA does not have."""
    for field in FIELDS:
        if field not in names:
            if field in FLUX and field.replace("_photon_flux", "Data") in names:
                raise InputError(path, field, "is missing, the file holds Level-0 counts; give the Level-1 file of this observation")
            near = get_close_matches(field, names, n=1)
            nearest = f", the nearest name is {near[0]}" if near else ""
            raise InputError(path, field, f"is missing{nearest}; is it a Level-1 file of MMIA's photometers?")
    for name in names:
        if re.fullmatch(r"PHOT\d+_photon_flux", name) and name not in FLUX:
            raise InputError(path, name, "is a fourth photometer, MMIA has three; is it a file of another instrument?")


def check_unit(path: Path, field: str, unit: object) -> None:
    """InputError unless a unit is a spelling of uW/m2, or is not given: the counts' lattice then tells whether it was another."""
    if unit in (None, ""):
        return
    plain = str(unit).lower().translate(str.maketrans("µμ²⁻", "uu2-"))
    plain = re.sub(r"[\s^*.(){}\\]", "", plain.replace("micro", "u").replace("mu", "u").replace("watts", "w").replace("watt", "w"))
    if plain not in ("uw/m2", "uwm-2", "uw/m/m"):
        raise InputError(path, field, f"has the unit {str(unit)[:40]!r}, must be {UNIT}; convert it")


def utc_ns(path: Path, field: str, text: str) -> int:
    """ns since 1970-01-01 UTC of an ISO 8601 time, UTC where it has no offset; InputError where it is none."""
    try:
        time = datetime.fromisoformat(text.strip())
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        ns = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError) as error:
        raise InputError(path, field, f"holds {text[:40]!r}, must be a time like 2019-06-01T00:00:00.000000+00:00") from error
    return ns


def utc_text(ns: int) -> str:
    """A time in ns since 1970 as Level-1 files write it, to the microsecond."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)).isoformat(timespec="microseconds")


def _start_times(recording: Recording) -> np.ndarray:
    """ns since 1970 of each frame's first sample, int64 [frames]."""
    path, corrected, frame_time = recording.path, recording.corrected_ns, recording.frame_time_ns
    if not recording.number.size:
        raise InputError(path, FRAME_NUMBER, "has no record; the table is empty")
    for field, times in ((CORRECTED_TIME, corrected), (FRAME_TIME, frame_time)):
        if times.min() < 0 or times.max() >= 1 << 62:
            raise InputError(path, field, "holds a time before 1970 or after 2116")
        if (back := np.flatnonzero(np.diff(times) < 0)).size:
            raise InputError(path, field, f"goes back in time at record {back[0] + 1}; time must run forward")
    unique, count = np.unique(recording.number, return_counts=True)
    if (count > 1).any():
        raise InputError(path, FRAME_NUMBER, f"holds frame {unique[count > 1][0]} {count.max()} times; remove the duplicates")
    start = corrected[0] + (frame_time - frame_time[0])
    short = np.flatnonzero(np.diff(start) < _FRAME_NS - _OVERLAP_NS)
    if short.size:
        k = short[0] + 1
        raise InputError(path, FRAME_TIME, f"puts record {k} {np.diff(start)[k - 1] / 1e6:g} ms after the one before, a frame lasts 83.2")
    apart = np.abs(corrected - start)
    if (corrected != corrected[0]).any() and apart.max() > _DISAGREEMENT_NS:
        k = int(np.argmax(apart > _DISAGREEMENT_NS))
        raise InputError(path, CORRECTED_TIME, f"is {apart[k] / 1e6:g} ms from what {FRAME_TIME} says at record {k}; one is damaged")
    return start


def _frames_with_data(recording: Recording) -> np.ndarray:
    exists = recording.exists
    partly = exists.any(axis=0) & ~exists.all(axis=0)
    if partly.any():
        k = int(np.argmax(partly))
        field = EXISTS[int(np.argmin(exists[:, k]))]
        raise InputError(recording.path, field, f"is false at record {k}, where another photometer has data; all three are needed")
    if not exists.any():
        raise InputError(recording.path, EXISTS[0], "is false in every record; the file holds no photometer data")
    return np.flatnonzero(exists.all(axis=0))


def _read(recording: Recording, start_ns: np.ndarray, with_data: np.ndarray) -> Iterator[Stretch]:
    sample = 0
    for frames in _blocks(with_data):
        counts = _counts(recording, frames)
        for k, frame in enumerate(frames):
            yield Stretch(np.ascontiguousarray(counts[:, k]), int(start_ns[frame]), int(recording.number[frame]), sample)
            sample += FRAME_SAMPLES


def _blocks(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Frames in groups that lie within _BLOCK records of the file, however many records between them have no data."""
    for group in np.unique(frames // _BLOCK):
        yield frames[frames // _BLOCK == group]


def _counts(recording: Recording, frames: np.ndarray) -> np.ndarray:
    """Counts uint16 [3, k, 8320] of some frames; the flux between the first and the last of them is read."""
    first, last = int(frames[0]), int(frames[-1]) + 1
    rows = []
    for channel, field in enumerate(FLUX):
        try:
            rows.append(flux_to_counts(recording.read_flux(channel, first, last)[frames - first], channel))
        except ValueError as error:
            raise InputError(recording.path, field, f"in records {first} to {last - 1} {error}") from error
        lit = rows[-1][rows[-1] > 0]
        # Far up the lattice of counts is too fine to tell a unit by, but light that is never faint is no light.
        if lit.size >= _MANY and lit.min() > LATTICE_COUNTS:
            few = f"holds {lit.size} samples of light, none of them with as few as {LATTICE_COUNTS} counts"
            raise InputError(recording.path, field, f"in records {first} to {last - 1} {few}; is it in {UNIT}?")
    return np.stack(rows)
