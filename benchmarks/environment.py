"""What the measurements ran on: processor, governor, frequency, versions, threads and the resolution of the clock."""

import datetime
import importlib.metadata
import itertools
import os
import platform
import time
from pathlib import Path

CPU_FOLDER = Path("/sys/devices/system/cpu/cpu0/cpufreq")
PACKAGES = ("pixie-onboard", "numpy", "ai-edge-litert", "tflite-runtime", "onnxruntime", "onnx", "torch", "brevitas", "tensorflow", "scikit-learn",
            "imagecodecs", "matplotlib")


def describe() -> dict[str, object]:
    """This machine as a flat mapping of text and numbers; None where the machine does not tell (a guest has no governor)."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(), "cores": os.cpu_count(), "cores_allowed": len(os.sched_getaffinity(0)),
        "governor": _first_line(CPU_FOLDER / "scaling_governor"), "frequency_mhz": _frequency_mhz(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2), "system": f"{platform.system()} {platform.release()}", "python": platform.python_version(),
        "threads": 1, "timer": "time.perf_counter_ns", "timer_resolution_ns": timer_resolution_ns(),
        "versions": {name: version for name in PACKAGES if (version := package_version(name))},
    }


def on(engine: str = "", threads: int = 1) -> str:
    """The `on` of a record: processor, interpreter and, where one ran, engine with its version and threads."""
    parts = [cpu_model(), f"Python {platform.python_version()}", f"NumPy {package_version('numpy')}"]
    return ", ".join([*parts, f"{engine}, {threads} thread{'s' if threads > 1 else ''}"] if engine else parts)


def cpu_model() -> str:
    """The processor's name as the kernel gives it."""
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
    khz = _first_line(CPU_FOLDER / "scaling_cur_freq")
    return None if khz is None else round(int(khz) / 1000, 0)


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().split("\n", 1)[0]
    except OSError:
        return None
