"""The gates: what this version of Pixie must show, as one table of ids, operations and bounds, and how each is read from the records."""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .results import Gate, Record

COMPARE = {"==": operator.eq, "<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt}


@dataclass(frozen=True)
class Claim:
    """A row of the table: the record of the same id must hold `op` `bound`.

    `low`: the lower end of the record's interval is compared, not its value. `supplied`: the data or the program for it come from the user, so that a
    missing record is "not supplied" and no failure. `full`: a claim that the demo is too short to make.
    """

    id: str
    op: str
    bound: float | int
    says: str
    low: bool = False
    supplied: bool = False
    full: bool = False


_KERNELS = Claim("kernels.equal", "==", 0, "codes that differ between the reference engine in a kernel set and the runtime that has it", full=True)
_VELA = Claim("lint.vela", "==", 0, "operators of the flight network that Vela leaves to the CPU", supplied=True, full=True)
CLAIMS = (
    Claim("parity.parameters", "==", 0, "integer weights, biases or scale bits that differ between ONNX and TFLite"),
    Claim("parity.reference", "==", 0, "codes that differ between LiteRT and the reference engine; every output of encoder, decoder and whole model"),
    Claim("parity.training", "==", 0, "codes that differ between Brevitas in eval mode and ONNX Runtime with its optimiser off"),
    Claim("parity.flips", "==", 0, "flags that flip between the fake-quantised network and the flight file"),
    Claim("int8.auc_difference", ">=", -0.005, "ROC AUC of int8 minus its float twin, lower 95 % bound, paired bootstrap by scene", low=True),
    Claim("score.signal_precision", ">=", 0.95, "precision of signal at the one threshold from calibration scenes"),
    Claim("score.noise_precision", ">=", 0.95, "precision of noise at the same threshold"),
    Claim("score.signal_recall", ">=", 0.90, "recall of signal at that threshold: the precision counts only from here on"),
    Claim("score.noise_recall", ">=", 0.90, "recall of noise at that threshold"),
    Claim("cvae.beats_mean", "<", 0, "sigma: error of the int8 whole model less that of the window mean, signal windows, worst channel", full=True),
    Claim("cvae.beats_pca", "<", 0, "the same less that of PCA with as many int8 coefficients as latents", full=True),
    Claim("cvae.beats_wavelet", "<", 0, "the same less that of a thresholded wavelet of as many bytes", full=True),
    Claim("cvae.beats_2020", "<", 0, "the same less that of the 2020 report's network after as many samples", full=True),
    Claim("elbo.order", "==", 0, "steps that fail: nats per sample of true rate > our autoencoder > smoother > window mean > 2020 report's network", full=True),
    Claim("cvae.boundary", "<=", 1.1, "error of a window's outer parts over that of its inner part, signal and quiet windows, worst channel", full=True),
    Claim("cvae.boundary.tiling", "<", 0.01, "change of the recall of light when the tiling begins up to 1,039 samples later", full=True),
    Claim("cvae.uv", ">=", 0.9, "median correlation of UV pulses of 10 counts or more with their true rate", full=True),
    Claim("cvae.uv.p10", ">=", 0.7, "tenth percentile of that correlation", full=True),
    Claim("cvae.uv.peak_us", "<=", 50, "median microseconds by which the peak's time is off", full=True),
    Claim("score.classes", ">", 0, "five-way macro F1 of the int8 flight file less that of the best rival, lower 95 % bound, paired by scene", low=True,
          full=True),
    Claim("score.classes.blue", ">", 0, "the same of the F1 of blue, without the bound", full=True),
    Claim("score.classes.hits", ">", 0, "the same of the F1 of hits", full=True),
    Claim("int8.seeds", ">=", -0.003, "ROC AUC of int8 minus its float twin, mean over three seeds", full=True),
    Claim("int8.seeds.low", ">=", -0.005, "lower 95 % bound of that mean, paired bootstrap by scene within each seed", full=True),
    Claim("int8.seeds.windows", ">=", 50_000, "balanced test windows behind that mean", full=True),
    Claim("flight.budget", "<=", 1, "the larger of bytes / 64,000 and median microseconds of an engine call / 100 on LiteRT on this machine", full=True),
    Claim("runtime.added_us", "<=", 50, "median microseconds from counts to flag beyond the bare engine call, one window, one thread"),
    Claim("runtime.added_rss_mb", "<=", 4, "MB of peak resident memory over 10 minutes of stream, above the bare engine's process"),
    Claim("runtime.added_rss_mb.growth", "<", 0.5, "MB of resident memory gained after the first minute of stream"),
    Claim("runtime.realtime", ">=", 50, "times real time, counts to catalogue, one thread, LiteRT"),
    Claim("flight.bytes", "<=", 64_000, "bytes of model.tflite, tables and manifest of the encoder"),
    Claim("board.imports", "==", 0, "ground modules in the flight process, run from a copied folder"),
    Claim("input.refused", ">=", 60, "malformed inputs refused with exit 2, one line, nothing written"),
    Claim("input.refused.missed", "==", 0, "malformed inputs not refused so, or slower than 5 s, or above 200 MB"),
    Claim("input.refused.kinds", ">=", 4, "kinds of damage tried on the least tried format"),
    Claim("model.loo.a53", "<=", 0.08, "mean error of a Cortex-A53's instructions, each counted model told by the others", full=True),
    Claim("model.loo.a53.worst", "<=", 0.35, "the worst of them", full=True),
    Claim("model.loo.a72", "<=", 0.10, "the same of a Cortex-A72", full=True),
    Claim("model.loo.a72.worst", "<=", 0.35, "the worst of them", full=True),
    Claim("model.loo.a76", "<=", 0.15, "the same of a Cortex-A76", full=True),
    Claim("model.loo.a76.worst", "<=", 0.35, "the worst of them", full=True),
    Claim("model.loo.edgetpu", "<=", 0.075, "median error of the published latencies of Edge TPUs, each told without its network", full=True),
    Claim("model.loo.edgetpu.small", "<=", 0.094, "mean error of those of networks under 6 MB", full=True),
    Claim("model.held_out", "==", 1, "80 % lies in the Wilson interval of the share of published latencies, shown to no fit, that their 80 % intervals hold",
          full=True),
    Claim("model.held_out.rows", ">=", 40, "pairs of network and board behind it, chosen by a hash of their names", full=True),
    Claim("model.held_out.width", "<=", 2, "mean of those intervals' upper ends over their lower ones", full=True),
    Claim("model.host", "<", 0.15, "median error of latencies on this machine, 20 models fitted and 20 others tested", full=True),
    Claim("model.host.p90", "<", 0.40, "ninth decile of those errors", full=True),
    Claim("model.host.models", ">=", 20, "models tested, of latencies between 10 us and 20 ms", full=True),
    Claim("arm.identical", "==", 0, "output bytes that differ between this machine and emulated Cortex-A53, A72 and A76", full=True),
    Claim("lint.rules", "==", 0, "accelerator rules whose pair of networks is judged wrongly", full=True),
    _VELA,
    _KERNELS,
    Claim("bench.foreign", ">=", 12, "files of TensorFlow, PyTorch and ONNX Runtime that are benchmarked or refused with a reason", full=True),
    Claim("bench.foreign.crashed", "==", 0, "of these files, those that end otherwise", full=True),
    Claim("profiles.sources", "==", 0, "numbers of hardware profiles without source or status, or files without that pass the check", full=True),
    Claim("recorded.bright_pulses", "==", 1, "the recorded bright pulses flagged as light (1: yes)", supplied=True),
    Claim("recorded.uv_pulse", "==", 1, "the recorded UV pulse flagged as light, naming UV (1: yes)", supplied=True),
    Claim("recorded.quiet", "==", 0, "candidates in the recorded quiet slice", supplied=True),
    Claim("recorded.particle_hits", "==", 0, "candidates of another class than hits in the recorded particle hits", supplied=True),
)

_PARITY = tuple(claim for claim in CLAIMS if claim.id.startswith("parity."))
PIXEL_CLAIMS = (
    Claim("pixels.int8_vs_classical", ">=", -0.005, "ROC AUC of int8 minus best classical of the same run, mean over left-out sessions, lower 95 % bound",
          low=True, full=True),
    Claim("pixels.int8_vs_classical.recall", ">=", 0, "the same of the recall at a false-positive rate of 1e-4", low=True, full=True),
    Claim("pixels.int8_vs_float", ">=", -0.005, "ROC AUC of int8 minus its float twin, lower 95 % bound, paired over left-out sessions", low=True),
    Claim("pixels.operating_point", ">=", 20_000_000, "background pixel-windows of a left-out session behind each recall at 1e-4 and 1e-5"),
    Claim("tracks.efficiency", ">=", 0, "magnitudes by which tracks of int8 reach fainter than the best rival's, one false track a night", full=True),
    Claim("pixels.frame_ms", "<=", 2, "ms from counts to flags, whole focal surface, one thread, 99th percentile"),
    Claim("pixels.engine_ratio", "<=", 1.3, "engine call over a bare LiteRT loop of the same file"),
    Claim("pixels.flight_bytes", "<=", 12_000, "bytes of model.tflite and manifest"),
    Claim("pixels.claim_10x", ">=", 0, "times that a conventional threshold trigger takes longer than the network; told whichever way it comes out"),
    Claim("pixels.simulator", "==", 0, "checks of the simulator that fail: the study's two, and the recorded frame where supplied"),
    Claim("pixels.input.refused", ">=", 30, "malformed ROOT and NumPy inputs, settings and bundles refused with exit 2, one line, nothing written"),
    Claim("pixels.input.refused.missed", "==", 0, "malformed inputs not refused so, or slower than 5 s, or above 200 MB"),
    *_PARITY,
    _KERNELS,
    _VELA,
    Claim("recorded.meteor", ">=", 1, "tracks found at the recorded meteor", supplied=True),
)


def claims_of(task: str, scale: str) -> tuple[Claim, ...]:
    """The claims of a task that a run at this scale has to make."""
    return tuple(claim for claim in (PIXEL_CLAIMS if task == "minieuso" else CLAIMS) if scale == "full" or not claim.full)


def judge(records: Iterable[Record], claims: Iterable[Claim] = CLAIMS) -> tuple[Gate, ...]:
    """Every claim against its record. What was not measured falls short; what the user did not supply neither holds nor falls short."""
    by_id: Mapping[str, Record] = {record.id: record for record in records}
    return tuple(_gate(claim, by_id.get(claim.id)) for claim in claims)


def _gate(claim: Claim, record: Record | None) -> Gate:
    value = None if record is None else record.value
    if record is not None and claim.low:
        value = None if record.spread is None else record.spread.low
    if value is None:
        return Gate(claim.id, None, claim.op, claim.bound, None if claim.supplied else False)
    return Gate(claim.id, value, claim.op, claim.bound, bool(COMPARE[claim.op](value, claim.bound)))


def verdict(gate: Gate) -> str:
    """The last word of a gate's line."""
    if gate.holds is None:
        return "not supplied"
    if gate.value is None:
        return "not measured: falls short"
    return "holds" if gate.holds else "falls short"


def lines(gates: Iterable[Gate]) -> str:
    """One line per gate: id, value, bound, holds or falls short."""
    return "\n".join(f"{gate.id:<28} {shown(gate.value):>12}  {gate.op + ' ' + shown(gate.bound):<11}  {verdict(gate)}" for gate in gates)


def shown(value: float | int | None) -> str:
    """A number for people: integers whole, others with four significant digits, a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, int) or (value == int(value) and abs(value) >= 1000):
        return f"{int(value):,}"
    return f"{value:.4g}"


def fall_short(gates: Iterable[Gate]) -> bool:
    """Whether any gate fell short."""
    return any(gate.holds is False for gate in gates)
