"""From a matplotlib figure to an inline SVG whose colours are the page's own, so that it follows light, dark and print."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter

# Colours that stand for a variable of style.css; matplotlib carries them through and `to_svg` puts the variable in their place.
INK, MUTED, GRID, PAPER, FAINT = "#010101", "#010102", "#010103", "#010104", "#010105"
SERIES = tuple(f"#0101{number:02x}" for number in range(0x10, 0x18))  # Okabe and Ito's order, safe for colour-blind readers
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper", FAINT: "faint", **{colour: f"series-{number}" for number, colour in enumerate(SERIES)}}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.size": 11, "axes.titlesize": 11, "axes.titleweight": "normal", "axes.labelsize": 11, "legend.fontsize": 10,
    "xtick.labelsize": 10, "ytick.labelsize": 10, "axes.edgecolor": MUTED, "axes.labelcolor": MUTED, "axes.titlecolor": INK, "text.color": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": GRID,
    "grid.linewidth": 0.7, "axes.axisbelow": True, "figure.facecolor": "none", "axes.facecolor": "none", "legend.frameon": False,
    "lines.linewidth": 1.8, "axes.linewidth": 0.8, "axes.unicode_minus": True, "path.simplify": True, "path.simplify_threshold": 0.5,
}


@contextmanager
def style() -> Iterator[None]:
    """Matplotlib set up for the report; nothing outside is touched."""
    with matplotlib.rc_context(_STYLE):
        yield


def canvas(width: float, height: float) -> Figure:
    """A figure of that size in CSS pixels."""
    return Figure(figsize=(width / 96, height / 96), dpi=96, layout="constrained")


def to_svg(figure: Figure, name: str, alt: str) -> Markup:
    """Inline SVG of a figure. `name` makes its ids its own and the same in every run, `alt` is read to whoever cannot see it."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    svg = re.sub(r"font-family: [^;\"]*|font: ([0-9.]+px)[^;\"]*", lambda found: f"font-size: {found[1]}" if found[1] else "", svg)
    svg = re.sub(r'\b(?:d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), svg)  # a hundredth of a pixel is enough
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    head, rest = svg[:svg.index(">")], svg[svg.index(">") + 1:]
    width = figure.get_figwidth() * 96
    head = re.sub(r'\s(width|height|version)="[^"]*"', "", head)
    head += f' role="img" aria-labelledby="{name}-title" style="max-width: {width:.0f}px"'
    return Markup(f'{head}><title id="{name}-title">{escape(alt)}</title>{re.sub(chr(10) + " *", chr(10), rest)}')


def plain(axes: Axes, which: str = "x") -> None:
    """Tick labels in plain digits (1,000 and 0.01) where a logarithmic axis would write powers."""
    formatter = FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    for axis in ([axes.xaxis] if "x" in which else []) + ([axes.yaxis] if "y" in which else []):
        axis.set_major_formatter(formatter)
        axis.set_minor_formatter(FuncFormatter(lambda _value, _position: ""))


def legend(axes: Axes, **settings: Any) -> None:
    """A legend that may cover the axes but never moves them."""
    axes.legend(**settings).set_in_layout(False)


def order(place: int) -> int:
    """Which of SERIES the curve at that place has."""
    return (1, 2, 0, 6, 4, 3, 5, 7)[place % 8]


def line(place: int) -> dict[str, Any]:
    """The network is the heavy first line, its rivals are thinner."""
    return {"color": SERIES[order(place)], "linewidth": 2.6 if place == 0 else 1.4, "zorder": 3 if place == 0 else 2}


def runs(mask: np.ndarray) -> Path:
    """The cells of mask bool [rows, columns] as rectangles, neighbours in a row in one; x is the column, y the row."""
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(int), axis=1)
    row, first = np.nonzero(steps == 1)
    return boxes(row, first, np.nonzero(steps == -1)[1])


def boxes(row: np.ndarray, first: np.ndarray, after: np.ndarray) -> Path:
    """Rectangles [k] one row high, from column `first` to before column `after`."""
    x, y = np.stack([first, after, after, first, first], 1) - 0.5, np.stack([row, row, row + 1, row + 1, row], 1) - 0.5  # [k, 5]
    return Path(np.stack([x.ravel(), y.ravel()], 1), [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * len(row))


def named(name: str, maker: Callable[..., Markup], *data: Any) -> Markup:
    """The figure that `maker` makes of `data`; what it cannot read is noted to be in entry `name`."""
    try:
        return maker(*data)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        error.add_note(name)
        raise
