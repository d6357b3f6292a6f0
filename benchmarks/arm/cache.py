"""The folder that holds an emulated Raspberry Pi's software: QEMU, an aarch64 Python and LiteRT's aarch64 wheel, nothing of it installed.

    host/           Debian's dynamic qemu-user for this machine (the static one knows no plugins), with its libraries
    root/           Debian's aarch64 Python and what it needs, unpacked
    site/           the aarch64 wheels, unpacked
    cortex-a53/ ... what QEMU shows its guest of the file system: root/ with a /proc/cpuinfo that names the core
    libcount.so     the counting plugin, compiled here
    *.json          the versions that host/, root/ and site/ were made of; a step whose file says today's is not made again

Debian's packages come signed from its archive over a state of apt that is the folder's own, wheels from PyPI by their SHA-256. apt reads no
settings of the machine's; a proxy is taken from the environment.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.cli import progress
from edge_runtime.errors import InputError, MissingError
from edge_runtime.files import write_file

ARCHIVE, SUITE = "http://deb.debian.org/debian", "bookworm"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
MARKER = "pixie-emulator.txt"
PIP = (sys.executable, "-m", "pip")
PYTHON = "root/usr/bin/python3.11"
# Parts of the main identification register, from the technical reference manual of each core; cpuinfo, and by it XNNPACK, choose kernels by them.
CORES = {"cortex-a53": 0xD03, "cortex-a72": 0xD08, "cortex-a76": 0xD0B}
HOST_PACKAGES = {
    "qemu-user": "1:7.2+dfsg-7+deb12u18+b3", "libcapstone4": "4.0.2-5", "libffi8": "3.4.4-1", "libglib2.0-0": "2.74.6-2+deb12u9",
    "libgmp10": "2:6.2.1+dfsg1-1.1", "libgnutls30": "3.7.9-2+deb12u7", "libhogweed6": "3.8.1-2", "libidn2-0": "2.3.3-1+b1", "libnettle8": "3.8.1-2",
    "libnuma1": "2.0.16-1", "libp11-kit0": "0.24.1-2", "libpcre2-8-0": "10.42-1", "libtasn1-6": "4.19.0-2+deb12u1", "libunistring2": "1.0-2",
    "liburing2": "2.3-3", "zlib1g": "1:1.2.13.dfsg-1",
}  # fmt: skip
GUEST_PACKAGES = {
    "libc6": "2.36-9+deb12u14", "libexpat1": "2.5.0-1+deb12u2", "libffi8": "3.4.4-1", "libgcc-s1": "12.2.0-14+deb12u1",
    "libpython3.11-minimal": "3.11.2-6+deb12u8", "libpython3.11-stdlib": "3.11.2-6+deb12u8", "libstdc++6": "12.2.0-14+deb12u1",
    "python3.11-minimal": "3.11.2-6+deb12u8", "zlib1g": "1:1.2.13.dfsg-1",
}  # fmt: skip
WHEELS = {  # for CPython 3.11 on aarch64; versions are those of constraints.txt, so that both machines run the same LiteRT
    "ai-edge-litert==2.3.0": "853fc608f96da87bd5f3458465dfb9abbf18d5ae6b94eceacead407146f175ae",
    "numpy==1.26.4": "7ab55401287bfec946ced39700c053796e7cc0e3acbef09993a9ad2adba6ca6e",
}
_APT = """Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
Dir::Etc::main "-";
Dir::Etc::parts "-";
Dir::Etc::sourcelist "{state}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferencesparts "-";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
"""


_CPUINFO = """processor\t: {number}
BogoMIPS\t: 38.40
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0x{part:03x}
CPU revision\t: 4

