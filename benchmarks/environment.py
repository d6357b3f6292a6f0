"""What the measurements ran on: processor, governor, frequency, versions, threads and the resolution of the clock."""

import datetime
import importlib.metadata
import itertools
import os
import platform
import time
from pathlib import Path

CPU_FOLDER = Path("/sys/devices/system/cpu/cpu0/cpufreq")
CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")
KERNELS_ASK_FOR = ("sse4_1", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "neon", "asimd", "asimddp", "i8mm", "sve")
PACKAGES = ("pixie-onboard", "numpy", "ai-edge-litert", "tflite-runtime", "onnxruntime", "onnx", "torch", "brevitas", "tensorflow", "scikit-learn",
            "imagecodecs", "matplotlib")


def describe(threads: int = 1) -> dict[str, object]:
    """This machine as a flat mapping of text and numbers; None where the machine does not tell (a guest has no governor).

    threads: those that the engines are given.
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(), "machine": platform.machine(), "instruction_sets": _instruction_sets(),
        "cores": os.cpu_count(), "cores_allowed": len(os.sched_getaffinity(0)),
        "governor": _first_line(CPU_FOLDER / "scaling_governor"), "frequency_mhz": _frequency_mhz(),
        "frequency_limit_mhz": _thousandth(CPU_FOLDER / "scaling_max_freq"), "temperature_c": _thousandth(THERMAL),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2), "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
        "threads": threads, "timer": "time.perf_counter_ns", "timer_resolution_ns": timer_resolution_ns(), "clock_source": _first_line(CLOCK_SOURCE),
        "versions": {name: version for name in PACKAGES if (version := package_version(name))},
    }


def on(engine: str = "", threads: int = 1) -> str:
    """The `on` of a record: processor, interpreter and, where one ran, engine with its version and threads."""
    parts = [cpu_model(), f"Python {platform.python_version()}", f"NumPy {package_version('numpy')}"]
    return ", ".join([*parts, f"{engine}, {threads} thread{'s' if threads > 1 else ''}"] if engine else parts)


def emulated() -> str | None:
    """What is emulated here, as the environment variable PIXIE_EMULATED says: no program can tell by itself, and its times are none of the device's."""
    return os.environ.get("PIXIE_EMULATED")


def cpu_model() -> str:
    """The processor's name as the kernel gives it."""
    if (name := emulated()) is not None:
        return f"{name}, emulated"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model", "Hardware")):
            return line.partition(":")[2].strip()
    return platform.machine()


def package_version(name: str) -> str | None:
    """Version of an installed package, None where there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def timer_resolution_ns(calls: int = 20_000) -> int:
    """Smallest step > 0 between two readings of the clock, in ns."""
    readings = [time.perf_counter_ns() for _ in range(calls)]
    return min((later - earlier for earlier, later in itertools.pairwise(readings) if later > earlier), default=0)


def _frequency_mhz() -> float | None:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("cpu MHz"):
            return round(float(line.partition(":")[2]), 0)
    return _thousandth(CPU_FOLDER / "scaling_cur_freq")


def _instruction_sets() -> str | None:
    """Those by which engines choose their kernels, as far as the processor has them."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("flags", "Features")):
            has = line.partition(":")[2].split()
            return " ".join(name for name in KERNELS_ASK_FOR if name in has)
    return None


def _thousandth(path: Path) -> float | None:
    """The number in a file of the kernel over 1,000, None where there is none."""
    try:
        return round(int(_first_line(path) or "") / 1000, 0)
    except ValueError:
        return None


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().split("\n", 1)[0]
    except OSError:
        return None
