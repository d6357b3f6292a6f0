"""Int8 TFLite written from the integer graph directly as a FlatBuffer: every integer and every scale as it is, nothing computed anew.

Schema: tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3, as generated into `ai_edge_litert.schema_py_generated`. Versions of
operators: tensorflow/lite/tools/versioning/op_version.cc.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.graph.operators import same_padding
from edge_runtime.graph.structure import Graph, Operator, Tensor

DESCRIPTION = "pixie"
_ALIGNMENT = 16  # bytes, for constants: the schema's force_align, which the generated Python does not keep


def tflite_bytes(graph: Graph) -> bytes:
    """The TFLite file of a checked graph: static shapes, batch 1, same bytes for the same graph on every machine.

    Needs `ai_edge_litert` (for the schema) and `flatbuffers`, no TensorFlow; ModuleNotFoundError where one is absent.
    """
    file = _File(graph)
    for operator in graph.operators:
        _WRITERS[operator.kind](file, operator)
    return file.finish()


class _File:
    """Tensors, constants and operators in the order in which they are added."""

    def __init__(self, graph: Graph) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.graph = graph
        self.tensors: list[Any] = []
        self.buffers: list[bytes] = [b""]  # buffer 0 is the empty one: a tensor that is computed
        self.operators: list[Any] = []
        self.codes: list[tuple[int, int]] = []  # (builtin operator, version)
        self.indices: dict[str, int] = {}
        for name in graph.inputs:
            self.index(name)

    def index(self, name: str) -> int:
        """Index of a tensor of the graph in the file, which is added at its first use."""
        if name not in self.indices:
            self.indices[name] = self.add(self.graph.tensors[name])
        return self.indices[name]

    def add(self, tensor: Tensor, codes: NDArray[Any] | None = None, channel_axis: int | None = None) -> int:
        """Add a tensor; `codes` and `channel_axis` stand in for its own where TFLite wants another layout."""
        codes = tensor.codes if codes is None else codes
        channel_axis = tensor.channel_axis if channel_axis is None else channel_axis
        quantisation = self.schema.QuantizationParametersT()
        quantisation.scale = np.asarray(tensor.scale, np.float32)
        quantisation.zeroPoint = np.full(len(tensor.scale), tensor.zero_point, np.int64)
        quantisation.quantizedDimension = channel_axis or 0
        types = {"int8": self.schema.TensorType.INT8, "int32": self.schema.TensorType.INT32}
        return self._add(tensor.name, tensor.shape if codes is None else codes.shape, types[tensor.dtype], codes, quantisation)

    def integers(self, name: str, values: Sequence[Any] | NDArray[Any]) -> int:
        """Add a constant int32 tensor that steers an operator: a shape, paddings, a permutation."""
        array = np.asarray(values, np.int32)
        return self._add(name, array.shape, self.schema.TensorType.INT32, array, None)

    def _add(self, name: str, shape: Sequence[int], dtype: int, codes: NDArray[Any] | None, quantisation: Any) -> int:
        tensor = self.schema.TensorT()
        tensor.name = name
        tensor.shape = np.asarray(shape, np.int32)
        tensor.type = dtype
        tensor.quantization = quantisation
        tensor.buffer = 0
        if codes is not None:
            tensor.buffer = len(self.buffers)
            self.buffers.append(codes.astype(codes.dtype.newbyteorder("<")).tobytes())
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operate(self, operator: str, version: int, inputs: Sequence[int], output: int, options: str | None = None, **values: Any) -> None:
        """Add an operator by its names in the schema; `values` are the fields of its options."""
        code = (getattr(self.schema.BuiltinOperator, operator), version)
        if code not in self.codes:
            self.codes.append(code)
        record = self.schema.OperatorT()
        record.opcodeIndex = self.codes.index(code)
        record.inputs = np.asarray(inputs, np.int32)
        record.outputs = np.asarray([output], np.int32)
        if options is not None:
            record.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            record.builtinOptions = getattr(self.schema, options + "T")()
            for field, value in values.items():
                setattr(record.builtinOptions, field, value)
        self.operators.append(record)

    def finish(self) -> bytes:
        import flatbuffers

        schema = self.schema
        builder = flatbuffers.Builder(sum(map(len, self.buffers)) + 65536)
        buffers = _vector(builder, schema.ModelStartBuffersVector, [self._pack_buffer(builder, data) for data in self.buffers])
        subgraph = schema.SubGraphT()
        subgraph.name = "main"
        subgraph.tensors, subgraph.operators = self.tensors, self.operators
        subgraph.inputs = np.asarray([self.indices[name] for name in self.graph.inputs], np.int32)
        subgraph.outputs = np.asarray([self.indices[name] for name in self.graph.outputs], np.int32)
        subgraphs = _vector(builder, schema.ModelStartSubgraphsVector, [subgraph.Pack(builder)])
        codes = _vector(builder, schema.ModelStartOperatorCodesVector, [self._code(*code).Pack(builder) for code in self.codes])
        description = builder.CreateString(DESCRIPTION)
        schema.ModelStart(builder)
        schema.ModelAddVersion(builder, 3)
        schema.ModelAddOperatorCodes(builder, codes)
        schema.ModelAddSubgraphs(builder, subgraphs)
        schema.ModelAddDescription(builder, description)
        schema.ModelAddBuffers(builder, buffers)
        builder.Finish(schema.ModelEnd(builder), b"TFL3")
        return bytes(builder.Output())

    def _pack_buffer(self, builder: Any, data: bytes) -> int:
        vector = None
        if data:
            builder.StartVector(1, len(data), _ALIGNMENT)
            builder.head -= len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            vector = builder.EndVector()
        self.schema.BufferStart(builder)
        if vector is not None:
            self.schema.BufferAddData(builder, vector)
        return int(self.schema.BufferEnd(builder))

    def _code(self, operator: int, version: int) -> Any:
        code = self.schema.OperatorCodeT()
        code.builtinCode = operator
        code.deprecatedBuiltinCode = min(operator, 127)  # what readers from before 2020 look at
        code.version = version
        return code


def _vector(builder: Any, start: Callable[[Any, int], Any], offsets: list[int]) -> int:
    start(builder, len(offsets))
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _computed(like: Tensor, name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, shape, like.dtype, like.scale, like.zero_point)


def _plane_padding(file: _File, operator: Operator, kernel: tuple[int, ...], dilation: tuple[int, ...], fill: int) -> tuple[int, int]:
    """(input index, schema padding): VALID or SAME where one of them is the graph's padding, else padding with `fill` before VALID."""
    x = file.graph.tensors[operator.inputs[0]]
    top, bottom, left, right = operator.attributes["padding"]
    stride = operator.attributes["stride"]
    padding = file.schema.Padding
    if top == bottom == left == right == 0:
        return file.index(x.name), padding.VALID
    same = [same_padding(x.shape[1 + i], kernel[i], stride[i], dilation[i]) for i in range(2)]
    if same == [(top, bottom), (left, right)]:
        return file.index(x.name), padding.SAME
    _, h, w, c = x.shape
    padded = file.add(_computed(x, f"{operator.outputs[0]}:padded", (1, h + top + bottom, w + left + right, c)))
    _pad(file, operator.outputs[0], file.index(x.name), padded, x, [(0, 0), (top, bottom), (left, right), (0, 0)], fill)
    return padded, padding.VALID


