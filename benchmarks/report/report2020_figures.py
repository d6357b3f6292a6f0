"""The figures of the 2020 report, repeated: observation beside reconstruction, the latents embedded by t-SNE and as a feature map."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from .cells import MINUS
from .drawing import FAINT, INK, MUTED, SERIES, canvas, line, named, runs, style, to_svg
from .figures import CHANNEL_NAMES, CLASS_COLOURS

CURVES = (("counts", "counts", {"color": FAINT, "linewidth": 0.9}),
          ("rate", "true rate", {"color": INK, "linewidth": 1.1, "linestyle": (0, (3, 2)), "zorder": 4}),
          ("report", "the 2020 report's network", line(1)), ("ours", "our int8 network", {**line(0), "linewidth": 1.8}))
VIEWS = ((20, -60), (20, 30))  # elevation and azimuth in degrees from which a cloud in space is seen: a quarter turn apart
SHADES = 6  # of a latent's value, on either side of 0


def observed(data: Mapping[str, Any], part: str) -> Markup:
    """Slices side by side, a row for each channel, counts and true rate beside the reconstructions; `part` "whole" or, without the edges, "inner"."""
    slices = data["slices"]
    figure = canvas(1080, 600)
    panels = figure.subplots(len(CHANNEL_NAMES), len(slices), sharex=True, squeeze=False)
    words = []
    for column, one in enumerate(slices):
        curves = [(np.asarray(one[key], float), key, name, looks) for key, name, looks in CURVES if key in one]
        cut = data["edge"] if part == "inner" else 0
        kept = slice(cut, curves[0][0].shape[1] - cut)
        for row, channel in enumerate(CHANNEL_NAMES):
            axes = panels[row, column]
            for values, _, name, looks in curves:
                time_ms = (np.arange(values.shape[1]) + 0.5) * data["step_s"] * 1e3
                axes.plot(time_ms[kept], values[row, kept], label=name, **looks)
            largest = {key: f"{one['largest'][part][key][row]:.3g}" for _, key, _, _ in curves}
            axes.set_title(one["title"] if row == 0 else "", loc="left")
            # Of single samples: what an edge does in one sample is little in the mean that is drawn.
            axes.set_title("largest sample: " + ", ".join(f"{key} {largest[key]}" for key in ("ours", "report") if key in largest), loc="right", fontsize=9)
            axes.set_ylim(bottom=0)
            axes.margins(x=0)
            if column == 0:
                axes.set_ylabel(channel, color=INK)
            words.append(f"{one['title']}, {channel}: {', '.join(f'{name} {largest[key]}' for _, key, name, _ in curves)}")
    panels[-1, len(slices) // 2].set_xlabel("ms;  vertical: counts per 10 µs")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(CURVES))
    name = "observed" if part == "whole" else "observed_inner"
    return to_svg(figure, name, f"{len(slices)} slices {'whole' if part == 'whole' else 'without their edges'}; largest samples: {'; '.join(words)}.")


def tsne(data: Mapping[str, Any]) -> Markup:
    """The latents embedded in the plane and in space, which is seen from two sides; coloured by class."""
    label = np.asarray(data["label"])
    figure = canvas(1080, 430)
    axes: list[Any] = [figure.add_subplot(1, 3, 1), *(figure.add_subplot(1, 3, place, projection="3d") for place in (2, 3))]
    for panel, key in zip(axes, ("plane", "space", "space"), strict=True):
        points = np.asarray(data[key], float)
        for number, name in enumerate(data["classes"]):
            panel.plot(*points[label == number].T, "o", color=CLASS_COLOURS[number], markersize=3.2, alpha=0.65, markeredgewidth=0, label=name)
        panel.tick_params(labelbottom=False, labelleft=False, length=0)
    for panel, (elevation, azimuth) in zip(axes[1:], VIEWS, strict=True):
        panel.view_init(elevation, azimuth)
        panel.set_box_aspect(None, zoom=1.3)
        for axis in (panel.xaxis, panel.yaxis, panel.zaxis):
            axis.set_pane_color("none")
            axis.set_ticklabels([])
    for panel, title in zip(axes, ("in two dimensions", "in three", "the same, a quarter turn on"), strict=True):
        panel.set_title(title, loc="left")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(data["classes"]), markerscale=2)
    numbers = ", ".join(f"{(label == number).sum()} {name}" for number, name in enumerate(data["classes"]))
    return to_svg(figure, "tsne", f"t-SNE of the int8 latents of {len(label)} windows in two dimensions and in three, coloured by class: {numbers}.")


def features(data: Mapping[str, Any]) -> Markup:
    """The latents' values: one column per latent, one row per window, windows grouped by class; one colour above 0, another below."""
    label, values = np.asarray(data["label"]), np.asarray(data["values"], float)
    if values.shape[:1] != label.shape or np.any(np.diff(label) < 0):
        raise ValueError(f"values is {values.shape} and label {label.shape}, must be one row for each label, labels in order")
    limit = float(np.quantile(np.abs(values), 0.99)) or 1.0
    shade = np.round(values / limit * SHADES).clip(-SHADES, SHADES)
    figure = canvas(540, 520)
    axes, scale = figure.subplots(1, 2, width_ratios=(26, 1))
    for number in (*range(-SHADES, 0), *range(1, SHADES + 1)):
        looks: dict[str, Any] = {"facecolor": SERIES[3 if number > 0 else 1], "alpha": abs(number) / SHADES, "linewidth": 0}
        down = runs((shade == number).T)  # neighbours in a column in one: many latents hardly move within a class
        axes.add_patch(PathPatch(Path(np.asarray(down.vertices)[:, ::-1], down.codes), **looks))
        scale.add_patch(Rectangle((0, number - 0.5), 1, 1, **looks))
    first = [int(np.searchsorted(label, number)) for number in range(len(data["classes"]) + 1)]
    for edge in first[1:-1]:
        axes.axhline(edge - 0.5, color=INK, linewidth=0.8)
    axes.set_yticks([(a + b - 1) / 2 for a, b in pairwise(first)], data["classes"])
    for text, colour in zip(axes.get_yticklabels(), CLASS_COLOURS, strict=True):
        text.set_color(colour)
    axes.set_xlim(-0.5, values.shape[1] - 0.5)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_xlabel("latent")
    scale.set_ylim(-SHADES - 0.5, SHADES + 0.5)
    scale.set_xticks([])
    scale.set_yticks((-SHADES, 0, SHADES), [f"≤ {MINUS}{limit:.1f}", "0", f"≥ {limit:.1f}"])
    scale.yaxis.tick_right()
    scale.tick_params(length=0)
    scale.grid(visible=False)
    scale.set_title("prior\nsigma", loc="left", color=MUTED, fontsize=10, pad=10)
    most = ", ".join(str(number) for number in np.argsort(-values.std(axis=0), kind="stable")[:3])
    return to_svg(figure, "features", f"Values of {values.shape[1]} latents of {len(values)} windows grouped by class; latents {most} differ most.")


def draw(figures: Mapping[str, Any]) -> dict[str, Markup]:
    """All figures that there are data for, by name; KeyError, TypeError, ValueError name the entry in a note."""
    with style():
        found = {name: named(name, maker, figures[name]) for name, maker in {"tsne": tsne, "features": features}.items() if name in figures}
        if "observed" in figures:
            found |= {name: named("observed", observed, figures["observed"], part) for name, part in (("observed", "whole"), ("observed_inner", "inner"))}
    return found
