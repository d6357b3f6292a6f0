"""ONNX Runtime on the QCDQ/QDQ file itself: floats at both ends, so codes are mapped to reals and back, and channels-last to channels-first."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, MissingError
from ..files import check_file
from ..graph.storage import read_interface
from ..graph.structure import Tensor
from . import Codes

MODEL = "model.onnx"
_LIMIT = 256 << 20  # bytes; weights may be stored as float32


class OnnxEngine:
    """A QCDQ/QDQ file in an inference session. `level`: "disable" runs node by node, "all" optimises as ONNX Runtime does by default.

    Node by node is our default: the fused kernels saturate 16-bit sums on x86 processors without VNNI and then give wrong codes, by up to 85 of
    256 seen (`session.x64quantprecision`, made against it, fails to load our files in 1.31).
    """

    name = "onnxruntime"

    def __init__(self, folder: Path, threads: int = 1, level: str = "disable") -> None:
        # From 1.29 on its official builds report model hashes and file names over the network and leave a file among the temporary ones.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        try:
            import onnxruntime
        except ModuleNotFoundError as missing:
            raise MissingError("onnxruntime", "engine", "is not installed: pip install onnxruntime, or choose another engine") from missing
        path = Path(folder) / MODEL
        interface = read_interface(folder)
        check_file(path, _LIMIT)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = {"all": levels.ORT_ENABLE_ALL, "disable": levels.ORT_DISABLE_ALL}[level]
        options.log_severity_level = 3  # errors only; they come as exceptions too
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base below this one
            raise InputError(path, "model", f"onnxruntime {onnxruntime.__version__} refuses it ({error}); export again") from error
        self._inputs = _ends(path, "inputs", self._session.get_inputs(), interface.inputs)
        self._outputs = _ends(path, "outputs", self._session.get_outputs(), interface.outputs)
        self._names = [end.tensor.name for end in self._outputs]
        kernel_set = "onnxruntime" if level == "disable" else "onnxruntime_all"
        self.description = {"name": self.name, "version": onnxruntime.__version__, "kernel_set": kernel_set, "delegated_operators": None}

    def run(self, *codes: Codes) -> tuple[Codes, ...]:
        """The outputs for inputs int8 of the graph's shapes; ValueError where number, shape or dtype is another."""
        if len(codes) != len(self._inputs):
            raise ValueError(f"the network takes {len(self._inputs)} inputs, {len(codes)} were given")
        reals = self._session.run(self._names, {end.tensor.name: end.reals(given) for end, given in zip(self._inputs, codes, strict=True)})
        return tuple(end.codes(real) for end, real in zip(self._outputs, reals, strict=True))

    def input_buffer(self) -> None:
        """None: the session reads floats."""
        return None


class _End:
    """One input or output: codes of the graph, int8 channels-last, against reals of the session, float32 channels-first of `rank` axes."""

    def __init__(self, tensor: Tensor, rank: int) -> None:
        self.tensor = tensor
        self._rank = rank
        self._scale, self._zero_point = tensor.scale[0], np.float32(tensor.zero_point)

    def reals(self, codes: Codes) -> NDArray[np.float32]:
        """Float32 [1, c, w], [1, c, h, w] or [1, c]."""
        if codes.shape != self.tensor.shape or codes.dtype != np.int8:
            raise ValueError(f"input {self.tensor.name} is {codes.dtype} {codes.shape}, must be int8 {self.tensor.shape}")
        if codes.ndim == 4:
            codes = codes.transpose(0, 3, 1, 2)  # [1, c, h, w]
        if self._rank == 3:
            codes = codes.reshape(codes.shape[0], codes.shape[1], codes.shape[3])  # [1, c, w]
        return np.ascontiguousarray((codes.astype(np.float32) - self._zero_point) * self._scale)

    def codes(self, reals: NDArray[np.float32]) -> Codes:
        """The int8 codes of reals that lie on the quantisation's grid, so that rint finds exactly those."""
        codes = np.clip(np.rint(reals / self._scale) + self._zero_point, -128, 127).astype(np.int8)
        if len(self.tensor.shape) == 4:
            codes = (codes if self._rank == 4 else codes[:, :, np.newaxis]).transpose(0, 2, 3, 1)  # [1, h, w, c]
        return np.ascontiguousarray(codes)


def _ends(path: Path, field: str, ends: Any, tensors: tuple[Tensor, ...]) -> list[_End]:
    """Match the session's inputs or outputs with the graph's by name; InputError where one is missing, another, or not float32."""
    known = {end.name: end for end in ends}
    if len(known) != len(tensors):
        raise InputError(path, field, f"are {', '.join(known)}, graph.json has {', '.join(tensor.name for tensor in tensors)}; export again")
    result = []
    for index, tensor in enumerate(tensors):
        end = known.get(tensor.name)
        if end is None:
            raise InputError(path, f"{field}[{index}].name", f"{tensor.name} of graph.json is not among {', '.join(known)}; export again")
        shape = [length if isinstance(length, int) else 1 for length in end.shape]  # a named batch is run with 1
        if end.type != "tensor(float)" or shape not in _shapes(tensor.shape):
            raise InputError(path, f"{field}[{index}].shape", f"of {tensor.name} is {end.type} {end.shape}, graph.json asks for float "
                             f"{' or '.join(map(str, _shapes(tensor.shape)))}; export again")  # fmt: skip
        result.append(_End(tensor, len(shape)))
    return result


def _shapes(shape: tuple[int, ...]) -> list[list[int]]:
    """The channels-first shapes that a channels-last shape may stand for."""
    if len(shape) != 4:
        return [list(shape)]
    n, h, w, c = shape
    return [[n, c, h, w], [n, c, w]] if h == 1 else [[n, c, h, w]]
