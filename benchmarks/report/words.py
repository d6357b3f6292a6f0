"""What the MMIA page says first, and the numbers in its tiles."""

from ..gates import shown
from ..results import Record, Results
from .cells import MINUS

TILES = (("runtime.realtime", "counts to catalogue"), ("latency.litert.paced.p50", "LiteRT, paced, median"), ("runtime.added_us", "added by Pixie, median"),
         ("flight.bytes", "what flies"), ("runtime.added_rss_mb", "memory above the bare engine"), ("detection.auc_noise", "signal against all noise"))
RIVAL = "rival."
CLAIMED = ("cvae.", "elbo.", "score.classes", "int8.seeds", "flight.budget")


def first_paragraph(results: Results) -> str:
    """What the reader must know first: whether the network beats the best simple rival in telling signal from quiet, and which claims do not hold."""
    return " ".join(part for part in (_flagging(results), _unmet(results)) if part)


def _unmet(results: Results) -> str:
    """Each claim about the autoencoder that was measured and falls short, with its figure and what the record says of it."""
    short = [gate for gate in results.gates if gate.holds is False and gate.value is not None and gate.id.startswith(CLAIMED)]
    told = []
    for gate in short:
        record = results.record(gate.id)
        why = record.source.rsplit("; ", 1)[-1] if record is not None else ""
        value, bound = (shown(number).replace("-", MINUS) for number in (gate.value, gate.bound))
        told.append(f"{gate.id} is {value}, asked for {gate.op} {bound} ({why})")
    return f"Claims that do not hold: {'; '.join(told)}." if told else ""


def _flagging(results: Results) -> str:
    own = results.record("detection.auc_quiet")
    rivals = [record for record in results.with_prefix(RIVAL) if record.id.endswith(".auc_quiet") and record.value is not None]
    if own is None or own.value is None or not rivals:
        return "Flagging was not measured in this run: what follows says nothing about how well light is told from noise."
    best = max(rivals, key=lambda record: float(record.value or 0))
    name = results.figures.get("rival_names", {}).get(best.id.split(".")[1], best.id.split(".")[1])
    difference = results.record("detection.auc_quiet_over_best_rival")
    interval = f" (difference {_signed(difference)})" if difference is not None and difference.value is not None else ""
    ahead = own.value > (best.value or 0) and (difference is None or difference.spread is None or difference.spread.low > 0)
    if ahead:
        return (f"In telling signal from quiet the network reaches an AUC of {own.value:.4f}; the best simple rival, {name}, reaches "
                f"{best.value:.4f} on the same windows{interval}. {_five_way(results)}")
    chance = " by more than chance allows" if own.value > (best.value or 0) else ""
    return (f"The network does not beat the best simple rival in telling signal from quiet{chance}: its AUC is {own.value:.4f}, that of {name} is "
            f"{best.value:.4f} on the same windows{interval}. It has to earn its place elsewhere. {_five_way(results)}")


def _five_way(results: Results) -> str:
    own, rival, packet = (results.record(name) for name in ("detection.macro_f1", "rival.boxcar_clipped.macro_f1", "compression.latents.bits_per_sample"))
    parts = []
    if own is not None and own.value is not None:
        beside = f", against {rival.value:.3f} of width and channel-ratio cuts on the best rival" if rival is not None and rival.value is not None else ""
        parts.append(f"On the five-way class its macro F1 is {own.value:.3f}{beside}.")
    lossless = results.record("compression.ccsds121.bits_per_sample")
    if packet is not None and packet.value is not None and lossless is not None and lossless.value is not None:
        error = results.record("compression.latents.signal.error_337")
        beside = f" and an error of {error.value:.2f} sigma of the true rate at 337 nm in signal windows" if error and error.value is not None else ""
        parts.append(f"Its latents cost {packet.value:.3f} bits a sample with headers{beside}; lossless CCSDS-121 costs {lossless.value:.2f}.")
    return " ".join(parts)


def _signed(record: Record) -> str:
    text = f"{record.value:+.4f}"
    text += f", 95 % {record.spread.low:+.4f} to {record.spread.high:+.4f}" if record.spread else ""
    return text.replace("-", MINUS)
