"""The figures of the report, each from plain arrays to one inline SVG."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.ticker import MaxNLocator

from contraview.apps.report.judgement import KindFigures, Share
from contraview.apps.report.markup import Markup
from contraview.apps.report.style import COLOURS, INK, KINDS, MUTED, drawing, svg

BINS: Final = 60
MARKERS: Final = "os^DvPX*"
QUIET, FOUND, MISSED = COLOURS["quiet"], COLOURS["found"], COLOURS["missed"]
CAPTURE: Final = COLOURS["capture"]


def score_distributions(
    held_out: Float[np.ndarray, " m"],
    captured: Mapping[str, Float[np.ndarray, " _"]],
    threshold: float,
) -> Markup:
    """Held-out benign scores as an area, each group of ``captured`` as a line, the threshold."""
    groups = [held_out, *captured.values()]
    top = max(float(scores.max()) for scores in groups if len(scores))
    edges = np.linspace(min(0.0, float(held_out.min())), max(top, threshold) * 1.02, BINS + 1)

    def share(scores: np.ndarray) -> np.ndarray:
        return np.histogram(scores, edges)[0] / max(len(scores), 1) * 100

    colours = {"benign flows": CAPTURE, "attacks": FOUND, "flows": CAPTURE}
    with drawing(620, 270) as figure:
        axes = figure.subplots()
        axes.stairs(
            share(held_out), edges, fill=True, color=QUIET, alpha=0.55, label="benign, held out"
        )
        for name, scores in captured.items():
            axes.stairs(
                share(scores), edges, color=colours[name], linewidth=1.8, label=f"capture: {name}"
            )
        axes.axvline(threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            "alerts \N{RIGHTWARDS ARROW}",
            (threshold, 0.98),
            xytext=(6, 0),
            textcoords="offset points",
            xycoords=("data", "axes fraction"),
            va="top",
        )
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.02)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
        axes.set(xlabel="score, nats of surprise", xlim=(edges[0], edges[-1]))
        axes.set_title("share of each group's flows in a bin, log scale", color=MUTED)
        axes.legend(loc="upper right")
        return svg(figure, "Distribution of scores of held-out benign flows and of the capture")


def kind_curves(kind: KindFigures, false_alarms: Share) -> Markup:
    """ROC (logarithmic false-alarm rate) and precision-recall of one kind, side by side."""
    least = 10 ** np.floor(np.log10(1 / max(false_alarms.rows, 10)))
    with drawing(330, 170) as figure:
        roc, precision = figure.subplots(1, 2)
        roc.plot(np.maximum(kind.roc[0], least), kind.roc[1], color=CAPTURE, drawstyle="steps-post")
        # The rate in use, and what it found and cost.
        roc.plot(
            max(false_alarms.value, least),
            kind.detected.value,
            "o",
            color=FOUND,
            markersize=6,
            clip_on=False,
        )
        roc.set(xscale="log", xlim=(least, 1), xlabel="false-alarm rate")
        roc.xaxis.set_major_formatter(lambda value, _: f"{value * 100:g} %")
        roc.set_title("found", color=MUTED)
        precision.plot(*kind.precision_recall, color=CAPTURE)
        precision.set(xlim=(0, 1), xlabel="recall", xticks=(0, 0.5, 1))
        precision.set_xticklabels(("0", "0.5", "1"))
        precision.set_title("precision", color=MUTED)
        for axes in (roc, precision):
            axes.set(ylim=(0, 1.03), yticks=(0, 0.5, 1))
            axes.set_yticklabels(("0", "0.5", "1"))
        says = f"ROC and precision-recall curves of {kind.name}"
        return svg(figure, says)


def over_time(
    times: Sequence[datetime],
    alerts: Shaped[np.ndarray, " n"],
    kinds: Shaped[np.ndarray, " n"] | None,
    *,
    benign: str = "benign",
    width: int = 1000,
) -> Markup:
    """Alerts a time bin; where kinds are known, a lane for each with found and missed flows."""
    moments = np.asarray(date2num(list(times)))
    edges = np.linspace(moments.min(), max(moments.max(), moments.min() + 1e-5), width // 8 + 1)
    lanes = [] if kinds is None else [str(k) for k in np.unique(kinds) if k not in ("", benign)]
    heights = [150, 20 * len(lanes)] if lanes else [150]
    with drawing(width, sum(heights) + 70) as figure:
        grid = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
        ).ravel()
        alarm = alerts if kinds is None else alerts & (kinds == benign)
        true = np.zeros_like(alerts) if kinds is None else alerts & (kinds != benign)
        bottom, _ = np.histogram(moments[true], edges)
        upper, _ = np.histogram(moments[alarm], edges)
        if kinds is not None:
            grid[0].stairs(bottom, edges, fill=True, color=FOUND, label="alerts on attacks")
        grid[0].stairs(
            bottom + upper,
            edges,
            baseline=bottom,
            fill=True,
            color=CAPTURE,
            label="alerts" if kinds is None else "false alarms",
        )
        grid[0].yaxis.set_major_locator(MaxNLocator(4, integer=True))
        grid[0].set_title(f"alerts in {_length(edges[1] - edges[0])}", color=MUTED)
        if kinds is not None:
            grid[0].legend(loc="upper right", ncols=2, bbox_to_anchor=(1.0, 1.22))
        if lanes:
            _lanes(grid[1], moments, alerts, kinds, lanes, edges)
        bottom_axes = grid[-1]
        locator = AutoDateLocator(tz=UTC, minticks=3, maxticks=max(4, width // 110))
        bottom_axes.xaxis.set_major_locator(locator)
        bottom_axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
        bottom_axes.set(xlim=(edges[0], edges[-1]), xlabel="time, UTC")
        return svg(figure, "Alerts over time in UTC")


def _lanes(
    axes: Axes,
    moments: np.ndarray,
    alerts: np.ndarray,
    kinds: Any,
    lanes: Sequence[str],
    edges: np.ndarray,
) -> None:
    """One line a kind: its flows that raised an alert above, those that did not below."""
    width = edges[1] - edges[0]
    for place, kind in enumerate(lanes):
        for raised, colour, offset in ((True, FOUND, 0.05), (False, MISSED, -0.35)):
            rows = (kinds == kind) & (alerts == raised)
            there = np.flatnonzero(np.histogram(moments[rows], edges)[0])
            spans = [(edges[i], width) for i in there]
            y = len(lanes) - 1 - place + offset
            axes.broken_barh(spans, (y, 0.3), facecolors=colour, linewidth=0)
    axes.set(ylim=(-0.6, len(lanes) - 0.4), yticks=range(len(lanes)))
    axes.set_yticklabels(lanes[::-1])
    axes.grid(visible=False)


def embedding_map(
    places: Float[np.ndarray, "n 2"],
    groups: Shaped[np.ndarray, " n"],
    explained: float,
    *,
    benign: str,
) -> Markup:
    """Two principal axes of the embeddings; the group ``benign`` as a quiet cloud."""
    with drawing(620, 400) as figure:
        axes = figure.subplots()
        names = sorted(set(groups.tolist()) - {benign}, key=lambda name: -(groups == name).sum())
        quiet = places[groups == benign]
        axes.scatter(*quiet.T, s=9, color=QUIET, alpha=0.5, linewidths=0, label=benign)
        for i, name in enumerate(names):
            axes.scatter(
                *places[groups == name].T,
                s=20,
                color=KINDS[i % len(KINDS)],
                marker=MARKERS[i % len(MARKERS)],
                alpha=0.8,
                linewidths=0,
                label=name,
            )
        axes.set(xticks=(), yticks=(), aspect="equal", adjustable="datalim")
        axes.set_xlabel(f"two principal axes, {explained:.0%} of the variance")
        figure.legend(loc="outside right upper", markerscale=1.5, handletextpad=0.3)
        return svg(figure, "Map of the embeddings of benign flows and alerts")


def training(steps: Mapping[str, Sequence[Mapping[str, Any]]]) -> Markup:
    """Loss and effective rank of each training over its steps."""
    with drawing(620, 210) as figure:
        loss, rank = figure.subplots(1, 2)
        for i, (name, events) in enumerate(steps.items()):
            x = [event["step"] for event in events]
            loss.plot(x, [event["loss"] for event in events], color=KINDS[i % 8], label=name)
            ranks = [event.get("collapse", {}).get("effective_rank") for event in events]
            known = [(at, value) for at, value in zip(x, ranks, strict=True) if value is not None]
            if known:
                rank.plot(*zip(*known, strict=True), color=KINDS[i % 8])
        loss.set_title("loss", color=MUTED)
        rank.set_title("effective rank of the embeddings", color=MUTED)
        rank.set_ylim(bottom=0)
        for axes in (loss, rank):
            axes.set_xlabel("step")
        if len(steps) > 1:
            loss.legend()
        return svg(figure, "Loss and effective rank over the steps of training")


def _length(days: float) -> str:
    """The width of a bin in words."""
    seconds = days * 86_400
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} seconds"
