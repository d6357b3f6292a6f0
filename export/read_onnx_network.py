"""Any ONNX file as a network, as if it had been converted to TFLite: float and foreign ones too, quantised in QDQ, QCDQ or QOperator form.

In this order: constants are computed; DequantizeLinear moves down and QuantizeLinear up past what only moves codes; Relu and bias join the layer
before them; an operator whose inputs are all dequantised and whose result is quantised works on codes, as ONNX Runtime's QDQ fusion sees it; names
become tensors, channels-last wherever convolutions, pools or resizes work on them or on their sums; every operator gets TFLite's name. What
TFLite has no operator for is "ONNX name", loops and branches too, so that whoever cannot price it can say so.

What may surprise: uint8 codes become int8 (less 128); series [n, c, l] become [n, 1, l, c]; padding that is not SAME becomes a PAD before a VALID
layer; real inputs and outputs stay real, so a quantised file begins with QUANTIZE and ends with DEQUANTIZE; columns of dense layers stay in the
order of the file, their alpha and beta are not multiplied in. Sources: onnx/docs/Operators.md, onnxruntime/docs/ContribOperators.md,
onnxruntime/core/optimizer/qdq_transformer.
"""

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from edge_runtime.errors import InputError
from edge_runtime.files import read_bytes
from hw_profiles.network import Network

from .onnx_network.names import Names, nested
from .onnx_network.operators import written
from .onnx_network.steps import joined, moved_down, moved_up, needed, on_codes
from .onnx_reader.door import Refused

LARGEST_FILE = 1 << 30  # bytes; protobuf stops at 2 GiB


def read_onnx_network(path: str | Path) -> Network:
    """The network of an ONNX file: activations of convolutions and all 4-D ones channels-last, unknown lengths None, unknown ranks [None].

    InputError names file and place where the file is no ONNX model, is damaged, does not keep to the standard, holds more than `LARGEST_FILE` bytes
    or keeps its weights in other files.
    """
    path = Path(path)
    data = read_bytes(path, LARGEST_FILE)
    try:
        model = onnx.ModelProto.FromString(data)
    except (DecodeError, ValueError) as error:
        raise InputError(path, "file", "is no ONNX model, or is truncated; export it again") from error
    if not model.graph.node or not model.graph.output:
        raise InputError(path, "graph", "holds no operators or no outputs; the file is no ONNX model, or is damaged: export it again")
    subgraphs = 1 + sum(1 for _ in nested(model.graph))
    names = Names(path, len(data))
    try:
        names.read(model)
        for step in (moved_down, joined, moved_up, on_codes, needed):
            names.nodes = step(names)
        writer = written(names)
        inputs, outputs = (tuple(writer.tensor(names.known_as(name)) for name in ends) for ends in (names.inputs, names.outputs))
    except (Refused, ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError, MemoryError) as error:
        raise InputError(path, names.place, f"cannot be read ({error}); export it again") from error
    return Network(path.stem, tuple(writer.operators), inputs, outputs, len(data), subgraphs)
