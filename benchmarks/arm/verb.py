"""`pixie emulate`."""

import argparse
from pathlib import Path

from edge_runtime.cli import Outcome, Verb


def _add_emulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", choices=("arm64",), help="the processors to emulate: Cortex-A53, A72 and A76")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="folder for QEMU and the target's LiteRT, kept for the next time (300 MB)")
    parser.add_argument("--out", type=Path, metavar="FIXTURE.json", help="write what was found; that of the project is benchmarks/arm/counted.json")
    parser.add_argument("--models", nargs="+", default=(), metavar="NAME", help="only these (default: all)")


def _emulate(arguments: argparse.Namespace) -> Outcome:
    import json
    from contextlib import ExitStack

    from edge_runtime.files import new_file

    from .cache import prepare
    from .emulate import chosen, emulate, table, to_document

    with ExitStack() as stack:
        graphs = chosen(arguments.models)
        written = stack.enter_context(new_file(arguments.out)) if arguments.out else None  # refused now, not after minutes
        fixture = emulate(prepare(arguments.cache), graphs)
        document = to_document(fixture)
        if written:
            written.write_text(json.dumps(document, indent=1) + "\n")
    different = sum(core.differing_bytes for model in fixture.models.values() for core in model.cores.values())
    return Outcome(f"{table(fixture)}\n{different} differing bytes, {len(fixture.models)} models, {fixture.inputs} inputs each", document, int(different > 0))


EMULATE = Verb("emulate", "Run the counted models on emulated ARM cores: equal codes, instructions per inference.", "emulate arm64 --cache ~/.cache/pixie-arm",
               _add_emulate, _emulate)
