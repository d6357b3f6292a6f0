"""TensorFlow as an oracle, in a process of its own: it and tflite_runtime cannot live in one.

It is the second reader of our files (`run_in_tensorflow`) and makes the post-training int8 file of a float network (`quantise_after_training`),
so that the worth of quantisation-aware training is seen. Both functions start the script `export.oracle_script`, which alone imports TensorFlow.
"""

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import InputError, MissingError
from edge_runtime.files import read_bytes

_LARGEST_FILE = 256 << 20  # bytes
Kernels = Literal["default", "builtin", "reference"]  # of tf.lite: XNNPACK, the optimised built-in ones, the reference ones


def run_in_tensorflow(model: Path, windows: Mapping[str, NDArray[Any]], kernels: Kernels = "default") -> dict[str, NDArray[Any]]:
    """Outputs [n, ...] by name of a TFLite file for `windows` by name of the input, [n, ...] in its dtype; channels-last, as the file has them.

    MissingError where TensorFlow is not installed, InputError where the file is no TFLite file, or with TensorFlow's last word on it.
    """
    if read_bytes(model, _LARGEST_FILE)[4:8] != b"TFL3":
        raise InputError(model, "file", "is no TFLite file; export it again")
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "windows.npz", Path(folder) / "outputs.npz"
        np.savez(given, **dict(windows))
        _start(model, "run", model, given, made, kernels)
        with np.load(made) as arrays:
            return dict(arrays)


def quantise_after_training(float_onnx: Path, windows: NDArray[np.float32], model: Path) -> None:
    """Write `model`, the int8 TFLite file that TensorFlow's post-training quantisation makes of a float ONNX file with one input.

    `windows`: float32 [n, ...] representative inputs in the layout of the ONNX file, real values. Input and output are int8 on scales that
    TensorFlow chose; the file's signature names them, the input "windows", the outputs as in the ONNX file. Read are Conv and ConvTranspose
    (no groups or dilation), Gemm, Relu, MaxPool, Flatten, Reshape and Identity.
    MissingError where TensorFlow is not installed, InputError where it or the ONNX reader refuses the file.
    """
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "windows.npz"
        np.savez(given, windows=windows)
        _start(float_onnx, "quantise", float_onnx, given, model)


def _start(file: Path, *arguments: object) -> None:
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingError("tensorflow", "module", "is not installed: pip install 'pixie-onboard[oracle]'")
    words = [str(item.absolute() if isinstance(item, Path) else item) for item in arguments]
    command = [sys.executable, "-m", "export.oracle_script", *words]
    child = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    if child.returncode:
        lines = child.stderr.strip().splitlines()
        raise InputError(file, "TensorFlow", f"refuses it: {lines[-1] if lines else f'exit status {child.returncode}'}; export it again")
