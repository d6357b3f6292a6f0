"""Bundles that must be refused: damage of each file that flies.

Two ways for each file. Plain: the file is damaged and the manifest is not, as by a bad copy or a hit in memory; the SHA-256 finds it.
Sealed: the manifest is made to fit the damaged file, as a faulty exporter would leave it; the check behind the checksum has to find it.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle import FLOWN, MANIFEST
from edge_runtime.manifest import sealed

from .damage import ANY_FILE, Attack, Case, FileDamage, Kind, Sources, flipped, truncated, undamaged

SEAL = "manifest_sha256"
PLAIN: dict[str, FileDamage] = {**ANY_FILE, "a byte flipped": flipped}


def file_case(file: str, name: str, damage: FileDamage, place: int, reseal: bool = False, names: str | None = None,
              engine: str = "reference", recording: str = "recording.npz") -> Case:
    """Every third case asks `verify`, the others `flag` into an existing catalogue; every second one is the board's own command."""
    def build(folder: Path, sources: Sources, random: np.random.Generator) -> Attack:
        bundle = folder / "bundle"
        bundle.mkdir()
        for flown in (MANIFEST, *FLOWN):
            shutil.copy(sources.bundle / flown, bundle / flown)
        damage(bundle / file, random)
        if reseal:
            _reseal(bundle)
        if place % 3 == 0:
            return Attack(("verify", "bundle", "--engine", engine))
        return Attack(("flag", "bundle", str(sources.recordings / recording), "--engine", engine, "--out", "kept.jsonl"))
    return Case(file, f"{name}, sealed" if reseal else name, build, names=names or file, board=place % 2 == 0)


def _reseal(bundle: Path) -> None:
    """Let the manifest name the SHA-256 of the files as they are."""
    document = json.loads((bundle / MANIFEST).read_text())
    del document[SEAL]
    document["files"] = {name: hashlib.sha256((bundle / name).read_bytes()).hexdigest() for name in document["files"]}
    (bundle / MANIFEST).write_bytes(sealed(document))


def file_kind(file: str, damages: dict[str, FileDamage], names: str | None = None, engine: str = "reference", recording: str = "recording.npz") -> Kind:
    """All plain damages of a file and its own, sealed ones; `names`: what a sealed case's refusal must name if not the whole name."""
    plain = [file_case(file, name, damage, place, recording=recording) for place, (name, damage) in enumerate(PLAIN.items())]
    own = [file_case(file, name, damage, place, reseal=True, names=names, engine=engine, recording=recording)
           for place, (name, damage) in enumerate(damages.items(), len(plain))]
    return Kind(file, (*plain, *own), file_case(file, "undamaged", undamaged, 1, engine=engine, recording=recording))


def _manifest(change: Callable[[dict[str, Any]], None]) -> FileDamage:
    """A manifest that says something else, under a seal that fits."""
    def damage(path: Path, random: np.random.Generator) -> None:
        document = json.loads(path.read_text())
        del document[SEAL]
        change(document)
        path.write_bytes(sealed(document))
    return damage


def set_field(*keys: str | int, value: Any) -> FileDamage:
    """A field of the manifest has another value."""
    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = value
    return _manifest(change)


def _rename_file(name: str) -> FileDamage:
    """`model.tflite` under another name, with the SHA-256 it had."""
    def change(document: dict[str, Any]) -> None:
        document["files"][name] = document["files"]["model.tflite"]
    return _manifest(change)


def drop_field(*keys: str) -> FileDamage:
    """A field of the manifest is not there."""
    def change(document: dict[str, Any]) -> None:
        target: Any = document
        for key in keys[:-1]:
            target = target[key]
        del target[keys[-1]]
    return _manifest(change)


def _nan_scale(path: Path, random: np.random.Generator) -> None:
    document = json.loads(path.read_text())
    document["inputs"][0]["scale"] = float("nan")
    path.write_text(json.dumps(document))  # Python writes NaN, which JSON does not know


def _field_twice(path: Path, random: np.random.Generator) -> None:
    text = path.read_text()
    path.write_text(text.replace("{\n", '{\n"task": "mmia",\n', 1))


def _deep(path: Path, random: np.random.Generator) -> None:
    path.write_text("[" * 200_000)


ANY_MANIFEST: dict[str, FileDamage] = {
    "newer schema": set_field("schema_version", value=2),
    "schema of another type": set_field("schema_version", value="1"),
    "../ in a name": _rename_file("../model.tflite"),
    "absolute name": _rename_file("/etc/hostname"),
    "a file not listed": drop_field("files", "golden.npz"),
    "float for int": set_field("inputs", 0, "zero_point", value=-1.5),
    "NaN scale": _nan_scale,
    "negative scale": set_field("inputs", 0, "scale", value=-0.125),
    "float32 for int8": set_field("inputs", 0, "dtype", value="float32"),
    "thresholds missing": drop_field("thresholds"),
    "tables missing": drop_field("preprocessing"),
    "a field twice": _field_twice,
    "brackets 200,000 deep": _deep,
}
MANIFEST_DAMAGES: dict[str, FileDamage] = {
    **ANY_MANIFEST,
    "channel missing": set_field("inputs", 0, "shape", value=[1, 1, 1040, 2]),
    "channel extra": set_field("inputs", 0, "shape", value=[1, 1, 1040, 4]),
    "another task": set_field("task", value="minieuso"),
    "classes in another order": set_field("classes", value=["quiet", "hits", "uv", "blue", "lightning"]),
}


