"""The cache folder, with stand-ins for apt-get, dpkg, gcc and pip: what is fetched, what is kept, and what is said of each thing that is missing."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.arm import cache
from benchmarks.arm.cache import CORES, GUEST_PACKAGES, HOST_PACKAGES, WHEELS, prepare
from edge_runtime.errors import InputError, MissingError

APT_GET = r"""echo "apt-get $1" >> "$LOG"
test -f "$APT_CONFIG" || exit 1
shift
for wanted in "$@"; do touch "$(echo "$wanted" | tr '=' '_').deb"; done"""
DPKG = r"""test "$1" = --print-architecture && { echo amd64; exit 0; }
echo "dpkg $1 $(basename "$2")" >> "$LOG"
mkdir -p "$3/usr/bin" "$3/lib/x86_64-linux-gnu"
printf '#!/bin/sh\necho qemu-aarch64 version 7.2.22\n' > "$3/usr/bin/qemu-aarch64"
chmod +x "$3/usr/bin/qemu-aarch64" """
GCC = r"""echo gcc >> "$LOG"; while test "$1" != -o; do shift; done; touch "$2" """
PIP = r"""import pathlib, sys, zipfile
open({log!r}, "a").write("pip\n")
words = sys.argv[1:]
assert "--require-hashes" in words and "manylinux2014_aarch64" in words
requirements = pathlib.Path(words[words.index("--requirement") + 1]).read_text().splitlines()
for line in requirements:
    name = line.split("=")[0]
    with zipfile.ZipFile(pathlib.Path(words[words.index("--dest") + 1]) / f"{{name}}.whl", "w") as wheel:
        wheel.writestr(f"{{name}}/__init__.py", line)
"""


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder of stand-ins, the only one that commands are looked for in besides the shell's own, and the log they write."""
    folder, log = tmp_path / "tools", tmp_path / "log"
    folder.mkdir()
    for name, text in (("apt-get", APT_GET), ("dpkg", DPKG), ("gcc", GCC)):
        write_tool(folder, name, text)
    for name in ("touch", "tr", "mkdir", "chmod", "basename", "sh"):
        (folder / name).symlink_to(next(path for path in (Path("/usr/bin") / name, Path("/bin") / name) if path.exists()))
    pip = tmp_path / "pip.py"
    pip.write_text(PIP.format(log=str(log)))
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("LOG", str(log))
    monkeypatch.setattr(cache, "PIP", (sys.executable, str(pip)))
    monkeypatch.setattr(cache, "KEYRING", keyring)
    return folder


def write_tool(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def logged(tools: Path) -> list[str]:
    path = tools.parent / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def test_everything_is_fetched_once(tools, tmp_path):
    emulator = prepare(tmp_path / "deep" / "cache")
    lines = logged(tools)
    assert [line for line in lines if not line.startswith("dpkg")] == ["apt-get update", "apt-get download"] * 2 + ["pip", "gcc"]
    wanted = [f"dpkg -x {name}_{version}.deb" for packages in (HOST_PACKAGES, GUEST_PACKAGES) for name, version in packages.items()]
    assert sorted(line for line in lines if line.startswith("dpkg")) == sorted(wanted)
    assert emulator.versions["qemu"] == "qemu-aarch64 version 7.2.22" and emulator.versions["debian libc6"] == GUEST_PACKAGES["libc6"]
    assert emulator.environment == {"LD_LIBRARY_PATH": "host/lib/x86_64-linux-gnu"}
    folder = emulator.folder
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["host", "host.json", "root", "root.json", "site", "site.json", "libcount.so", "pixie-emulator.txt", *CORES])
    for requirement, digest in WHEELS.items():
        assert (folder / "site" / requirement.split("=")[0] / "__init__.py").read_text() == f"{requirement} --hash=sha256:{digest}"
    assert prepare(folder) == emulator
    assert logged(tools) == ["gcc"]


def test_each_core_sees_its_part_and_the_files_of_the_guest(tools, tmp_path):
    folder = prepare(tmp_path / "cache").folder
    for core, part in CORES.items():
        cpuinfo = (folder / core / "proc" / "cpuinfo").read_text()
        assert cpuinfo.count(f"CPU part\t: {part:#x}\n") == 4 and cpuinfo.count("CPU implementer\t: 0x41\n") == 4
        assert (folder / core / "usr").resolve() == folder / "root" / "usr"


