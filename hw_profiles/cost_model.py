"""What a call of a network costs on a device: seconds, joules and bytes from the work of its operators and the numbers of a profile.

One equation for each way to compute, chosen by the profile's `cost_model`:

    instructions    sum over operators of max(N CPI / f, bytes / bandwidth), N the instructions that ARM's kernels execute (instructions.py);
                    threads share all beyond the first millisecond but the serial part s of it: t (s + (1 - s) / n)
    loops           the same with N CPI / f in one: seconds of a round of each of the kernels' loops, fitted to latencies of the machine; one thread
    systolic        t0 (1 + s (IO / image - 1)) + IO / link + alpha cycles / f + t_op operators + max(0, weights - cache) / link, IO the bytes in and out,
                    cycles those of a side x side array that takes side x side weights at once (google-coral's Edge TPU)
    npu             sum over operators of max(MAC / (MAC per cycle) / f, weights / flash, moved / SRAM) (Arm Vela's PERFORMANCE.md)
    cycles_per_mac  k MAC / f: one number for a core and its kernels

An interval is what the profile's numbers leave open: each that is assumed or has a spread is drawn, all operators sharing a draw, and so is the error that the
model makes of models it was not fitted on (`model_error`). The equation is evaluated for every draw.
"""

import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from .instructions import COEFFICIENTS, SECONDS, TERMS, TILE, Tile, terms
from .network import Network, Tensor
from .profile import Number, Profile
from .work import Unpriced, Work, live_bytes, size_of, weight_bytes, works

LEVEL = 0.8  # of the intervals
DRAWS = 4000
IMAGE_BYTES = 224 * 224 * 3 + 1000  # in and out of a network whose latency on an Edge TPU is published
FREE = ("meta", "fused")  # groups of operators that an accelerator spends no time of its own on
ONE_THREAD_S = 1e-3  # of each call no other core shares: waking them takes as long [assumed]
_Z90, _Z95 = 1.2816, 1.6449  # standard deviations from the median to the 90th and the 95th percentile
Draws = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Median, and what `level` of the draws lie between."""

    p50: float
    lo: float
    hi: float
    level: float = LEVEL


@dataclass(frozen=True)
class Layer:
    """One operator: where it runs ("accelerator" or "cpu"), its work and the median of its seconds; all None where it has no price."""

    index: int
    kind: str
    where: str
    macs: int | None
    weight_bytes: int | None
    elements: int | None
    seconds: float | None


@dataclass(frozen=True)
class Estimate:
    """A network's call on a device. `energy_j`: of the whole board while it computes, None where the profile has no power.

    ram_bytes: what must be kept of the tensors at least, and the weights where they do not stay in flash. `lower_bound`: operators without a price are
    not in it, `unpriced` names them. `uncertain`: operators that an accelerator may leave to its host and that are priced as if it took them.
    """

    profile: str
    threads: int
    batch: int
    latency_s: Interval
    energy_j: Interval | None
    ram_bytes: int
    flash_bytes: int
    per_layer: tuple[Layer, ...]
    lower_bound: bool
    unpriced: tuple[str, ...]
    uncertain: tuple[int, ...] = ()


class Numbers(Mapping[str, Draws]):
    """Draws [DRAWS] of a profile's numbers, each from its own stream, so that one more number changes no other. KeyError names a missing one."""

    def __init__(self, profile: Profile, seed: int = 0) -> None:
        self._profile, self._seed = profile, seed
        self._drawn: dict[str, Draws] = {}

    def __getitem__(self, name: str) -> Draws:
        if name not in self._drawn:
            rng = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
            self._drawn[name] = _draw(self._profile.numbers[name], rng)
        return self._drawn[name]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._profile.numbers)

    def __len__(self) -> int:
        return len(self._profile.numbers)

    def error(self) -> Draws:
        """Factors by which the model is off; LEVEL of them are no further from 1 than the profile's `model_error`."""
        rng = np.random.default_rng([self._seed, zlib.crc32(b"error of the model")])
        share = self._profile.numbers["model_error"].value if "model_error" in self._profile.numbers else 0.0
        return np.exp(rng.normal(0, share / _Z90, DRAWS))


def _draw(number: Number, rng: np.random.Generator) -> Draws:
    if number.range is not None:
        return _within(*number.range, number.value, rng)
    if number.spread is not None and 0 < number.spread[0] < number.spread[1]:
        return number.value * np.exp(rng.normal(0, log(number.spread[1] / number.spread[0]) / 2 / _Z95, DRAWS))
    return np.full(DRAWS, number.value)


def _within(low: float, high: float, value: float, rng: np.random.Generator) -> Draws:
    """Draws of a range with the value as their median, even in the logarithm on either side of it; where the range begins at 0, in the number itself."""
    place = rng.uniform(-1, 1, DRAWS)
    end = np.where(place < 0, low, high)
    if low == 0:
        return value + np.abs(place) * (end - value)
    return value * (end / value) ** np.abs(place)


