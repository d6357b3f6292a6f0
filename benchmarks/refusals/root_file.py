"""ROOT recordings of the focal surface that must be refused; each is written anew by uproot, with the fault in it."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from train.instruments.minieuso.root import CATHODE, COUNTS, SECONDS, TIME, TREE

from .damage import ANY_FILE, FileDamage, Kind, recording_cases
from .frames_npz import flat_fielded, one_nan, one_value, repeated

Branches = dict[str, NDArray]
_LARGE = 2400  # pixels along a side: a dozen such frames are 276 MB in memory


def _read(path: Path) -> Branches:
    import uproot

    with uproot.open(path) as file:
        arrays: Branches = file[TREE].arrays(library="np")
        return arrays


def _write(path: Path, branches: Branches, tree: str = TREE) -> None:
    import uproot

    with uproot.recreate(path) as file:
        made = file.mktree(tree, {name: np.dtype((array.dtype, array.shape[1:])) for name, array in branches.items()})
        if len(next(iter(branches.values()))):
            made.extend(branches)


def _changed(change: Callable[[Branches], Branches], tree: str = TREE) -> FileDamage:
    def damage(path: Path, random: np.random.Generator) -> None:
        _write(path, change(_read(path)), tree)
    return damage


def _with(name: str, change: Callable[[NDArray], Any]) -> FileDamage:
    """One branch is what `change` makes of it."""
    return _changed(lambda branches: {**branches, name: change(branches[name])})


def _without(name: str) -> FileDamage:
    return _changed(lambda branches: {key: array for key, array in branches.items() if key != name})


def _renamed(name: str, other: str) -> FileDamage:
    return _changed(lambda branches: {other if key == name else key: array for key, array in branches.items()})


def _wrong_magic(path: Path, random: np.random.Generator) -> None:
    path.write_bytes(b"TOOR" + path.read_bytes()[4:])


def _histogram(path: Path, random: np.random.Generator) -> None:
    """Under the tree's name lies something else that ROOT knows."""
    import uproot

    with uproot.recreate(path) as file:
        file[TREE] = np.histogram(np.zeros(3))


def _jagged(path: Path, random: np.random.Generator) -> None:
    """Frames of 2304 pixels, but one of 2303."""
    import awkward
    import uproot

    branches = _read(path)
    frames = [frame.ravel() for frame in branches[COUNTS]]
    frames[60] = frames[60][1:]
    with uproot.recreate(path) as file:
        file.mktree(TREE, {COUNTS: "var * float32", TIME: "float64"}).extend({COUNTS: awkward.Array(frames), TIME: branches[TIME]})


def _bomb(path: Path, random: np.random.Generator) -> None:
    """Dark frames of far too many pixels, a megabyte on disk: the shape must be looked at before they are unpacked."""
    import uproot

    frame = np.zeros((1, _LARGE, _LARGE), np.float32)
    times = _read(path)[TIME]
    with uproot.recreate(path) as file:
        made = file.mktree(TREE, {COUNTS: np.dtype((np.float32, frame.shape[1:])), TIME: np.dtype(np.float64)})
        for k in range(12):
            made.extend({COUNTS: frame, TIME: times[k:k + 1]})


def _flipped_in_basket(path: Path, random: np.random.Generator) -> None:
    """One random byte of the packed counts, 96 % of the file: under zlib's Adler-32.

    The headers have no checksum: another byte in a title or a date changes nothing that is read, and nobody can tell.
    """
    import uproot

    with uproot.open(path) as file:
        key = file[TREE][COUNTS].basket_key(0)
        begin, end = key.fSeekKey + key.fKeylen, key.fSeekKey + key.fNbytes
    data = bytearray(path.read_bytes())
    data[int(random.integers(begin, end))] ^= int(random.integers(1, 256))
    path.write_bytes(data)


def _in_header(name: str, said: tuple[int, ...], says: tuple[int, ...]) -> FileDamage:
    """What the tree's header says of a branch in 64-bit integers, in units of its number of entries."""
    def damage(path: Path, random: np.random.Generator) -> None:
        import uproot

        with uproot.open(path) as file:
            entries, begin = file[TREE].num_entries, file.key(TREE).fSeekKey
        data = path.read_bytes()
        begin = data.index(name.encode(), begin)
        end = begin + 400  # the branch's numbers, before those of the next
        old, new = (struct.pack(f">{len(numbers)}q", *(entries * number for number in numbers)) for numbers in (said, says))
        path.write_bytes(data[:begin] + data[begin:end].replace(old, new) + data[end:])
    return damage


# By the field that the refusal must name; of any file it is what the reader comes upon first.
DAMAGES: dict[str, dict[str, FileDamage]] = {
    "": ANY_FILE,
    "magic: ": {"wrong magic": _wrong_magic},
    "ROOT: ": {"a byte flipped in the packed counts": _flipped_in_basket, "twice the entries in the counts' header": _in_header(COUNTS, (1,), (2,))},
    TREE: {
        "tree missing": _changed(lambda branches: branches, tree="housekeeping"),
        "tree under a near name": _changed(lambda branches: branches, tree="tevent_1st_integral"),
        "a histogram of the tree's name": _histogram,
        "no entries": _changed(lambda branches: {name: array[:0] for name, array in branches.items()}),
    },
    COUNTS: {
        "no counts": _without(COUNTS),
        "counts under a near name": _renamed(COUNTS, "photon_count"),
        "counts that are integers": _with(COUNTS, lambda means: np.rint(means).astype(np.int32)),
        "47 x 48 pixels": _with(COUNTS, lambda means: means[..., 1:, :]),
        "64 pixels": _with(COUNTS, lambda means: means.reshape(len(means), -1)[:, :64]),
        "one pixel": _with(COUNTS, lambda means: means[:, 0, 0, 0, 0]),
        "frames of different lengths": _jagged,
        "frames of 2400 x 2400 pixels": _bomb,
        "NaN": _with(COUNTS, one_value(np.nan)),
        "infinite": _with(COUNTS, one_value(np.inf)),
        "negative": _with(COUNTS, one_value(-0.5)),
        "above 255": _with(COUNTS, one_value(300)),
        "flat-fielded": _with(COUNTS, flat_fielded),
        "counts that begin behind the last frame": _in_header(COUNTS, (0, 1), (2, 1)),  # the first entry of the first and of the next basket
    },
    TIME: {
        "no time": _changed(lambda branches: {key: array for key, array in branches.items() if key not in (TIME, SECONDS)}),
        "time going back": _with(TIME, lambda times: times[::-1]),
        "one time twice": _with(TIME, repeated),
        "a time that is NaN": _with(TIME, one_nan),
        "time in ms": _with(TIME, lambda times: times * 1e3),
        "time as float32": _with(TIME, lambda times: times.astype(np.float32)),
        "time that is integers": _with(TIME, lambda times: times.astype(np.int64)),
        "times that begin behind the last frame": _in_header(TIME, (0, 1), (2, 1)),
    },
    SECONDS: {"whole seconds alone": _without(TIME)},
    CATHODE: {
        "cathodes of four units": _with(CATHODE, lambda status: status[:, :4]),
        "cathodes that are float": _with(CATHODE, lambda status: status.astype(np.float32)),
        "cathodes that begin behind the last frame": _in_header(CATHODE, (0, 1), (2, 1)),
    },
}
_CONTROL: dict[str, FileDamage] = {"rewritten": _changed(lambda branches: branches)}
ROOT = Kind("ROOT", tuple(case for field, damages in DAMAGES.items() for case in recording_cases("ROOT", "frames.root", damages, field)),
            recording_cases("ROOT", "frames.root", _CONTROL)[0])
