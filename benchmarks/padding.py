"""The 2020 report's choice between slices of events and whole events padded with zeros, made anew: its network trained either way, on as many samples."""

from pathlib import Path

import numpy as np

from train.configuration2020 import SLICE_SAMPLES

from .environment import on
from .model_score import evidence_bound_2020
from .results import Record, Stage
from .statistics import scene_bootstrap

EVENTS = {"demo": 12, "full": 100}
SOURCE = "benchmarks/padding.py; held-out simulated events without particle hits"


def padding(sliced: Path, padded: Path, scale: str, seed: int) -> Stage:
    """`padding.sliced`, `padding.padded`: nats per sample of whole events by runs trained either way; `padding.difference`: sliced less padded, paired."""
    from train.run_folder import read_run2020
    from train.slices2020 import slice_set, windows_of

    samples = read_run2020(padded).configuration.model.samples
    events = slice_set("test", EVENTS[scale], samples, "padded", seed, 2, truth=True)
    lengths = np.count_nonzero(events.rate[:, 0], axis=1)  # what lies behind is padding
    whole = evidence_bound_2020(padded, events.counts, seed, lengths.tolist())
    # The loader drops what is left behind the last slice.
    cut = [windows_of(event[None, :, :length // SLICE_SAMPLES * SLICE_SAMPLES], SLICE_SAMPLES) for event, length in zip(events.counts, lengths, strict=True)]
    bounds = evidence_bound_2020(sliced, np.concatenate(cut), seed, [SLICE_SAMPLES] * sum(map(len, cut)))
    owner = np.repeat(np.arange(len(cut)), [len(one) for one in cut])
    by_event = np.array([bounds[owner == number].mean() for number in range(len(cut))])
    records = []
    for name, nats, words in (("sliced", by_event, "trained on slices of 5,000 samples"), ("padded", whole, f"trained on whole events padded to {samples:,}"),
                              ("difference", by_event - whole, "sliced less padded, paired by event")):
        spread = scene_bootstrap(lambda picks, nats=nats: float(nats[picks].mean()), np.arange(len(nats)), seed, 400)  # type: ignore[misc]
        records.append(Record(f"padding.{name}", float(nats.mean()), "nats/sample", "measured", on(), spread, len(nats), seed, f"{SOURCE}; {words}"))
    rows = [{"name": record.source.rsplit("; ", 1)[1], "cells": [record.id]} for record in records]
    note = ("The 2020 report's network. Evidence lower bound per real sample of a channel; padding counts for nothing but takes part in training. "
            "Events are cut as the report's loader cuts them, and both runs have seen as many samples.")
    return Stage(tuple(records), {"tables": {"padding": {"columns": ["the 2020 report's network", "nats per sample"], "rows": rows, "note": note}}})
