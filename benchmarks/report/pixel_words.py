"""What the Mini-EUSO page says first, and the numbers in its tiles."""

from ..results import Record, Results
from .cells import MINUS, TRACK_LIMIT, number

TILES = (("pixels.recall_1e4.int8", "recall, 1 of 10⁴ falsely flagged"), ("pixels.recall_1e5.int8", "recall, 1 of 10⁵ falsely flagged"),
         ("tracks.limit.int8", "half of the meteors found to"), ("pixels.frame_ms", "a frame, 99th percentile"), ("pixels.flight_bytes", "what flies"),
         ("pixels.claim_10x", "the ten-times claim"))
RATE = "a false-positive rate of 10⁻⁴"


def first_paragraph(results: Results) -> str:
    """What the reader must know first: whether the network beats the best classical method at single pixels, and then at tracks."""
    return f"{_pixels(results)} {_tracks(results)}"


def _pixels(results: Results) -> str:
    auc, recall = _measured(results, "pixels.int8_vs_classical"), _measured(results, "pixels.int8_vs_classical.recall")
    if auc is None:
        return "Whether the int8 network beats the best classical method at single pixels was not measured in this run."
    name = results.figures.get("best_classical")
    rival = "the best classical method of this run" + (f" ({name})" if name else "")
    found = f"the difference in ROC AUC is {_signed(auc)}"
    found += f", in recall at {RATE} {_signed(recall)}." if recall else f"; recall at {RATE} was not compared in this run."
    also = recall is not None and _ahead(recall)
    if _ahead(auc):
        return f"The int8 network beats {rival}{'' if also else ' in ROC AUC' if recall is None else ' in ROC AUC, but not in recall'}: {found}"
    chance = " by more than chance allows" if (auc.value or 0) > 0 else ""
    if also:
        return f"The int8 network does not beat {rival} in ROC AUC{chance}, but does in recall: {found}"
    return f"The int8 network does not beat {rival}{chance}: {found} It has to earn its place elsewhere."


def _tracks(results: Results) -> str:
    own = results.record(f"{TRACK_LIMIT}int8")
    rivals = [record for record in results.with_prefix(TRACK_LIMIT) if record is not own]
    if own is None:
        return "Its tracks were not measured in this run."
    text = f"Half of the meteors become tracks down to magnitude {number(own.value, 'mag')}" if own.value is not None else \
        "At no magnitude do half of the meteors become tracks"
    text += " with the int8 network"
    if not rivals:
        return f"{text}; no rival's tracks were measured in this run."
    reached = [record for record in rivals if record.value is not None]
    if not reached:
        return f"{text}; no rival finds half at any magnitude."
    best = max(reached, key=lambda record: float(record.value or 0))
    key = best.id.removeprefix(TRACK_LIMIT)
    text += f"; with the best rival, {results.figures.get('rival_names', {}).get(key, key.replace('_', ' '))}, down to {number(best.value or 0, 'mag')}."
    return text if own.value is not None and own.value > (best.value or 0) else f"{text} In tracks, then, the network brings no gain."


def _measured(results: Results, name: str) -> Record | None:
    record = results.record(name)
    return None if record is None or record.value is None else record


def _ahead(difference: Record) -> bool:
    """Whether a difference is above 0 by more than its interval allows for."""
    low = difference.value if difference.spread is None else difference.spread.low
    return (difference.value or 0) > 0 and (low or 0) > 0


def _signed(difference: Record) -> str:
    def shown(value: float) -> str:
        return f"{value:+.4f}".replace("-", MINUS)

    spread = f" ({shown(difference.spread.low)} to {shown(difference.spread.high)}; {difference.spread.what})" if difference.spread else ""
    return shown(difference.value or 0) + spread
