"""The engines on a file as their own documentation uses them, nothing of ours between: any .tflite or .onnx, float or int8, whoever wrote it.

Loaded in processes of their own only (`apart`): an engine may die of a file.
"""

import contextlib
import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edge_runtime.engines.interpreter import delegated_operators, hushed  # both are about any interpreter, not about our engines' files
from edge_runtime.errors import InputError, MissingError
from edge_runtime.files import check_file

MODULES = {"litert": ("LiteRT", "ai_edge_litert.interpreter", "ai-edge-litert"),
           "tflite-runtime": ("tflite-runtime", "tflite_runtime.interpreter", "tflite-runtime"),
           "onnxruntime": ("ONNX Runtime", "onnxruntime", "onnxruntime"),
           "reference": ("reference", "edge_runtime.engines.reference", "numpy")}  # in words, what is imported, its package
LIMIT = 1 << 30  # bytes of a file
INPUTS, INPUT_BYTES = 16, 64 << 20  # random inputs that loops go round, and bytes of all of them
NUMBERS = ("bool", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "float16", "float32", "float64")
ONNX_DTYPES = {"float": "float32", "double": "float64"}  # where ONNX Runtime's name is not NumPy's
Run = Callable[..., Any]


@dataclass(frozen=True)
class Given:
    """One input or output; `shape` with 1 where the file leaves a length open."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class Bare(Protocol):
    """An engine with a file. `description`: name, version, kernel_set, operators, delegated_operators (None: it does not tell)."""

    @property
    def description(self) -> Mapping[str, Any]:
        """As told above."""

    @property
    def inputs(self) -> Sequence[Given]:
        """For one item."""

    @property
    def outputs(self) -> Sequence[Given]:
        """As they are now."""

    def run(self, *values: np.ndarray) -> Any:
        """Set, invoke and get as the engine's documentation does it; gives the outputs."""

    def set(self, *values: np.ndarray) -> None:
        """Hand the inputs over."""

    def invoke(self) -> object:
        """Compute."""

    def get(self) -> Sequence[Any]:
        """The outputs, the caller's own."""

    def batch(self, items: int) -> None:
        """Make `items` of the first axis of each input; InputError where the file fixes it."""


def open_bare(engine: str, path: Path, threads: int = 1, delegates: bool = True) -> Bare:
    """The engine with the file, ready to run; for "reference" a folder with an integer graph. delegates: LiteRT's default one.

    InputError with the engine's words where it refuses the file, MissingError where it is not installed.
    """
    if not path.is_dir():
        check_file(path, LIMIT)
    _, module, package = MODULES[engine]
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise MissingError(package, "engine", f"is not installed: pip install {package}, or choose another engine") from missing
    with told(engine, path):
        if engine == "reference":
            return _Reference(path)
        if engine == "onnxruntime":
            return _Onnx(imported, path, threads)
        return _Tflite(engine, imported, path, threads, delegates)


@contextlib.contextmanager
def told(engine: str, path: Path) -> Iterator[None]:
    """What an engine says against a file becomes an InputError; its exceptions share no base."""
    try:
        with hushed():
            yield
    except (InputError, MissingError):
        raise
    except Exception as error:
        words = " ".join(str(error).split())
        raise InputError(path, "model", f"{MODULES[engine][0]} refuses it ({words[:300] or type(error).__name__}); is it whole, and of operators it knows?") \
            from error


