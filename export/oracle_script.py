"""What runs inside TensorFlow's own process; started by `export.oracle_tensorflow`.

    python -m export.oracle_script run MODEL.tflite WINDOWS.npz OUTPUTS.npz default|builtin|reference
    python -m export.oracle_script quantise FLOAT.onnx WINDOWS.npz MODEL.tflite
"""

import sys
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_runtime.files import write_file

from .onnx_reader.door import Model, Node, open_model
from .onnx_reader.layout import canonical_order, canonical_shape


def _run(model: str, windows: str, outputs: str, kernels: str) -> None:
    """Read a TFLite file and run it on every window."""
    resolvers = tf.lite.experimental.OpResolverType
    resolver = {"default": resolvers.AUTO, "builtin": resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES, "reference": resolvers.BUILTIN_REF}[kernels]
    interpreter = tf.lite.Interpreter(model_path=model, num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    # A converted file names its ends in a signature, ours names the tensors themselves.
    signature = interpreter._get_full_signature_list().get("serving_default", {"inputs": {}, "outputs": {}})
    ends = []
    for details, field in ((interpreter.get_input_details(), "inputs"), (interpreter.get_output_details(), "outputs")):
        names = {index: name for name, index in signature[field].items()}
        ends.append({names.get(detail["index"], detail["name"]): detail["index"] for detail in details})
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in ends[1]}
    with np.load(windows) as arrays:
        given = dict(arrays)
    for k in range(len(next(iter(given.values())))):
        for name, codes in given.items():
            interpreter.set_tensor(ends[0][name], codes[k : k + 1])
        interpreter.invoke()
        for name, index in ends[1].items():
            found[name].append(interpreter.get_tensor(index))
    np.savez(outputs, **{name: np.concatenate(parts) for name, parts in found.items()})


def _quantise(float_onnx: str, windows: str, model: str) -> None:
    """Build the float network of a float ONNX file in TensorFlow, channels-last, and convert it to int8."""
    source = open_model(Path(float_onnx))
    (name, shape), = source.inputs.items()
    with np.load(windows) as arrays:
        given = arrays["windows"].astype(np.float32)
    inner = canonical_shape(shape)
    placed = np.moveaxis(given, 1, -1).reshape(-1, *inner[1:]) if given.ndim > 2 else given

    # TensorFlow wants arguments that are Python names; the signature gets the ONNX names of the outputs only.
    @tf.function(input_signature=[tf.TensorSpec(inner, tf.float32, name="windows")])
    def network(windows: Any) -> dict[str, Any]:
        return _network(source, name, windows)

    module = tf.Module()
    module.network = network
    converter = tf.lite.TFLiteConverter.from_concrete_functions([network.get_concrete_function()], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([placed[k : k + 1]] for k in range(len(placed)))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    write_file(Path(model), converter.convert())


def _network(source: Model, name: str, windows: Any) -> dict[str, Any]:
    """The outputs of the float network by their ONNX names, computed channels-last; a dense layer gets its columns in the order of its input."""
    values: dict[str, tuple[Any, tuple[int, ...], Any]] = {name: (windows, source.inputs[name], None)}  # tensor, ONNX shape, order of features
    constants = dict(source.constants)
    for node in source.nodes:
        if node.kind == "Constant":
            constants[node.outputs[0]] = node.attributes["value"]
            continue
        x, shape, order = values[node.inputs[0]]
        parameters = [constants[item] for item in node.inputs[1:]]
        if node.kind in ("Conv", "ConvTranspose"):
            values[node.outputs[0]] = (*_convolved(node, x, shape, parameters), None)
        elif node.kind == "Gemm":
            weights = parameters[0].T if node.integer("transB", 0) else parameters[0]  # c, o
            weights = weights if order is None else weights[order]
            values[node.outputs[0]] = tf.matmul(x, weights) + (parameters[1] if len(parameters) > 1 else 0), (1, weights.shape[1]), None
        elif node.kind in ("Relu", "Identity"):
            values[node.outputs[0]] = tf.nn.relu(x) if node.kind == "Relu" else x, shape, order
        elif node.kind == "MaxPool":
            values[node.outputs[0]] = (*_pooled(node, x, shape), None)
        elif node.kind in ("Flatten", "Reshape"):
            wanted = (1, prod(shape)) if node.kind == "Flatten" else np.empty(prod(shape)).reshape(parameters[0]).shape
            if len(wanted) == 2:
                order = canonical_order(shape) if order is None else order
                values[node.outputs[0]] = tf.reshape(x, wanted), wanted, order
            else:  # features to channels and samples: the columns that made them are put in their places
                placed = tf.gather(x, canonical_order(wanted), axis=1)
                values[node.outputs[0]] = tf.reshape(placed, canonical_shape(wanted)), wanted, None
        else:
            raise SystemExit(f"node {node.name} ({node.kind}) is not read; end the float network before it")
    return {output: tf.identity(values[output][0], name=output) for output in source.outputs}


def _convolved(node: Node, x: Any, shape: tuple[int, ...], parameters: list[NDArray[Any]]) -> tuple[Any, tuple[int, ...]]:
    """A Conv or ConvTranspose of one group over [1, h, w, c], and its ONNX shape."""
    spatial = len(shape) - 2
    weights = parameters[0] if spatial == 2 else parameters[0][:, :, None]  # o, c, kh, kw; of ConvTranspose c, o, kh, kw
    stride, pads = node.integers("strides", (1,) * spatial), node.integers("pads", (0,) * 2 * spatial)
    stride = stride if spatial == 2 else (1, *stride)
    begin, end = (pads[:spatial], pads[spatial:]) if spatial == 2 else ((0, pads[0]), (0, pads[1]))
    if node.kind == "Conv":
        padded = tf.pad(x, [(0, 0), (begin[0], end[0]), (begin[1], end[1]), (0, 0)]) if any(pads) else x
        y = tf.nn.conv2d(padded, weights.transpose(2, 3, 1, 0), stride, "VALID")
    else:
        extra = node.integers("output_padding", (0,) * spatial)
        extra = extra if spatial == 2 else (0, *extra)
        full = [(x.shape[1 + i] - 1) * stride[i] + weights.shape[2 + i] + extra[i] for i in range(2)]
        y = tf.nn.conv2d_transpose(x, weights.transpose(2, 3, 1, 0), (1, *full, weights.shape[1]), stride, "VALID")
        y = y[:, begin[0] : full[0] - end[0], begin[1] : full[1] - end[1]]
    y = y + (parameters[1] if len(parameters) > 1 else 0)
    return y, (1, int(y.shape[3]), *(int(length) for length in y.shape[3 - spatial : 3]))


def _pooled(node: Node, x: Any, shape: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
    spatial = len(shape) - 2
    kernel, stride = node.integers("kernel_shape", ()), node.integers("strides", (1,) * spatial)
    if any(node.integers("pads", (0,) * 2 * spatial)):
        raise SystemExit(f"node {node.name} (MaxPool) has padding, which is not read")
    y = tf.nn.max_pool2d(x, kernel if spatial == 2 else (1, *kernel), stride if spatial == 2 else (1, *stride), "VALID")
    return y, (1, int(y.shape[3]), *(int(length) for length in y.shape[3 - spatial : 3]))


if __name__ == "__main__":
    commands: dict[str, Any] = {"run": _run, "quantise": _quantise}
    commands[sys.argv[1]](*sys.argv[2:])