"""


@dataclass(frozen=True)
class Emulator:
    """A folder that is ready. `command`, `environment`: how a process begins that runs an aarch64 program in `folder`, less core and plugin."""

    folder: Path
    command: tuple[str, ...]
    environment: Mapping[str, str]
    versions: Mapping[str, str]


def prepare(folder: Path) -> Emulator:
    """Make or complete the folder; some 300 MB, a minute where the network is quick.

    MissingError names the command, package or connection that is missing, InputError a folder that cannot be written to.
    """
    folder = Path(folder).absolute()
    for command, package in (("apt-get", "apt"), ("dpkg", "dpkg"), ("gcc", "gcc")):
        if shutil.which(command) is None:
            raise MissingError(command, "command", f"is not on this machine: install Debian's {package}, or run this in a container of Debian")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()) and not (folder / MARKER).is_file():
            raise InputError(folder, "--cache", f"is neither empty nor holds {MARKER}, so it is not ours to fill; name another folder")
        (folder / MARKER).write_text("What lies here was fetched by `pixie emulate arm64`, which fetches it again when this folder is gone.\n")
        architecture = _run(("dpkg", "command", "does not run"), "dpkg", "--print-architecture").strip()
        _step(folder, "host", HOST_PACKAGES, lambda target: _unpack_packages(folder, architecture, HOST_PACKAGES, target))
        _step(folder, "root", GUEST_PACKAGES, lambda target: _unpack_packages(folder, "arm64", GUEST_PACKAGES, target))
        _step(folder, "site", WHEELS, lambda target: _unpack_wheels(folder, target))
        for core, part in CORES.items():
            _show(folder, core, part)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise MissingError(folder, "disk", "is full; free some space and run again, what is done is kept") from error
        raise InputError(folder, "--cache", f"cannot be written ({error.strerror}); name another folder") from error
    _run(("gcc", "count.c", "cannot be compiled; is libc6-dev installed?"), "gcc", "-O2", "-shared", "-fPIC", "-o", folder / "libcount.so",
         Path(__file__).with_name("count.c"))
    return _emulator(folder)


def _emulator(folder: Path) -> Emulator:
    libraries = [str(path.relative_to(folder)) for base in ("usr/lib", "lib") for path in sorted(folder.glob(f"host/{base}/*-linux-gnu"))]
    # Relative names and an environment of its own: lengths of paths move what Python keeps in memory, and counts by some instructions.
    environment = {"LD_LIBRARY_PATH": ":".join(libraries)}
    qemu = "host/usr/bin/qemu-aarch64"
    told = _run(("qemu-aarch64", "command", "does not run; it needs a glibc as new as Debian 12's"), folder / qemu, "--version", cwd=folder, env=environment)
    guest = {"PYTHONHOME": "root/usr", "PYTHONPATH": "site", "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    words = [qemu, "-U", "LD_LIBRARY_PATH", "-seed", "0", *(word for name, value in guest.items() for word in ("-E", f"{name}={value}"))]
    packages = {f"debian {name}": version for name, version in (HOST_PACKAGES | GUEST_PACKAGES).items() if name in ("qemu-user", "libc6", "python3.11-minimal")}
    return Emulator(folder, tuple(words), environment, {"qemu": told.splitlines()[0], **packages})


def _step(folder: Path, name: str, pins: Mapping[str, str], make: Callable[[Path], None]) -> None:
    """Fill `folder`/NAME by `make` unless it was made of these `pins` before; whole or not at all."""
    target, record, unfinished = folder / name, folder / f"{name}.json", folder / f"{name}.unfinished"
    text = json.dumps(pins, indent=1) + "\n"
    if target.is_dir() and record.is_file() and record.read_text() == text:
        return
    progress(f"{folder}: {name}")
    record.unlink(missing_ok=True)
    for stale in (unfinished, target):
        if stale.exists():
            shutil.rmtree(stale)
    unfinished.mkdir()
    make(unfinished)
    unfinished.rename(target)
    write_file(record, text)


def _unpack_packages(folder: Path, architecture: str, packages: Mapping[str, str], target: Path) -> None:
    """Unpack Debian's packages of exactly these versions; where a point release has replaced one, the table above must follow."""
    if not KEYRING.is_file():
        raise MissingError(KEYRING, "file", "does not exist, and apt checks signatures by it; install debian-archive-keyring")
    with tempfile.TemporaryDirectory(dir=folder) as name:
        state = Path(name)
        for path in ("lists/partial", "cache/archives/partial", "packages"):
            (state / path).mkdir(parents=True)
        (state / "status").touch()
        (state / "sources.list").write_text(f"deb [arch={architecture} signed-by={KEYRING}] {ARCHIVE} {SUITE} main\n")
        (state / "apt.conf").write_text(_APT.format(state=state, architecture=architecture))
        environment = {**os.environ, "APT_CONFIG": str(state / "apt.conf"), "LC_ALL": "C"}
        _run((ARCHIVE, "network", "cannot be read; connect this machine or set http_proxy"), "apt-get", "update", env=environment)
        _run((ARCHIVE, "packages", "are not all there; write today's versions into benchmarks/arm/cache.py and count again"),
             "apt-get", "download", *(f"{name}={version}" for name, version in packages.items()), env=environment, cwd=state / "packages")
        for package in sorted((state / "packages").glob("*.deb")):
            _run((package.name, "package", "cannot be unpacked"), "dpkg", "-x", package, target)


def _unpack_wheels(folder: Path, target: Path) -> None:
    """Unpack the wheels; what LiteRT names besides NumPy, its interpreter does not import."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        requirements = Path(name) / "requirements.txt"
        requirements.write_text("".join(f"{wheel} --hash=sha256:{digest}\n" for wheel, digest in WHEELS.items()))
        platforms = [word for version in ("manylinux_2_27", "manylinux2014") for word in ("--platform", f"{version}_aarch64")]
        _run(("PyPI", "wheels", "cannot be had by pip; connect this machine or set https_proxy"),
             *PIP, "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311",
             *platforms, "--require-hashes", "--dest", name, "--requirement", requirements)
        for wheel in sorted(Path(name).glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)


def _show(folder: Path, core: str, part: int) -> None:
    """The file system of a guest on `core`. Without this cpuinfo it reads the host's, and LiteRT ends with a fault of memory."""
    view = folder / core
    for path, text in (("proc/cpuinfo", "".join(_CPUINFO.format(number=number, part=part) for number in range(4))),
                       ("sys/devices/system/cpu/possible", "0-3\n"), ("sys/devices/system/cpu/present", "0-3\n")):  # fmt: skip
        (view / path).parent.mkdir(parents=True, exist_ok=True)
        (view / path).write_text(text)
    for name in ("lib", "usr"):
        (view / name).unlink(missing_ok=True)
        (view / name).symlink_to(Path("..") / "root" / name)


def _run(refusal: tuple[object, str, str], *command: object, **options: Any) -> str:
    """What a command prints; where it fails MissingError of `refusal` (file, field, reason) and its last word."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace", check=False, **options)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        file, field, reason = refusal
        raise MissingError(file, field, f"{reason} ({lines[-1] if lines else f'exit status {done.returncode}'})")
    return done.stdout
