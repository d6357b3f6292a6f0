"""What a file's operators are, read from the file and computed by nobody: parameters, multiply-accumulates, bytes; and what a profile says they cost."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import PixieError

from .results import Record, Spread, Stage

if TYPE_CHECKING:
    from hw_profiles.network import Network, Operator, Tensor

MOST_ROWS = 400  # of a table: a report is for reading
ON = "the file"  # of records that are the same on every machine
SOURCE = "benchmarks/layers.py; operators and shapes as the file has them, for one item"


def layers(path: Path, slug: str) -> Stage:
    """`layers_of.SLUG` and `sizes_of.SLUG` of a file; one whose operators cannot be read has its bytes alone, and a note."""
    from export.on_board import single

    flash = Record(f"sizes_of.{slug}.flash", path.stat().st_size, "bytes", "measured", ON, None, 1, None, "file system")
    sizes: dict[str, Any] = {"columns": ["whole file", "value"], "rows": [{"name": "file (flash)", "cells": [flash.id]}]}
    try:
        network = single(_read(path))
    except (PixieError, ModuleNotFoundError) as reason:
        return Stage((flash,), {"notes": [f"{path.name}: its operators cannot be told: {reason}"], "tables": {f"sizes_of_{slug}": sizes}})
    from hw_profiles.work import live_bytes, weight_bytes

    table = _table(network, slug)
    records = [flash, *table[0]]
    for name, words, count, how in (("weights", "constants", weight_bytes, "measured"),
                                    ("live", "computed tensors kept at once at most, the least an arena may have", live_bytes, "modelled")):
        records.append(Record(f"sizes_of.{slug}.{name}", _known(count, network), "bytes", how, ON, None, len(network.operators), None, SOURCE))
        sizes["rows"].append({"name": words, "cells": [records[-1].id]})
    return Stage(tuple(records), {"tables": {f"sizes_of_{slug}": sizes, f"layers_of_{slug}": table[1]}})


def predicted(path: Path, slug: str, profile_name: str, threads: int, engine: str, measured: Mapping[str, str]) -> Stage:
    """`predicted_of.SLUG`, µs of a call by the cost model and a profile, in a table with what was measured on `engine`: record ids by column.

    InputError for an unknown profile; a file that cannot be priced gets a note.
    """
    from export.on_board import estimate_on
    from hw_profiles.profile import profile

    device = profile(profile_name)
    try:
        told = estimate_on(_read(path), device, threads, partial=True)
    except (PixieError, ModuleNotFoundError, ValueError) as reason:
        return Stage((), {"notes": [f"{path.name}: profile {profile_name} predicts nothing: {reason}"]})
    if len(told.unpriced) == len(told.per_layer):
        return Stage((), {"notes": [f"{path.name}: profile {profile_name} predicts nothing: {told.unpriced[0]}"]})
    error = f"error {device.numbers['validation_error'].value:.0%}" if "validation_error" in device.numbers else f"unvalidated: {device.validation_reason}"
    bound = f"; a lower bound, {len(told.unpriced)} operators have no price" if told.lower_bound else ""
    found = told.latency_s
    record = Record(f"predicted_of.{slug}", 1e6 * found.p50, "µs", "modelled", f"profile {device.name}: {device.device}, {device.runtime}",
                    Spread(1e6 * found.lo, 1e6 * found.hi, f"{found.level:.0%} interval of the profile"), None, None,
                    f"hw_profiles/cost_model.py; trust {device.trust}, {error}{bound}")
    row = {"name": f"profile {device.name}, {engine}, {threads} thread{'s' if threads > 1 else ''}", "cells": [*measured.values(), record.id]}
    table = {"columns": ["profile and engine", *measured, "predicted"], "rows": [row],
             "note": f"Predicted: {record.source}."}
    return Stage((record,), {"tables": {f"predicted_of_{slug}": table}})


def _read(path: Path) -> "Network":
    from export.read_network import read_network

    return read_network(path)


def _table(network: "Network", slug: str) -> tuple[list[Record], dict[str, object]]:
    records, rows = [], []
    for number, operator in enumerate(network.operators[:MOST_ROWS]):
        weights = [tensor for tensor in operator.inputs if tensor is not None and tensor.values is not None]
        others = [tensor for tensor in (*operator.inputs, *operator.outputs) if tensor is not None and tensor.values is None]
        facts = (("parameters", "count", sum(tensor.elements for tensor in weights if _learned(tensor))),
                 ("macs", "count", _macs(operator)),
                 ("rom", "bytes", _known(_bytes, weights)), ("ram", "bytes", _known(_bytes, others)))
        own = [Record(f"layers_of.{slug}.{number}.{name}", value, unit, "measured", ON, None, 1, None, SOURCE) for name, unit, value in facts]
        records += own
        rows.append({"name": f"{number} {operator.kind} {_shapes(operator)}", "cells": [record.id for record in own]})
    cut = f" The first {MOST_ROWS} of {len(network.operators)} operators." if len(network.operators) > MOST_ROWS else ""
    loops = f" The file has {network.subgraphs - 1} more graphs, bodies of loops or branches, which are not in it." if network.subgraphs > 1 else ""
    note = f"RAM: what an operator reads and writes. Parameters: learned constants. Not measured: shape or operator is not known.{cut}{loops}"
    return records, {"columns": ["operator and output", "parameters", "MACs", "ROM, bytes", "RAM, bytes"], "rows": rows, "note": note,
                     "units": False}


def _macs(operator: "Operator") -> int | None:
    from hw_profiles.work import Unpriced, work_of

    try:
        return work_of(operator).macs
    except Unpriced:
        return None


def _learned(tensor: "Tensor") -> bool:
    """Whether a constant is a weight or a bias: a real, or codes with a scale; other integers are shapes and axes."""
    return bool(tensor.scale) or "float" in tensor.dtype


def _bytes(tensors: "list[Tensor]") -> int:
    return sum({id(tensor): tensor.bytes for tensor in tensors}.values())


def _known(count: Callable[[Any], int], of: Any) -> int | None:
    try:
        return count(of)
    except ValueError:  # a length is open
        return None


def _shapes(operator: "Operator") -> str:
    return ", ".join("×".join("?" if length is None else str(length) for length in tensor.shape) or "1" for tensor in operator.outputs)
