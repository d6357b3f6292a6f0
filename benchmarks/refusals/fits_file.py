"""FITS recordings that must be refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .damage import ANY_FILE, FileDamage, Kind, recording_cases
from .frames import CHANGES, FLUX, NUMBER, Columns

CARD = 80


def read_columns(path: Path) -> tuple[Columns, dict[str, str]]:
    """Columns of the table and their units."""
    from astropy.io import fits

    with fits.open(path, memmap=False) as file:
        table = file[1]
        return {name: np.array(table.data[name]) for name in table.columns.names}, {column.name: column.unit for column in table.columns}


def write_columns(path: Path, columns: Columns, units: dict[str, str]) -> None:
    """A FITS file with the columns as its first table, big-endian as the format asks."""
    from astropy.io import fits

    made = []
    for name, values in columns.items():
        letter = {"f4": "E", "f8": "D", "i2": "I", "i4": "J", "i8": "K", "u1": "B", "b1": "L"}.get(values.dtype.str[1:])
        form = f"{values.dtype.itemsize}A" if values.dtype.kind == "S" else f"{values.dtype.itemsize // 4}A" if letter is None else \
            f"{int(np.prod(values.shape[1:]))}{letter}"
        made.append(fits.Column(name, form, unit=units.get(name), array=values))
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(made)]).writeto(path, overwrite=True)


def _changed(change: Callable[[Columns, np.random.Generator], Columns]) -> FileDamage:
    def damage(path: Path, random: np.random.Generator) -> None:
        columns, units = read_columns(path)
        write_columns(path, change(columns, random), units)
    return damage


def _rewritten(path: Path, random: np.random.Generator) -> None:
    """The undamaged control goes through the same writer as the damaged ones."""
    _changed(lambda columns, random: columns)(path, random)


def _wrong_unit(path: Path, random: np.random.Generator) -> None:
    columns, units = read_columns(path)
    write_columns(path, columns, {**units, **{name: "mW m-2" for name in FLUX}})


def _float_frame_number(path: Path, random: np.random.Generator) -> None:
    columns, units = read_columns(path)
    write_columns(path, {**columns, NUMBER: columns[NUMBER].astype(np.float64) + 0.5}, units)


def _byte_in_structure(path: Path, random: np.random.Generator) -> None:
    """The top bit of a random byte of the cards that hold the file together: FITS allows only ASCII there."""
    data = bytearray(path.read_bytes())
    table = data.index(b"XTENSION")
    cards = [table + CARD * card for card in range(8)]  # XTENSION, BITPIX, NAXIS, NAXIS1, NAXIS2, PCOUNT, GCOUNT, TFIELDS
    data[cards[int(random.integers(8))] + int(random.integers(30))] ^= 0x80
    path.write_bytes(data)


DAMAGES: dict[str, FileDamage] = {
    **ANY_FILE,
    "a byte flipped in the structure": _byte_in_structure,
    "wrong unit": _wrong_unit,
    "frame number float for int": _float_frame_number,
    **{name: _changed(change) for name, change in CHANGES.items()},
}
FITS = Kind("FITS", recording_cases("FITS", "recording.fits", DAMAGES), recording_cases("FITS", "recording.fits", {"rewritten": _rewritten})[0])
