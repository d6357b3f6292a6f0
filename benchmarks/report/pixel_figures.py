"""The figures of the Mini-EUSO page, each from its own entry of `figures` in results.json."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.patches import PathPatch, Rectangle

from edge_runtime.frames import FRAME_TIME_NS, PIXELS

from .cells import MINUS
from .drawing import FAINT, GRID, INK, MUTED, SERIES, boxes, canvas, legend, line, named, runs, style, to_svg
from .figures import latency

TUBE_PIXELS = 8  # side of a multi-anode photomultiplier
SHADES = 6  # of the excess, their steps growing as a square: a track's faint end is seen beside its brightest pixel
LEAST_RATE, MARKED_RATES = 1e-6, (1e-4, 1e-5)  # false-positive rates: where the axis begins, and those of the operating points
MOST_CURVES = 8


def focal(data: Mapping[str, Any]) -> Markup:
    """The focal surface with one found track: excess in shades, flagged pixels outlined, the fitted line and the simulated one.

    Row upwards and column to the right, so that a direction, from +row towards +column, reads as on a compass.
    """
    level, pixels = np.array(data["level"], float), np.asarray(data["pixels"], int)  # null becomes NaN
    if level.shape != (PIXELS, PIXELS) or pixels.shape[1:] != (2,) or not np.all((pixels >= 0) & (pixels < PIXELS)):
        raise ValueError(f"level is {level.shape}, must be ({PIXELS}, {PIXELS}); pixels is {pixels.shape}, must be (k, 2) within it")
    figure = canvas(540, 520)
    axes, scale = figure.subplots(1, 2, width_ratios=(26, 1))
    edges = max(float(np.nanmax(level, initial=0)), 1e-9) * np.linspace(0.2, 1, SHADES + 1) ** 2
    shade = np.where(level == level, np.digitize(level, edges[:-1]), -1)  # 0: too faint to be drawn, -1: masked
    axes.add_patch(PathPatch(runs(shade == -1), facecolor=GRID, linewidth=0, label="masked"))
    for number in range(1, SHADES + 1):
        alpha = 0.12 + 0.88 * (number - 1) / (SHADES - 1)
        axes.add_patch(PathPatch(runs(shade == number), facecolor=SERIES[1], alpha=alpha, linewidth=0))
        scale.add_patch(Rectangle((0, number - 1), 1, 1, facecolor=SERIES[1], alpha=alpha, linewidth=0))
    for tube in np.arange(TUBE_PIXELS, PIXELS, TUBE_PIXELS) - 0.5:
        axes.axhline(tube, color=FAINT, linewidth=0.6)
        axes.axvline(tube, color=FAINT, linewidth=0.6)
    axes.add_patch(PathPatch(boxes(pixels[:, 0], pixels[:, 1], pixels[:, 1] + 1), fill=False, edgecolor=INK, linewidth=1.1, label="flagged"))
    for key, word, looks in (("true_line", "simulated", {"color": INK, "linestyle": (0, (3, 2)), "linewidth": 1.3}), ("line", "fitted", {"color": SERIES[0]})):
        if key == "line" or data[key] is not None:
            (row, column), (last_row, last_column) = data[key]
            axes.plot([column, last_column], [row, last_row], label=word, **looks)
    axes.set_xlim(-0.5, PIXELS - 0.5)
    axes.set_ylim(-0.5, PIXELS - 0.5)
    axes.set_aspect("equal")
    axes.set_xticks(range(0, PIXELS, TUBE_PIXELS))
    axes.set_yticks(range(0, PIXELS, TUBE_PIXELS))
    axes.grid(visible=False)
    axes.set_xlabel("column")
    axes.set_ylabel("row")
    brightness = "" if data["magnitude"] is None else f"magnitude {data['magnitude']:.1f}, "
    facts = f"{brightness}{data['speed_km_s']:.0f} km/s towards {data['direction_deg']:.0f}°"
    axes.set_title(f"{data['title']}\n{facts}", loc="left")
    scale.set_ylim(0, SHADES)
    scale.set_xticks([])
    scale.set_yticks(range(SHADES + 1), [f"{edge:.2g}" for edge in edges])
    scale.yaxis.tick_right()
    scale.tick_params(length=0)
    scale.grid(visible=False)
    scale.set_title("counts\nper GTU", loc="left", color=MUTED, fontsize=10, pad=10)
    figure.legend(loc="outside lower center", ncols=4)
    return to_svg(figure, "focal", f"The focal surface, {data['title']}: {len(pixels)} flagged pixels on a line, {facts}.")


def light_curves(data: Sequence[Mapping[str, Any]]) -> Markup:
    """Counts per GTU of a track's pixels one above the other on one time axis, the frames that were flagged, and the network's score in each."""
    if not 1 <= len(data) <= MOST_CURVES:
        raise ValueError(f"{len(data)} curves, must be 1 to {MOST_CURVES}")
    first = min(curve["first_frame"] for curve in data)
    scores = [np.array(curve["score"], float) for curve in data]  # null becomes NaN
    known = np.concatenate(scores)[np.isfinite(np.concatenate(scores))]
    figure = canvas(540, 110 + 51 * len(data))
    figure.set_layout_engine("constrained", h_pad=0.01, hspace=0.0)
    panels = figure.subplots(len(data), 1, sharex=True, squeeze=False)[:, 0]
    for axes, curve, score in zip(panels, data, scores, strict=True):
        counts, flagged = np.asarray(curve["counts"], float), np.asarray(curve["flagged"], int)
        if np.any(flagged < 0):
            raise ValueError(f"flagged has frame {flagged.min()}, must be an index of counts")
        time = (curve["first_frame"] - first + np.arange(len(counts))) * FRAME_TIME_NS * 1e-9
        axes.step(time, counts, where="mid", color=SERIES[1], linewidth=1.2, label="counts per GTU")
        axes.plot(time[flagged], counts[flagged], "o", color=SERIES[0], markersize=4.5, label="flagged")
        axes.margins(x=0.01, y=0.15)
        axes.set_yticks(_ends(counts), [f"{end:.2f}" for end in _ends(counts)])
        axes.set_ylabel(f"{curve['row']}, {curve['column']}", rotation=0, ha="right", va="center", color=INK)
        if len(known):
            right = axes.twinx()
            right.plot(time, score, color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)))
            right.set_ylim(known.min() - 1, known.max() + 1)
            right.set_yticks(_ends(known), [f"{end:.0f}".replace("-", MINUS) for end in _ends(known)])
            right.grid(visible=False)
    if len(known):
        panels[0].plot([], [], color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)), label="score (right)")
    panels[-1].set_xlabel(f"s from frame {first:,} on;  names: row, column")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    count = sum(len(curve["flagged"]) for curve in data)
    peaks = "; ".join(f"row {curve['row']}, column {curve['column']}: peak {max(curve['counts']):.2f} counts per GTU" for curve in data)
    return to_svg(figure, "light_curves", f"Light curves of {len(data)} pixels of the track, flagged in {count} pixel-frames. {peaks}.")


def pixel_roc(data: Mapping[str, Any]) -> Markup:
    """Recall against the false-positive rate on a logarithmic axis: a stream is searched where one pixel-frame in 10,000 or fewer is falsely flagged.

    `windows` are those without a meteor; rates below one of them were not resolved and are shaded.
    """
    if data["windows"] < 1:
        raise ValueError(f"windows is {data['windows']}, must be 1 or more")
    figure = canvas(1080, 430)
    axes = figure.subplots()
    if 1 / data["windows"] > LEAST_RATE:
        axes.axvspan(LEAST_RATE, 1 / data["windows"], color=GRID, alpha=0.45, linewidth=0, label="less than one window")
    words = []
    for place, curve in enumerate(data["curves"]):
        fpr, recall = np.asarray(curve["fpr"], float), np.asarray(curve["recall"], float)
        # A staircase: between two rates that were reached the recall is that of the lower one.
        axes.plot(np.maximum(fpr, LEAST_RATE), recall, **line(place), drawstyle="steps-post", label=f"{curve['name']}  {curve['auc']:.4f}")
        at = ", ".join(f"recall {recall[fpr <= rate].max(initial=0):.3f} at a false-positive rate of {rate:g}" for rate in MARKED_RATES)
        words.append(f"{curve['name']}: AUC {curve['auc']:.4f}, {at}")
    for rate in MARKED_RATES:
        axes.axvline(rate, color=INK, linewidth=0.9, linestyle=(0, (3, 2)))
        axes.text(rate, 1.03, f"1 in {1 / rate:,.0f}", ha="center", fontsize=10)
    axes.set_xscale("log")
    axes.set_xlim(LEAST_RATE, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"false-positive rate (logarithmic), {data['windows']:,} windows without a meteor")
    axes.set_ylabel("recall")
    legend(axes, loc="lower right", title="ROC AUC", alignment="left")
    return to_svg(figure, "pixel_roc", f"ROC of single pixels. {'; '.join(words)}.")


def track_efficiency(data: Mapping[str, Any]) -> Markup:
    """Share of the meteors of each magnitude that become a track, with 95 % Wilson intervals; the limit is where half of them do."""
    figure = canvas(1080, 400)
    axes = figure.subplots()
    magnitudes = np.asarray(data["magnitudes"], float)
    axes.axhline(0.5, color=MUTED, linewidth=1.0, linestyle=(0, (3, 2)))
    words = []
    for place, curve in enumerate(data["curves"]):
        shifted = magnitudes + 0.04 * (place - (len(data["curves"]) - 1) / 2)  # so that intervals stand side by side
        limit = "at none" if curve["limit"] is None else f"{curve['limit']:.1f}"
        looks = line(place)
        axes.plot(shifted, curve["efficiency"], **looks, marker="o", markersize=4, label=f"{curve['name']}  {limit}")
        axes.vlines(shifted, curve["low"], curve["high"], color=looks["color"], linewidth=1.0, alpha=0.7)
        words.append(f"{curve['name']} finds half {'at no magnitude' if curve['limit'] is None else f'down to magnitude {limit}'}")
    meteors = np.array([curve["n"] for curve in data["curves"]])
    if meteors.shape != (len(data["curves"]), len(magnitudes)):
        raise ValueError(f"n is {meteors.shape}, must be one number for each curve and magnitude")
    fewest, most = meteors.min(), meteors.max()
    axes.set_xlabel(f"absolute magnitude;  {fewest if fewest == most else f'{fewest} to {most}'} meteors a point")
    axes.set_ylabel("share found as a track")
    axes.set_xticks(magnitudes, [f"{magnitude:g}" for magnitude in magnitudes])
    axes.set_ylim(-0.02, 1.06)
    legend(axes, loc="lower left", title="half found down to", alignment="left")
    return to_svg(figure, "track_efficiency", f"Share of meteors found as a track against magnitude. {'; '.join(words)}.")


def confusers(data: Mapping[str, Any]) -> Markup:
    """False positives of every method by what it took for a meteor, a row each; cells shaded by the logarithm of their share of the windows."""
    kinds, windows = data["kinds"], np.asarray(data["windows"], int)
    counts = np.array([row["counts"] for row in data["rows"]], int)
    if counts.shape != (len(data["rows"]), len(kinds)) or windows.shape != (len(kinds),) or np.any(counts < 0) or np.any(windows < 0):
        raise ValueError(f"counts is {counts.shape} and windows {windows.shape}, must be one number, not below 0, for each kind")
    share = counts / np.maximum(windows, 1)
    figure = canvas(1080, 90 + 52 * len(counts))
    axes = figure.subplots()
    for row, column in np.ndindex(counts.shape):
        depth = 1 + np.log10(max(share[row, column], LEAST_RATE)) / -np.log10(LEAST_RATE)
        axes.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, facecolor=SERIES[3], alpha=0.05 + 0.6 * depth, linewidth=0))
        axes.text(column, row - 0.1, f"{counts[row, column]:,}", ha="center", va="center", fontsize=12)
        if counts[row, column]:
            axes.text(column, row + 0.27, f"1 in {1 / share[row, column]:,.0f}", ha="center", va="center", fontsize=9)
    axes.set_xlim(-0.5, len(kinds) - 0.5)
    axes.set_ylim(len(counts) - 0.5, -0.5)
    axes.set_xticks(range(len(kinds)), [f"{kind}\n{number:,} windows" for kind, number in zip(kinds, windows, strict=True)], color=INK)
    axes.set_yticks(range(len(counts)), [row["name"] for row in data["rows"]], color=INK)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    words = "; ".join(f"{row['name']} {of_kind.sum():,}, most of them {kinds[of_kind.argmax()]}" if of_kind.any() else f"{row['name']} none"
                      for row, of_kind in zip(data["rows"], counts, strict=True))
    return to_svg(figure, "confusers", f"False positives by what was taken for a meteor: {words}.")


def draw(figures: Mapping[str, Any]) -> dict[str, Markup]:
    """All figures that there are data for, by name. KeyError, TypeError, ValueError name the entry in a note."""
    makers: dict[str, Callable[..., Markup]] = {
        "focal": focal, "light_curves": light_curves, "pixel_roc": pixel_roc, "track_efficiency": track_efficiency, "confusers": confusers, "latency": latency}
    with style():
        return {name: named(name, maker, figures[name]) for name, maker in makers.items() if name in figures}


def _ends(values: np.ndarray) -> list[float]:
    return [float(values.min()), float(values.max())]
