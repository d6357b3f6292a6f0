"""The report's figures, each from its own entry of `figures` in results.json."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.patches import Rectangle

from .drawing import FAINT, GRID, INK, MUTED, PAPER, SERIES, canvas, legend, line, named, order, plain, style, to_svg

# quiet, hits, lightning, blue, uv: grey and red-purple for noise, warm for lightning, blues for the two others.
CLASS_COLOURS = (MUTED, SERIES[6], SERIES[0], SERIES[1], SERIES[2])
CHANNEL_NAMES = ("337 nm", "UV", "777 nm")
CHANNEL_COLOURS = (SERIES[1], SERIES[6], SERIES[0])


def latency(data: Mapping[str, Any]) -> Markup:
    """Percentiles of every engine: hot loop, paced at the instrument's rate and first call."""
    engines = list(data["engines"])
    levels = np.asarray(data["levels"], float)
    figure = canvas(1080, 130 + 62 * len(engines))
    ranges, tail = figure.subplots(1, 2, width_ratios=(1.15, 1))
    for row, name in enumerate(engines):
        entry, colour = data["engines"][name], SERIES[row]
        for offset, mode in ((-0.16, "hot"), (0.16, "paced")):
            quantiles = np.asarray(entry[mode], float)
            p5, p50, p95, p99 = np.interp((5, 50, 95, 99), levels, quantiles)
            filled = mode == "paced"
            ranges.plot([p5, p99], [row + offset] * 2, color=colour, linewidth=1.4)
            ranges.plot([p5, p95], [row + offset] * 2, color=colour, linewidth=5, alpha=0.45, solid_capstyle="butt")
            ranges.plot(p50, row + offset, "o", color=colour, markerfacecolor=colour if filled else PAPER, markersize=7)
            ranges.annotate(f"{p50:,.0f} µs", (p99, row + offset), (6, 0), textcoords="offset points", va="center", fontsize=9)
            above = levels >= 50
            share = 100 - levels[above]
            tail.plot(quantiles[above], np.maximum(share, 0.05), color=colour, linestyle="-" if filled else (0, (3, 2)))
        ranges.plot(entry["first_call"], [row] * len(entry["first_call"]), "D", color=colour, markersize=5, markerfacecolor=PAPER)
    ranges.set_yticks(range(len(engines)), engines, color=INK)
    ranges.set_ylim(len(engines) - 0.4, -0.6)
    ranges.set_xscale("log")
    ranges.set_xlim(right=ranges.get_xlim()[1] * 1.6)
    ranges.set_xlabel("µs per window (logarithmic)")
    ranges.set_title("○ hot   ● paced   ◇ first call;  bar p5–p95, line to p99", loc="left")
    ranges.grid(axis="y", visible=False)
    tail.set_xscale("log")
    tail.set_yscale("log")
    tail.set_ylim(0.05, 60)
    tail.set_xlabel("µs per window (logarithmic)")
    tail.set_title("calls slower, %  (solid paced, dashed hot; colours as left)", loc="left")
    plain(ranges)
    plain(tail, "xy")
    words = "; ".join(f"{name}: paced median {np.interp(50, levels, data['engines'][name]['paced']):.0f} microseconds" for name in engines)
    return to_svg(figure, "latency", f"Distribution of the time per window of each engine. {words}.")


