"""What the repository itself has to show, whatever run is measured: sources of the profiles, and codes of emulated ARM."""

import tempfile
from dataclasses import replace
from pathlib import Path

from edge_runtime.errors import InputError
from hw_profiles.profile import FOLDER, Profile, profile_text, read_profile, stated

from .arm.emulate import identical, read_fixture
from .environment import on
from .results import Record, Stage


def profile_sources(folder: Path = FOLDER) -> Stage:
    """`profiles.sources`: numbers without a source or status in the profiles of a folder, files without one that pass the check nonetheless, and
    profiles that do not pass it."""
    wrong, count = [], 0
    for path in sorted(folder.glob("*.toml")):
        try:
            read_profile(path)
            own = stated(path)
        except InputError as reason:
            wrong.append(str(reason))
            continue
        count += len(own.numbers)
        wrong += [f"{path.stem}: {name}" for name, number in own.numbers.items() if not number.source or not number.status]
        wrong += [f"{path.stem}: passes without a source or a status of {name}" for name, number in own.numbers.items()
                  for spoiled in (replace(number, source=""), replace(number, status="")) if _passes(replace(own, numbers={**own.numbers, name: spoiled}))]
    records = (Record("profiles.sources", len(wrong), "numbers", "measured", "this repository", None, count, None,
                      f"benchmarks/repository.py; {count} numbers, each also tried without its source and without its status"),)
    rows = [{"name": "numbers of the hardware profiles without source or status", "cells": ["profiles.sources"]}]
    return Stage(records, {"notes": wrong, "tables": {"profiles": {"columns": ["hardware profiles", "count"], "rows": rows}}})


def arm_identical() -> Stage:
    """`arm.identical`: output bytes of the counted models that differ between this host now and the emulated cores. Needs LiteRT."""
    fixture = read_fixture()
    different, models, inputs = identical(fixture)
    tools = fixture.versions.get("qemu", "QEMU")
    words = f"benchmarks/arm/emulate.py; {models} models, {inputs} inputs each, LiteRT's default kernels, Cortex-A53, A72 and A76 under {tools}"
    records = (Record("arm.identical", different, "bytes", "emulated", on(), None, models, None, words),)
    rows = [{"name": f"output bytes that differ, {models} models", "cells": ["arm.identical"]}]
    return Stage(records, {"tables": {"arm": {"columns": ["emulated ARM beside this machine", "bytes"], "rows": rows, "note": words}}})


def _passes(spoiled: Profile) -> bool:
    """Whether a file that says this is taken for a profile."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / f"{spoiled.name}.toml"
        path.write_text(profile_text(spoiled))
        try:
            stated(path)
        except InputError:
            return False
    return True