def estimate(network: Network, profile: Profile, host: Profile | None = None, mapped: Collection[int] | None = None, threads: int = 1, batch: int = 1,
             partial: bool = False) -> Estimate:
    """The cost of one call for `batch` items.

    mapped: operators that an accelerator takes (default: all); the rest run on `host`, and have no price where there is none. Unpriced names the first
    operator without a price, unless `partial`: then the sum is a lower bound, of the bytes too, and an open shape counts as nothing. ValueError where
    shapes are open else.
    """
    todo = works(network, batch)
    taken = range(len(todo)) if mapped is None else mapped
    rest = [index for index in range(len(todo)) if index not in taken]
    if host is None:
        for index in rest:
            todo[index] = Unpriced(f"operator {index}, {network.operators[index].kind}, is not for the accelerator, and its host has no price")
    unpriced = [one for one in todo if isinstance(one, Unpriced)]
    if unpriced and not partial:
        raise unpriced[0]
    total, joules = np.zeros(DRAWS), []
    spent: dict[int, Draws | None] = {}
    for device, places, moved in ((profile, taken, batch * io_bytes(network, taken, partial)), (host, rest, 0)):
        if device is None or not places:  # an accelerator that takes nothing is not called
            continue
        numbers = Numbers(device)
        seconds, whole = _call([todo[index] for index in places], device, numbers, threads, moved)
        spent |= dict(zip(places, seconds, strict=True))
        total = total + whole
        joules.append(_joules(whole, numbers, threads))  # each device's own
    layers = [_layer(index, network.operators[index].kind, index in rest or profile.cost_model in _ON_CPU, work, spent.get(index))
              for index, work in enumerate(todo)]
    energy = None if any(one is None for one in joules) else interval(_sum(joules))
    weights, kept = weight_bytes(network), batch * live_bytes(network, partial)
    return Estimate(profile.name, threads, batch, interval(total), energy, kept + (0 if "flash_bytes" in profile.numbers else weights),
                    network.file_bytes, tuple(layers), bool(unpriced), tuple(str(one) for one in unpriced))


def interval(draws: Draws) -> Interval:
    """Median and the central LEVEL of draws."""
    lo, p50, hi = (float(value) for value in np.quantile(draws, ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)))
    return Interval(p50, lo, hi)


