"""Arrays from .npz files of unknown origin: every size is known and bounded before data are read, and nothing is ever unpickled."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .files import check_file

_MEMBERS = 256  # arrays in one file; far above any of ours


class Member(NamedTuple):
    """What the header of one array says; `data_at` is where its data begins within the unpacked member, in bytes."""

    name: str
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    data_at: int

    @property
    def data_bytes(self) -> int:
        """Bytes of the array's data."""
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


class Archive:
    """An open .npz file: `members` by name. Every refusal is an InputError naming the file and the array."""

    def __init__(self, path: Path, zip_file: zipfile.ZipFile, limit: int) -> None:
        self.path = path
        self._zip = zip_file
        entries = zip_file.infolist()
        if len(entries) > _MEMBERS:
            raise InputError(path, "arrays", f"are {len(entries)}, at most {_MEMBERS} are read; this is not a file of ours")
        self.members: dict[str, Member] = {}
        for entry in entries:
            name = entry.filename.removesuffix(".npy")
            if name == entry.filename or name in self.members:
                raise InputError(path, name, "is no array or is there twice; write the file with numpy.savez")
            self.members[name] = self._member(name, entry, limit)

    def _member(self, name: str, entry: zipfile.ZipInfo, limit: int) -> Member:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # the others unpack without a bound on memory
            raise InputError(self.path, name, "is packed by a method other than deflate; write the file with numpy.savez")
        if entry.file_size > limit:
            raise InputError(self.path, name, f"holds {entry.file_size} bytes, at most {limit} are read; split the file")
        with self.open(name) as file, _damage_told(self.path, name):
            version = np.lib.format.read_magic(file)
            if version not in ((1, 0), (2, 0)):
                raise ValueError(f"format version {version}")
            read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran_order, dtype = read_header(file)
            member = Member(name, shape, fortran_order, dtype, file.tell())
        if dtype.hasobject or dtype.fields is not None:
            raise InputError(self.path, name, f"has dtype {dtype}, must be plain numbers; object arrays are never read")
        data_bytes = entry.file_size - member.data_at
        if any(length < 0 for length in shape) or member.data_bytes != data_bytes:
            raise InputError(self.path, name, f"has shape {list(shape)} but {data_bytes} bytes of data; the file is damaged, make it again")
        return member

    def open(self, name: str) -> IO[bytes]:
        """The unpacked bytes of one member, header first; read them under `reading`."""
        with _damage_told(self.path, name):
            return self._zip.open(f"{name}.npy")

    def reading(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Turns what a damaged member raises while it is read into an InputError."""
        return _damage_told(self.path, name)

    def read(self, name: str) -> npt.NDArray[Any]:
        """One whole array, checksum included; `name` must be one of `members`."""
        member = self.members[name]
        with self.open(name) as file, _damage_told(self.path, name):
            file.read(member.data_at)
            data = file.read(member.data_bytes)  # never "all": a member may unpack to more than it says; its checksum is compared here
            return np.frombuffer(data, member.dtype).reshape(member.shape, order="F" if member.fortran_order else "C")


@contextlib.contextmanager
def open_npz(path: Path, limit: int) -> Iterator[Archive]:
    """Open an .npz file of which neither the file nor one array may exceed `limit` bytes; InputError where it is not one."""
    path = Path(path)
    check_file(path, limit)
    with _damage_told(path, "npz"):
        zip_file = zipfile.ZipFile(path)
    with zip_file:
        yield Archive(path, zip_file, limit)


@contextlib.contextmanager
def _damage_told(path: Path, field: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib, struct, ast and tokenize each raise their own on hostile bytes; no work of ours is in here
        raise InputError(path, field, f"cannot be read ({error or type(error).__name__}); the file is damaged, make it again") from error