def random_inputs(inputs: Sequence[Given], seed: int, items: int = 1) -> list[tuple[np.ndarray, ...]]:
    """Up to INPUTS inputs for calls of `items`: codes over their whole range, reals in 0 ... 1, and 0 or 1 where integers count or point at something."""
    rng = np.random.default_rng(seed)

    def one(given: Given) -> np.ndarray:
        shape, dtype = (given.shape[0] * items, *given.shape[1:]) if given.shape else (), np.dtype(given.dtype)
        if dtype.kind in "iu":
            low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.itemsize < 4 else (0, 1)
            return rng.integers(low, high, shape, dtype, endpoint=True)
        return np.asarray(rng.random(shape) < 0.5 if dtype.kind == "b" else rng.random(shape)).astype(dtype)

    size = sum(np.dtype(given.dtype).itemsize * int(np.prod(given.shape)) * items for given in inputs)
    return [tuple(one(given) for given in inputs) for _ in range(max(1, min(INPUTS, INPUT_BYTES // max(size, 1))))]


def bare_call(interpreter: Any) -> Run:
    """Set, invoke and get as TFLite's documentation does it; allocates the interpreter's tensors."""
    interpreter.allocate_tensors()
    sources = [detail["index"] for detail in interpreter.get_input_details()]
    targets = [detail["index"] for detail in interpreter.get_output_details()]

    def run(*inputs: np.ndarray) -> list[np.ndarray]:
        for source, values in zip(sources, inputs, strict=True):
            interpreter.set_tensor(source, values)
        interpreter.invoke()
        return [interpreter.get_tensor(target) for target in targets]

    return run


class _Tflite:
    """LiteRT or tflite-runtime."""

    def __init__(self, engine: str, module: Any, path: Path, threads: int, delegates: bool) -> None:
        resolver = module.OpResolverType.AUTO if delegates else module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self.path, self.engine = path, engine
        self.interpreter = module.Interpreter(model_path=str(path), num_threads=threads, experimental_op_resolver_type=resolver)
        details = self.interpreter.get_input_details()
        for detail in details:
            if 0 in detail["shape"]:
                self.interpreter.resize_tensor_input(detail["index"], np.maximum(detail["shape"], 1))
        self.run = bare_call(self.interpreter)
        details = self.interpreter.get_input_details()
        self.inputs = [_end(detail) for detail in details]
        _refuse_texts(path, self.inputs)
        self.invoke = self.interpreter.invoke
        self._sources = [detail["index"] for detail in details]
        self._targets = [detail["index"] for detail in self.interpreter.get_output_details()]
        names = [operator["op_name"] for operator in self.interpreter._get_ops_details()]
        operators, delegated = len(names) - names.count("DELEGATE"), delegated_operators(self.interpreter)
        own = "tflite_runtime" if engine == "tflite-runtime" else "litert_builtin"
        kernels = {0: own, operators: "xnnpack"}.get(delegated, f"xnnpack and {own}")
        self.description: dict[str, Any] = {"name": engine, "version": importlib.metadata.version(MODULES[engine][2]), "kernel_set": kernels,
                                            "operators": operators, "delegated_operators": delegated}

    @property
    def outputs(self) -> list[Given]:
        return [_end(detail) for detail in self.interpreter.get_output_details()]

    def set(self, *values: np.ndarray) -> None:
        for source, value in zip(self._sources, values, strict=True):
            self.interpreter.set_tensor(source, value)

    def get(self) -> list[np.ndarray]:
        return [self.interpreter.get_tensor(target) for target in self._targets]

    def batch(self, items: int) -> None:
        if not all(given.shape for given in self.inputs):
            raise InputError(self.path, "batch", "cannot be resized: an input is a single number")
        with told(self.engine, self.path):
            for source, given in zip(self._sources, self.inputs, strict=True):
                self.interpreter.resize_tensor_input(source, (given.shape[0] * items, *given.shape[1:]))
            self.interpreter.allocate_tensors()


class _Onnx:
    """ONNX Runtime as it comes: its optimiser on."""

    def __init__(self, module: Any, path: Path, threads: int) -> None:
        options = module.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors only; they come as exceptions too
        self.path = path
        self.session = module.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        ends = self.session.get_inputs()
        self.inputs, self.outputs = ([Given(end.name, tuple(length if isinstance(length, int) and length > 0 else 1 for length in end.shape),
                                            _onnx_dtype(end.type)) for end in some] for some in (ends, self.session.get_outputs()))
        _refuse_texts(path, self.inputs)
        self._open = all(end.shape and not isinstance(end.shape[0], int) for end in ends)
        self._names, self._binding = [end.name for end in ends], self.session.io_binding()
        for end in self.session.get_outputs():
            self._binding.bind_output(end.name)
        self.description = {"name": "onnxruntime", "version": module.__version__, "kernel_set": "onnxruntime_all", "operators": None,
                            "delegated_operators": None}

    def run(self, *values: np.ndarray) -> Any:
        return self.session.run(None, dict(zip(self._names, values, strict=True)))

    def set(self, *values: np.ndarray) -> None:
        for name, value in zip(self._names, values, strict=True):
            self._binding.bind_cpu_input(name, value)

    def invoke(self) -> None:
        self.session.run_with_iobinding(self._binding)

    def get(self) -> Any:
        return self._binding.copy_outputs_to_cpu()

    def batch(self, items: int) -> None:
        if not self._open and items > 1:
            raise InputError(self.path, "batch", "cannot be resized: the file fixes the first axis of an input")


class _Reference:
    """The NumPy executor on the integer graph of a folder."""

    def __init__(self, folder: Path) -> None:
        from edge_runtime.engines.reference import ReferenceEngine
        from edge_runtime.graph.storage import read_interface

        engine = ReferenceEngine(folder)
        self.run = engine.run
        interface = read_interface(folder)
        self.inputs, self.outputs = ([Given(tensor.name, tensor.shape, tensor.dtype) for tensor in ends] for ends in (interface.inputs, interface.outputs))
        self.description = {**engine.description, "operators": None}

    def set(self, *values: np.ndarray) -> None:
        self._values = values

    def invoke(self) -> None:
        self._found = self.run(*self._values)

    def get(self) -> Any:
        return self._found

    def batch(self, items: int) -> None:
        """Any number is taken as it comes."""


def _end(detail: Mapping[str, Any]) -> Given:
    return Given(detail["name"], tuple(int(length) for length in detail["shape"]), np.dtype(detail["dtype"]).name)


def _onnx_dtype(word: str) -> str:
    name = word.removeprefix("tensor(").removesuffix(")")
    return ONNX_DTYPES.get(name, name)


def _refuse_texts(path: Path, inputs: Sequence[Given]) -> None:
    for given in inputs:
        if given.dtype not in NUMBERS:
            raise InputError(path, f"input {given.name}", f"holds {given.dtype}; only numbers that NumPy has can be made up")
