"""Level-1 FITS files of MMIA's photometers: one binary table, one record per frame."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.counts import CHANNELS, FRAME_SAMPLES, Stretch
from edge_runtime.errors import InputError
from edge_runtime.files import check_file, new_file

from . import level1
from .flux import counts_to_flux
from .scene import Scene

_HEADER_LIMIT = 1 << 20  # bytes; a header without an end would otherwise be searched through the whole file
_BLOCK_BYTES = 2880 << 8  # a FITS file is a multiple of 2880 bytes
_HALF_FRAME_NS = 41_600_000


def read_fits(path: Path) -> Iterator[Stretch]:
    """One Stretch per frame of a Level-1 FITS file, with its UTC; gaps between frames stay gaps.

    The table is the first extension, flux columns float32 or float64 [8320] in uW/m2. InputError names the column; see `level1.stretches`.
    """
    path = Path(path)
    check_file(path, level1.FILE_LIMIT)
    _check_header(path, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy tells of oddities in cards that we do not read
        try:
            columns, rows, offset = _table(path)
        except InputError:
            raise
        except Exception as error:  # whatever astropy meets in a damaged file, of any type
            raise InputError(path, "FITS", f"cannot be read ({type(error).__name__}: {str(error)[:100]}); the file is damaged") from error
    level1.check_names(path, columns.names)
    dtype = columns.dtype.newbyteorder(">")
    for field in level1.FLUX:
        _check_flux_column(path, columns[field], dtype[field])
    table = np.memmap(path, dtype, "r", offset, (rows,)) if rows else np.empty(0, dtype)
    recording = level1.Recording(
        path=path,
        number=_integers(path, columns[level1.FRAME_NUMBER], table[level1.FRAME_NUMBER]),
        corrected_ns=_times(path, level1.CORRECTED_TIME, table[level1.CORRECTED_TIME]),
        frame_time_ns=_times(path, level1.FRAME_TIME, table[level1.FRAME_TIME]),
        exists=np.stack([_flags(path, columns[name], table[name]) for name in level1.EXISTS]),
        read_flux=lambda channel, first, last: _flux_rows(path, dtype, offset, channel, first, last),
    )
    return level1.stretches(recording)


def write_fits(scene: Scene, path: Path) -> None:
    """Write a scene as a Level-1 file: what of its fields is simulated, none made up. Written whole or not at all."""
    from astropy.io import fits

    frames = scene.frame.size
    text = np.array([level1.utc_text(int(ns)) for ns in scene.frame_utc_ns])
    middle = np.array([level1.utc_text(int(ns) + _HALF_FRAME_NS) for ns in scene.frame_utc_ns])
    counts = scene.counts.reshape(len(CHANNELS), frames, FRAME_SAMPLES)
    columns = [
        fits.Column(level1.FRAME_NUMBER, "K", array=scene.frame),
        fits.Column("raw_datetime", "32A", array=text),
        fits.Column(level1.CORRECTED_TIME, "32A", array=text),
        fits.Column(level1.FRAME_TIME, "32A", array=middle),
    ]
    for channel in range(len(CHANNELS)):
        flux = counts_to_flux(counts[channel], channel).astype(np.float32)
        columns.append(fits.Column(level1.EXISTS[channel], "L", array=np.ones(frames, bool)))
        columns.append(fits.Column(level1.FLUX[channel], f"{FRAME_SAMPLES}E", unit=level1.UNIT, array=flux))
    table = fits.BinTableHDU.from_columns(columns, name="MMIA")
    for key, value, comment in (("ORIGIN", "Pixie", "simulated, no recording"), ("SCENE", scene.scene, "kind of scene"),
                                ("SEED", str(scene.seed), "of the simulator"), ("HITS", scene.hit_regime, "rate regime of particle hits")):
        table.header[key] = (value, comment)
    file = fits.HDUList([fits.PrimaryHDU(), table])
    for unit in file:
        unit.add_checksum(when="by Pixie")  # in place of the time of writing: the same scene gives the same bytes
    with new_file(Path(path)) as temporary:
        file.writeto(temporary, overwrite=True)


def _table(path: Path) -> tuple[Any, int, int]:
    """(columns, number of records, offset of the first in bytes) of the first extension."""
    from astropy.io import fits

    with fits.open(path, memmap=True, lazy_load_hdus=True) as file:
        primary = file[0].fileinfo()
        offset = primary["datLoc"] + primary["datSpan"]
        _check_sum(path, file[0].header, 0, offset)
        if offset >= path.stat().st_size:
            raise InputError(path, "table", "is missing: the file has no extension; is it a Level-1 file of MMIA?")
        _check_header(path, offset)
        table = file[1]
        if not isinstance(table, fits.BinTableHDU):
            raise InputError(path, "table", f"is missing: the first extension is {type(table).__name__}, must be a binary table")
        record = table.columns.dtype.itemsize
        if record != table.header["NAXIS1"]:
            raise InputError(path, "NAXIS1", f"is {table.header['NAXIS1']}, but the columns of a record hold {record} bytes")
        place = table.fileinfo()
        rows = int(table.header["NAXIS2"])
        if path.stat().st_size < place["datLoc"] + rows * record:
            raise InputError(path, "table", f"is cut off: {rows} records of {record} bytes do not fit in the file; fetch it again")
        _check_sum(path, table.header, offset, place["datLoc"] + place["datSpan"])
        return table.columns, rows, int(place["datLoc"])


def _check_sum(path: Path, header: Any, begin: int, end: int) -> None:
    """Compare the checksum of a unit of the file, bytes begin..end - 1, where it has one: its 32-bit words then add up to -0 in ones' complement.

    FITS Standard 4.0, appendix J.
    """
    if "CHECKSUM" not in header:
        return
    total = 0
    with open(path, "rb") as file:
        file.seek(begin)
        for at in range(begin, end, _BLOCK_BYTES):
            block = file.read(min(_BLOCK_BYTES, end - at))
            total += int(np.frombuffer(block[: len(block) // 4 * 4], ">u4").sum(dtype=np.uint64))
    if total == 0 or total % 0xFFFFFFFF:
        raise InputError(path, "CHECKSUM", f"differs in the unit {header.get('EXTNAME', 'PRIMARY')}; the file was damaged, fetch or make it again")


def _check_header(path: Path, offset: int) -> None:
    with open(path, "rb") as file:
        file.seek(offset)
        header = file.read(_HEADER_LIMIT)
    if offset == 0 and not header.startswith(b"SIMPLE  ="):
        raise InputError(path, "SIMPLE", "is not what the file begins with; it is no FITS file")
    if not any(header.startswith(b"END" + b" " * 77, at) for at in range(0, len(header), 80)):
        raise InputError(path, "END", f"is missing: the header from byte {offset} does not end; the file is cut off or damaged")


def _check_flux_column(path: Path, column: Any, dtype: np.dtype) -> None:
    if dtype.base.kind != "f":
        raise InputError(path, column.name, f"has the format {column.format}, must be {FRAME_SAMPLES}E or {FRAME_SAMPLES}D (float)")
    samples = int(np.prod(dtype.shape, dtype=np.int64))
    if samples != FRAME_SAMPLES:
        raise InputError(path, column.name, f"holds {samples} samples in a record, a frame has {FRAME_SAMPLES}")
    if column.bscale not in (None, "", 1) or column.bzero not in (None, "", 0):
        raise InputError(path, column.name, "is scaled (TSCAL, TZERO), must be plain floats")
    level1.check_unit(path, column.name, column.unit)


def _integers(path: Path, column: Any, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iu" or values.ndim != 1:
        raise InputError(path, column.name, f"has the format {column.format}, must be one integer in a record")
    zero = column.bzero or 0  # FITS has no unsigned integers but with an offset
    return values.astype(np.int64) + int(zero)


def _times(path: Path, field: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "S" or values.ndim != 1:
        raise InputError(path, field, "must be one time in a record, as text like 2019-06-01T00:00:00.000000+00:00")
    return np.array([level1.utc_ns(path, field, value.decode("ascii", "replace")) for value in values], np.int64)


def _flags(path: Path, column: Any, values: np.ndarray) -> np.ndarray:
    if values.ndim != 1 or values.dtype.kind not in "iub":
        raise InputError(path, column.name, f"has the format {column.format}, must be one logical value (L) in a record")
    return values == ord("T") if column.format.endswith("L") else values != 0


def _flux_rows(path: Path, dtype: np.dtype, offset: int, channel: int, first: int, last: int) -> np.ndarray:
    with open(path, "rb") as file:  # read, not mapped: the pages of a mapped file count as memory of this process
        file.seek(offset + first * dtype.itemsize)
        rows = np.frombuffer(file.read((last - first) * dtype.itemsize), dtype)
    return rows[level1.FLUX[channel]].reshape(last - first, FRAME_SAMPLES)
