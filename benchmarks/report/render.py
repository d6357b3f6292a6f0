"""From results to the page of their instrument: which template, which figures, which numbers stand where."""

from pathlib import Path

from edge_runtime.errors import InputError

from ..gates import CLAIMS, PIXEL_CLAIMS, shown, verdict
from ..results import Gate, Results
from . import model_words, pixel_words, words
from .cells import cell, flat, table

FOLDER = Path(__file__).parent


def render(results: Results, path: Path) -> str:
    """The whole page as text. `path` is named where its figures' data are malformed (InputError)."""
    import jinja2

    from . import figures, pixel_figures, report2020_figures  # heavy: only now is matplotlib needed

    draws, first_paragraph, tiles = {"mmia": ((figures.draw, report2020_figures.draw), words.first_paragraph, words.TILES),
                                     "minieuso": ((pixel_figures.draw,), pixel_words.first_paragraph, pixel_words.TILES),
                                     "model": ((), model_words.first_paragraph, ())}[results.task]
    try:
        drawn = {name: svg for draw in draws for name, svg in draw(results.figures).items()}
        tables = {name: table(results, data) for name, data in results.figures.get("tables", {}).items()}
        first = first_paragraph(results)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        where = ".".join(["figures", *getattr(error, "__notes__", [])])
        raise InputError(path, where, f"is malformed ({type(error).__name__}: {error}); run `pixie bench` again") from error
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined,
                                     trim_blocks=True, lstrip_blocks=True)
    says = {claim.id: claim.says for claim in (*CLAIMS, *PIXEL_CLAIMS)}
    return environment.get_template(f"{results.task}.html").render(
        style=(FOLDER / "style.css").read_text(encoding="utf-8"), results=results, figures=drawn, tables=tables,
        first=first, gates_sentence=gates_sentence(results.gates),
        gates=[(gate, says.get(gate.id, ""), shown(gate.value), shown(gate.bound), verdict(gate)) for gate in results.gates],
        tiles=[(cell(record), word, record) for name, word in tiles if (record := results.record(name)) and record.value is not None],
        environment=flat(results.environment), cell=cell, notes=results.figures.get("notes", []))


def gates_sentence(gates: tuple[Gate, ...]) -> str:
    """How many gates hold, and which fell short."""
    short = [gate.id for gate in gates if gate.holds is False]
    absent = sum(gate.holds is None for gate in gates)
    held = sum(gate.holds is True for gate in gates)
    text = f"{held} of {held + len(short)} gates hold"
    text += f"; short: {', '.join(short)}" if short else ""
    return text + (f"; {absent} need recorded data, which were not supplied." if absent else ".")