def _graph_json(change: Callable[[dict[str, Any]], None]) -> FileDamage:
    def damage(path: Path, random: np.random.Generator) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))
    return damage


def _newer_graph(document: dict[str, Any]) -> None:
    document["schema_version"] = 99


def _unknown_operator(document: dict[str, Any]) -> None:
    document["operators"][0]["kind"] = "softmax_of_the_future"


def _cycle(document: dict[str, Any]) -> None:
    document["operators"][0]["inputs"][0] = document["outputs"][0]


def _dangling_tensor(document: dict[str, Any]) -> None:
    document["operators"][0]["inputs"][0] = "nobody_computes_this"


def _no_operators(document: dict[str, Any]) -> None:
    document["operators"] = []


def change_arrays(change: Callable[[dict[str, NDArray], str], None]) -> FileDamage:
    """`change` gets the arrays of an .npz file and the name of a random one."""
    def damage(path: Path, random: np.random.Generator) -> None:
        with np.load(path) as archive:
            arrays = dict(archive)
        change(arrays, sorted(arrays)[int(random.integers(len(arrays)))])
        np.savez(path, **arrays)
    return damage


def _floats(arrays: dict[str, NDArray], name: str) -> None:
    arrays[name] = arrays[name].astype(np.float32) + np.float32(0.5)


def _nan(arrays: dict[str, NDArray], name: str) -> None:
    arrays[name] = np.full(arrays[name].shape, np.nan, np.float32)


def _missing(arrays: dict[str, NDArray], name: str) -> None:
    del arrays[name]


def _extra(arrays: dict[str, NDArray], name: str) -> None:
    arrays["stowaway"] = arrays[name]


def _longer(arrays: dict[str, NDArray], name: str) -> None:
    arrays[name] = np.concatenate((arrays[name].ravel(), arrays[name].ravel()))


def _channel_missing(arrays: dict[str, NDArray], name: str) -> None:
    arrays["inputs"] = arrays["inputs"][..., :2]


def _channel_extra(arrays: dict[str, NDArray], name: str) -> None:
    arrays["inputs"] = np.concatenate((arrays["inputs"], arrays["inputs"][..., :1]), axis=-1)


def no_vectors(arrays: dict[str, NDArray], name: str) -> None:
    """Golden vectors of which there is none."""
    for one in arrays:
        arrays[one] = arrays[one][:0]


def _pickle(path: Path, random: np.random.Generator) -> None:
    np.savez(path, inputs=np.array([{"code": "would run"}], dtype=object))


def _noise(path: Path, random: np.random.Generator) -> None:
    """As many random bytes as the file had."""
    path.write_bytes(random.bytes(path.stat().st_size))


def _half_twice(path: Path, random: np.random.Generator) -> None:
    """The first half twice: the length is right, what the offsets point to is not."""
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] + data[:len(data) - half])


ARRAY_DAMAGES: dict[str, FileDamage] = {"float for int": change_arrays(_floats), "NaN": change_arrays(_nan), "an array missing": change_arrays(_missing),
                                        "an array too many": change_arrays(_extra), "another shape": change_arrays(_longer), "pickled objects": _pickle}

MODEL_DAMAGES: dict[str, FileDamage] = {
    "truncated at a random offset": truncated, "random bytes": _noise, "half a file twice": _half_twice}
GRAPH_DAMAGES: dict[str, FileDamage] = {
    "newer schema": _graph_json(_newer_graph), "unknown operator": _graph_json(_unknown_operator), "a cycle": _graph_json(_cycle),
    "a tensor that nobody computes": _graph_json(_dangling_tensor), "no operators": _graph_json(_no_operators)}
GOLDEN_DAMAGES: dict[str, FileDamage] = {
    **ARRAY_DAMAGES,
    "channel missing": change_arrays(_channel_missing), "channel extra": change_arrays(_channel_extra), "no vectors": change_arrays(no_vectors)}
MANIFEST_CASES = tuple(file_case(MANIFEST, name, damage, place)
                       for place, (name, damage) in enumerate({**PLAIN, **MANIFEST_DAMAGES}.items()))
BUNDLE_FILES = (
    Kind(MANIFEST, MANIFEST_CASES, file_case(MANIFEST, "undamaged", undamaged, 1)),
    file_kind("model.tflite", MODEL_DAMAGES, engine="litert"),
    file_kind("model.onnx", MODEL_DAMAGES, engine="onnxruntime"),
    file_kind("graph.json", GRAPH_DAMAGES),
    file_kind("graph.npz", ARRAY_DAMAGES, names="graph."),  # graph.json says what must be there: either may be named
    file_kind("golden.npz", GOLDEN_DAMAGES),
)
