"""The drift report: one file, no script, nothing fetched from anywhere."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from contraview.apps.detection.living.drift import HALF, RULES, Advice, Drift, Period
from contraview.apps.detection.living.stability import MOVED, STABLE
from contraview.apps.detection.services import readable
from contraview.apps.report.figures import both
from contraview.apps.report.markup import Child, Markup, joined, table, tag
from contraview.apps.report.page import shell
from contraview.apps.report.style import COLOURS, INK, KINDS, drawing, svg
from contraview.apps.report.wording import count, percent

COLUMNS: Final = 15
"""Inputs shown, those that moved most."""
LINES: Final = 6
"""Periods drawn as lines of their own, the latest."""
HEADLINES: Final[Mapping[Advice, str]] = {
    "too few flows": "Too few flows to say anything",
    "nothing": "Nothing to do",
    "recalibrate": "Recalibrate",
    "re-centre": "Re-centre",
    "refit": "Refit",
}


def drift_page(drift: Drift, model: str, lineage: Sequence[Mapping[str, Any]]) -> str:
    """The whole report as HTML.

    Args:
        drift: what was measured.
        model: the folder, as the reader knows it.
        lineage: the steps that made the model.
    """
    title = _title(drift)
    shown = [
        _new(drift),
        _alerts(drift),
        _scores(drift),
        _inputs(drift),
        _rules(),
        _lineage(model, lineage),
    ]
    top = tag(
        "header",
        tag("p", "contraview drift", class_="kicker"),
        tag("h1", title),
        tag("p", _lead(drift), class_="lead"),
        class_="top",
    )
    foot = "This page names no host, loads nothing and runs no script."
    return shell(f"contraview drift: {title}", top, [_tiles(drift), *shown], foot)


def _title(drift: Drift) -> str:
    title = HEADLINES[drift.advice]
    names = _names(drift)
    if drift.advice == "nothing" or not names:
        return title
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{title}: {names[0]} is new{more}"


def _names(drift: Drift) -> list[str]:
    """Everything new, that with the most alerts first."""
    found: dict[str, int] = {}
    for period in drift.periods:
        for new in (*period.services, *period.categories):
            name = readable(new.name)
            found[name] = found.get(name, 0) + new.alerts
    return sorted(found, key=lambda name: -found[name])


def _lead(drift: Drift) -> Markup:
    flows = sum(period.flows for period in drift.periods)
    worst = max(drift.periods, key=lambda period: period.rate)
    which = "benign flows" if drift.labelled else "flows, whatever they are"
    return joined(
        f"{count(flows)} {which}, in {_periods(len(drift.periods))}. Asked for were "
        f"{100 * drift.rate:g}\N{NO-BREAK SPACE}%; ",
        tag("strong", f"{percent(worst.rate)} were alerts"),
        f" in the worst of them, {worst.name}.",
    )


def _periods(number: int) -> str:
    return "one period" if number == 1 else f"{number} periods"


def _tiles(drift: Drift) -> Markup:
    worst = max(drift.periods, key=lambda period: period.rate)
    moved = {name for period in drift.periods for name in period.moved}
    low, high = worst.expected
    names = _names(drift)
    tiles = [
        ("do", HEADLINES[drift.advice].lower(), "the strongest advice of any period; why below"),
        (
            "false alarms, worst period",
            percent(worst.rate),
            f"{count(worst.alerts)} in {worst.name}; {count(low)} to {count(high)} were expected",
        ),
        ("new", count(len(names)), ", ".join(names[:3]) or "no service and no category"),
        (
            "inputs that moved",
            count(len(moved)),
            f"of {len(drift.periods[0].inputs)}; stability index from {MOVED}",
        ),
    ]
    return tag(
        "div",
        *(
            tag(
                "div",
                tag("span", name, class_="name"),
                tag("b", value),
                tag("small", note),
                class_="tile",
            )
            for name, value, note in tiles
        ),
        class_="tiles",
    )


def _new(drift: Drift) -> Markup | None:
    rows: list[list[Child]] = [
        [
            period.name,
            readable(new.name),
            count(new.flows),
            percent(new.share),
            count(new.alerts),
            percent(new.share_of_alerts),
        ]
        for period in drift.periods
        for new in (*period.services, *period.categories)
    ]
    moved: list[list[Child]] = [
        [period.name, f"{name} (was constant)", count(share * period.flows), percent(share), "", ""]
        for period in drift.periods
        for name, share in period.constants.items()
    ]
    rows += moved
    if not rows:
        known = "" if drift.knows_services else " The model does not know the services of its fit."
        said = f"No service and no category that the fit had not seen.{known}"
        return tag("section", tag("h2", "What is new"), tag("p", said))
    head = ["period", "what", "flows", "of all", "alerts", "of all alerts"]
    return tag(
        "section",
        tag("h2", "What is new"),
        tag(
            "p",
            "Services and categories that the flows of the fit did not have, from half a percent "
            "of a period's flows on.",
        ),
        table(head, rows, numbers=range(2, 6)),
    )


def _alerts(drift: Drift) -> Markup:
    rows: list[list[Child]] = [
        [
            period.name,
            count(period.flows),
            count(period.alerts),
            f"{count(period.expected[0])} to {count(period.expected[1])}",
            percent(period.rate),
            HEADLINES[period.advice].lower(),
        ]
        for period in drift.periods
    ]
    head = ["period", "flows", "alerts", "expected, 95 %", "rate", "do"]
    said = (
        "The band is where the share of alerts should lie by the "
        f"{count(drift.held_out)} held-out benign flows, if nothing had changed."
    )
    if not drift.labelled:
        said += " Which flows are benign is not known here: attacks among them count as well."
    figure = tag("figure", both(lambda width: _rates(drift, width)), tag("figcaption", said))
    return tag(
        "section",
        tag("h2", "False alarms"),
        figure,
        table(head, rows, numbers=range(1, 5)),
    )


def _rates(drift: Drift, width: int) -> Markup:
    periods = drift.periods
    places = np.arange(len(periods))
    sizes = np.array([max(period.flows, 1) for period in periods])
    bounds = np.array([period.expected for period in periods]) / sizes[:, None]
    rates = np.array([period.rate for period in periods])
    outside = (rates < bounds[:, 0]) | (rates > bounds[:, 1])
    with drawing(width, 240) as figure:
        axes = figure.subplots()
        axes.bar(
            places,
            100 * (bounds[:, 1] - bounds[:, 0]),
            bottom=100 * bounds[:, 0],
            width=0.6,
            color=COLOURS["quiet"],
            alpha=0.35,
            label="expected",
        )
        for hidden, marker, colour, name in (
            (outside, "o", COLOURS["capture"], "as expected"),
            (~outside, "D", COLOURS["found"], "not as expected"),
        ):
            if not hidden.all():
                axes.plot(places[~hidden], 100 * rates[~hidden], marker, color=colour, label=name)
        axes.axhline(100 * drift.rate, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        every = max(1, len(periods) // (8 if width > 400 else 4))
        axes.set_xticks(places[::every], [period.name for period in periods][::every])
        axes.set_xlim(-0.6, len(periods) - 0.4)
        axes.set_ylim(0, 112 * max(rates.max(), bounds.max()))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
        figure.legend(loc="outside upper left", ncols=3 if width > 400 else 1)
        return svg(figure, "Share of flows that are alerts, by period, and what was expected")


def _scores(drift: Drift) -> Markup:
    rows: list[list[Child]] = [
        [period.name, f"{period.scores:.3f}", _judged(period.scores)] for period in drift.periods
    ]
    return tag(
        "section",
        tag("h2", "Scores"),
        tag(
            "figure",
            both(lambda width: _distributions(drift, width)),
            tag("figcaption", "Scores of each period against those of the held-out benign flows."),
        ),
        table(["period", "stability index", ""], rows, numbers=range(1, 2)),
    )


def _judged(index: float) -> str:
    if index < STABLE:
        return "as it was"
    return "moved somewhat" if index < MOVED else "moved"


def _distributions(drift: Drift, width: int) -> Markup:
    held_out = np.array(drift.histogram)
    shown = drift.periods[-LINES:]
    shares = [np.array(period.histogram) / max(period.flows, 1) for period in shown]
    used = int(np.flatnonzero(np.any([held_out, *shares], axis=0)).max()) + 1
    edges = HALF * np.arange(used + 1)
    with drawing(width, 260) as figure:
        axes = figure.subplots()
        axes.stairs(
            100 * held_out[:used],
            edges,
            fill=True,
            color=COLOURS["quiet"],
            alpha=0.5,
            label="benign, held out",
        )
        for period, share, colour in zip(shown, shares, KINDS, strict=False):
            axes.stairs(100 * share[:used], edges, color=colour, label=period.name)
        axes.axvline(drift.threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.annotate(
            "alerts \N{RIGHTWARDS ARROW}",
            (drift.threshold, 0.98),
            xytext=(6, 0),
            textcoords="offset points",
            xycoords=("data", "axes fraction"),
            va="top",
        )
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.01)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
        axes.set(xlabel="score, nats of surprise", xlim=(0, edges[-1]))
        figure.legend(loc="outside upper left", ncols=4 if width > 400 else 2)
        return svg(figure, "Distribution of scores by period")


def _inputs(drift: Drift) -> Markup:
    worst = {
        name: max(period.inputs[name] for period in drift.periods)
        for name in drift.periods[0].inputs
    }
    chosen = sorted(worst, key=lambda name: -worst[name])[:COLUMNS]
    shown = drift.periods[-LINES:]
    rows: list[list[Child]] = [
        [tag("code", name), *(_cell(period, name) for period in shown)] for name in chosen
    ]
    said = (
        f"Stability index of the {len(chosen)} inputs that moved most: below {STABLE} a column is "
        f"as it was, from {MOVED} it has moved."
    )
    if len(drift.periods) > LINES:
        said += f" The latest {LINES} periods; all are in drift.json."
    return tag(
        "section",
        tag("h2", "Inputs"),
        tag("p", said),
        table(
            ["input", *(period.name for period in shown)], rows, numbers=range(1, 1 + len(shown))
        ),
    )


def _cell(period: Period, name: str) -> Markup:
    index = period.inputs[name]
    colour = "found" if index >= MOVED else "missed" if index >= STABLE else "quiet"
    share = min(index / (2 * MOVED), 1.0)
    bar = tag("span", class_="bar", style=f"--share:{share:.3f};--bar:var(--{colour})")
    return tag("td", tag("span", bar, f"{index:.3f}", class_="of-bar"), class_="number")


def _rules() -> Markup:
    said = [tag("li", tag("strong", f"{name}: "), text, ".") for name, text in RULES.items()]
    commands = (
        "contraview refit MODEL FLOWS --calibration\n"
        "contraview refit MODEL FLOWS --centre\n"
        "contraview refit MODEL FLOWS --all --out NEW"
    )
    return tag(
        "section",
        tag("h2", "How the advice is made"),
        tag("p", "Each period by itself; the strongest counts."),
        tag("ul", *said),
        tag("pre", tag("code", commands)),
    )


def _lineage(model: str, steps: Sequence[Mapping[str, Any]]) -> Markup | None:
    if not steps:
        return None
    rows: list[list[Child]] = [
        [
            str(step.get("at")),
            str(step.get("step") or step.get("what")),
            count(step["rows"]) if isinstance(step.get("rows"), int) else "",
            tag("code", str(step.get("data") or "")[:12]),
            tag("code", str(step.get("model"))[:12]),
        ]
        for step in steps
    ]
    return tag(
        "section",
        tag("h2", "Where the model comes from"),
        tag("p", tag("code", model)),
        table(["when, UTC", "step", "rows", "data", "model"], rows, numbers=range(2, 3)),
    )
