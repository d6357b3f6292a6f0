"""The golden model against LiteRT's default kernels: every code of every operator, never nearly."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.graph import Executor, Graph, Operator, run
from edge_runtime.graph.operators import KINDS
from export.write_tflite import tflite_bytes
from tests.edge_runtime.random_graphs import WHOLE, graph, random_graph, tensor, windows

GRAPHS_PER_KIND = 30


def litert(graph: Graph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    interpreter = Interpreter(model_content=tflite_bytes(graph), num_threads=1)
    interpreter.allocate_tensors()
    places = [detail["index"] for detail in interpreter.get_input_details()]
    outputs = []
    for index in range(len(inputs[0])):
        for place, codes in zip(places, inputs, strict=True):
            interpreter.set_tensor(place, codes[index : index + 1])
        interpreter.invoke()
        outputs.append([interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()])
    return [np.concatenate(output) for output in zip(*outputs, strict=True)]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_gives_litert_s_codes(kind):
    seen = set()
    for seed in range(GRAPHS_PER_KIND):
        single = random_graph(kind, seed)
        inputs = windows(single, 12, seed)
        for expected, found in zip(litert(single, inputs), run(single, *inputs), strict=True):
            assert np.array_equal(expected, found), f"{kind} {seed}: {np.sum(expected != found)} of {found.size} codes differ, {single.operators[0]}"
            seen.update(np.unique(found))
    assert len(seen) > 100  # the comparison saw more than saturated codes


def autoencoder(seed: int) -> Graph:
    """An encoder of strided convolutions, a dense latent of 8, and back by a transposed convolution beside a resized one, added and joined."""
    draw = np.random.default_rng(seed)
    tensors = [tensor("x", (1, 1, 64, 3), 0.043, -7)]
    operators = []

    def weighted(kind: str, source: str, shape: tuple[int, ...], out: tuple[int, ...], name: str, zero_point: int, **attributes: object) -> None:
        x = next(made for made in tensors if made.name == source)
        codes = draw.integers(-127, 128, shape).astype(np.int8)
        scale = np.float32(draw.uniform(0.001, 0.01, shape[0] if kind == "conv_2d" else 1))
        axis = 0 if kind == "conv_2d" else None
        depth = float(np.prod(shape[1:]))
        tensors.extend([
            tensor(f"{name}.w", shape, scale, 0, codes, axis=axis),
            tensor(f"{name}.b", shape[:1], x.scale * scale, 0, draw.integers(-5000, 5000, shape[0]).astype(np.int32), "int32", axis),
            tensor(name, out, float(x.scale[0]) * 0.0055 * 73 * np.sqrt(depth), zero_point),
        ])  # fmt: skip
        operators.append(Operator(kind, (source, f"{name}.w", f"{name}.b"), (name,), {"clamp": WHOLE, **attributes}))

    def moved(kind: str, sources: tuple[str, ...], out: tuple[int, ...], name: str, **attributes: object) -> None:
        x = next(made for made in tensors if made.name == sources[0])
        tensors.append(tensor(name, out, x.scale, x.zero_point))
        operators.append(Operator(kind, sources, (name,), attributes))

    strided = {"stride": (1, 2), "dilation": (1, 1), "groups": 1}
    weighted("conv_2d", "x", (8, 1, 5, 3), (1, 1, 32, 8), "c1", -128, padding=(0, 0, 2, 2), **strided)
    weighted("conv_2d", "c1", (12, 1, 3, 8), (1, 1, 16, 12), "c2", -128, padding=(0, 0, 0, 1), **strided)
    moved("reshape", ("c2",), (1, 192), "flat")
    weighted("fully_connected", "flat", (8, 192), (1, 8), "latent", 4)
    weighted("fully_connected", "latent", (64, 8), (1, 64), "dense", -128)
    moved("reshape", ("dense",), (1, 1, 16, 4), "seed")
    weighted("transpose_conv", "seed", (4, 1, 4, 4), (1, 1, 32, 4), "up", -9, stride=(1, 2), padding=(0, 0, 1, 1), output_padding=(0, 0))
    moved("resize_nearest", ("seed",), (1, 1, 32, 4), "wide", factors=(1, 2))
    tensors.append(tensor("sum", (1, 1, 32, 4), 2.5 * float(next(made for made in tensors if made.name == "up").scale[0]), 3))
    operators.append(Operator("add", ("up", "wide"), ("sum",), {"clamp": WHOLE}))
    moved("max_pool_2d", ("sum",), (1, 1, 32, 4), "pooled", kernel=(1, 3), stride=(1, 1), padding=(0, 0, 1, 1))
    moved("concatenation", ("sum", "pooled"), (1, 1, 32, 8), "joined", axis=3)
    return graph(tensors, operators, outputs=("latent", "joined"))


@pytest.mark.parametrize("seed", range(6))
def test_a_whole_network_gives_litert_s_codes(seed):
    network = autoencoder(seed)
    inputs = windows(network, 200, seed)
    for expected, found in zip(litert(network, inputs), run(network, *inputs), strict=True):
        assert np.array_equal(expected, found) and len(np.unique(found)) > 30


def test_a_batch_is_its_items_one_by_one():
    network = autoencoder(0)
    executor = Executor(network)
    (codes,) = windows(network, 300, 1)
    batch = executor.run(codes)
    for index in (0, 1, 17, 299):
        assert all(np.array_equal(one[0], many[index]) for one, many in zip(executor.run(codes[index : index + 1]), batch, strict=True))


def test_other_inputs_are_no_input():
    executor = Executor(autoencoder(0))
    good = np.zeros((2, 1, 64, 3), np.int8)
    for wrong in ((), (good, good), (good[:, :, :63],), (good.astype(np.int16),), (good[:0],)):
        with pytest.raises(ValueError):
            executor.run(*wrong)
