"""graph.json and graph.npz: what is written comes back to the bit, and damage of every kind is refused by file and field."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import InputError
from edge_runtime.graph import read_graph, read_interface, write_graph
from edge_runtime.graph.operators import KINDS
from tests.edge_runtime.random_graphs import random_graph


def same(one, other) -> bool:
    return one is other or (one.dtype == other.dtype and np.array_equal(one, other))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_written_comes_back(kind, tmp_path):
    for seed in range(5):
        graph = random_graph(kind, seed)
        write_graph(graph, tmp_path)
        read = read_graph(tmp_path)
        assert (read.operators, read.inputs, read.outputs) == (graph.operators, graph.inputs, graph.outputs)
        assert list(read.tensors) == list(graph.tensors)
        for name, tensor in graph.tensors.items():
            found = read.tensors[name]
            assert (found.shape, found.dtype, found.zero_point, found.channel_axis) == (tensor.shape, tensor.dtype, tensor.zero_point, tensor.channel_axis)
            assert found.scale.tobytes() == tensor.scale.tobytes() and same(found.codes, tensor.codes)


def test_the_same_graph_gives_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_graph(random_graph("conv_2d", 4), tmp_path / folder)
    for name in ("graph.json", "graph.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_numpy_reads_the_constants(tmp_path):
    graph = random_graph("conv_2d", 4)
    write_graph(graph, tmp_path)
    with np.load(tmp_path / "graph.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["b", "w"] and np.array_equal(arrays["w"], graph.tensors["w"].codes)


def test_interface_needs_no_constants(tmp_path):
    graph = random_graph("conv_2d", 4)
    write_graph(graph, tmp_path)
    (tmp_path / "graph.npz").unlink()
    interface = read_interface(tmp_path)
    assert [tensor.name for tensor in interface.inputs] == ["x"] and interface.outputs[0].shape == graph.tensors["y"].shape


def conv(tmp_path: Path) -> dict:
    write_graph(random_graph("conv_2d", 4), tmp_path)
    return json.loads((tmp_path / "graph.json").read_text())


DAMAGE = {
    "newer schema": (lambda d: d.update(schema_version=2), "schema_version"),
    "schema as text": (lambda d: d.update(schema_version="1"), "schema_version"),
    "no tensors": (lambda d: d.pop("tensors"), "tensors"),
    "tensor twice": (lambda d: d["tensors"].append(d["tensors"][0]), "tensors[4].name"),
    "name as number": (lambda d: d["tensors"][0].update(name=1), "tensors[0].name"),
    "control character": (lambda d: d["tensors"][0].update(name="a\nb"), "tensors[0].name"),
    "unknown dtype": (lambda d: d["tensors"][0].update(dtype="float32"), "tensors[0].dtype"),
    "negative length": (lambda d: d["tensors"][0].update(shape=[1, -1, 4, 3]), "tensors[0].shape"),
    "huge length": (lambda d: d["tensors"][0].update(shape=[1, 1, 1 << 40, 3]), "tensors[0].shape"),
    "huge product": (lambda d: d["tensors"][0].update(shape=[1, 1 << 20, 1 << 20, 3]), "tensors[0].shape"),
    "length as boolean": (lambda d: d["tensors"][0].update(shape=[True, 1, 4, 3]), "tensors[0].shape"),
    "negative scale": (lambda d: d["tensors"][0].update(scale=[-0.5]), "tensors[0].scale"),
    "scale not float32": (lambda d: d["tensors"][0].update(scale=[0.1]), "tensors[0].scale"),
    "scale NaN": (lambda d: d["tensors"][0].update(scale=[float("nan")]), "JSON"),
    "scale beyond float32": (lambda d: d["tensors"][0].update(scale=[1e300]), "tensors[0].scale"),
    "scale as text": (lambda d: d["tensors"][0].update(scale=["0.5"]), "tensors[0].scale"),
    "no scale": (lambda d: d["tensors"][0].update(scale=[]), "tensors[0].scale"),
    "scale of too many channels": (lambda d: d["tensors"][0].update(scale=[0.5, 0.5]), "tensors[0].scale"),
    "zero point out of range": (lambda d: d["tensors"][0].update(zero_point=128), "tensors[0].zero_point"),
    "zero point as float": (lambda d: d["tensors"][0].update(zero_point=1.0), "tensors[0].zero_point"),
    "axis of a computed tensor": (lambda d: d["tensors"][0].update(channel_axis=0), "tensors[0].channel_axis"),
    "constant as text": (lambda d: d["tensors"][0].update(constant="no"), "tensors of x.constant"),
    "operators as object": (lambda d: d.update(operators={}), "operators"),
    "unknown kind": (lambda d: d["operators"][0].update(kind="softmax"), "operators[0].kind"),
    "attributes missing": (lambda d: d["operators"][0].pop("attributes"), "operators[0].attributes"),
    "attribute unknown": (lambda d: d["operators"][0]["attributes"].update(axis=1), "operators[0].attributes"),
    "stride zero": (lambda d: d["operators"][0]["attributes"].update(stride=[0, 1]), "operators[0].attributes.stride"),
    "stride as float": (lambda d: d["operators"][0]["attributes"].update(stride=[1.0, 1]), "operators[0].attributes.stride"),
    "stride of three": (lambda d: d["operators"][0]["attributes"].update(stride=[1, 1, 1]), "operators[0].attributes.stride"),
    "stride nested": (lambda d: d["operators"][0]["attributes"].update(stride=[[1], 1]), "operators[0].attributes.stride"),
    "input unknown": (lambda d: d["operators"][0].update(inputs=["q", "w", "b"]), "operators[0].inputs[0]"),
    "input not there yet": (lambda d: d["operators"][0].update(inputs=["y", "w", "b"]), "operators[0].inputs[0]"),
    "output computed twice": (lambda d: d["operators"].append(d["operators"][0]), "operators[1].outputs"),
    "operator missing": (lambda d: d["operators"].clear(), "operators"),
    "graph input unknown": (lambda d: d.update(inputs=["q"]), "inputs[0]"),
    "graph input constant": (lambda d: d.update(inputs=["w"]), "inputs[0]"),
    "no outputs": (lambda d: d.update(outputs=[]), "outputs"),
    "output is the input": (lambda d: d.update(outputs=["x"]), "outputs"),
    "outputs as text": (lambda d: d.update(outputs="y"), "outputs"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_document_is_refused_by_field(name, tmp_path):
    document = conv(tmp_path)
    damage, field = DAMAGE[name]
    damage(document)
    (tmp_path / "graph.json").write_text(json.dumps(document))
    with pytest.raises(InputError) as refusal:
        read_graph(tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path / 'graph.json'}: {field}: "), refusal.value


def rewrite(path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(path, **arrays)


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "float", "narrow", "object", "flipped"])
def test_damaged_constants_are_refused(change, tmp_path):
    conv(tmp_path)
    path = tmp_path / "graph.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    if change == "missing":
        del arrays["b"]
    elif change == "extra":
        arrays["c"] = arrays["b"]
    elif change == "shape":
        arrays["w"] = arrays["w"][..., :-1] if arrays["w"].shape[-1] > 1 else arrays["w"].reshape(-1)
    elif change == "float":
        arrays["w"] = arrays["w"].astype(np.float32)
    elif change == "narrow":
        arrays["w"] = np.full_like(arrays["w"], -128)
    elif change == "object":
        arrays["w"] = np.array([None], object)
    if change == "flipped":
        data = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            data[archive.getinfo("w.npy").header_offset + 30 + 5 + 128 + 1] ^= 4  # within the codes: the archive's checksum finds it
        path.write_bytes(data)
    else:
        rewrite(path, arrays)
    with pytest.raises(InputError) as refusal:
        read_graph(tmp_path)
    file = "graph.json" if change == "narrow" else "graph.npz"
    assert str(refusal.value).startswith(f"{tmp_path / file}: "), refusal.value


@pytest.mark.parametrize("name", ["graph.json", "graph.npz"])
def test_truncated_files_are_refused(name, tmp_path):
    conv(tmp_path)
    data = (tmp_path / name).read_bytes()
    for length in [0, *np.random.default_rng(0).integers(1, len(data) - 2, 25).tolist()]:
        (tmp_path / name).write_bytes(data[:length])
        with pytest.raises(InputError, match=name):
            read_graph(tmp_path)
