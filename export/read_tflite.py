"""Any TFLite file as a network, float and foreign ones too, however damaged: what it says is checked here, for nothing of FlatBuffers verifies it.

Schema: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3, as generated into `ai_edge_litert.schema_py_generated`.

Attacks that are answered here: a file cut short or with any byte changed; indices of tensors, buffers and operators that do not exist; constants
larger or smaller than their shape; vectors with absurd lengths, and one long vector that many tables share, so that a small file becomes a large
network; options of another operator, strides of 0.
"""

import re
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import InputError
from edge_runtime.files import read_bytes
from hw_profiles.network import Network, Operator, Tensor

LARGEST_FILE = 1 << 30  # bytes; VGG19 in floats holds 575 MB, a FlatBuffer at most 2 GiB
_MOST = 100_000  # tensors or operators; the largest language models hold some 10,000
_HIGHEST_RANK = 32  # of NumPy's arrays; kernels stop at 8
_SLACK = 1 << 20  # bytes by which the vectors of a file may be longer than the file: short ones that several tables share
_DAMAGED = "the file is damaged, make it again"

_PACKED = {"int4": 4, "uint4": 4, "int2": 2}  # bits of an element, the first one in the lowest bits
_NUMPY = {name: name for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                                  "complex64", "complex128", "bool")}  # fmt: skip
_NUMPY |= dict.fromkeys(_PACKED, "uint8") | {"bfloat16": "uint16"}

# Fields of options that are enumerations, which the generated schema does not say.
ENUMERATIONS = {
    "padding": "Padding", "fused_activation_function": "ActivationFunctionType", "weights_format": "FullyConnectedOptionsWeightsFormat",
    "kernel_type": "LSTMKernelType", "combiner": "CombinerType", "mode": "MirrorPadMode", "type": "LSHProjectionType",
    "reduce_function": "ReduceWindowFunction", "algorithm": "RngAlgorithm", "composite_attributes_format": "CustomOptionsFormat",
    "comparison_direction": "StablehloComparisonDirection", "compare_type": "StablehloComparisonType",
    **dict.fromkeys(("in_data_type", "out_data_type", "output_type", "out_type", "idx_out_type", "key_dtype", "value_dtype",
                     "quantized_bias_type"), "TensorType"),
}  # fmt: skip


@dataclass(frozen=True)
class _Demand:
    """What whoever reads a network may rely on: the table of options (its defaults where the file leaves it out), and ranks of the first inputs."""

    options: str
    ranks: tuple[int | None, ...] = (None,)  # None: any


