"""The figures of the report, each from plain arrays to one inline SVG."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float, Shaped
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.ticker import MaxNLocator

from contraview.apps.report.judgement import KindFigures, Share
from contraview.apps.report.markup import Markup, joined, tag
from contraview.apps.report.style import COLOURS, INK, KINDS, MUTED, drawing, svg

DAY: Final = 86_400
BINS: Final = 60
NARROW: Final = 360
"""Width of a figure on a phone."""
MARKERS: Final = "os^DvPX*"
QUIET, FOUND, MISSED = COLOURS["quiet"], COLOURS["found"], COLOURS["missed"]
CAPTURE: Final = COLOURS["capture"]


def both(draw: Callable[[int], Markup], width: int = 620) -> Markup:
    """A figure drawn twice, for a wide and for a narrow page; the style sheet shows one."""
    wide, narrow = tag("div", draw(width), class_="wide"), tag("div", draw(NARROW), class_="narrow")
    return joined(wide, narrow)


def score_distributions(
    held_out: Float[np.ndarray, " m"],
    captured: Mapping[str, Float[np.ndarray, " _"]],
    threshold: float,
    *,
    width: int,
) -> Markup:
    """Held-out benign scores as an area, each group of ``captured`` as a line, the threshold."""
    groups = [held_out, *captured.values()]
    top = max(float(scores.max()) for scores in groups if len(scores))
    edges = np.linspace(min(0.0, float(held_out.min())), max(top, threshold) * 1.02, BINS + 1)

    def share(scores: np.ndarray) -> np.ndarray:
        return np.histogram(scores, edges)[0] / max(len(scores), 1) * 100

    colours = {"benign flows": CAPTURE, "attacks": FOUND, "flows": CAPTURE}
    with drawing(width, 270) as figure:
        axes = figure.subplots()
        axes.stairs(
            share(held_out), edges, fill=True, color=QUIET, alpha=0.55, label="benign, held out"
        )
        for name, scores in captured.items():
            axes.stairs(
                share(scores),
                edges,
                color=colours[name],
                linewidth=1.8,
                label=f"{name} of the capture",
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
        figure.legend(loc="outside upper left", ncols=3 if width > NARROW else 1)
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
        recall, value = kind.precision_recall
        # The ends, where nothing or everything is an alert, are drawn by convention only.
        within = slice(
            int(np.searchsorted(recall, 0, "right")), int(np.searchsorted(recall, 1)) + 1
        )
        precision.plot(recall[within], value[within], color=CAPTURE)
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
    alerts: Bool[np.ndarray, " n"],
    kinds: Shaped[np.ndarray, " n"] | None,
    *,
    benign: str,
    width: int,
) -> Markup:
    """Alerts a time bin; where kinds are known, a lane for each with found and missed flows."""
    moments = np.asarray(date2num(list(times)))
    length, said = _bin((moments.max() - moments.min()) / (width / 8))
    first = np.floor(moments.min() / length) * length
    edges = first + length * np.arange(np.ceil((moments.max() - first) / length + 1e-9) + 1)
    lanes = [] if kinds is None else [benign, *sorted(set(kinds.tolist()) - {"", benign})]
    heights = [130, 20 * len(lanes)] if lanes else [130]
    with drawing(width, sum(heights) + 75) as figure:
        grid = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, height_ratios=heights
        ).ravel()
        counts, _ = np.histogram(moments[alerts], edges)
        grid[0].stairs(counts, edges, fill=True, color=FOUND)
        grid[0].yaxis.set_major_locator(MaxNLocator(4, integer=True))
        grid[0].set_title(f"alerts in {said}", color=MUTED)
        if kinds is not None:
            _lanes(grid[1], moments, alerts, kinds, lanes, edges)
        bottom = grid[-1]
        locator = AutoDateLocator(tz=UTC, minticks=4, maxticks=max(6, width // 80))
        bottom.xaxis.set_major_locator(locator)
        bottom.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))
        bottom.set(xlim=(edges[0], edges[-1]), xlabel="time, UTC")
        return svg(figure, "Alerts over time in UTC")


def _lanes(
    axes: Axes,
    moments: Float[np.ndarray, " n"],
    alerts: Bool[np.ndarray, " n"],
    kinds: Shaped[np.ndarray, " n"],
    lanes: Sequence[str],
    edges: Float[np.ndarray, " _"],
) -> None:
    """One line a kind: flows that raised an alert above, those that did not below.

    In the first lane, that of benign flows, there is nothing to miss: it has false alarms only.
    """
    for place, kind in enumerate(lanes):
        marks = [(True, FOUND, 0.06), (False, MISSED, -0.34)] if place else [(True, CAPTURE, -0.14)]
        for raised, colour, offset in marks:
            rows = (kinds == kind) & (alerts == raised)
            there = np.flatnonzero(np.histogram(moments[rows], edges)[0])
            spans = [(edges[i], edges[1] - edges[0]) for i in there]
            y = len(lanes) - 1 - place + offset
            axes.broken_barh(spans, (y, 0.28), facecolors=colour, linewidth=0)
    axes.set(ylim=(-0.6, len(lanes) - 0.4), yticks=range(len(lanes)))
    axes.set_yticklabels(lanes[::-1])
    axes.grid(visible=False)


def embedding_map(
    places: Float[np.ndarray, "n 2"],
    groups: Shaped[np.ndarray, " n"],
    explained: float,
    *,
    benign: str,
    width: int,
) -> Markup:
    """Two principal axes of the embeddings; the group ``benign`` as a quiet cloud."""
    beside = width > NARROW
    wide, tall = np.ptp(places, axis=0)
    names = sorted(
        set(groups.tolist()) - {benign}, key=lambda name: (-(groups == name).sum(), name)
    )
    room = width - 180 if beside else width
    height = np.clip(room * tall / max(wide, 1e-9), 180, 380) + (
        60 if beside else 60 + 9 * len(names)
    )
    with drawing(width, int(height)) as figure:
        axes = figure.subplots()
        quiet = places[groups == benign]
        if len(quiet):
            axes.scatter(*quiet.T, s=9, color=QUIET, alpha=0.5, linewidths=0, label=benign)
        for i, name in enumerate(names):
            axes.scatter(
                *places[groups == name].T,
                s=20,
                color=KINDS[i % len(KINDS)],
                marker=MARKERS[(i + i // len(KINDS)) % len(MARKERS)],  # no pair of both twice
                alpha=0.8,
                linewidths=0,
                label=name,
            )
        axes.set(xticks=(), yticks=(), aspect="equal", adjustable="datalim")
        axes.spines["bottom"].set_visible(False)
        axes.set_xlabel(f"two principal axes, {100 * explained:.0f} % of the variance")
        place = "outside right upper" if beside else "outside lower left"
        columns = 1 if beside else 2
        figure.legend(loc=place, ncols=columns, markerscale=1.5, handletextpad=0.3)
        return svg(figure, "Map of the embeddings, coloured by kind")


def training(steps: Mapping[str, Sequence[Mapping[str, Any]]], *, width: int) -> Markup:
    """Loss and effective rank of each training over its steps."""
    beside = width > NARROW
    with drawing(width, 210 if beside else 380) as figure:
        loss, rank = figure.subplots(1, 2) if beside else figure.subplots(2, 1)
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


def _bin(days: float) -> tuple[float, str]:
    """The first round bin that is at least so long, in days and in words."""
    units = {"seconds": 1, "minutes": 60, "hours": 3600, "days": DAY}
    steps = [1, 2, 5, 10, 15, 30]
    for unit, size in units.items():
        for step in steps if size < 3600 else [1, 2, 4, 8]:
            if step * size >= days * DAY:
                return step * size / DAY, f"{step} {unit}" if step > 1 else f"a {unit[:-1]}"
    whole = int(np.ceil(days))
    return float(whole), f"{whole} days"