def test_what_was_done_is_kept_and_what_was_broken_off_is_made_anew(tools, tmp_path, monkeypatch):
    pip = cache.PIP
    monkeypatch.setattr(cache, "PIP", (sys.executable, "-c", "import sys; sys.exit('no route to host')"))
    with pytest.raises(MissingError, match=r"^PyPI: wheels: .*no route to host"):
        prepare(tmp_path / "cache")
    assert not (tmp_path / "cache" / "site").exists()
    logged(tools)
    monkeypatch.setattr(cache, "PIP", pip)
    prepare(tmp_path / "cache")
    assert logged(tools) == ["pip", "gcc"]
    (tmp_path / "cache" / "root.json").unlink()  # ended between the two
    monkeypatch.setattr(cache, "WHEELS", {"numpy==1.26.4": "0" * 64})  # another version of this project
    prepare(tmp_path / "cache")
    lines = [line for line in logged(tools) if not line.startswith("dpkg")]
    assert lines == ["apt-get update", "apt-get download", "pip", "gcc"]
    assert os.listdir(tmp_path / "cache" / "site") == ["numpy"]


@pytest.mark.parametrize("name", ["apt-get", "dpkg", "gcc"])
def test_a_missing_command_is_named(tools, tmp_path, name):
    (tools / name).unlink()
    with pytest.raises(MissingError, match=f"^{name}: command: is not on this machine: install "):
        prepare(tmp_path / "cache")
    assert not (tmp_path / "cache").exists() and MissingError.status == 3


@pytest.mark.parametrize(("name", "text", "told"), [
    ("apt-get", "echo 'E: Could not resolve host' >&2; exit 100", r"network: .*connect this machine.*\(E: Could not resolve host\)"),
    ("apt-get", "test $1 = update && exit 0; echo \"E: Version '9' for 'qemu-user' was not found\" >&2; exit 100", "packages: .*'qemu-user' was not found"),
    ("dpkg", "test $1 = --print-architecture && { echo amd64; exit 0; }; exit 2", r"package: cannot be unpacked \(exit status 2\)"),
    ("gcc", "echo 'stdio.h: No such file' >&2; exit 1", "gcc: count.c: cannot be compiled.*stdio.h: No such file"),
    ("dpkg", DPKG.replace("echo qemu-aarch64 version 7.2.22", "echo libcapstone.so.4: not found >&2; exit 127"),
     "qemu-aarch64: command: does not run.*libcapstone.so.4: not found"),
])
def test_what_fails_is_missing_and_named(tools, tmp_path, name, text, told):
    write_tool(tools, name, text)
    with pytest.raises(MissingError, match=told):
        prepare(tmp_path / "cache")


def test_without_debians_keys_nothing_is_fetched(tools, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "KEYRING", tmp_path / "none.gpg")
    with pytest.raises(MissingError, match=r"none.gpg: file: does not exist.*install debian-archive-keyring"):
        prepare(tmp_path / "cache")
    assert logged(tools) == []


def test_a_folder_that_cannot_be_is_bad_input(tools, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="--cache: cannot be written"):
        prepare(tmp_path / "file" / "cache")


def test_somebody_elses_folder_is_left_alone(tools, tmp_path):
    (tmp_path / "mine" / "host").mkdir(parents=True)
    with pytest.raises(InputError, match=r"--cache: is neither empty nor holds pixie-emulator.txt"):
        prepare(tmp_path / "mine")
    assert os.listdir(tmp_path / "mine") == ["host"] and logged(tools) == []


def test_a_full_disk_is_missing_space(tools, tmp_path, monkeypatch):
    def full(folder, core, part):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_show", full)
    with pytest.raises(MissingError, match="disk: is full"):
        prepare(tmp_path / "cache")


def test_the_wheels_are_those_that_this_project_pins():
    pinned = (Path(__file__).parents[3] / "constraints.txt").read_text().splitlines()
    assert set(WHEELS) <= set(pinned)
