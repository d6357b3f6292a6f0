"""Instructions of the counted models, told by the cost model's terms: a core's coefficients, and what each model is told when it takes no part."""

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.arm.emulate import read_fixture
from benchmarks.arm.models import models
from edge_runtime.graph.structure import Graph
from export.read_tflite import read_tflite
from export.write_tflite import tflite_bytes
from hw_profiles.fit import Fit, fit_left_out
from hw_profiles.instructions import COEFFICIENTS, TILE, Tile, call_terms
from hw_profiles.profile import FOLDER, stated
from hw_profiles.work import Unpriced, Work, works

CORES = ("cortex-a53", "cortex-a72", "cortex-a76")


@dataclass(frozen=True)
class CountedFit:
    """Of one core: `errors` [models], relative, of each model told by the others; `source` names models, emulator and runtime."""

    core: str
    tile: Tile
    fit: Fit
    names: tuple[str, ...]
    errors: np.ndarray
    source: str

    def instructions(self, todo: list[Work]) -> float:
        """Of one call."""
        return float(self.fit.coefficients @ list(call_terms(todo, self.tile).values()))


@cache
def counted_fit(core: str) -> CountedFit:
    """The fit of all counted models. InputError where fixture or profile are not whole."""
    numbers, fixture, todo = stated(FOLDER / f"{core}-litert.toml").numbers, read_fixture(), counted_works()
    tile = Tile(*(int(numbers[name].value) for name in TILE))
    names = tuple(name for name in fixture.models if name in todo)
    features = np.array([list(call_terms(todo[name], tile).values()) for name in names])
    values = np.array([fixture.models[name].cores[core].instructions for name in names], float)
    fit = fit_left_out(features, values, names)
    tools = ", ".join(f"{tool} {version}" for tool, version in fixture.versions.items() if not tool.startswith("host "))
    return CountedFit(core, tile, fit, names, fit.errors(values), f"counted instructions of {len(names)} models (benchmarks/arm/counted.json; {core}, {tools})")


def coefficients(found: CountedFit) -> dict[str, float]:
    """Numbers of the core's profile by name."""
    return dict(zip(COEFFICIENTS, map(float, found.fit.coefficients), strict=True))


def priced(found: list[Work | Unpriced]) -> list[Work]:
    """The same where all have a price; the first reason where one has none."""
    for one in found:
        if isinstance(one, Unpriced):
            raise one
    return [one for one in found if isinstance(one, Work)]


@cache
def counted_works() -> dict[str, list[Work]]:
    """What the operators of each counted model do."""
    return {name: works_of(graph) for name, graph in models().items()}


def works_of(graph: Graph) -> list[Work]:
    """What the operators of its .tflite file do."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.tflite"
        file.write_bytes(tflite_bytes(graph))
        return priced(works(read_tflite(file)))
