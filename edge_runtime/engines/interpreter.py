"""What LiteRT and tflite-runtime share: the TFLite interpreter, fed and read in its own memory."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import check_file
from ..graph.storage import Interface, read_interface
from ..graph.structure import Tensor
from . import Codes

MODEL = "model.tflite"
_LIMIT = 64 << 20  # bytes


class TfliteEngine:
    """A TFLite file in an interpreter of the class given; see `Engine`."""

    def __init__(self, interpreter_class: Any, folder: Path, threads: int, name: str, version: str, kernel_set: str) -> None:
        path = Path(folder) / MODEL
        interface = read_interface(folder)
        _check_identifier(path)
        try:
            with hushed():
                self._interpreter = interpreter_class(model_path=str(path), num_threads=threads)
                self._interpreter.allocate_tensors()
            _check_ends(path, self._interpreter, interface)  # in here too: names that are no UTF-8 and tensors without memory are ValueErrors
            self._inputs = [self._memory(detail) for detail in self._interpreter.get_input_details()]
            self._outputs = [self._memory(detail) for detail in self._interpreter.get_output_details()]
            delegated = delegated_operators(self._interpreter)
        except (ValueError, RuntimeError) as error:
            raise InputError(path, "model", f"{name} {version} refuses it ({error}); export again") from error
        self.name = name
        self._invoke = self._interpreter.invoke
        self.description = {"name": name, "version": version, "kernel_set": kernel_set, "delegated_operators": delegated}

    def run(self, *codes: Codes) -> tuple[Codes, ...]:
        """The outputs for inputs int8 of the graph's shapes; ValueError where number, shape or dtype is another."""
        if len(codes) != len(self._inputs):
            raise ValueError(f"the network takes {len(self._inputs)} inputs, {len(codes)} were given")
        for given, memory in zip(codes, self._inputs, strict=True):
            if given is not memory:
                if given.shape != memory.shape or given.dtype != np.int8:
                    raise ValueError(f"an input is {given.dtype} {given.shape}, must be int8 {memory.shape}")
                memory[...] = given
        self._invoke()
        return tuple([memory.copy() for memory in self._outputs])

    def input_buffer(self) -> Codes:
        """The interpreter's memory of the first input."""
        return self._inputs[0]

    def _memory(self, detail: dict[str, Any]) -> Codes:
        """A tensor's memory as an array.

        The interpreter's own view forbids every call while it is held, for fear of a reallocation. Our shapes are static and allocated
        once, so the address stays, and this engine keeps the interpreter alive.
        """
        view = self._interpreter.tensor(detail["index"])()
        shape, address = view.shape, view.ctypes.data
        return np.frombuffer((ctypes.c_int8 * prod(shape)).from_address(address), np.int8).reshape(shape)


def _check_identifier(path: Path) -> None:
    check_file(path, _LIMIT)
    with open(path, "rb") as file:
        identifier = file.read(8)[4:]
    if identifier != b"TFL3":
        raise InputError(path, "identifier", f"is {identifier!r}, must be b'TFL3'; the file is no TFLite file or damaged, export again")


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """TFLite's C++ writes notes to stderr, and what its exceptions say once more: silence for the descriptor itself."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _check_ends(path: Path, interpreter: Any, interface: Interface) -> None:
    for field, details, tensors in (("inputs", interpreter.get_input_details(), interface.inputs),
                                    ("outputs", interpreter.get_output_details(), interface.outputs)):  # fmt: skip
        if len(details) != len(tensors):
            raise InputError(path, field, f"are {len(details)}, graph.json has {len(tensors)}; export again")
        for index, (detail, tensor) in enumerate(zip(details, tensors, strict=True)):
            difference = _difference(detail, tensor)
            if difference:
                raise InputError(path, f"{field}[{index}].{difference}", f"is not that of {tensor.name} in graph.json; export again")


def _difference(detail: dict[str, Any], tensor: Tensor) -> str | None:
    """The first field in which a tensor of the file differs from one of the graph."""
    parameters = detail["quantization_parameters"]
    if detail["name"] != tensor.name:
        return "name"
    if detail["dtype"] is not np.int8:
        return "dtype"
    if tuple(detail["shape"]) != tensor.shape or -1 in detail["shape_signature"]:
        return "shape"
    if not np.array_equal(parameters["scales"], tensor.scale):
        return "scale"
    return None if list(parameters["zero_points"]) == [tensor.zero_point] else "zero_point"


def delegated_operators(interpreter: Any) -> int:
    """How many of the file's operators a delegate took: those between the inputs and outputs of the DELEGATE nodes that stand in for them."""
    operators = interpreter._get_ops_details()
    maker = {int(tensor): operator for operator in operators if operator["op_name"] != "DELEGATE" for tensor in operator["outputs"]}
    taken: set[int] = set()
    for delegate in operators:
        if delegate["op_name"] == "DELEGATE":
            given = {int(tensor) for tensor in delegate["inputs"]}
            wanted = [int(tensor) for tensor in delegate["outputs"]]
            while wanted:
                tensor = wanted.pop()
                if tensor in maker and tensor not in given and maker[tensor]["index"] not in taken:
                    taken.add(maker[tensor]["index"])
                    wanted.extend(int(tensor) for tensor in maker[tensor]["inputs"] if tensor >= 0)
    return len(taken)
