"""Level-1 CDF files of MMIA's photometers: the fields of the FITS table as variables, one record per frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.counts import CHANNELS, FRAME_SAMPLES, Stretch
from edge_runtime.errors import InputError
from edge_runtime.files import check_file, new_file

from . import level1
from .cdf_links import check_links
from .flux import counts_to_flux
from .scene import Scene

_EPOCH, _EPOCH16, _TT2000 = 31, 32, 33  # data types of CDF
_CHARACTERS = (51, 52)
_FLOATS = (21, 22, 44, 45)
_INTEGERS = (1, 2, 4, 8, 11, 12, 14, 41)
_UNIX_EPOCH_MS = 62_167_219_200_000  # CDF_EPOCH counts ms from the year 0
_HALF_FRAME_NS = 41_600_000


def read_cdf(path: Path) -> Iterator[Stretch]:
    """One Stretch per frame of a Level-1 CDF file, with its UTC; gaps between frames stay gaps.

    Times may be CDF_EPOCH, CDF_EPOCH16, CDF_TIME_TT2000 or text; flux variables float32 or float64 [8320] in uW/m2. A checksum in the file
    is compared. InputError names the variable; see `level1.stretches`.
    """
    path = Path(path)
    check_file(path, level1.FILE_LIMIT)
    try:
        recording = _recording(path)
        return level1.stretches(recording)
    except (InputError, ModuleNotFoundError):
        raise
    except Exception as error:  # whatever cdflib meets in a damaged file, of any type
        raise InputError(path, "CDF", f"cannot be read ({type(error).__name__}: {str(error)[:100]}); the file is damaged") from error


def write_cdf(scene: Scene, path: Path) -> None:
    """Write a scene as a Level-1 CDF with a checksum: what of its fields is simulated, none made up. Written whole or not at all."""
    from cdflib.cdfwrite import CDF

    frames = scene.frame.size
    counts = scene.counts.reshape(len(CHANNELS), frames, FRAME_SAMPLES)
    with new_file(Path(path)) as temporary:
        temporary.unlink()  # cdflib refuses to write to a file that is there
        with CDF(str(temporary), cdf_spec={"Checksum": True}) as file:
            file.write_globalattrs({"origin": {0: "Pixie, simulated"}, "scene": {0: scene.scene}, "seed": {0: str(scene.seed)}})
            for name, data_type, values, unit in (
                (level1.FRAME_NUMBER, 8, scene.frame, " "),
                (level1.CORRECTED_TIME, _EPOCH, scene.frame_utc_ns / 1e6 + _UNIX_EPOCH_MS, "ms"),
                (level1.FRAME_TIME, _EPOCH, (scene.frame_utc_ns + _HALF_FRAME_NS) / 1e6 + _UNIX_EPOCH_MS, "ms"),
                *((name, 1, np.ones(frames, np.int8), " ") for name in level1.EXISTS),
                *((name, 44, counts_to_flux(counts[k], k).astype(np.float32), level1.UNIT) for k, name in enumerate(level1.FLUX)),
            ):
                sizes = list(values.shape[1:])
                file.write_var({"Variable": name, "Data_Type": data_type, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": sizes},
                               {"UNITS": unit}, values)


def _recording(path: Path) -> level1.Recording:
    import cdflib

    check_links(path)
    file = cdflib.CDF(path, validate=True)
    info = file.cdf_info()
    level1.check_names(path, [*info.zVariables, *info.rVariables])
    frames = file.varinq(level1.FRAME_NUMBER).Last_Rec + 1
    if frames > path.stat().st_size // 2:
        raise InputError(path, level1.FRAME_NUMBER, f"says it has {frames} records, more than the file has room for; the file is damaged")
    for field in level1.FLUX:
        _check_flux_variable(path, file, field, frames)

    def read_flux(channel: int, first: int, last: int) -> np.ndarray:
        return np.reshape(file.varget(level1.FLUX[channel], startrec=first, endrec=last - 1), (-1, FRAME_SAMPLES))

    return level1.Recording(
        path=path,
        number=_integers(path, file, level1.FRAME_NUMBER, frames),
        corrected_ns=_times(path, file, level1.CORRECTED_TIME, frames),
        frame_time_ns=_times(path, file, level1.FRAME_TIME, frames),
        exists=np.stack([_integers(path, file, name, frames) != 0 for name in level1.EXISTS]),
        read_flux=read_flux,
    )


def _check_flux_variable(path: Path, file: Any, field: str, frames: int) -> None:
    info = file.varinq(field)
    if info.Data_Type not in _FLOATS:
        raise InputError(path, field, f"is {info.Data_Type_Description}, must be CDF_FLOAT or CDF_DOUBLE: flux is a float")
    samples = int(np.prod(info.Dim_Sizes, dtype=np.int64))
    if samples != FRAME_SAMPLES or info.Num_Elements != 1:
        raise InputError(path, field, f"holds {samples} samples in a record, a frame has {FRAME_SAMPLES}")
    if info.Last_Rec + 1 != frames:
        raise InputError(path, field, f"has {info.Last_Rec + 1} records, {level1.FRAME_NUMBER} has {frames}; the file is incomplete")
    attributes = {name.upper(): value for name, value in file.varattsget(field).items()}
    level1.check_unit(path, field, attributes.get("UNITS", attributes.get("UNIT")))


def _values(path: Path, file: Any, field: str, frames: int) -> tuple[int, np.ndarray]:
    """(data type of CDF, values [frames]) of a variable with one value per frame."""
    info = file.varinq(field)
    size = (info.Last_Rec + 1) * int(np.prod(info.Dim_Sizes, dtype=np.int64))
    if size != frames:  # one in each record, or all in one
        raise InputError(path, field, f"holds {size} values, must be one for each of {frames} frames")
    return info.Data_Type, np.asarray(file.varget(field) if frames else []).reshape(frames)


def _integers(path: Path, file: Any, field: str, frames: int) -> np.ndarray:
    data_type, values = _values(path, file, field, frames)
    if data_type not in _INTEGERS:
        raise InputError(path, field, "must be an integer for each frame")
    return values.astype(np.int64)


def _times(path: Path, file: Any, field: str, frames: int) -> np.ndarray:
    """ns since 1970-01-01 UTC, int64 [frames]."""
    from cdflib import cdfepoch

    data_type, values = _values(path, file, field, frames)
    if data_type in _CHARACTERS:
        return np.array([level1.utc_ns(path, field, str(value)) for value in values], np.int64)
    if data_type == _EPOCH:
        if not (np.isfinite(values).all() and (np.abs(values - _UNIX_EPOCH_MS) < 4.6e15).all()):
            raise InputError(path, field, "holds a time that is not finite or lies far from today")
        # A double of ms since the year 0 is good to 8 us: the microseconds below are noise, but they must not fall into the next frame's
        # place.
        return np.rint((values - _UNIX_EPOCH_MS) * 1e3).astype(np.int64) * 1000
    if data_type in (_EPOCH16, _TT2000):
        return cdfepoch.to_datetime(values).astype("datetime64[ns]").astype(np.int64)
    raise InputError(path, field, "must be a time: CDF_EPOCH, CDF_EPOCH16, CDF_TIME_TT2000 or text")
