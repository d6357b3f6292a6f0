"""How far the cost model can be believed: every model left out, and published latencies that no fit was shown."""

import numpy as np

from benchmarks.results import Record, Spread, Stage

from .counted import CORES, counted_fit
from .edgetpu import SMALL_BYTES, left_out_errors
from .held_out import Judged, coverage, held_out, judged, one_of_each, table

SOURCE = "benchmarks/fitting"
NOTES_MEAN = {"cortex-a53": 0.035, "cortex-a72": 0.058, "cortex-a76": 0.085}  # of another set of 24 models and other terms, for comparison
BASE = "this repository's tables"  # of records that are the same on every machine


def fitting() -> Stage:
    """`model.loo.*` and `model.held_out*`, with a row for each board and for each other runtime."""
    records: list[Record] = []
    for core in CORES:
        found, name = counted_fit(core), f"model.loo.{core.removeprefix('cortex-')}"
        before = f"{SOURCE}; {found.source}, each left out; another set of 24 models and coarser terms had {NOTES_MEAN[core]:.1%}"
        records += [_share(name, found.errors.mean(), len(found.names), before, "emulated"),
                    _share(f"{name}.worst", found.errors.max(), len(found.names), f"{SOURCE}; the worst is {found.names[found.errors.argmax()]}", "emulated")]
    tpu, errors, weights = left_out_errors()
    small = errors[weights < SMALL_BYTES]
    words = f"{SOURCE}; published latencies, each told without its network"
    records += [_share("model.loo.edgetpu", np.median(errors), len(tpu), words), _share("model.loo.edgetpu.small", small.mean(), len(small), words)]
    shown = judged(tuple(row for row in table() if row.name in held_out()))
    records += _covered(shown)
    rows = [{"name": name, "cells": [f"{name}", f"{name}.worst"]} for name in (f"model.loo.{core.removeprefix('cortex-')}" for core in CORES)]
    rows += [{"name": "model.loo.edgetpu (median of all; mean of those below 6 MB)", "cells": ["model.loo.edgetpu", "model.loo.edgetpu.small"]}]
    boards, board_rows = _boards("held", shown)
    others, other_rows = _boards("other", judged(tuple(row for row in table() if not row.same_runtime)))
    columns = ["published latencies that no fit was shown", "rows", "median error", "held by the 80 % interval"]
    note = ("Rows chosen by SHA-256 of network and board before any fit. Below: what other runtimes took on the same boards; the profiles do not claim those.")
    tables = {"left_out": {"columns": ["left out of the fit", "mean error", "worst error"], "rows": rows},
              "held_out": {"columns": columns, "rows": board_rows + other_rows, "note": note}}
    return Stage((*records, *boards, *others), {"tables": tables})


def _covered(found: list[Judged]) -> list[Record]:
    pairs = one_of_each(found)
    (share, low, high), (of_all, *ends) = coverage(pairs), coverage(found)
    words = f"{SOURCE}; {len(pairs)} pairs of network and board, of each the row of fewest threads; of all {len(found)} rows {of_all:.1%} ({ends[0]:.1%} to " \
            f"{ends[1]:.1%})"  # fmt: skip
    return [Record("model.held_out", float(low <= 0.8 <= high), "1: yes", "modelled", BASE, None, len(pairs), None,
                   f"{words}; coverage {share:.1%} ({low:.1%} to {high:.1%})"),
            Record("model.held_out.coverage", share, "share", "modelled", BASE, Spread(low, high, "95 %, Wilson"), len(pairs), None, words),
            Record("model.held_out.rows", len(pairs), "pairs", "modelled", BASE, None, len(found), None, words),
            Record("model.held_out.width", float(np.mean([one.width for one in pairs])), "times", "modelled", BASE, None, len(pairs), None,
                   f"{words}; upper end of the interval over the lower, mean")]  # fmt: skip


def _boards(prefix: str, found: list[Judged]) -> tuple[list[Record], list[dict[str, object]]]:
    records: list[Record] = []
    rows: list[dict[str, object]] = []
    for place in dict.fromkeys(_place(one) for one in found):
        mine = [one for one in found if _place(one) == place]
        name, words = f"model.{prefix}.{place}", f"{mine[0].row.board}, {mine[0].row.runtime}"
        records += [Record(f"{name}.rows", len(mine), "rows", "published", words, None, len(mine), None, SOURCE),
                    Record(f"{name}.error", float(np.median([one.error for one in mine])), "share", "modelled", words, None, len(mine), None, SOURCE),
                    Record(f"{name}.inside", sum(one.inside for one in mine) / len(mine), "share", "modelled", words, None, len(mine), None, SOURCE)]
        cells = [f"{name}.{part}" for part in ("rows", "error", "inside")]
        rows.append({"name": f"{'other runtime: ' if prefix == 'other' else ''}{words}", "cells": cells})
    return records, rows


def _place(one: Judged) -> str:
    """Board and runtime, as the row's name has them."""
    return ".".join(one.row.name.split("@")[1:3])


def _share(name: str, value: float, n: int, source: str, how: str = "modelled") -> Record:
    return Record(name, float(value), "share", how, BASE, None, n, None, source)
