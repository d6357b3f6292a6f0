"""Recordings of every length and layout are read exactly; what is malformed is refused at the door, in little memory."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.arrays import open_npz
from edge_runtime.counts import FRAME_SAMPLES, SAMPLE_TIME_NS, Stretch, raw_stretches, read_counts
from edge_runtime.errors import InputError

UTC = 1_577_763_286_000_050_000


def counts_of(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, (3, n)).astype(np.uint16)


def joined(stretches) -> np.ndarray:
    return np.concatenate([stretch.counts for stretch in stretches], axis=1)


def refusal(path, text: str = ".") -> str:
    with pytest.raises(InputError, match=text) as caught:
        list(read_counts(path))
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@pytest.mark.parametrize("n", [1, 2, 1039, FRAME_SAMPLES - 1, FRAME_SAMPLES, FRAME_SAMPLES + 1, 3 * FRAME_SAMPLES + 77])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
def test_npz_of_any_length_and_layout_is_read_exactly(tmp_path, n, save, layout):
    counts = counts_of(n)
    save(tmp_path / "a.npz", counts=layout(counts), utc_start_ns=np.int64(UTC), note="other arrays are let be")
    stretches = list(read_counts(tmp_path / "a.npz"))
    assert np.array_equal(joined(stretches), counts)
    sample = 0
    for index, stretch in enumerate(stretches):
        assert (stretch.sample_start, stretch.frame, stretch.utc_start_ns) == (sample, index, UTC + sample * SAMPLE_TIME_NS)
        sample += stretch.counts.shape[1]


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "i2", "u1", "i4", "u8", "i8"])
def test_every_integer_dtype_in_range_is_read(tmp_path, dtype):
    counts = counts_of(100) & 0x7F
    np.savez(tmp_path / "a.npz", counts=counts.astype(dtype))
    stretch, = read_counts(tmp_path / "a.npz")
    assert stretch.counts.dtype == np.uint16 and np.array_equal(stretch.counts, counts) and stretch.utc_start_ns is None


@pytest.mark.parametrize(("arrays", "text"), [
    ({"counts": np.zeros((3, 5), np.float32)}, "counts: are floats"),
    ({"counts": np.full((3, 5), np.nan)}, "counts: are floats"),
    ({"counts": np.zeros((3, 5), bool)}, "counts: have dtype bool"),
    ({"counts": np.zeros((3, 5), "datetime64[ns]")}, "counts: have dtype"),
    ({"counts": np.array([[1, None], [2, 3], [4, 5]], object)}, "counts: has dtype object"),
    ({"counts": np.zeros((3, 5), [("a", "u2")])}, "counts: has dtype"),
    ({"counts": np.zeros((4, 5), np.uint16)}, r"counts: have shape \[4, 5\]"),
    ({"counts": np.zeros((5, 3), np.uint16)}, r"counts: have shape \[5, 3\]"),
    ({"counts": np.zeros(3, np.uint16)}, r"counts: have shape \[3\]"),
    ({"counts": np.uint16(3)}, r"counts: have shape \[\]"),
    ({"counts": np.zeros((3, 0), np.uint16)}, "counts: hold no sample"),
    ({"counts": np.array([[0, 0], [0, -1], [0, 0]])}, r"counts: are negative \(-1\) at channel uv, sample 1"),
    ({"counts": np.array([[0, 0], [0, 0], [0, 70000]])}, r"counts: are above 65535 \(70000\) at channel 777, sample 1"),
    ({"count": np.zeros((3, 5), np.uint16)}, "counts: is missing, but there is 'count'"),
    ({"Counts": np.zeros((3, 5), np.uint16)}, "counts: is missing, but there is 'Counts'"),
    ({"flux": np.zeros((3, 5), np.uint16)}, "counts: is missing, the file holds flux"),
    ({"counts": np.zeros((3, 5), np.uint16), "utc_start": np.int64(1)}, "utc_start_ns: is missing, but there is 'utc_start'"),
    ({"counts": np.zeros((3, 5), np.uint16), "utc_start_ns": np.float64(1)}, "utc_start_ns: is float64"),
    ({"counts": np.zeros((3, 5), np.uint16), "utc_start_ns": np.arange(2)}, "utc_start_ns: is int64"),
    ({"counts": np.zeros((3, 5), np.uint16), "utc_start_ns": np.int64(-1)}, "utc_start_ns: is -1"),
    ({"counts": np.zeros((3, 5), np.uint16), "utc_start_ns": np.uint64(1 << 63)}, "utc_start_ns: is 9223372036854775808"),
])
def test_npz_with_wrong_content_is_refused_naming_the_field(tmp_path, arrays, text):
    np.savez(tmp_path / "a.npz", **arrays)
    refusal(tmp_path / "a.npz", text)


def test_a_bad_end_is_known_before_the_first_stretch(tmp_path):
    counts = counts_of(3 * FRAME_SAMPLES).astype(np.int64)
    counts[2, -1] = -5
    np.savez(tmp_path / "a.npz", counts=counts)
    with pytest.raises(InputError, match="negative"):
        read_counts(tmp_path / "a.npz")  # at the call, nothing is asked of the iterator


@given(st.data())
def test_npz_truncated_anywhere_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(path, counts=counts_of(500) & 0xF)
    whole = path.read_bytes()
    path.write_bytes(whole[:data.draw(st.integers(0, len(whole) - 1))])
    refusal(path)


@given(st.data())
def test_a_bit_flipped_in_the_data_is_found_by_the_checksum(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    save = data.draw(st.sampled_from([np.savez, np.savez_compressed]))
    save(path, counts=counts_of(3000))
    with zipfile.ZipFile(path) as archive:
        entry, = archive.infolist()
    content = bytearray(path.read_bytes())
    begin = entry.header_offset + 30 + len(entry.filename) + 20  # zip64 extra field: 20 bytes
    at = data.draw(st.integers(begin, begin + entry.compress_size - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    refusal(path)


def npy(shape: tuple[int, ...], data: bytes, fortran_order: bool = False) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<u2", "fortran_order": fortran_order, "shape": shape})
    return file.getvalue() + data


@pytest.mark.parametrize(("members", "text"), [
    ({"counts.npy": npy((3, 10), b"\0" * 58)}, "58 bytes of data"),
    ({"counts.npy": npy((3, 10), b"\0" * 62)}, "62 bytes of data"),
    ({"counts.npy": npy((3, -10), b"")}, "shape"),
    ({"counts.npy": npy((-3, -10), b"\0" * 60)}, "shape"),
    ({"counts.npy": b"not an array"}, "magic"),
    ({"counts.npy": b"\x93NUMPY\x01\x00\x10\x00{'descr': ((((("}, "cannot be read"),
    ({"counts.txt": b"1 2 3"}, "is no array"),
    ({f"a{index}.npy": npy((1,), b"\0\0") for index in range(300)}, "are 300"),
])
def test_archives_that_lie_about_their_arrays_are_refused(tmp_path, members, text):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    refusal(tmp_path / "a.npz", text)


def test_an_array_that_is_there_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, pytest.warns(UserWarning):
        for _ in range(2):
            archive.writestr("counts.npy", npy((3, 1), b"\0" * 6))
    refusal(tmp_path / "a.npz", "there twice")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_that_unpacks_without_bound_is_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        archive.writestr("counts.npy", npy((3, 1), b"\0" * 6))
    refusal(tmp_path / "a.npz", "other than deflate")


def peak_mb(code: str, *arguments: object) -> float:
    """Peak resident MB of a fresh interpreter that runs `code`."""
    told = f"{code}\nprint(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    finished = subprocess.run([sys.executable, "-c", told, *map(str, arguments)], capture_output=True, text=True, check=True,
                              cwd=Path(__file__).parents[2])
    return int(finished.stdout.split()[-1]) / 1000


REFUSED = """
import sys
from edge_runtime.counts import read_counts
from edge_runtime.errors import InputError
try:
    read_counts(sys.argv[1])
