"""The kernel sets against the runtimes themselves: every code of every operator, with accumulators beside ties, where one rule parts from another."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_runtime.interpreter import Interpreter as RuntimeInterpreter

from edge_runtime.graph import Executor, Graph, Operator
from edge_runtime.graph.operators import KERNEL_SETS, KINDS, Refused
from export.read_onnx import read_onnx
from export.write_tflite import tflite_bytes
from tests.edge_runtime.random_graphs import WHOLE, graph, random_graph, tensor, windows
from tests.export.qdq import Qdq, random_codes, run_onnx

GRAPHS_PER_KIND = 20
INTERPRETERS = {
    "litert_builtin": partial(Interpreter, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES),
    "litert_reference": partial(Interpreter, experimental_op_resolver_type=OpResolverType.BUILTIN_REF),
    "tflite_runtime": RuntimeInterpreter,
}


def real(kernel_set: str, graph: Graph, inputs: list[np.ndarray]) -> np.ndarray:
    """The graph's one output, one item a call."""
    interpreter = INTERPRETERS[kernel_set](model_content=tflite_bytes(graph), num_threads=1)
    interpreter.allocate_tensors()
    places, outputs = [detail["index"] for detail in interpreter.get_input_details()], []
    for index in range(len(inputs[0])):
        for place, codes in zip(places, inputs, strict=True):
            interpreter.set_tensor(place, codes[index : index + 1])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    return np.concatenate(outputs)


@pytest.mark.parametrize("kernel_set", INTERPRETERS)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_gives_the_runtime_s_codes(kind, kernel_set):
    compared = 0
    for seed in range(GRAPHS_PER_KIND):
        single = random_graph(kind, seed)
        inputs = windows(single, 12, seed)
        try:
            (found,) = Executor(single, kernel_set).run(*inputs)
        except Refused:  # an accumulator that wraps there, which these draw now and then
            continue
        expected = real(kernel_set, single, inputs)
        assert np.array_equal(expected, found), f"{kind} {seed}: {np.sum(expected != found)} of {found.size} codes differ, {single.operators[0]}"
        compared += 1
    assert compared >= GRAPHS_PER_KIND - 2


LAYOUTS = {  # of a layer whose accumulators are its biases: shapes of x, weights and y for n outputs, kind, attributes
    "dense": lambda n: ((1, 1), (n, 1), (1, n), "fully_connected", {}),
    "convolution": lambda n: ((1, 1, 1, 1), (n, 1, 1, 1), (1, 1, 1, n), "conv_2d", {"groups": 1}),
    "depthwise": lambda n: ((1, 1, 1, n), (n, 1, 1, 1), (1, 1, 1, n), "conv_2d", {"groups": n}),
    "grouped": lambda n: ((1, 1, 1, 4), (n, 1, 1, 2), (1, 1, 1, n), "conv_2d", {"groups": 2}),
    "transposed": lambda n: ((1, 1, 1, 1), (n, 1, 1, 1), (1, 1, 1, n), "transpose_conv", {"output_padding": (0, 0)}),
}


def beside_ties(layout: str, draw: np.random.Generator) -> Graph:
    """One layer whose accumulators scale to within three of their steps of a half, with a ratio of any mantissa or a power of two."""
    n = 2 * int(draw.integers(1, 26))
    x_shape, w_shape, y_shape, kind, attributes = LAYOUTS[layout](n)
    if draw.random() < 0.5:
        x, w, y = (np.float32(10 ** draw.uniform(low, high)) for low, high in ((-2, -1), (-4, -3), (-4, 1)))
    else:
        x, w, y = (np.float32(2.0 ** draw.integers(low, high)) for low, high in ((-4, 0), (-12, -6), (-10, 8)))
    ratio = float(x) * float(w) / float(y)
    biases = np.rint((draw.integers(-127, 127, n) + 0.5) / ratio) + draw.integers(-3, 4, n)
    per_channel = draw.random() < 0.5
    scales, axis = (np.full(n, w), 0) if per_channel else (w, None)
    if kind != "fully_connected":
        attributes = {**attributes, "stride": (1, 1), "padding": (0, 0, 0, 0), **({"dilation": (1, 1)} if kind == "conv_2d" else {})}
    return graph(
        [tensor("x", x_shape, x), tensor("w", w_shape, scales, 0, np.ones(w_shape, np.int8), axis=axis),
         tensor("b", (n,), x * scales, 0, biases.astype(np.int32), "int32", axis), tensor("y", y_shape, y, int(draw.integers(-3, 4)))],
        [Operator(kind, ("x", "w", "b"), ("y",), {**attributes, "clamp": WHOLE})],
    )  # fmt: skip


