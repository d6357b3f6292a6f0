"""The verb `pixie fit`: the fitted numbers of the profiles, made again from counted instructions and published latencies."""

import argparse

from edge_runtime.cli import Outcome, Verb


def _add_fit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where a profile does not say what the fits say")


def _fit(arguments: argparse.Namespace) -> Outcome:
    from .profiles import fitted, stale, write
    from .stage import fitting

    numbers = fitted()
    if not arguments.check:
        write(numbers)
    lines = stale(numbers)
    records = fitting().records
    told = [f"{record.id:<24} {record.value:>8.4g} {record.unit:<6} {record.source}" for record in records if record.value is not None]
    count = sum(map(len, numbers.values()))
    end = "\n".join(lines) if lines else f"{count} fitted numbers of {len(numbers)} profiles are as the fits say"
    document = {"stale": lines, "numbers": count, "records": {record.id: record.value for record in records}}
    return Outcome("\n".join((*told, "", end)), document, int(bool(lines)))


FIT = Verb("fit", "Fit the hardware profiles to counted instructions and published latencies, and tell how well they foretell what they were not shown.",
           "fit --check", _add_fit, _fit)