except InputError as error:
    print(error)
else:
    raise SystemExit("accepted")
"""
READ = """
import sys
from edge_runtime.counts import read_counts
assert sum(stretch.counts.shape[1] for stretch in read_counts(sys.argv[1])) == int(sys.argv[2])
"""


def test_two_sparse_gigabytes_are_refused_in_little_memory(tmp_path):
    with open(tmp_path / "a.npz", "wb") as file:
        file.truncate(2 << 30)
    assert peak_mb(REFUSED, tmp_path / "a.npz") < 100


def deflated(path: Path, content: bytes, said: int) -> None:
    """An archive whose counts.npy unpacks to `content` and is said to unpack to `said` bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("counts.npy", content)
    true = len(content).to_bytes(4, "little")
    assert path.read_bytes().count(true) == 2  # local and central header
    path.write_bytes(path.read_bytes().replace(true, said.to_bytes(4, "little")))


def test_an_archive_that_says_it_unpacks_to_too_much_is_refused_by_that(tmp_path):
    header = npy((3, 100_000_000), b"")
    deflated(tmp_path / "a.npz", header + bytes(7_000), len(header) + 600_000_000)
    refusal(tmp_path / "a.npz", "counts: holds 6000001.. bytes, at most")


def test_a_member_that_unpacks_to_more_than_it_says_does_not_fill_the_memory(tmp_path):
    array = npy((3, 10), bytes(60))
    deflated(tmp_path / "a.npz", array + bytes(150_000_000), len(array))
    assert peak_mb(REFUSED, tmp_path / "a.npz") < 100


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_memory_does_not_grow_with_the_recording(tmp_path, save):
    save(tmp_path / "a.npz", counts=np.zeros((3, 10_000_000), np.uint16))  # 60 MB
    assert peak_mb(READ, tmp_path / "a.npz", 10_000_000) < 60


