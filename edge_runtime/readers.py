"""Readers of instrument files that other rooms or packages bring, by the suffix of the file: the entry points `pixie.readers`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from .errors import InputError, MissingError

READERS = "pixie.readers"  # the entry-point group: name = suffix without dot, value = a function Path -> Iterator of stretches
_Stretch = TypeVar("_Stretch")


def read_installed(path: Path, suffix: str, kind: type[_Stretch], takes: str) -> Iterator[_Stretch]:
    """What the reader for `suffix` gives of `path`, each checked to be of `kind`; `takes` says in words what that is.

    The reader's own refusals are InputErrors; a plain ValueError or OSError of somebody's own reader becomes one. MissingError where it cannot be
    loaded.
    """
    try:
        stretches = _reader(path, suffix)(path)
    except (ValueError, OSError) as error:
        raise _refused(path, error) from error
    return _passed_on(stretches, path, kind, takes)


def _passed_on(stretches: Iterator[Any], path: Path, kind: type[_Stretch], takes: str) -> Iterator[_Stretch]:
    try:
        for stretch in stretches:
            if not isinstance(stretch, kind):
                raise InputError(path, "instrument", f"is another: its reader gives {type(stretch).__name__}, this bundle takes {takes}")
            yield stretch
    except (ValueError, OSError) as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> InputError:
    return InputError(path, "reader", f"refuses it ({error}); mend the recording, or the reader for {path.suffix}")


def _reader(path: Path, suffix: str) -> Callable[[Path], Iterator[Any]]:
    from importlib.metadata import entry_points  # 2 MB, and the board's own formats need no reader

    readers = {point.name: point for point in entry_points(group=READERS)}
    if suffix not in readers:
        known = ", ".join(f".{name}" for name in sorted({"npz", *readers}))
        raise InputError(path, "suffix", f"{path.suffix or 'none'} has no reader; known are {known}, and - for a raw stream")
    try:
        reader: Callable[[Path], Iterator[Any]] = readers[suffix].load()
    except (ImportError, AttributeError) as error:  # the module is missing, or the name in it
        raise MissingError(path, "reader", f"for .{suffix} cannot be loaded ({error}); install it, or convert to .npz") from error
    return reader
