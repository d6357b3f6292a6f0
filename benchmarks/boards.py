"""Networks on every board of the profiles: latency, energy and memory against the instrument's deadline, and what gives out first as rate or batch grows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.frames import FRAME_TIME_NS
from edge_runtime.preprocess import SAMPLE_TIME, WINDOW_SAMPLES
from export.on_board import estimate_on
from export.read_network import read_network
from hw_profiles.cost_model import Estimate
from hw_profiles.network import Network
from hw_profiles.profile import Profile, names, profile
from hw_profiles.work import Unpriced, live_bytes

from .results import Record, Spread, Stage

DEADLINES_S = {"mmia": WINDOW_SAMPLES * SAMPLE_TIME, "minieuso": FRAME_TIME_NS * 1e-9}  # 10.4 ms a window, 40.96 ms a frame
ORBIT_S = 5_570.0  # of the station, 15.5 a day
ORBIT_J = 5_570.0  # for the network in each: 1 W on average [assumed; scales the limit of energy and nothing else]
LARGEST_BATCH = 4096
COLUMNS = ["board", "latency", "energy of a call", "memory", "duty cycle", "rate grows until", "batch grows until"]
SOURCE = "benchmarks/boards.py; hw_profiles/cost_model.py"


def boards(folders: Mapping[str, Path], task: str) -> Stage:
    """`boards.MODEL.NAME.ms`, `.mj`, `.ram_kb`, `.duty`, `.rate`, `.batch` of the model.tflite in each folder, `boards.MODEL.NAME.pays` of accelerators, and
    their tables: `boards_MODEL` and `accelerators`."""
    records: list[Record] = []
    paying: list[dict[str, Any]] = []
    notes: list[str] = []
    tables: dict[str, Any] = {}
    devices, deadline = [profile(name) for name in names()], DEADLINES_S[task]
    for model, folder in folders.items():
        network = read_network(folder / "model.tflite")
        rows = []
        uncertain: dict[str, int] = {}  # by device: operators that it may not take
        for device in devices:
            try:
                told = estimate_on(network, device)
            except Unpriced as reason:
                notes.append(f"{device.name} has no price for the {model}: {reason}")
                continue
            own = _board(model, network, device, told, deadline)
            records += own
            uncertain |= {device.name: len(told.uncertain)} if told.uncertain else {}
            rows.append({"name": f"{device.name} ({_trust(device)})", "cells": [record.id for record in own]})
            host = profile(device.host) if device.host else None
            if host is not None:
                records.append(_pays(model, network, device, host))
                paying.append({"name": f"{model}: {device.name} against {host.name}", "cells": [records[-1].id]})
        tables[f"boards_{model}"] = {"columns": COLUMNS, "rows": rows, "note": _note(network, uncertain, deadline, task)}
    pays = "Smallest batch, of powers of two, of which the accelerator's median call is shorter than that of its host; a dash: none up to 4,096."
    tables["accelerators"] = {"columns": ["an accelerator pays", "from a batch of"], "rows": paying, "note": pays}
    return Stage(tuple(records), {"notes": notes, "tables": tables})


def _note(network: Network, uncertain: Mapping[str, int], deadline: float, task: str) -> str:
    unsure = ""
    if uncertain:
        alone = [name for name in uncertain if not profile(name).host]
        unsure = (f" Whether an Edge TPU takes {max(uncertain.values())} of them is not known before its compiler has seen them: medians are as if it did, the "
                  "ends of intervals are those of both cases" + (f", but for {' and '.join(alone)}, whose host has no price." if alone else "."))
    return (f"Modelled, one thread, batch 1, {len(network.operators)} operators; intervals: 80 %.{unsure} Duty cycle: latency over the {1e3 * deadline:.2f} ms "
            f"until the next {'window' if task == 'mmia' else 'frame'}. Rate grows until: the factor on the instrument's rate at which the first of deadline, "
            f"RAM, flash and energy ({ORBIT_J:.0f} J an orbit of {ORBIT_S:.0f} s, assumed) gives out. Batch grows until: items put into one call, by RAM, "
            "flash and whether a call ends before its next batch is there.")


def first_limit(limits: Mapping[str, float]) -> tuple[str, float]:
    """The limit that is reached first, and at which value."""
    name = min(limits, key=lambda one: limits[one])
    return name, limits[name]


def rate_limits(told: Estimate, device: Profile, deadline: float) -> dict[str, float]:
    """Factors on the rate at which each limit is reached; 0 where memory or flash are too small for one call."""
    limits = {"deadline": deadline / told.latency_s.p50}
    if told.energy_j is not None:
        limits["energy"] = ORBIT_J / (told.energy_j.p50 * ORBIT_S / deadline)
    return limits | {name: 0.0 for name, needed in (("ram", told.ram_bytes), ("flash", told.flash_bytes)) if needed > _size(device, name)}


def batch_limits(network: Network, told: Estimate, device: Profile, deadline: float) -> dict[str, float]:
    """The largest batches that each limit allows, `told` the estimate of a batch of 1; LARGEST_BATCH, named "none", where none is smaller."""
    each = live_bytes(network)
    limits = {"none": LARGEST_BATCH, "ram": (_size(device, "ram") - told.ram_bytes + each) // each}
    if told.flash_bytes > _size(device, "flash"):
        limits["flash"] = 0
    if estimate_on(network, device, batch=LARGEST_BATCH).latency_s.p50 > LARGEST_BATCH * deadline:  # what a call costs besides is then shared by many
        limits["deadline"] = 0
    return limits


def _size(device: Profile, name: str) -> float:
    return device.numbers[f"{name}_bytes"].value if f"{name}_bytes" in device.numbers else float("inf")


def _board(model: str, network: Network, device: Profile, told: Estimate, deadline: float) -> list[Record]:
    place = f"{device.device}, {device.runtime}"

    def record(name: str, value: float | int | None, unit: str, spread: Spread | None = None) -> Record:
        source = f"{SOURCE}; profile {device.name}, {_trust(device)}"
        return Record(f"boards.{model}.{device.name}.{name}", value, unit, "modelled", place, spread, None, None, source)

    latency, energy = told.latency_s, told.energy_j
    words = f"{latency.level:.0%}, of the profile's numbers" + (", ends of two: mapped, and left to the host" if told.uncertain and device.host else "")
    rate, batch = first_limit(rate_limits(told, device, deadline)), first_limit(batch_limits(network, told, device, deadline))
    return [record("ms", 1e3 * latency.p50, "ms", Spread(1e3 * latency.lo, 1e3 * latency.hi, words)),
            record("mj", None if energy is None else 1e3 * energy.p50, "mJ", None if energy is None else Spread(1e3 * energy.lo, 1e3 * energy.hi, words)),
            record("ram_kb", told.ram_bytes / 1e3, "kB"),
            record("duty", 100 * latency.p50 / deadline, "%", Spread(100 * latency.lo / deadline, 100 * latency.hi / deadline, words)),
            record("rate", rate[1], f"x ({rate[0]})"), record("batch", batch[1], f"({batch[0]})")]


def _pays(model: str, network: Network, device: Profile, host: Profile) -> Record:
    batch = 1
    while batch <= LARGEST_BATCH and estimate_on(network, device, batch=batch).latency_s.p50 >= estimate_on(network, host, batch=batch).latency_s.p50:
        batch *= 2
    return Record(f"boards.{model}.{device.name}.pays", batch if batch <= LARGEST_BATCH else None, "items a call", "modelled",
                  f"{device.device}, {device.runtime}", None, None, None, f"{SOURCE}; medians of {device.name} and {host.name}")


def _trust(device: Profile) -> str:
    """How far its numbers are to be trusted."""
    error = device.numbers.get("validation_error")
    return f"{device.trust}, unvalidated" if error is None else f"{device.trust}, error {error.value:.0%}"