def roc(data: Mapping[str, Any]) -> Markup:
    """ROC of the network and its rivals against quiet windows and against particle hits, and precision-recall over all."""
    figure = canvas(1080, 430)
    panels = figure.subplots(1, 3)
    for axes, key, title in ((panels[0], "quiet", "ROC against quiet"), (panels[1], "hits", "ROC against particle hits")):
        for place, curve in enumerate(data[key]):
            axes.plot(np.maximum(curve["fpr"], 1e-4), curve["tpr"], **line(place), label=f"{curve['name']}  {curve['auc']:.4f}")
        axes.set_xscale("log")
        axes.set_xlim(2e-4, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("false positive rate (logarithmic)")
        axes.set_title(title + ", AUC", loc="left")
        plain(axes)
        legend(axes, loc="lower right", fontsize=9)
    panels[0].set_ylabel("true positive rate")
    for place, curve in enumerate(data["precision_recall"]):
        panels[2].plot(curve["recall"], curve["precision"], **line(place), label=curve["name"])
    point = data["operating_point"]
    panels[2].plot(point["recall"], point["precision"], "o", color=INK, markersize=7, markerfacecolor="none", label="threshold from calibration")
    panels[2].set_xlim(0, 1.02)
    panels[2].set_ylim(0.3, 1.02)
    panels[2].set_xlabel("recall of signal")
    panels[2].set_title("Precision against both", loc="left")
    legend(panels[2], loc="lower left", fontsize=9)
    words = "; ".join(f"{curve['name']} AUC {curve['auc']:.4f}" for curve in data["quiet"])
    return to_svg(figure, "roc", f"ROC and precision-recall curves. Against quiet windows: {words}.")


def confusion(data: Mapping[str, Any]) -> Markup:
    """Confusion matrix: one row per true class, cells shaded by the share of the row."""
    classes, counts = data["classes"], np.asarray(data["counts"])
    figure = canvas(520, 430)
    axes = figure.subplots()
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    share = counts / total
    for row in range(len(classes)):
        for column in range(len(classes)):
            axes.add_patch(Rectangle((column - 0.48, row - 0.48), 0.96, 0.96, facecolor=SERIES[1], alpha=0.06 + 0.5 * float(share[row, column]),
                                     linewidth=0))
            axes.text(column, row - 0.1, f"{counts[row, column]:,}", ha="center", va="center", fontsize=12)
            axes.text(column, row + 0.24, f"{100 * share[row, column]:.1f} %", ha="center", va="center", fontsize=9)
    axes.set_xlim(-0.5, len(classes) - 0.5)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set_xticks(range(len(classes)), classes, color=INK)
    axes.set_yticks(range(len(classes)), classes, color=INK)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_ylabel("what the simulator put there")
    axes.set_title("what the network says", loc="center", color=MUTED, fontsize=11)
    words = "; ".join(f"{name}: {counts[row, row]} of {counts[row].sum()}" for row, name in enumerate(classes))
    return to_svg(figure, "confusion", f"Confusion matrix of the five classes. Rightly told, {words}.")


def efficiency(data: Mapping[str, Any]) -> Markup:
    """Share of light windows flagged against their matched-filter SNR, the weak ones included, with 95 % Wilson intervals."""
    figure = canvas(540, 430)
    axes = figure.subplots()
    axes.axvspan(data["snr"][0] * 0.8, data["signal_from"], color=GRID, alpha=0.45, linewidth=0)
    axes.text(data["signal_from"] * 0.95, 1.005, "weaker than “signal”", ha="right", va="bottom", fontsize=9, color=MUTED)
    for place, curve in enumerate(data["curves"]):
        axes.fill_between(data["snr"], curve["low"], curve["high"], color=SERIES[order(place)], alpha=0.15, linewidth=0)
        axes.plot(data["snr"], curve["efficiency"], **line(place), marker="o", markersize=4, label=curve["name"])
    axes.set_xscale("log")
    axes.set_xlim(data["snr"][0] * 0.8, data["snr"][-1] * 1.2)
    axes.set_ylim(0, 1.06)
    axes.set_xlabel("matched-filter SNR of the light in the window (logarithmic)")
    axes.set_ylabel("share flagged")
    legend(axes, loc="lower right")
    plain(axes)
    first = data["curves"][0]
    words = ", ".join(f"SNR {snr:.1f}: {share:.2f}" for snr, share in zip(data["snr"], first["efficiency"], strict=True))
    return to_svg(figure, "efficiency", f"Efficiency against SNR of {first['name']}: {words}.")


def latents(data: Mapping[str, Any]) -> Markup:
    """The int8 posterior means of test windows on their first two principal axes, coloured by class."""
    figure = canvas(540, 430)
    axes = figure.subplots()
    points, label = np.asarray(data["points"], float), np.asarray(data["label"])
    for number, name in enumerate(data["classes"]):
        of_class = points[label == number]
        axes.plot(of_class[:, 0], of_class[:, 1], "o", color=CLASS_COLOURS[number], markersize=3.2, alpha=0.65, markeredgewidth=0, label=name)
    first, second = (100 * float(share) for share in data["explained"][:2])
    axes.set_xlabel(f"first principal axis ({first:.0f} % of the variance)")
    axes.set_ylabel(f"second ({second:.0f} %)")
    legend(axes, loc="best", markerscale=2, ncols=2)
    return to_svg(figure, "latents", f"Map of {len(points)} int8 latents on two principal axes, which hold {first + second:.0f} % of the variance.")


def reconstruction(data: Mapping[str, Any], place: int) -> Markup:
    """One window: three channels on own axes, counts beside the whole model's reconstruction and the simulator's true rate."""
    figure = canvas(520, 430)
    panels = figure.subplots(3, 1, sharex=True)
    counts, rate, rebuilt = (np.asarray(data[key], float) for key in ("counts", "rate", "reconstruction"))
    time_ms = np.arange(counts.shape[1]) * data["step_s"] * 1e3
    for axes, name, colour, seen, true, model in zip(panels, CHANNEL_NAMES, CHANNEL_COLOURS, counts, rate, rebuilt, strict=True):
        axes.step(time_ms, seen, where="post", color=FAINT, linewidth=0.9, label="counts")
        axes.plot(time_ms, true, color=INK, linewidth=1.1, linestyle=(0, (3, 2)), label="true rate")
        axes.plot(time_ms, model, color=colour, linewidth=1.7, label="reconstruction")
        axes.set_ylabel(name, color=INK)
        axes.set_ylim(bottom=0)
        axes.margins(x=0)
    panels[0].set_title(f"{data['title']}", loc="left")
    legend(panels[0], loc="upper right", ncols=3, fontsize=9, handlelength=1.6, columnspacing=1.0, bbox_to_anchor=(1.0, 1.27))
    panels[-1].set_xlabel("ms;  vertical: counts per 10 µs")
    peaks = ", ".join(f"{name} peak {seen.max():.0f} counts" for name, seen in zip(CHANNEL_NAMES, counts, strict=True))
    return to_svg(figure, f"window{place}", f"{data['title']}: {peaks}; the reconstruction and the true rate are drawn over the counts.")


def uv_curve(data: Mapping[str, Any]) -> Markup:
    """Median correlation of UV pulses with their true rate against their height, a running mean beside it."""
    figure = canvas(540, 430)
    axes = figure.subplots()
    for place, (key, name) in enumerate((("network", "int8 network"), ("smoother", "running mean"))):
        axes.plot(data["amplitude"], data[key], **line(place), marker="o", markersize=4, label=name)
    axes.axhline(0.9, color=GRID, linewidth=1)
    axes.set_xscale("log")
    axes.set_ylim(min(0.0, *data["network"], *data["smoother"]), 1.04)
    axes.set_xlabel("height of the UV pulse, expected counts in 10 µs (logarithmic)")
    axes.set_ylabel("median correlation with the true rate")
    legend(axes, loc="lower right")
    plain(axes)
    words = ", ".join(f"{height:.1f} counts: {value:.2f}" for height, value in zip(data["amplitude"], data["network"], strict=True))
    return to_svg(figure, "uv_curve", f"Correlation of reconstructed UV pulses with their true rate against their height: {words}.")


def draw(figures: Mapping[str, Any]) -> dict[str, Markup]:
    """All figures that there are data for, by name; the windows are window0, window1, ... KeyError, TypeError, ValueError name the entry in a note."""
    makers = {"latency": latency, "roc": roc, "confusion": confusion, "efficiency": efficiency, "latents": latents, "uv_curve": uv_curve}
    with style():
        drawn = {name: named(name, maker, figures[name]) for name, maker in makers.items() if name in figures}
        for place, window in enumerate(figures.get("windows", [])):
            drawn[f"window{place}"] = named(f"windows[{place}]", reconstruction, window, place)
    return drawn
