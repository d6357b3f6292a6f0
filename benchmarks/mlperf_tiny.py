"""MLPerf Tiny's anomaly detection: its shape with random weights, and how its calls are timed (mlcommons/tiny, benchmark/training/anomaly_detection)."""

from pathlib import Path

from edge_runtime.files import write_file

WORD = "mlperf-tiny-ad"  # stands for a file among the targets of `pixie bench`
NOTE = "mlperf-tiny-ad: the shape of MLPerf Tiny's anomaly detection, 640-128x4-8-128x4-640 dense, int8; random weights, so no accuracy is claimed."
WARM_UP, WINDOWS, CALLS = 10, 5, 300


def is_word(path: Path) -> bool:
    """Whether a target is no file but the word for this shape."""
    return path == Path(WORD) and not path.exists()


def reference_file(folder: Path) -> Path:
    """The dense autoencoder as a .tflite file of ours in `folder`; the same bytes each time."""
    from export.write_tflite import tflite_bytes

    from .arm.models import models

    path = folder / f"{WORD}.tflite"
    write_file(path, tflite_bytes(models()["dense_anomaly"]))
    return path
