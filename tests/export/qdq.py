"""Small QDQ files written node by node, and the three-way check that the tests of the reader make with them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.graph import Executor
from edge_runtime.graph.structure import Graph
from export.read_onnx import read_onnx
from export.write_tflite import tflite_bytes


class Qdq:
    """A QDQ model under construction; every method gives the name of what it adds."""

    def __init__(self, opset: int = 17, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.real_of: dict[str, tuple[str, float, int]] = {}  # DQ output -> (float before Q, scale, int8 zero point)

    def constant(self, array: Any, name: str | None = None) -> str:
        name = name or f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def input(self, shape: list[int], scale: float = 0.037, zero_point: int = 3, dtype: Any = np.int8, name: str = "x") -> str:
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return self.quantised(name, scale, zero_point, dtype)

    def quantised(self, name: str, scale: float, zero_point: int = 0, dtype: Any = np.int8, clip: tuple[int, int] | None = None) -> str:
        s, z = self.constant(np.float32(scale)), self.constant(np.asarray(zero_point, dtype))
        codes = self.op("QuantizeLinear", name, s, z)
        if clip is not None:
            codes = self.op("Clip", codes, self.constant(np.asarray(clip[0], dtype)), self.constant(np.asarray(clip[1], dtype)))
        real = self.op("DequantizeLinear", codes, s, z)
        self.real_of[real] = (name, float(np.float32(scale)), zero_point - (128 if dtype == np.uint8 else 0))
        return real

    def weights(self, shape: tuple[int, ...], scale: Any = 0.011, axis: int = 0) -> str:
        codes = self.constant(self.random.integers(-127, 128, shape).astype(np.int8), f"weights{len(self.constants)}")
        scale = np.asarray(scale, np.float32)
        return self.op("DequantizeLinear", codes, self.constant(scale), self.constant(np.zeros(scale.shape, np.int8)), axis=axis)

    def bias(self, size: int, scale_x: float, scale_w: Any = 0.011) -> str:
        scale = np.asarray(np.float32(scale_x) * np.asarray(scale_w, np.float32), np.float32)
        codes = self.constant(self.random.integers(-3000, 3000, size).astype(np.int32), f"bias{len(self.constants)}")
        return self.op("DequantizeLinear", codes, self.constant(scale), self.constant(np.zeros(scale.shape, np.int32)), axis=0)

    def output(self, name: str, as_name: str = "y") -> None:
        """Let a dequantised value be an output called `as_name`."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for index, item in enumerate(names):
                    if item == name:
                        names[index] = as_name
        if name in self.real_of:
            self.real_of[as_name] = self.real_of.pop(name)
        self.outputs.append(helper.make_tensor_value_info(as_name, TensorProto.FLOAT, None))

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "network", self.inputs, self.outputs, self.constants)
        model = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9))
        for value in model.graph.output:
            if not value.type.tensor_type.HasField("shape"):  # of a network that fits together nowhere: the standard asks for some shape
                value.type.tensor_type.shape.dim.add(dim_value=1)
        return model

    def save(self, folder: Path) -> Path:
        path = folder / "model.onnx"
        path.write_bytes(self.model().SerializeToString())
        return path


def random_codes(graph: Graph, count: int, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.integers(-128, 128, (count, *graph.tensors[name].shape[1:])).astype(np.int8) for name in graph.inputs]


def channels_first(codes: np.ndarray, graph: Graph, name: str, rank: int) -> np.ndarray:
    """Real values of codes [n, h, w, c] or [n, c] in the shape of the ONNX input."""
    tensor = graph.tensors[name]
    real = ((codes.astype(np.float32) - tensor.zero_point) * tensor.scale[0]).astype(np.float32)
    if real.ndim == 4:
        real = real.transpose(0, 3, 1, 2)
        real = real[:, :, 0] if rank == 3 else real
    return np.ascontiguousarray(real)


def channels_last(values: np.ndarray) -> np.ndarray:
    if values.ndim == 4:
        return values.transpose(0, 2, 3, 1)
    return values.transpose(0, 2, 1)[:, np.newaxis] if values.ndim == 3 else values


def run_onnx(model: onnx.ModelProto, graph: Graph, inputs: list[np.ndarray], names: list[str]) -> list[np.ndarray]:
    """Values [n, ...] of ONNX names, channels-last, run node by node on one window at a time."""
    import onnxruntime

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {value.name for value in copy.graph.output}
    copy.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])
    ranks = {value.name: len(value.shape) for value in session.get_inputs()}
    runs = []
    for k in range(len(inputs[0])):
        feeds = {name: channels_first(codes[k : k + 1], graph, name, ranks[name]) for name, codes in zip(graph.inputs, inputs, strict=True)}
        runs.append([channels_last(value) for value in session.run(names, feeds)])
    return [np.concatenate(values) for values in zip(*runs, strict=True)]


def run_litert(graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite_bytes(graph), num_threads=1)
    interpreter.allocate_tensors()
    indices = {detail["name"]: detail["index"] for detail in (*interpreter.get_input_details(), *interpreter.get_output_details())}
    runs = []
    for k in range(len(inputs[0])):
        for name, codes in zip(graph.inputs, inputs, strict=True):
            interpreter.set_tensor(indices[name], codes[k : k + 1])
        interpreter.invoke()
        runs.append([interpreter.get_tensor(indices[name]) for name in graph.outputs])
    return [np.concatenate(values) for values in zip(*runs, strict=True)]


def check(net: Qdq, folder: Path, count: int = 8, slack: int = 0, litert: bool = True) -> Graph:
    """Read the file and hold three runs of it against each other on random codes; gives the graph.

    The reference engine and LiteRT must agree in every code. ONNX Runtime node by node must agree with them wherever the real value before
    the last QuantizeLinear lies further than 1/1000 of a code from a half, where the rounding rules differ and float32 sums decide; there
    and with `slack` (operators that the kernels on board round twice or coarsely) by at most 1 resp. `slack` codes.
    """
    path = net.save(folder)
    graph = read_onnx(path)
    inputs = random_codes(graph, count)
    golden = Executor(graph).run(*inputs)
    if litert:
        for output, ours, theirs in zip(graph.outputs, golden, run_litert(graph, inputs), strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=f"LiteRT differs in {output}")
    for output, ours in zip(graph.outputs, golden, strict=True):
        before, scale, zero_point = net.real_of.get(output, (output, float(graph.tensors[output].scale[0]), graph.tensors[output].zero_point))
        real, given = run_onnx(net.model(), graph, inputs, [before, output])
        theirs = np.rint(given / np.float32(scale)).astype(int) + zero_point
        assert theirs.shape == ours.shape
        tie = np.abs(real / scale % 1 - 0.5) < 1e-3 if real.shape == given.shape else np.zeros(given.shape, bool)
        difference = np.abs(theirs - ours)
        assert np.all(difference[~tie] <= slack), f"ONNX Runtime differs in {output} by {difference[~tie].max()}"
        assert np.all(difference <= max(1, slack))
        assert np.unique(ours).size > 8 or ours.size < 100, "the test's scales show hardly any codes"
    return graph


def kinds(graph: Graph) -> list[str]:
    return [operator.kind for operator in graph.operators]
