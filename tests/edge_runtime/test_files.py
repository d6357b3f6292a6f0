"""Files and folders are written whole or not at all, and what cannot be read is refused in words."""

import errno
import os

import pytest

from edge_runtime import files
from edge_runtime.errors import InputError, MissingError
from edge_runtime.files import check_file, new_file, new_folder, read_bytes, read_json, sha256, write_file


class Boom(Exception):
    pass


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_with_the_permissions_of_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_file(tmp_path / "a.txt", "täglich")
    finally:
        os.umask(old)
    assert (tmp_path / "a.txt").read_bytes() == "täglich".encode()
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [Boom, KeyboardInterrupt, SystemExit])
def test_an_error_half_way_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(error), new_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("half of it")
        assert temporary.suffix == ".txt" and temporary.parent == tmp_path
        raise error
    assert names(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").read_text() == "old"


def test_an_error_at_the_last_step_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def refuse(*paths):
        raise OSError(errno.EACCES, "no")

    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(files.os, "replace", refuse)
    with pytest.raises(InputError, match=r"a.txt: file: cannot be written"):
        write_file(tmp_path / "a.txt", "new")
    assert names(tmp_path) == ["a.txt"] and (tmp_path / "a.txt").read_text() == "old"


def test_file_and_folder_are_synced_before_and_after_the_rename(tmp_path, monkeypatch):
    steps = []
    real_replace = os.replace
    monkeypatch.setattr(files, "_fsync", lambda path: steps.append(("sync", path.suffix)))
    monkeypatch.setattr(files.os, "replace", lambda *paths: (steps.append(("replace", paths[1].suffix)), real_replace(*paths)))
    write_file(tmp_path / "a.txt", "new")
    assert steps == [("sync", ".txt"), ("replace", ".txt"), ("sync", "")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_something_missing(tmp_path, monkeypatch, code):
    def full(path):
        raise OSError(code, "full")

    monkeypatch.setattr(files, "_fsync", full)
    with pytest.raises(MissingError, match=r"a.txt: disk: is full") as caught:
        write_file(tmp_path / "a.txt", "new")
    assert caught.value.status == 3 and names(tmp_path) == []


def test_targets_that_cannot_be_written_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for path, text in ((tmp_path / "folder", "a folder of this name exists"), (tmp_path / "none" / "a", "does not exist; make it first"),
                       (tmp_path / "file" / "a", "does not exist"), (tmp_path / ("x" * 300), "cannot be written"), ("/dev/null", "is a device or a pipe")):
        with pytest.raises(InputError, match=text):
            write_file(path, "new")
    with pytest.raises(InputError, match="a file of this name exists"), new_folder(tmp_path / "file", "marker"):
        pass
    assert names(tmp_path) == ["file", "folder"]


def test_a_folder_is_replaced_only_where_it_bears_our_mark(tmp_path):
    target = tmp_path / "out"
    for content in ("first", "second"):
        with new_folder(target, "marker") as temporary:
            (temporary / "marker").write_text("")
            (temporary / "deep").mkdir()
            (temporary / "deep" / "file").write_text(content)
        assert names(tmp_path) == ["out"] and (target / "deep" / "file").read_text() == content
    (target / "marker").unlink()
    with pytest.raises(InputError, match="holds no marker, so it is not ours to replace"), new_folder(target, "marker"):
        pass
    assert (target / "deep" / "file").read_text() == "second"


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "out").mkdir()
    with new_folder(tmp_path / "out", "marker") as temporary:
        (temporary / "file").write_text("new")
    assert names(tmp_path / "out") == ["file"]


def test_an_error_half_way_leaves_the_old_folder_and_nothing_else(tmp_path):
    with new_folder(tmp_path / "out", "marker") as temporary:
        (temporary / "marker").write_text("old")
    with pytest.raises(Boom), new_folder(tmp_path / "out", "marker") as temporary:
        (temporary / "marker").write_text("new")
        raise Boom
    assert names(tmp_path) == ["out"] and (tmp_path / "out" / "marker").read_text() == "old"


def test_a_folder_that_cannot_be_exchanged_stays(tmp_path, monkeypatch):
    with new_folder(tmp_path / "out", "marker") as temporary:
        (temporary / "marker").write_text("old")
    real_replace = os.replace

    def refuse_the_new(source, target):
        if target == tmp_path / "out" and ".pixie-old" not in str(source):
            raise OSError(errno.EACCES, "no")
        real_replace(source, target)

    monkeypatch.setattr(files.os, "replace", refuse_the_new)
    with pytest.raises(InputError, match="cannot be written"), new_folder(tmp_path / "out", "marker") as temporary:
        (temporary / "marker").write_text("new")
    assert names(tmp_path) == ["out"] and (tmp_path / "out" / "marker").read_text() == "old"


@pytest.mark.parametrize(("text", "reason"), [
    (b"{", "cannot be read"), (b"[1]", "is list, must be an object"), (b"3", "is int"), (b'{"a": NaN}', "NaN is no JSON number"),
    (b'{"a": -Infinity}', "-Infinity is no JSON number"), (b'{"a": "\xff"}', "cannot be read"), (b"[" * 100_000, "cannot be read"),
])
def test_json_that_is_none_is_refused(tmp_path, text, reason):
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(InputError, match=reason):
        read_json(tmp_path / "a.json")


def test_json_that_is_some_is_read(tmp_path):
    write_file(tmp_path / "a.json", '{"a": [1, 2.5, null]}')
    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, None]}


def test_sizes_are_bounded_at_the_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(InputError, match="holds 5 bytes, at most 4 are read"):
        read_bytes(tmp_path / "a", 4)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, text in (("pipe", "is a device or a pipe"), ("empty", "is empty"), ("link", "is a link to .*gone, which does not exist"),
                       ("loop", "is a link to"), (".", "is a folder"), ("none", "does not exist"), ("empty/none", "cannot be reached")):
        with pytest.raises(InputError, match=text):
            check_file(tmp_path / name, 10)


def test_sha256_is_that_of_the_standard(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