def _pad(file: _File, name: str, source: int, target: int, x: Tensor, amounts: list[tuple[int, int]], fill: int) -> None:
    version = 4 if len(x.shape) > 4 else 2
    paddings = file.integers(f"{name}:paddings", amounts)
    if fill == x.zero_point:
        file.operate("PAD", version, [source, paddings], target, "PadOptions")
    else:
        value = file.add(_computed(x, f"{name}:fill", ()), np.asarray(fill, np.int8))
        file.operate("PADV2", version, [source, paddings, value], target, "PadV2Options")


def _clamped(file: _File, operator: Operator) -> tuple[int, int]:
    """(activation, index of the tensor to write to); what no activation says is clamped by MAXIMUM and MINIMUM afterwards, exactly."""
    y = file.graph.tensors[operator.outputs[0]]
    low, high = operator.attributes["clamp"]
    activations = file.schema.ActivationFunctionType
    if (low, high) == (-128, 127):
        return activations.NONE, file.index(y.name)
    if (low, high) == (y.zero_point, 127):
        return activations.RELU, file.index(y.name)
    return activations.NONE, file.add(_computed(y, f"{y.name}:unclamped", y.shape))


def _clamp_after(file: _File, operator: Operator, written: int) -> None:
    target = file.index(operator.outputs[0])
    if written != target:
        _limit(file, operator, written, target)


