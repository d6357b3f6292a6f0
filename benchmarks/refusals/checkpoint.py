"""Files of a training run that must be refused: those that `--resume` goes on from and those that `export` reads."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .damage import ANY_FILE, Attack, Case, FileDamage, Kind, Sources, dangling, flipped, flipped_in_arrays, truncated

EXPORT = ("export", "run", "--out", "bundle")
RESUME = ("train", "mmia", "--out", "run", "--resume")

RESULTS_OF_THE_END = ("quantised.npz", "float_twin.npz", "calibration.json", "history.json", "checksums.json")


def _case(file: str, name: str, damage: FileDamage, words: tuple[str, ...], seal: bool = False) -> Case:
    """`seal`: give checksums.json the damaged file's true SHA-256, so that what lies behind the checksum has to notice."""
    def build(folder: Path, sources: Sources, random: np.random.Generator) -> Attack:
        shutil.copytree(sources.run, folder / "run")
        if words == RESUME:  # as an interruption leaves a run
            for name in RESULTS_OF_THE_END:
                (folder / "run" / name).unlink(missing_ok=True)
        damage(folder / "run" / file, random)
        if seal:
            _seal(folder / "run", file)
        return Attack(words)
    return Case("checkpoint", f"{file}: {name}", build, names=file)


def _seal(run: Path, file: str) -> None:
    path = run / "checksums.json"
    document = json.loads(path.read_text())
    document["files"][file] = hashlib.sha256((run / file).read_bytes()).hexdigest()
    path.write_text(json.dumps(document))


def _document(change: Callable[[dict[str, Any]], None]) -> FileDamage:
    def damage(path: Path, random: np.random.Generator) -> None:
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))
    return damage


def _arrays(change: Callable[[dict[str, NDArray], str], None]) -> FileDamage:
    """Damage of the content, under a digest that fits it; `change` gets the arrays and the name of a random weight."""
    def damage(path: Path, random: np.random.Generator) -> None:
        from train.run_folder import read_arrays, write_arrays

        arrays = {name: values.copy() for name, values in read_arrays(path).items()}
        weights = sorted(name for name in arrays if name.endswith(".weight"))
        change(arrays, weights[int(random.integers(len(weights)))])
        write_arrays(path, arrays)
    return damage


def _nan(arrays: dict[str, NDArray], name: str) -> None:
    arrays[name].flat[0] = np.nan


def _missing(arrays: dict[str, NDArray], name: str) -> None:
    del arrays[name]


def _extra(arrays: dict[str, NDArray], name: str) -> None:
    arrays[name + ".again"] = arrays[name]


def _double(arrays: dict[str, NDArray], name: str) -> None:
    arrays[name] = arrays[name].astype(np.float64)


def _other_shape(arrays: dict[str, NDArray], name: str) -> None:
    arrays[name] = arrays[name][..., :-1]


def _absurd_range(arrays: dict[str, NDArray], name: str) -> None:
    ranges = next(one for one in arrays if one.endswith(".range_log2"))
    arrays[ranges] = np.full_like(arrays[ranges], 1e4)


def _pickle(path: Path, random: np.random.Generator) -> None:
    np.savez(path, state=np.array([{"code": "would run"}], dtype=object))


def _newer(document: dict[str, Any]) -> None:
    document["schema_version"] = 99


def _other_size(document: dict[str, Any]) -> None:
    document["configuration"]["model"]["latent"] += 1


def _float_latent(document: dict[str, Any]) -> None:
    document["configuration"]["model"]["latent"] = 16.5


def _float_threshold(document: dict[str, Any]) -> None:
    document["thresholds"]["flag"] = 0.5


def _nan_beside(document: dict[str, Any]) -> None:
    document["recall"] = float("nan")  # Python writes NaN, which JSON does not know and no manifest may hold


def _resize(path: Path) -> None:
    """Weights of a latent of 16 under a configuration of 17: the configuration is changed and sealed, the weights are whole."""
    _document(_other_size)(path.with_name("configuration.json"), np.random.default_rng(0))
    _seal(path.parent, "configuration.json")


ONE_MODEL = {"a weight missing": _arrays(_missing), "a weight too many": _arrays(_extra), "NaN in a weight": _arrays(_nan),
             "float64 for float32": _arrays(_double), "another shape": _arrays(_other_shape), "pickled objects": _pickle}

PLAIN: dict[str, FileDamage] = {**ANY_FILE, "a byte flipped": flipped}
CHECKPOINT = Kind("checkpoint", (
    *(_case("checkpoint.npz", name, damage, RESUME)
      for name, damage in {**PLAIN, "a byte flipped": flipped_in_arrays, **ONE_MODEL}.items()),
    *(_case("quantised.npz", name, damage, EXPORT) for name, damage in PLAIN.items()),
    *(_case("quantised.npz", f"{name}, sealed", damage, EXPORT, seal=True) for name, damage in ONE_MODEL.items()),
    _case("quantised.npz", "range of 2^10000, sealed", _arrays(_absurd_range), EXPORT, seal=True),
    _case("quantised.npz", "of another configuration", lambda path, random: _resize(path), EXPORT),
    *(_case("configuration.json", name, damage, RESUME) for name, damage in PLAIN.items() if damage is not flipped),
    _case("configuration.json", "a byte flipped", flipped, EXPORT),
    _case("configuration.json", "newer schema", _document(_newer), RESUME),
    _case("configuration.json", "float for int, sealed", _document(_float_latent), EXPORT, seal=True),
    _case("calibration.json", "a byte flipped", flipped, EXPORT),
    _case("calibration.json", "truncated, sealed", truncated, EXPORT, seal=True),
    _case("calibration.json", "float threshold, sealed", _document(_float_threshold), EXPORT, seal=True),
    _case("calibration.json", "NaN beside the thresholds, sealed", _document(_nan_beside), EXPORT, seal=True),
    _case("float_twin.npz", "NaN, sealed", _arrays(_nan), EXPORT, seal=True),
    _case("history.json", "truncated, sealed", truncated, EXPORT, seal=True),
    _case("checksums.json", "dangling link", dangling, EXPORT),
))
