"""The accelerators' rules against their pairs of networks, and Vela's verdict on what flies where it is installed."""

from collections.abc import Mapping
from pathlib import Path

from export.rules import judge
from export.vela import vela
from hw_profiles.network import Network

from .results import Record, Stage
from .rule_pairs import PAIRS

GROUND = ("decoder", "whole")
TARGET = "ethos-u55-128"
ON = "this repository's rules"
SOURCE = "benchmarks/lint_rules.py"


def lint_rules(networks: Mapping[str, Path]) -> Stage:
    """`lint.rules`, rules whose pair is judged wrongly; `lint.vela`, operators of the named bundles' networks that Vela leaves to the CPU, where it is
    installed (what holds a decoder is told and not counted)."""
    wrong = [rule for target, pairs in PAIRS.items() for rule, pair in pairs.items() if not rightly_judged(target, rule, pair)]
    count = sum(len(pairs) for pairs in PAIRS.values())
    words = f"{SOURCE}; {count} rules, each with a network that breaks just it"
    records = [Record("lint.rules", len(wrong), "rules", "measured", ON, None, count, None, words)]
    rows = [{"name": "rules whose pair of networks is judged wrongly", "cells": ["lint.rules"]}]
    notes = [f"judged wrongly: {rule}" for rule in wrong]
    for name, folder in networks.items():
        report = vela(folder / "model.tflite", TARGET)
        if report is None:
            notes.append("Vela is not installed: its verdict is not beside ours")
            break
        how = f"Vela {report['version']}, {report['accelerator_config']}, {report['system_config']}, {report['memory_mode']}"
        records.append(Record(f"lint.vela.{name}", report["cpu_operators"], "operators", "measured", how, None, 1, None, SOURCE))
        rows.append({"name": f"operators of the {name} that Vela leaves to the CPU", "cells": [f"lint.vela.{name}"]})
    flown = [record for record in records if record.id.startswith("lint.vela.") and record.id.split(".")[-1] not in GROUND]
    if flown:
        left = sum(int(record.value or 0) for record in flown)
        records.append(Record("lint.vela", left, "operators", "measured", flown[0].on, None, len(flown), None, SOURCE))
    return Stage(tuple(records), {"notes": notes, "tables": {"lint": {"columns": ["accelerator rules", "count"], "rows": rows}}})


def rightly_judged(target: str, rule: str, pair: tuple[Network, Network]) -> bool:
    """Whether the first network breaks that rule alone and the second none."""
    breaking, sound = ({one.id for one in judge(network, target).rules} for network in pair)
    return breaking == {rule} and not sound
