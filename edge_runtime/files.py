"""Files are written whole or not at all: temporary file beside the target, fsync of file and folder, rename."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import InputError, MissingError


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal, read in blocks of 64 KiB."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(65536):
            digest.update(block)
    return digest.hexdigest()


def write_file(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` whole or not at all; a string is written as UTF-8.

    InputError where the folder is missing or the path is a folder, MissingError where the disk is full.
    """
    path = Path(path)
    if isinstance(data, str):
        data = data.encode()
    with new_file(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` (same suffix) to write to; on success it becomes `path`, on an error nothing is left."""
    path = Path(path)
    with _told_to_the_user(path):
        _refuse_target(path, folder=False)
        # The suffix stays, writers go by it; the name does not, so that it cannot become too long.
        handle, name = tempfile.mkstemp(prefix=".pixie-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o666 & ~_umask())  # mkstemp gives 0600; a result is for everybody the user's umask allows
            _fsync(temporary)
            os.replace(temporary, path)
            _fsync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: Path, marker: str) -> Iterator[Path]:
    """Give a temporary folder beside `path` to fill; on success it becomes `path`, on an error nothing is left.

    An existing folder is replaced only if it is empty or holds the file `marker`, the sign that we wrote it: InputError otherwise.
    """
    path = Path(path)
    with _told_to_the_user(path):
        _refuse_target(path, folder=True)
        if path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
            raise InputError(path, "folder", f"exists and holds no {marker}, so it is not ours to replace; name another folder")
        temporary = Path(tempfile.mkdtemp(prefix=".pixie-", dir=path.parent))
        try:
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            for file in temporary.rglob("*"):
                _fsync(file)
            _fsync(temporary)
            if path.is_dir():
                _exchange(temporary, path)
            else:
                os.replace(temporary, path)
            _fsync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _exchange(new: Path, path: Path) -> None:
    """Put the folder `new` in the place of the folder `path`, or leave `path` as it was."""
    old = Path(tempfile.mkdtemp(prefix=".pixie-old-", dir=path.parent))
    kept = old / path.name
    try:
        os.replace(path, kept)
        try:
            os.replace(new, path)
        except BaseException:
            os.replace(kept, path)
            raise
    except BaseException:
        os.rmdir(old)
        raise
    shutil.rmtree(old)


def read_json(path: Path, limit: int = 16 << 20) -> dict[str, object]:
    """A JSON document whose top is an object; InputError where it is missing, larger than `limit` bytes, malformed or not an object."""
    text = read_bytes(path, limit)
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(path, "JSON", f"cannot be read ({error}); the file is damaged, make it again") from error
    if not isinstance(document, dict):
        raise InputError(path, "JSON", f"is {type(document).__name__}, must be an object; make it again")
    return document


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a regular file; InputError where it is missing, not a regular file, empty or larger than `limit` bytes."""
    check_file(path, limit)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(path, "file", f"cannot be read ({error.strerror})") from error


def check_file(path: Path, limit: int) -> None:
    """Refuse what is not a readable, non-empty regular file of at most `limit` bytes, with the remedy (InputError)."""
    path = Path(path)
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if os.path.islink(path):  # Path.is_symlink would raise once more
            raise InputError(path, "file", f"is a link to {os.readlink(path)}, which does not exist") from error
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be reached ({getattr(error, 'strerror', error)})"
        raise InputError(path, "file", f"{reason}; check the name") from error
    if stat.S_ISDIR(found.st_mode):
        raise InputError(path, "file", "is a folder, must be a file")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(path, "file", "is a device or a pipe, must be a file; copy it to one")
    if found.st_size == 0:
        raise InputError(path, "file", "is empty; make it again")
    if found.st_size > limit:
        raise InputError(path, "file", f"holds {found.st_size} bytes, at most {limit} are read; split it")
    if not os.access(path, os.R_OK):
        raise InputError(path, "file", "cannot be read; check its permissions")


def _refuse_target(path: Path, folder: bool) -> None:
    if not path.parent.is_dir():
        raise InputError(path, "file", f"cannot be written: the folder {path.parent} does not exist; make it first")
    if path.is_dir() != folder and path.exists():
        raise InputError(path, "file", f"cannot be written: a {'file' if folder else 'folder'} of this name exists; name another")
    if not folder and path.exists() and not path.is_file():
        raise InputError(path, "file", "is a device or a pipe, which a file would take the place of; name a file")


@contextlib.contextmanager
def _told_to_the_user(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MissingError(path, "disk", "is full; free some space and run again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR):
            raise InputError(path, "file", f"cannot be written ({error.strerror}); name another place") from error
        raise


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
