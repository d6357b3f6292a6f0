"""Networks of PyTorch as it exports them, and what ONNX Runtime makes of them after training; started by `benchmarks.foreign`.

    python -m benchmarks.foreign_onnx FOLDER SEED
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.quantization import QuantFormat, quantize_dynamic, quantize_static
from torch import nn

from .bare import open_bare, random_inputs

CALIBRATION = 20  # random inputs that quantisation after training sees


def onnx_files(folder: Path, seed: int) -> None:
    """What PyTorch exports, and what ONNX Runtime makes of it after training: float, QDQ, operators of its own, weights alone."""
    for name, network, examples, axes in _networks(seed):
        _export(network, examples, folder / f"{name}_float.onnx", axes)
    for name, kind, per_channel in (("plane", QuantFormat.QDQ, True), ("plane", QuantFormat.QOperator, False), ("dense", QuantFormat.QDQ, False)):
        source = folder / f"{name}_float.onnx"
        quantize_static(str(source), str(folder / f"{name}_{kind.name.lower()}.onnx"), _Reader(source, seed), quant_format=kind, per_channel=per_channel)
    quantize_dynamic(str(folder / "dense_float.onnx"), str(folder / "dense_dynamic.onnx"))
    (folder / "cut_short.onnx").write_bytes((folder / "plane_float.onnx").read_bytes()[:-500])


class _Recurrent(nn.Module):
    """Class of a sequence by its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.cells, self.last = nn.LSTM(6, 12, batch_first=True), nn.Linear(12, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.cells(x)[0][:, -1])


class _Indexed(nn.Module):
    """Integers that point into a table, beside reals."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = nn.Embedding(10, 4), nn.Linear(4 + 3, 2)

    def forward(self, index: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.table(index), x], 1))


def _networks(seed: int) -> Iterator[tuple[str, nn.Module, tuple[Any, ...], dict[str, dict[int, str]]]]:
    """Name, network, example inputs and axes that are left open."""
    torch.manual_seed(seed)
    yield "dense", nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 2)), (torch.zeros(1, 48),), {"input0": {0: "batch"}, "output": {0: "batch"}}
    yield ("plane", nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                                  nn.Linear(16, 5)), (torch.zeros(1, 3, 16, 16),), {})
    yield "recurrent", _Recurrent(), (torch.zeros(1, 20, 6),), {"input0": {0: "batch", 1: "steps"}, "output": {0: "batch"}}
    yield "indexed", _Indexed(), (torch.zeros(1, dtype=torch.int64), torch.zeros(1, 3)), {}


def _export(network: nn.Module, examples: tuple[Any, ...], path: Path, axes: dict[str, dict[int, str]]) -> None:
    torch.onnx.export(network.eval(), examples, str(path), dynamo=False, opset_version=17, output_names=["output"], dynamic_axes=axes or None,
                      input_names=[f"input{place}" for place in range(len(examples))])


class _Reader:
    """Random inputs in the way in which ONNX Runtime's calibration asks for them: `get_next` gives one, then None."""

    def __init__(self, model: Path, seed: int) -> None:
        bare = open_bare("onnxruntime", model)
        self._left = iter([{given.name: values for given, values in zip(bare.inputs, one, strict=True)}
                           for number in range(CALIBRATION) for one in random_inputs(bare.inputs, seed + number)[:1]])

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input by its name."""
        return next(self._left, None)


if __name__ == "__main__":
    onnx_files(Path(sys.argv[1]), int(sys.argv[2]))