def _limit(file: _File, operator: Operator, source: int, target: int) -> None:
    y = file.graph.tensors[operator.outputs[0]]
    low, high = operator.attributes["clamp"]
    limits = [limit for limit in (("MAXIMUM", low, -128), ("MINIMUM", high, 127)) if limit[1] != limit[2]] or [("MAXIMUM", low, -128)]
    for step, (name, code, _) in enumerate(limits):
        constant = file.add(_computed(y, f"{y.name}:{name.lower()}", ()), np.asarray(code, np.int8))
        result = target if step == len(limits) - 1 else file.add(_computed(y, f"{y.name}:{name.lower()}ed", y.shape))
        file.operate(name, 2, [source, constant], result, "MaximumMinimumOptions")
        source = result


def _conv_2d(file: _File, operator: Operator) -> None:
    x, weights, bias = (file.graph.tensors[name] for name in operator.inputs)
    stride, dilation, groups = (operator.attributes[name] for name in ("stride", "dilation", "groups"))
    assert weights.codes is not None
    source, padding = _plane_padding(file, operator, weights.shape[1:3], dilation, x.zero_point)
    activation, written = _clamped(file, operator)
    options = {"padding": padding, "strideH": stride[0], "strideW": stride[1], "fusedActivationFunction": activation,
               "dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    channels = x.shape[3]
    if groups == channels > 1:
        # [o, kh, kw, 1] becomes [1, kh, kw, o]: the depthwise kernel keeps its channels last.
        axis = None if weights.channel_axis is None else 3
        kernel = file.add(weights, np.ascontiguousarray(weights.codes.transpose(3, 1, 2, 0)), axis)
        file.operate("DEPTHWISE_CONV_2D", 3, [source, kernel, file.index(bias.name)], written, "DepthwiseConv2DOptions",
                     depthMultiplier=weights.shape[0] // channels, **options)
    else:
        kernel = file.index(weights.name)
        file.operate("CONV_2D", 3 if groups == 1 else 6, [source, kernel, file.index(bias.name)], written, "Conv2DOptions", **options)
    _clamp_after(file, operator, written)


def _transpose_conv(file: _File, operator: Operator) -> None:
    x, weights, bias = (file.graph.tensors[name] for name in operator.inputs)
    y = file.graph.tensors[operator.outputs[0]]
    stride = operator.attributes["stride"]
    top, _, left, _ = operator.attributes["padding"]
    activation, written = _clamped(file, operator)
    # TFLite thinks of the convolution that y would be the input of: its SAME must give x's size and cut as much before as the graph does.
    same = [same_padding(y.shape[1 + i], weights.shape[1 + i], stride[i], 1)[0] for i in range(2)]
    # SAME with a stride above the kernel is refused by XNNPACK and left to kernels that round otherwise.
    fits = all(-(-y.shape[1 + i] // stride[i]) == x.shape[1 + i] and stride[i] <= weights.shape[1 + i] for i in range(2))
    fits = fits and same == [top, left]
    full = tuple(max((x.shape[1 + i] - 1) * stride[i] + weights.shape[1 + i], cut + y.shape[1 + i]) for i, cut in enumerate((top, left)))
    whole, padding, target = y.shape, file.schema.Padding.SAME, written
    if full == y.shape[1:3]:
        padding = file.schema.Padding.VALID
    elif not fits:
        whole, padding = (1, *full, y.shape[3]), file.schema.Padding.VALID
        target = file.add(_computed(y, f"{y.name}:uncut", whole))
    shape = file.integers(f"{y.name}:shape", whole)
    file.operate("TRANSPOSE_CONV", 3 if activation == file.schema.ActivationFunctionType.NONE else 4,
                 [shape, file.index(weights.name), file.index(x.name), file.index(bias.name)], target, "TransposeConvOptions",
                 padding=padding, strideH=stride[0], strideW=stride[1], fusedActivationFunction=activation)
    if target != written:
        begin = file.integers(f"{y.name}:begin", (0, top, left, 0))
        file.operate("SLICE", 2, [target, begin, file.integers(f"{y.name}:size", y.shape)], written, "SliceOptions")
    _clamp_after(file, operator, written)


def _fully_connected(file: _File, operator: Operator) -> None:
    activation, written = _clamped(file, operator)
    keep = len(file.graph.tensors[operator.inputs[0]].shape) > 2
    file.operate("FULLY_CONNECTED", 5 if keep else 4, [file.index(name) for name in operator.inputs], written, "FullyConnectedOptions",
                 fusedActivationFunction=activation, keepNumDims=keep)
    _clamp_after(file, operator, written)


def _add_operator(file: _File, operator: Operator) -> None:
    activation, written = _clamped(file, operator)
    file.operate("ADD", 2, [file.index(name) for name in operator.inputs], written, "AddOptions", fusedActivationFunction=activation)
    _clamp_after(file, operator, written)


def _concatenation(file: _File, operator: Operator) -> None:
    inputs = [file.index(name) for name in operator.inputs]
    file.operate("CONCATENATION", 2, inputs, file.index(operator.outputs[0]), "ConcatenationOptions", axis=operator.attributes["axis"])


def _reshape(file: _File, operator: Operator) -> None:
    y = file.graph.tensors[operator.outputs[0]]
    shape = file.integers(f"{y.name}:shape", y.shape)
    file.operate("RESHAPE", 1, [file.index(operator.inputs[0]), shape], file.index(y.name), "ReshapeOptions",
                 newShape=np.asarray(y.shape, np.int32))


def _transpose(file: _File, operator: Operator) -> None:
    permutation = operator.attributes["permutation"]
    axes = file.integers(f"{operator.outputs[0]}:permutation", permutation)
    source, target = file.index(operator.inputs[0]), file.index(operator.outputs[0])
    file.operate("TRANSPOSE", 4 if len(permutation) > 4 else 2, [source, axes], target, "TransposeOptions")


def _pool(name: str) -> Callable[[_File, Operator], None]:
    def write(file: _File, operator: Operator) -> None:
        kernel, stride = operator.attributes["kernel"], operator.attributes["stride"]
        source, padding = _plane_padding(file, operator, kernel, (1, 1), -128)
        file.operate(name, 2, [source], file.index(operator.outputs[0]), "Pool2DOptions", padding=padding,
                     strideH=stride[0], strideW=stride[1], filterHeight=kernel[0], filterWidth=kernel[1])

    return write


def _mean(file: _File, operator: Operator) -> None:
    axes = file.integers(f"{operator.outputs[0]}:axes", (1, 2))
    keep = len(file.graph.tensors[operator.outputs[0]].shape) == 4
    file.operate("MEAN", 2, [file.index(operator.inputs[0]), axes], file.index(operator.outputs[0]), "ReducerOptions", keepDims=keep)


def _pad_operator(file: _File, operator: Operator) -> None:
    x = file.graph.tensors[operator.inputs[0]]
    amounts = list(zip(operator.attributes["before"], operator.attributes["after"], strict=True))
    _pad(file, operator.outputs[0], file.index(x.name), file.index(operator.outputs[0]), x, amounts, x.zero_point)


def _resize_nearest(file: _File, operator: Operator) -> None:
    y = file.graph.tensors[operator.outputs[0]]
    size = file.integers(f"{y.name}:size", y.shape[1:3])
    # Half-pixel centres: (i + 0.5) / factor stays half a step away from every integer, where i / factor may fall below one in float32.
    file.operate("RESIZE_NEAREST_NEIGHBOR", 3, [file.index(operator.inputs[0]), size], file.index(y.name), "ResizeNearestNeighborOptions",
                 halfPixelCenters=True)


def _logistic(file: _File, operator: Operator) -> None:
    file.operate("LOGISTIC", 2, [file.index(operator.inputs[0])], file.index(operator.outputs[0]))


def _clamp(file: _File, operator: Operator) -> None:
    source, target = file.index(operator.inputs[0]), file.index(operator.outputs[0])
    if operator.attributes["clamp"] == (file.graph.tensors[operator.outputs[0]].zero_point, 127):
        file.operate("RELU", 2, [source], target)
    else:
        _limit(file, operator, source, target)


def _requantise(file: _File, operator: Operator) -> None:
    file.operate("QUANTIZE", 1, [file.index(operator.inputs[0])], file.index(operator.outputs[0]), "QuantizeOptions")


_WRITERS: dict[str, Callable[[_File, Operator], None]] = {
    "conv_2d": _conv_2d,
    "transpose_conv": _transpose_conv,
    "fully_connected": _fully_connected,
    "add": _add_operator,
    "concatenation": _concatenation,
    "reshape": _reshape,
    "transpose": _transpose,
    "max_pool_2d": _pool("MAX_POOL_2D"),
    "average_pool_2d": _pool("AVERAGE_POOL_2D"),
    "mean": _mean,
    "pad": _pad_operator,
    "resize_nearest": _resize_nearest,
    "logistic": _logistic,
    "clamp": _clamp,
    "requantise": _requantise,
}