def test_what_is_no_file_of_a_known_suffix_is_refused(tmp_path):
    refusal(tmp_path, "is a folder")
    refusal(tmp_path / "none.npz", "does not exist")
    refusal(tmp_path / ("x" * 300 + ".npz"), "cannot be reached")
    refusal(tmp_path / "a\0b.npz", "cannot be reached")
    (tmp_path / "link.npz").symlink_to(tmp_path / "gone.npz")
    refusal(tmp_path / "link.npz", "is a link to")
    (tmp_path / "empty.npz").touch()
    refusal(tmp_path / "empty.npz", "is empty")
    (tmp_path / "text.npz").write_text("1 2 3")
    refusal(tmp_path / "text.npz", "npz: cannot be read")
    (tmp_path / "a.csv").write_text("1,2,3")
    assert ".npz" in refusal(tmp_path / "a.csv", "suffix: .csv has no reader; known are")
    (tmp_path / "bare").write_text("1,2,3")
    refusal(tmp_path / "bare", "suffix: none has no reader")


def test_a_reader_registers_for_a_suffix_by_an_entry_point(tmp_path, monkeypatch):
    class Point:
        name = "xyz"

        @staticmethod
        def load():
            return lambda path: iter([Stretch(counts_of(4), UTC, 17, 0)])

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point] if group == "pixie.readers" else [])
    (tmp_path / "a.XYZ").write_text("instrument")
    stretch, = read_counts(tmp_path / "a.XYZ")
    assert stretch.frame == 17
    (tmp_path / "a.fits").write_text("instrument")
    refusal(tmp_path / "a.fits", "known are .npz, .xyz")


def broken_at_once(path):
    raise ValueError("no such instrument")


def broken_later(path):
    yield Stretch(counts_of(4), UTC, 17, 0)
    raise OSError("the drawer is stuck")


@pytest.mark.parametrize(("reader", "words"), [(broken_at_once, "no such instrument"), (broken_later, "the drawer is stuck")])
def test_what_somebodys_reader_raises_is_a_refusal_of_the_file(tmp_path, monkeypatch, reader, words):
    class Point:
        name = "xyz"
        load = staticmethod(lambda: reader)

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point])
    (tmp_path / "a.xyz").write_text("instrument")
    with pytest.raises(InputError, match=f"a.xyz: reader: refuses it .{words}"):
        list(read_counts(tmp_path / "a.xyz"))


class Pipe(io.BytesIO):
    """A stream that gives at most the next of `sizes` bytes at a time, as a pipe does."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        super().__init__(data)
        self.sizes = sizes

    def read1(self, size: int = -1) -> bytes:
        return super().read1(min(size, self.sizes.pop(0)) if self.sizes else size)


@given(st.integers(1, 30_000), st.lists(st.integers(1, 40_000), max_size=30))
def test_a_raw_stream_is_read_exactly_however_it_arrives(n, sizes):
    counts = counts_of(n, seed=n)
    stretches = list(raw_stretches(Pipe(counts.T.astype("<u2").tobytes(), sizes)))
    assert np.array_equal(joined(stretches), counts)
    sample = 0
    for stretch in stretches:
        assert (stretch.sample_start, stretch.frame, stretch.utc_start_ns) == (sample, sample // FRAME_SAMPLES, None)
        sample += stretch.counts.shape[1]


@pytest.mark.parametrize("extra", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("whole", [0, 1, 20_000])
def test_a_raw_stream_that_ends_within_a_sample_is_refused_by_name(whole, extra):
    with pytest.raises(InputError, match=f"^-: stdin: ends after {6 * whole + extra} bytes, within a sample"):
        list(raw_stretches(Pipe(bytes(6 * whole + extra), [])))


def test_an_empty_stream_is_refused():
    with pytest.raises(InputError, match=r"^-: stdin: is empty"):
        list(raw_stretches(Pipe(b"", [])))


def test_a_closed_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(InputError, match=r"^-: stdin: is closed"):
        read_counts("-")


@pytest.mark.parametrize("counts", [np.zeros((3, 4)), np.zeros((3, 0), np.uint16), np.zeros((2, 4), np.uint16), np.zeros(3, np.uint16)])
def test_a_stretch_of_another_kind_cannot_be_made(counts):
    with pytest.raises(ValueError, match="must be uint16"):
        Stretch(counts, None, 0, 0)


def test_archive_reads_small_arrays_whole(tmp_path):
    np.savez(tmp_path / "a.npz", codes=np.arange(-128, 128).astype(np.int8).reshape(2, 128))
    with open_npz(tmp_path / "a.npz", 1 << 20) as archive:
        assert np.array_equal(archive.read("codes"), np.arange(-128, 128).reshape(2, 128))
