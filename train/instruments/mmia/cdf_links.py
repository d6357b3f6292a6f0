"""A look at the links of a CDF file before cdflib follows them: in a damaged file it would do so for minutes, or for ever.

Layout of CDF 3, big-endian (CDF Internal Format Description 3.x): the descriptor record at byte 8 points to the global one, that to the first of a chain of
variables, each of which points to a tree of index records whose leaves are the values.
"""

from pathlib import Path
from typing import IO

from edge_runtime.errors import InputError

_MAGIC = b"\xcd\xf3\x00\x01"  # version 3
_OLD_MAGIC = (b"\xcd\xf2\x60\x02", b"\x00\x00\xff\xff")
_NOT_COMPRESSED = b"\x00\x00\xff\xff"
_MAXIMUM_VARIABLES = 4096
_MAXIMUM_DIMENSIONS = 10  # CDF's own limit
_INDEX = 6  # record type


def check_links(path: Path) -> None:
    """InputError where `path` is no CDF, or its records point outside the file, in circles, or to more than any file holds.

    Files of version 2 and files compressed as a whole are only checked to be CDF.
    """
    with open(path, "rb") as file:
        start = file.read(8)
        if start[:4] not in (_MAGIC, *_OLD_MAGIC):
            raise InputError(path, "CDF", "is not what the file begins with; it is no CDF file")
        if start == _MAGIC + _NOT_COMPRESSED:
            _Links(path, file).check()


class _Links:
    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path, self.file = path, file
        self.size = path.stat().st_size
        self.seen: set[int] = set()

    def check(self) -> None:
        descriptor = self.number(20, 8)
        variables = (self.number(descriptor + 44, 4), self.number(descriptor + 60, 4))  # of kind r and z
        dimensions = self.number(descriptor + 56, 4)  # of every variable of kind r; one of kind z has its own
        if not (min(variables) >= 0 and sum(variables) <= _MAXIMUM_VARIABLES):
            raise self.damaged(f"holds {sum(variables)} variables")
        for head, count in zip((12, 20), variables, strict=True):
            variable = self.number(descriptor + head, 8)
            for _ in range(count):
                self.visit(variable)
                if not 0 <= (dimensions if head == 12 else self.number(variable + 340, 4)) <= _MAXIMUM_DIMENSIONS:
                    raise self.damaged(f"has a variable with more than {_MAXIMUM_DIMENSIONS} dimensions")
                self.check_index(self.number(variable + 28, 8))
                variable = self.number(variable + 12, 8)

    def check_index(self, head: int) -> None:
        """The tree of index records from byte `head` on; 0 where a variable has no values."""
        waiting = [head]
        while waiting:
            record = waiting.pop()
            while record:
                self.visit(record)
                if self.number(record + 8, 4) != _INDEX:
                    break  # a leaf
                entries, used = self.number(record + 20, 4), self.number(record + 24, 4)
                if not 0 <= used <= entries <= self.size // 16:
                    raise self.damaged(f"has an index of {used} used in {entries} entries")
                waiting += [self.number(record + 28 + 8 * entries + 8 * k, 8) for k in range(used)]
                record = self.number(record + 12, 8)

    def visit(self, record: int) -> None:
        if record in self.seen:
            raise self.damaged(f"points in a circle at byte {record}")
        self.seen.add(record)

    def number(self, at: int, size: int) -> int:
        """A signed integer of `size` bytes at byte `at`."""
        if not 0 <= at <= self.size - size:
            raise self.damaged("points outside itself")
        self.file.seek(at)
        return int.from_bytes(self.file.read(size), "big", signed=True)

    def damaged(self, what: str) -> InputError:
        return InputError(self.path, "CDF", f"{what}; the file is damaged")