@pytest.mark.parametrize("kernel_set", INTERPRETERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tie_falls_where_the_runtime_lets_it(layout, kernel_set):
    draw, apart = np.random.default_rng([3, *layout.encode()]), 0
    for number in range(60):
        layer = beside_ties(layout, draw)
        codes = np.zeros((1, *layer.tensors["x"].shape[1:]), np.int8)
        (found,) = Executor(layer, kernel_set).run(codes)
        expected = real(kernel_set, layer, [codes])
        assert np.array_equal(expected, found), f"{layout} {number}: {np.flatnonzero(expected != found)} of {found.size} differ"
        apart += np.count_nonzero(found != Executor(layer).run(codes)[0])
    assert apart > 50  # the ties are where the default set gives other codes


@pytest.mark.parametrize("kernel_set", INTERPRETERS)
@pytest.mark.parametrize("shape", [(1, 37), (1, 1, 1, 37)])
def test_means_of_many_channels_give_the_runtime_s_codes(shape, kernel_set):
    draw = np.random.default_rng(7)
    for number in range(30):
        scale = np.float32(2.0 ** draw.integers(-5, 3)) if number % 2 else np.float32(10 ** draw.uniform(-2, 0))
        to = scale if number % 3 == 0 else np.float32(scale * draw.choice([0.5, 0.25, 0.3, 1.7]))
        zero_point = int(draw.integers(-128, 128))
        h, w = ((1, int(draw.integers(1, 70))), (8, 8), (3, 5))[number % 3]
        single = graph([tensor("x", (1, h, w, 37), scale, zero_point), tensor("y", shape, to, zero_point if number % 3 == 0 else 4)],
                       [Operator("mean", ("x",), ("y",), {})])
        codes = np.clip(zero_point + draw.integers(-60, 61, (8, h, w, 37)), -128, 127).astype(np.int8)
        assert np.array_equal(real(kernel_set, single, [codes]), Executor(single, kernel_set).run(codes)[0]), number


@pytest.mark.parametrize("kernel_set", INTERPRETERS)
def test_codes_moved_to_another_scale_in_and_beside_vectors(kernel_set):
    draw = np.random.default_rng(8)
    for number in range(30):
        n, scale = int(draw.integers(1, 50)), np.float32(2.0 ** draw.integers(-3, 3))
        to = np.float32(scale * draw.choice([2, 4, 8, 1.37]))
        single = graph([tensor("x", (1, n), scale, int(draw.integers(-128, 128))), tensor("y", (1, n), to, int(draw.integers(-128, 128)))],
                       [Operator("requantise", ("x",), ("y",), {})])
        codes = draw.integers(-128, 128, (50, n)).astype(np.int8)
        assert np.array_equal(real(kernel_set, single, [codes]), Executor(single, kernel_set).run(codes)[0]), number


def power(draw: np.random.Generator, low: int, high: int) -> float:
    return float(2.0 ** draw.integers(low, high))


def convolution(net: Qdq, draw: np.random.Generator) -> str:
    groups, scale = int(draw.integers(1, 3)), power(draw, -6, 1)
    c, o = groups * int(draw.integers(1, 5)), groups * int(draw.integers(1, 9))
    scales = [power(draw, -9, -3) for _ in range(o)]
    x = net.input([1, c, 40], scale, int(draw.integers(-128, 128)))
    return net.op("Conv", x, net.weights((o, c // groups, 5), scales), net.bias(o, scale, scales), group=groups, strides=[2], pads=[2, 1])


def transposed(net: Qdq, draw: np.random.Generator) -> str:
    c, o, scales = int(draw.integers(1, 20)), int(draw.integers(1, 12)), (power(draw, -6, 1), power(draw, -9, -3))
    x = net.input([1, c, 17], scales[0], int(draw.integers(-128, 128)))
    return net.op("ConvTranspose", x, net.weights((c, o, 4), scales[1]), net.bias(o, *scales), strides=[2], pads=[1, 1])


def dense(net: Qdq, draw: np.random.Generator) -> str:
    c, o, scales = int(draw.integers(1, 300)), int(draw.integers(9, 40)), (power(draw, -6, 1), power(draw, -9, -3))
    x = net.input([1, c], scales[0], int(draw.integers(-128, 128)))
    return net.op("Gemm", x, net.weights((o, c), scales[1]), net.bias(o, *scales), transB=1)


def added(net: Qdq, draw: np.random.Generator) -> str:
    return net.op("Add", *(net.input([1, 4, 6, 6], 10 ** draw.uniform(-2, 0), int(draw.integers(-128, 128)), name=name) for name in "ab"))


def averaged(net: Qdq, draw: np.random.Generator) -> str:
    shape = [1, 21, int(draw.integers(1, 9)), int(draw.integers(1, 40))]
    return net.op("GlobalAveragePool", net.input(shape, power(draw, -6, 1), int(draw.integers(-128, 128))))


def requantised(net: Qdq, draw: np.random.Generator) -> str:
    return net.op("Identity", net.input([1, 300], 10 ** draw.uniform(-2, 0), int(draw.integers(-128, 128))))


def greatest_padded(net: Qdq, draw: np.random.Generator) -> str:
    return net.op("Relu", net.op("MaxPool", net.input([1, 3, 33], power(draw, -6, 1)), kernel_shape=[3], strides=[2], pads=[1, 1]))


@pytest.mark.parametrize("make", [convolution, transposed, dense, added, averaged, requantised, greatest_padded])
def test_onnx_runtime_s_codes(make, tmp_path: Path):
    apart = 0
    for seed in range(15):
        draw, net = np.random.default_rng(seed), Qdq(seed=seed)
        net.output(net.quantised(make(net, draw), power(draw, -5, 1) * draw.choice([1.0, 1.37]), int(draw.integers(-20, 20))))
        source = read_onnx(net.save(tmp_path))
        inputs = random_codes(source, 20, seed)
        (reals,) = run_onnx(net.model(), source, inputs, list(source.outputs))
        y = source.tensors[source.outputs[0]]
        (found,) = Executor(source, "onnxruntime").run(*inputs)
        assert np.array_equal(np.rint(reals / y.scale[0]).astype(int) + y.zero_point, found), f"{make.__name__} {seed}"
        apart += np.unique(found).size
    assert apart > 200  # not only saturated codes


def refused(graph: Graph, kernel_set: str) -> Refused:
    with pytest.raises(Refused) as refusal:
        Executor(graph, kernel_set)
    return refusal.value


@pytest.mark.parametrize("kind", ["logistic", "average_pool_2d"])
def test_a_kind_that_is_not_reproduced_is_refused_by_name(kind):
    refusal = refused(random_graph(kind, 0), "onnxruntime")
    assert refusal.field == "operators[0].kind" and kind in str(refusal) and "onnxruntime" in str(refusal) and "litert_reference" in str(refusal)


def test_an_unknown_kernel_set_is_refused():
    assert "kernel set cmsis" in str(refused(random_graph("reshape", 0), "cmsis"))


def layer(scale_x: float = 0.5, scale_w: float = 0.25, scale_y: float = 1.0, bias: int = 0) -> Graph:
    return graph([tensor("x", (1, 4), scale_x), tensor("w", (1, 4), scale_w, 0, np.ones((1, 4), np.int8)),
                  tensor("b", (1,), np.float32(scale_x) * np.float32(scale_w), 0, np.array([bias], np.int32), "int32"), tensor("y", (1, 1), scale_y)],
                 [Operator("fully_connected", ("x", "w", "b"), ("y",), {"clamp": WHOLE})])  # fmt: skip


def test_sums_whose_order_counts_are_refused_for_onnx_runtime():
    Executor(layer(scale_y=0.3), "onnxruntime")  # only what is summed must be exact
    Executor(layer(bias=(1 << 24) - 513), "onnxruntime")
    for unsure in (layer(scale_x=0.3), layer(scale_w=0.3), layer(bias=(1 << 24) - 512)):
        assert "order of its own" in str(refused(unsure, "onnxruntime"))
        Executor(unsure, "litert_builtin")


@pytest.mark.parametrize("kernel_set", INTERPRETERS)
def test_accumulators_that_would_wrap_are_refused(kernel_set):
    wide = layer(scale_y=1 / 1024, bias=1 << 23)  # ratio 128
    refusal = refused(wide, kernel_set)
    assert refusal.field == "operators[0].outputs[0]" and "leaves int32" in str(refusal)
    Executor(wide)
    Executor(layer(scale_y=1 / 1024, bias=(1 << 23) - 513), kernel_set)


def test_sums_that_would_wrap_in_vectors_are_refused():
    tensors = [tensor("x", (1, 16), 8.0), tensor("x2", (1, 16), 0.125), tensor("y", (1, 16), 0.0625)]
    wide = graph(tensors, [Operator("add", ("x", "x2"), ("y",), {"clamp": WHOLE})], ("x", "x2"))
    assert "leaves int16" in str(refused(wide, "litert_builtin"))
    Executor(wide, "litert_reference")


def test_the_default_is_xnnpack_and_every_kind_has_its_rule_there():
    assert KERNEL_SETS[0] == "xnnpack" and all(set(kind.rounding) <= set(KERNEL_SETS) and "xnnpack" in kind.rounding for kind in KINDS.values())