def systolic_cycles(work: Work, side: int) -> float:
    """Cycles of an array of side x side that is never idle; of a depthwise convolution each channel is one of its rows."""
    if work.group == "depthwise":
        return work.macs / work.repeats * -(-work.repeats // side)
    return work.tiled_macs(side, side) / side**2


def io_bytes(network: Network, taken: Collection[int] | None = None, partial: bool = False) -> int:
    """Bytes that go to the operators `taken` (default: all) and come from them: inputs, outputs, and what crosses to the others and back. ValueError for an
    open shape, which counts as nothing where `partial`."""
    inside = [operator for index, operator in enumerate(network.operators) if taken is None or index in taken]
    others = [operator for index, operator in enumerate(network.operators) if not (taken is None or index in taken)]

    def between(makers: Iterable[Tensor], readers: Iterable[Tensor | None]) -> dict[int, Tensor]:
        read = {id(tensor) for tensor in readers}
        return {id(tensor): tensor for tensor in makers if id(tensor) in read}

    there = between((*network.inputs, *(tensor for operator in others for tensor in operator.outputs)), (tensor for one in inside for tensor in one.inputs))
    back = between((tensor for operator in inside for tensor in operator.outputs),
                   (*network.outputs, *(tensor for operator in others for tensor in operator.inputs)))
    return sum(size_of(tensor, partial) for tensor in (*there.values(), *back.values()))


def _call(todo: Sequence[Work | Unpriced], profile: Profile, d: Numbers, threads: int, io_bytes: int) -> tuple[list[Draws | None], Draws]:
    """Seconds of each operator, None of what has no price, and of the whole call with what belongs to no operator."""
    operators, overhead = _MODELS[profile.cost_model](todo, d, io_bytes)
    factor = d.error()
    whole = float(np.median(overhead + _sum(operators)))
    if profile.cost_model in _ON_CPU and threads > 1 and whole > ONE_THREAD_S:
        alone = ONE_THREAD_S / whole  # the part of a call in which the others wake up
        shared = alone + (1 - alone) * (d["serial_share"] + (1 - d["serial_share"]) / threads)
        operators = [None if one is None else one * shared for one in operators]
    operators = [None if one is None else one * factor for one in operators]
    return operators, overhead * factor + _sum(operators)


def _instructions(todo: Sequence[Work | Unpriced], d: Numbers, io_bytes: int) -> tuple[list[Draws | None], Draws]:
    per_instruction = d["cycles_per_instruction_int8"] / d["clock_hz"]
    return _kernels(todo, d, {term: per_instruction * d[name] for term, name in zip(TERMS, COEFFICIENTS, strict=True)})


def _loops(todo: Sequence[Work | Unpriced], d: Numbers, io_bytes: int) -> tuple[list[Draws | None], Draws]:
    return _kernels(todo, d, {term: d[name] for term, name in zip(TERMS, SECONDS, strict=True)})


def _kernels(todo: Sequence[Work | Unpriced], d: Numbers, each: Mapping[str, Draws]) -> tuple[list[Draws | None], Draws]:
    """Seconds of each operator from those of each term, or of its bytes where a call's do not fit the last cache; and of the call itself."""
    tile = Tile(*(int(d[name][0]) for name in TILE))
    last_cache = max((d[name][0] for name in ("l3_bytes", "l2_bytes", "l1d_bytes") if name in d), default=np.inf)
    streams = sum(one.weight_bytes for one in todo if isinstance(one, Work)) + max(
        (one.moved_bytes for one in todo if isinstance(one, Work)), default=0) > last_cache

    def seconds(one: Work) -> Draws:
        computing = np.zeros(DRAWS) + sum(each[term] * count for term, count in terms(one, tile).items())
        return np.maximum(computing, (one.weight_bytes + one.moved_bytes) / d["dram_read_bytes_per_s"]) if streams else computing

    return [None if isinstance(one, Unpriced) else seconds(one) for one in todo], each["call"]


def _systolic(todo: Sequence[Work | Unpriced], d: Numbers, io_bytes: int) -> tuple[list[Draws | None], Draws]:
    side = int(d["systolic_side"][0])
    per_cycle = d["systolic_cycle_factor"] / d["systolic_clock_hz"]
    weights = sum(one.weight_bytes for one in todo if isinstance(one, Work))
    streamed = np.maximum(0.0, weights - d["parameter_cache_bytes"]) / d["link_bytes_per_s"]
    operators = [None if isinstance(one, Unpriced) else systolic_cycles(one, side) * per_cycle + (one.group not in FREE) * d["operator_overhead_s"]
                 for one in todo]
    # The published networks take images: how much of a call's overhead would shrink with its input, they do not say.
    overhead = d["call_overhead_s"] * (1 + d["call_overhead_input_share"] * (io_bytes / IMAGE_BYTES - 1))
    return operators, overhead + io_bytes / d["link_bytes_per_s"] + streamed


def _npu(todo: Sequence[Work | Unpriced], d: Numbers, io_bytes: int) -> tuple[list[Draws | None], Draws]:
    def seconds(one: Work) -> Draws:
        computing = one.macs / d["macs_per_cycle"] / d["clock_hz"]
        return np.maximum.reduce([computing, one.weight_bytes / d["flash_bytes_per_s"], one.moved_bytes / d["sram_bytes_per_s"]])

    return [None if isinstance(one, Unpriced) else seconds(one) for one in todo], np.zeros(DRAWS)


def _cycles_per_mac(todo: Sequence[Work | Unpriced], d: Numbers, io_bytes: int) -> tuple[list[Draws | None], Draws]:
    return [None if isinstance(one, Unpriced) else d["cycles_per_mac"] * one.macs / d["clock_hz"] for one in todo], np.zeros(DRAWS)


def _joules(seconds: Draws, d: Numbers, threads: int) -> Draws | None:
    """Of a device: idle power and, for each core that computes, its part of what all of them add; or the one active power of a small one."""
    if "power_active_w" in d:
        return seconds * d["power_active_w"]
    if "power_idle_w" not in d or "power_stress_w" not in d:
        return None
    busy = threads if float(np.median(seconds)) > ONE_THREAD_S else 1
    return seconds * (d["power_idle_w"] + (d["power_stress_w"] - d["power_idle_w"]) * busy / d["cores"])


def _layer(index: int, kind: str, on_cpu: bool, work: Work | Unpriced, seconds: Draws | None) -> Layer:
    where = "cpu" if on_cpu else "accelerator"
    if isinstance(work, Unpriced) or seconds is None:
        return Layer(index, kind, where, None, None, None, None)
    return Layer(index, kind, where, work.macs, work.weight_bytes, work.elements, float(np.median(seconds)))


def _sum(seconds: Sequence[Draws | None]) -> Draws:
    return np.sum([one for one in seconds if one is not None], axis=0) if any(one is not None for one in seconds) else np.zeros(DRAWS)


_Model = Callable[[Sequence[Work | Unpriced], Numbers, int], tuple[list[Draws | None], Draws]]
_MODELS: dict[str, _Model] = {"instructions": _instructions, "loops": _loops, "systolic": _systolic, "npu": _npu, "cycles_per_mac": _cycles_per_mac}
_ON_CPU = ("instructions", "loops", "cycles_per_mac")
