"""Whether the encoder that flies keeps to what it may take of the flight computer: bytes of its files and time of one engine call."""

import numpy as np

from .environment import on
from .latency import hot_loop
from .material import Material
from .results import Record, Spread, Stage
from .sizes import flight_bytes

BYTES, CALL_US = 64_000, 100  # of model.tflite and manifest; of the median call
SOURCE = "benchmarks/budget.py"


def budget(material: Material) -> Stage:
    """`flight.budget`: the larger of bytes / BYTES and median bare LiteRT call / CALL_US of the bundle's encoder; `.bytes` and `.us` are the two."""
    size = flight_bytes(material.bundle.folder)
    calls, engine = hot_loop(material.bundle.folder / "model.tflite", (material.few_codes(),), material.scratch, material.scale)
    low, median, high = (float(value) for value in np.percentile(calls, (5, 50, 95)))
    shares = {f"bytes / {BYTES:,}": size / BYTES, f"median call / {CALL_US} µs": median / CALL_US}
    records = (
        Record("flight.budget", max(shares.values()), "of the budget", "measured", on(engine), None, calls.size, material.seed,
               f"{SOURCE}; the larger of {' and '.join(shares)}: here {max(shares, key=lambda words: shares[words])}"),
        Record("flight.budget.bytes", size, "bytes", "measured", "file system", None, 1, None, f"{SOURCE}; model.tflite and manifest with its tables"),
        Record("flight.budget.us", median, "µs", "measured", on(engine), Spread(low, high, f"5th to 95th percentile of {calls.size:,} calls"), calls.size,
               material.seed, f"{SOURCE}; median of a closed loop of benchmarks/latency.py: set input, invoke, read outputs; one thread"),
    )
    rows = [{"name": f"bytes that fly, at most {BYTES:,}", "cells": ["flight.budget.bytes"]},
            {"name": f"median engine call of a window, at most {CALL_US} µs", "cells": ["flight.budget.us"]}]
    note = "Engine call: bare LiteRT, one thread, on the machine of this report, not on a flight computer. Interval: 5th to 95th percentile of the calls."
    return Stage(records, {"tables": {"budget": {"columns": ["budget of the flight encoder", "value"], "rows": rows, "note": note}}})
