"""From results to the page: what the first paragraph says, which numbers stand where, and the template filled with them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import InputError

from ..gates import CLAIMS, shown, verdict
from ..results import Gate, Record, Results

FOLDER = Path(__file__).parent
DECIMALS = {"AUC": 4, "F1": 3, "share": 3, "sigma": 2, "bits/sample": 3, "µs": 1, "ms": 2, "MB": 2, "times real time": 0, "per hour": 2}
TILES = (("runtime.realtime", "counts to catalogue"), ("latency.litert.paced.p50", "LiteRT, paced, median"), ("runtime.added_us", "added by Pixie, median"),
         ("flight.bytes", "what flies"), ("runtime.added_rss_mb", "memory above the bare engine"), ("detection.auc_noise", "signal against all noise"))
RIVAL = "rival."
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Cell:
    """A number in a table: what is shown, its interval and, when pointed at, where it comes from."""

    text: str
    unit: str
    spread: str
    source: str


def render(results: Results, path: Path) -> str:
    """The whole page as text. `path` is named where its figures' data are malformed (InputError)."""
    import jinja2

    from .figures import draw

    try:
        figures, windows = draw(results.figures)
        tables = {name: _table(results, table) for name, table in results.figures.get("tables", {}).items()}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        where = ".".join(["figures", *getattr(error, "__notes__", [])])
        raise InputError(path, where, f"is malformed ({type(error).__name__}: {error}); run `pixie bench` again") from error
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((FOLDER / "template.html").read_text(encoding="utf-8"))
    says = {claim.id: claim.says for claim in CLAIMS}
    return template.render(
        style=(FOLDER / "style.css").read_text(encoding="utf-8"), results=results, figures=figures, windows=windows, tables=tables,
        first=first_paragraph(results), gates_sentence=gates_sentence(results.gates),
        gates=[(gate, says.get(gate.id, ""), shown(gate.value), shown(gate.bound), verdict(gate)) for gate in results.gates],
        tiles=[(cell(record), word, record) for name, word in TILES if (record := results.record(name)) and record.value is not None],
        environment=_flat(results.environment), cell=cell, value=lambda name: cell(results.record(name)),
        notes=results.figures.get("notes", []))


def first_paragraph(results: Results) -> str:
    """What the reader must know first: whether the network beats the best simple rival in telling signal from quiet."""
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


def gates_sentence(gates: tuple[Gate, ...]) -> str:
    """How many gates hold, and which fell short."""
    short = [gate.id for gate in gates if gate.holds is False]
    absent = sum(gate.holds is None for gate in gates)
    held = sum(gate.holds is True for gate in gates)
    text = f"{held} of {held + len(short)} gates hold"
    text += f"; short: {', '.join(short)}" if short else ""
    return text + (f"; {absent} need recorded data, which were not supplied." if absent else ".")


def cell(record: Record | None) -> Cell:
    """A record as a table shows it; "not measured" where there is none."""
    if record is None or record.value is None:
        return Cell("not measured", "", "", "")
    unit = "" if record.unit in ("AUC", "F1", "share", "count") else record.unit
    spread = f"{_number(record.spread.low, record.unit)} – {_number(record.spread.high, record.unit)}" if record.spread else ""
    facts = [record.how, record.on, f"n = {record.n:,}" if record.n is not None else "", record.spread.what if record.spread else "", record.source]
    return Cell(_number(record.value, record.unit), unit, spread, "; ".join(fact for fact in facts if fact))


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


def _number(value: float | int, unit: str) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    decimals = DECIMALS.get(unit, 3)
    if abs(value) >= 100:
        decimals = min(decimals, 0 if abs(value) >= 1000 else 1)
    if value and abs(value) < 0.5 * 10**-decimals:
        return f"{value:.2g}"
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def _table(results: Results, table: dict[str, Any]) -> dict[str, Any]:
    """A table of record ids becomes one of cells, so that no number in it can lack its provenance."""
    rows = [(row["name"], [None if name is None else cell(results.record(name)) for name in row["cells"]]) for row in table["rows"]]
    return {"columns": table["columns"], "rows": rows, "note": table.get("note", ""), "units": table.get("units", True)}


def _flat(environment: Any) -> list[tuple[str, str]]:
    lines = []
    for name, value in environment.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {one}" for key, one in value.items())
        lines.append((name.replace("_", " "), "not told by this machine" if value is None else str(value)))
    return lines