_DEMANDS = {
    "CONV_2D": _Demand("Conv2DOptions", (4, 4)), "DEPTHWISE_CONV_2D": _Demand("DepthwiseConv2DOptions", (4, 4)),
    "TRANSPOSE_CONV": _Demand("TransposeConvOptions", (1, 4, 4)), "FULLY_CONNECTED": _Demand("FullyConnectedOptions", (None, 2)),
    "BATCH_MATMUL": _Demand("BatchMatMulOptions", (None, None)), "CONV_3D": _Demand("Conv3DOptions", (5, 5)),
    **dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D", "L2_POOL_2D"), _Demand("Pool2DOptions", (4,))),
    **{name.upper(): _Demand(f"{name}Options", (None, None)) for name in ("Add", "Sub", "Mul", "Div")},
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"), _Demand("ReducerOptions", (None, None))),
    "CONCATENATION": _Demand("ConcatenationOptions"), "SOFTMAX": _Demand("SoftmaxOptions"), "RESHAPE": _Demand("ReshapeOptions"),
    "SQUEEZE": _Demand("SqueezeOptions"), "STRIDED_SLICE": _Demand("StridedSliceOptions"), "PACK": _Demand("PackOptions"),
    "UNPACK": _Demand("UnpackOptions"), "SPLIT": _Demand("SplitOptions", (None, None)), "SPLIT_V": _Demand("SplitVOptions"),
    "GATHER": _Demand("GatherOptions", (None, None)), "CAST": _Demand("CastOptions"), "LEAKY_RELU": _Demand("LeakyReluOptions"),
    "RESIZE_BILINEAR": _Demand("ResizeBilinearOptions", (4, 1)), "RESIZE_NEAREST_NEIGHBOR": _Demand("ResizeNearestNeighborOptions", (4, 1)),
    "MIRROR_PAD": _Demand("MirrorPadOptions", (None, 2)), "DEPTH_TO_SPACE": _Demand("DepthToSpaceOptions"),
    "SPACE_TO_DEPTH": _Demand("SpaceToDepthOptions"), "SVDF": _Demand("SVDFOptions", (2, 2, 2)), "LSTM": _Demand("LSTMOptions"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _Demand("UnidirectionalSequenceLSTMOptions"),
}  # fmt: skip


def read_tflite(path: str | Path) -> Network:
    """The network of a TFLite file: operators and tensors of its main subgraph, constants as read-only views of the file where NumPy has their type.

    int4, uint4 and int2 constants are unpacked to int8 or uint8, bfloat16 to float32; strings and 8-bit floats have no values.
    InputError names file and place where the file is no TFLite file, is damaged, holds more than `LARGEST_FILE` bytes or sparse constants, or has
    operators that are newer than the schema. Needs `ai_edge_litert` (for the schema) and `flatbuffers`.
    """
    path = Path(path)
    data = read_bytes(path, LARGEST_FILE)
    if data[4:8] != b"TFL3":
        raise InputError(path, "file", "is no TFLite file: bytes 4 to 7 must be TFL3; export it again")
    file = _File(path, data)
    try:
        return file.network()
    except (struct.error, ValueError, TypeError, IndexError, OverflowError) as error:  # of offsets that lead out of the file
        raise InputError(path, file.place, f"cannot be read ({error}); {_DAMAGED}") from error


class _File:
    """One file; `place` is what is being read, for the refusals."""

    def __init__(self, path: Path, data: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.path, self.data, self.place = path, data, "model"
        self._left = len(data) + _SLACK
        self._kinds: dict[int, tuple[str, int]] = {}
        self._decoded: dict[tuple[int, str], NDArray[Any]] = {}
        self._names: dict[str, dict[int, str]] = {}

    def network(self) -> Network:
        model = self.schema.Model.GetRootAs(self.data, 0)
        if model.Version() != 3:
            self._refuse(f"has schema version {model.Version()}, 3 is read; export it with a TensorFlow of this decade")
        if not model.SubgraphsLength():
            self._refuse(f"holds no subgraph; {_DAMAGED}")
        self.model, graph = model, model.Subgraphs(0)
        for count in (graph.TensorsLength(), graph.OperatorsLength(), model.SubgraphsLength()):
            if count > _MOST:
                self._refuse(f"says it has {count} tensors, operators or subgraphs, at most {_MOST} are read; {_DAMAGED}")
        tensors = [self._tensor(index, graph.Tensors(index)) for index in range(graph.TensorsLength())]
        operators = tuple(self._operator(index, graph.Operators(index), tensors) for index in range(graph.OperatorsLength()))
        self.place = "inputs"
        inputs = self._tensors(self._integers(graph, "Inputs"), tensors)
        self.place = "outputs"
        outputs = self._tensors(self._integers(graph, "Outputs"), tensors)
        return Network(self.path.stem, operators, inputs, outputs, len(self.data), model.SubgraphsLength())

    def _tensor(self, index: int, tensor: Any) -> Tensor:
        self.place = f"tensor {index}"
        name = self._text(tensor.Name())
        self.place = f"tensor {index} ({name[:80]})"
        dtype = self._named("TensorType", tensor.Type()).lower()
        if tensor.Sparsity() is not None:
            self._refuse("is stored sparsely, which is not read; convert the model without sparsity")
        fixed = tuple(self._integers(tensor, "Shape"))
        signature = tuple(self._integers(tensor, "ShapeSignature")) or fixed
        values = self._constant(tensor.Buffer(), fixed, dtype)
        lengths = fixed if values is not None else signature
        if len(signature) != len(fixed) or len(fixed) > _HIGHEST_RANK or min(lengths, default=0) < -1:
            self._refuse(f"has shape {list(fixed)[:40]} and shape signature {list(signature)[:40]}; {_DAMAGED}")
        shape = tuple(None if length == -1 else length for length in lengths)
        return Tensor(name, shape, dtype, *self._quantisation(tensor.Quantization(), shape), values)

    def _quantisation(self, quantisation: Any, shape: tuple[int | None, ...]) -> tuple[tuple[float, ...], tuple[int, ...], int]:
        """Scales, zero points and their axis; of blocks or of several axes none, for `Tensor` cannot say them."""
        if quantisation is None or quantisation.DetailsType() or not quantisation.ScaleLength():
            return (), (), 0
        scale, zero_point = tuple(self._numbers(quantisation, "Scale")), tuple(self._integers(quantisation, "ZeroPoint"))
        axis = quantisation.QuantizedDimension() if len(scale) > 1 else 0
        if len(scale) > 1 and not (0 <= axis < len(shape) and shape[axis] in (len(scale), None)):
            self._refuse(f"has {len(scale)} scales along axis {axis} of shape {list(shape)}; {_DAMAGED}")
        zero_point = zero_point * len(scale) if len(zero_point) == 1 else zero_point or (0,) * len(scale)
        if len(zero_point) != len(scale):
            self._refuse(f"has {len(zero_point)} zero points for {len(scale)} scales; {_DAMAGED}")
        return scale, zero_point, axis

    def _constant(self, index: int, shape: tuple[int, ...], dtype: str) -> NDArray[Any] | None:
        """Values [shape] of the buffer, None where it is empty: the tensor is computed."""
        if not 0 <= index < self.model.BuffersLength():
            self._refuse(f"takes buffer {index}, the file holds {self.model.BuffersLength()}; {_DAMAGED}")
        buffer = self.model.Buffers(index)
        data = np.frombuffer(b"", np.uint8)
        if buffer.Offset() > 1:  # data behind the FlatBuffer, as in files above 2 GiB
            if buffer.Offset() + buffer.Size() > len(self.data):
                self._refuse(f"has values up to byte {buffer.Offset() + buffer.Size()}, the file holds {len(self.data)}; it is cut short, copy it again")
            data = np.frombuffer(self.data, np.uint8, buffer.Size(), buffer.Offset())
        elif buffer.DataLength():
            data = buffer.DataAsNumpy()
        if not data.size or dtype not in _NUMPY:
            return None
        if min(shape, default=0) < 0 or len(shape) > _HIGHEST_RANK:
            self._refuse(f"is constant and has shape {list(shape)[:40]}; {_DAMAGED}")
        elements, bits = prod(shape), _PACKED.get(dtype, 8 * np.dtype(_NUMPY[dtype]).itemsize)
        if data.size != -(-elements * bits // 8):
            self._refuse(f"holds {data.size} bytes of values, its shape {list(shape)} of {dtype} needs {-(-elements * bits // 8)}; {_DAMAGED}")
        if dtype not in _PACKED and dtype != "bfloat16":
            return data.view(np.dtype(_NUMPY[dtype]).newbyteorder("<")).reshape(shape)
        if (index, dtype) not in self._decoded:
            self._charge(data.size)
            self._decoded[index, dtype] = _decoded(data, dtype)
        return self._decoded[index, dtype][:elements].reshape(shape)

    def _operator(self, index: int, operator: Any, tensors: list[Tensor]) -> Operator:
        self.place = f"operator {index}"
        kind, version = self._kind(operator.OpcodeIndex())
        self.place = f"operator {index} ({kind[:80]})"
        inputs = tuple(None if at == -1 else self._tensors([at], tensors)[0] for at in self._integers(operator, "Inputs"))
        outputs = self._tensors(self._integers(operator, "Outputs"), tensors)
        name, options = self._options(operator)
        if kind in _DEMANDS:
            demand = _DEMANDS[kind]
            if name is None:
                name, options = demand.options, self._fields(getattr(self.schema, f"{demand.options}T")())
            if name != demand.options:
                self._refuse(f"has the options of another operator, {name}; {_DAMAGED}")
            if len(inputs) < len(demand.ranks) or not outputs:
                self._refuse(f"has {len(inputs)} inputs and {len(outputs)} outputs, needs {len(demand.ranks)} and 1; {_DAMAGED}")
            for tensor, rank in zip(inputs, demand.ranks, strict=False):
                # No axis at all is how converters write a shape that they do not know.
                if tensor is None or (rank is not None and (len(tensor.shape) not in (0, rank) or 0 in tensor.shape)):
                    self._refuse(f"has an input of shape {tensor and list(tensor.shape)}, needs {rank or 'some'} axes, none of length 0; {_DAMAGED}")
            for field, value in options.items():
                if field.startswith(("stride_", "filter_", "dilation_")) and value < 1:
                    self._refuse(f"has {field} {value}, must be 1 or more; {_DAMAGED}")
        return Operator(kind, inputs, outputs, options, version)

    def _kind(self, index: int) -> tuple[str, int]:
        """Name and version of an operator code."""
        if index not in self._kinds:
            if not 0 <= index < self.model.OperatorCodesLength():
                self._refuse(f"has operator code {index}, the file holds {self.model.OperatorCodesLength()}; {_DAMAGED}")
            code = self.model.OperatorCodes(index)
            # What was written before 2020 has only the deprecated field; later files have both, the old one at most 127.
            kind = self._named("BuiltinOperator", max(code.BuiltinCode(), code.DeprecatedBuiltinCode()))
            self._kinds[index] = (f"CUSTOM {self._text(code.CustomCode())}" if kind == "CUSTOM" else kind, code.Version())
        return self._kinds[index]

    def _options(self, operator: Any) -> tuple[str | None, dict[str, Any]]:
        """Name of the table of options, None where there is none, and its fields."""
        for union, kind, table in (("BuiltinOptions", operator.BuiltinOptionsType(), operator.BuiltinOptions()),
                                   ("BuiltinOptions2", operator.BuiltinOptions2Type(), operator.BuiltinOptions2())):  # fmt: skip
            name = self._named(union, kind)
            if name != "NONE" and table is not None:
                return name, self._fields(getattr(self.schema, f"{name}T").InitFromBuf(table.Bytes, table.Pos))
        return None, {}

    def _fields(self, table: Any) -> dict[str, Any]:
        """Fields of a table of options of the object API: numbers, names of enumerations, texts, tuples of vectors."""
        fields: dict[str, Any] = {}
        for camel_case, value in vars(table).items():
            field = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", camel_case)
            if isinstance(value, np.ndarray):
                self._charge(value.nbytes)
                value = tuple(value.tolist())
            elif isinstance(value, bytes):
                value = self._text(value)
            elif field in ENUMERATIONS and isinstance(value, int):
                value = self._named(ENUMERATIONS[field], value)
            fields[field] = value
        return fields

    def _tensors(self, indices: list[int], tensors: list[Tensor]) -> tuple[Tensor, ...]:
        for index in indices:
            if not 0 <= index < len(tensors):
                self._refuse(f"takes tensor {index}, the subgraph holds {len(tensors)}; {_DAMAGED}")
        return tuple(tensors[index] for index in indices)

    def _named(self, enumeration: str, value: int) -> str:
        if enumeration not in self._names:
            self._names[enumeration] = {number: name for name, number in vars(getattr(self.schema, enumeration)).items() if not name.startswith("_")}
        if value not in self._names[enumeration]:
            self._refuse(f"has {enumeration} {value}, which the schema of this ai_edge_litert does not know; update ai-edge-litert, or {_DAMAGED}")
        return self._names[enumeration][value]

    def _integers(self, table: Any, field: str) -> list[int]:
        return [int(value) for value in self._numbers(table, field)]

    def _numbers(self, table: Any, field: str) -> list[Any]:
        count = getattr(table, f"{field}Length")()
        self._charge(4 * count)
        return list(getattr(table, f"{field}AsNumpy")().tolist()) if count else []

    def _text(self, text: bytes | None) -> str:
        self._charge(len(text or b""))
        return (text or b"").decode(errors="replace")

    def _charge(self, size: int) -> None:
        """An honest file holds each vector once: all that is read is no longer than the file."""
        self._left -= size
        if self._left < 0:
            self._refuse(f"has a vector that is longer than the file, or that too many tables share; {_DAMAGED}")

    def _refuse(self, reason: str) -> NoReturn:
        raise InputError(self.path, self.place, reason)


def _decoded(data: NDArray[np.uint8], dtype: str) -> NDArray[Any]:
    """Elements of bytes that NumPy has no type for, as int8, uint8 or float32 [n]; of the last byte all, whether they are wanted or not."""
    if dtype == "bfloat16":
        return (data.view("<u2").astype(np.uint32) << 16).view(np.float32)
    bits = _PACKED[dtype]
    codes = (data[:, np.newaxis] >> np.arange(0, 8, bits, dtype=np.uint8) & (1 << bits) - 1).reshape(-1)
    sign = 1 << bits - 1
    return codes if dtype == "uint4" else (codes.astype(np.int8) ^ sign) - np.int8(sign)
