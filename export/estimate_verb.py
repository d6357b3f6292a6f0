"""`pixie estimate`: what a model would cost on a board that is not here."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.cli import Outcome, Verb
from edge_runtime.errors import InputError

if TYPE_CHECKING:
    from hw_profiles.cost_model import Estimate, Interval
    from hw_profiles.profile import Profile


_MOST = 1 << 20  # threads or items of a call


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL|BUNDLE", help="a .tflite or .onnx file, or a bundle, whose model.tflite is taken")
    parser.add_argument("--profile", required=True, metavar="NAME", help="the device and its runtime: see `pixie profiles list`")
    parser.add_argument("--threads", type=_positive, default=1, metavar="N", help="cores that share a call (default: %(default)s)")
    parser.add_argument("--batch", type=_positive, default=1, metavar="B", help="items in a call (default: %(default)s)")
    parser.add_argument("--partial", action="store_true", help="price what has a price and mark the sum a lower bound; else an operator without one is refused")


def _run(arguments: argparse.Namespace) -> Outcome:
    from hw_profiles.profile import profile
    from hw_profiles.work import Unpriced

    from .on_board import estimate_on
    from .read_network import read_network

    device = profile(arguments.profile)
    network = read_network(arguments.model)
    try:
        told = estimate_on(network, device, arguments.threads, arguments.batch, arguments.partial)
    except Unpriced as reason:
        raise InputError(arguments.model, "operators", f"{reason}; --partial prices the rest") from reason
    except ValueError as reason:
        raise InputError(arguments.model, "shape", f"{reason}; a cost needs static shapes, export the model with them") from reason
    return Outcome(_text(told, device, arguments.model), _document(told, device, arguments.model))


def _document(told: "Estimate", device: "Profile", model: Path) -> dict[str, object]:
    return {"model": str(model), "how": "modelled", **asdict(told), "trust": device.trust, "validation_error": _validation(device),
            "validation": device.validation if _validation(device) is not None else f"unvalidated: {device.validation_reason}",
            "caveats": list(device.caveats)}


def _validation(device: "Profile") -> float | None:
    return device.numbers["validation_error"].value if "validation_error" in device.numbers else None


def _text(told: "Estimate", device: "Profile", model: Path) -> str:
    error = _validation(device)
    bound = ", a lower bound: see the operators without a price" if told.lower_bound else ""
    lines = [f"{model} on {device.device}, {device.runtime}; {told.threads} thread{'s' if told.threads > 1 else ''}, batch {told.batch}",
             f"  modelled, trust {device.trust}, " + ("unvalidated: " + device.validation_reason if error is None else
                                                        f"error {error:.0%} against {device.validation}"),
             f"  latency   {_shown(told.latency_s, 's')}{bound}",
             f"  energy    {'not known: the profile has no power' if told.energy_j is None else _shown(told.energy_j, 'J') + ' of the board'}",
             f"  memory    {told.ram_bytes:,} bytes at least, file {told.flash_bytes:,} bytes", "",
             f"  {'operator':<28} {'where':<12} {'MAC':>12} {'weights, B':>11} {'share':>6} {'s':>10}"]
    whole = told.latency_s.p50
    for layer in told.per_layer:
        name = f"{layer.index} {layer.kind}"
        lines.append(f"  {name:<28} {layer.where:<12} " + ("no price" if layer.seconds is None else
                     f"{layer.macs:>12,} {layer.weight_bytes:>11,} {layer.seconds / whole:>6.1%} {layer.seconds:>10.3g}"))
    besides = max(0.0, whole - sum(layer.seconds or 0.0 for layer in told.per_layer))
    lines.append(f"  {'the call itself, transfer':<66} {besides / whole:>6.1%} {besides:>10.3g}")
    unsure = [_unsure(told, device)] if told.uncertain else []
    return "\n".join([*lines, "", *(f"without a price: {one}" for one in told.unpriced), *unsure, *(f"note: {caveat}" for caveat in device.caveats)]).rstrip()


def _unsure(told: "Estimate", device: "Profile") -> str:
    from hw_profiles.profile import profile

    words = f"note: whether the accelerator takes {len(told.uncertain)} of the operators is not known before its compiler has seen them (`pixie lint`); the " \
            "median is as if it did"  # fmt: skip
    if not device.host:
        return f"{words}, and what they take on its host is not known: no profile has a price for it"
    return f"{words}, the interval's ends are those of both cases, in the other of which they run on {device.host} (trust {profile(device.host).trust})"


def _shown(interval: "Interval", unit: str) -> str:
    return f"{interval.p50:.3g} {unit} ({interval.level:.0%} interval {interval.lo:.3g} to {interval.hi:.3g})"


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"is {text!r}, must be a whole number from 1 to {_MOST:,}")
    return int(text)


ESTIMATE = Verb("estimate", "Estimate latency, energy and memory of a model on a device that is not here, with an interval.",
                "estimate out/demo/bundle --profile raspberry-pi-4b", _add_arguments, _run)
