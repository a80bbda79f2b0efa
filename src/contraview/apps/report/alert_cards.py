"""The strongest alerts as cards: how they look to each view, and why they stand out."""

from typing import Any

from contraview.apps.report.contents import Calibrated, Contents
from contraview.apps.report.markup import Markup, joined, table, tag
from contraview.apps.report.model_sections import section
from contraview.apps.report.strongest import Group, strongest
from contraview.apps.report.wording import count, moment, quantity
from contraview.core.plain_text import plain

OPEN = 3
"""Alerts unfolded at first."""
VIEWS = {
    "clan": "CLAN",
    "ecod": "ECOD",
    "forest": "isolation forest",
    "neighbours": "nearest neighbours",
}


def alerts(contents: Contents) -> Markup | None:
    """The strongest alerts, each with its views and reasons."""
    detected, it = contents.detected, contents.calibrated
    if detected is None or it is None:
        return None
    groups = strongest(detected)
    if not groups:
        return section("alerts", "Strongest alerts", tag("p", "No flow raised an alert."))
    said = tag(
        "p",
        "One card a group of alerts of one source and one kind of reason, so that a scan takes "
        "one place and not all. Each shows the strongest alert of its group: the surprise in each "
        "view, and the columns that would calm the detector most if they had their usual value.",
    )
    cards = [
        _card(place, group, it, contents.with_addresses, opened="" if place <= OPEN else None)
        for place, group in enumerate(groups, start=1)
    ]
    return section("alerts", "Strongest alerts", said, *cards)


def _card(
    place: int, group: Group, it: Calibrated, with_addresses: bool, opened: str | None
) -> Markup:
    top = tag(
        "summary",
        tag("span", str(place), class_="place"),
        tag("strong", f"score {group.row['score']:.2f}"),
        tag("span", _about(group), class_="quiet"),
        *(tag("span", f"{n}: {count(c)}", class_="chip") for n, c in group.labels.items()),
    )
    where = tag("p", _ends(group.row), class_="ends") if with_addresses else None
    rule = group.row.get("rule")
    broken = None
    if rule:
        broken = tag("p", "Breaks the rule of ", tag("code", rule.replace(",", ", ")), ".")
    body = tag("div", _views(group.row, it.threshold), _reasons(group), class_="card-body")
    return tag("details", top, where, broken, body, class_="alert", open=opened)


def _about(group: Group) -> str:
    """How many, from where, when."""
    alike = f"{count(group.flows)} alerts like it" if group.flows > 1 else "one alert"
    source = f" from source {group.source}" if group.source else ""
    if group.first is None or group.last is None:
        return alike + source
    first, last = moment(group.first), moment(group.last)
    same_day = first[:10] == last[:10]
    when = first if first == last else f"{first} to {last[11:] if same_day else last}"
    return f"{alike}{source}, {when} UTC"


def _ends(row: Any) -> str:
    """Both ends of a flow, as far as its table has them."""

    def end(side: str) -> str:
        address, port = row.get(f"{side}_addr"), row.get(f"{side}_port")
        shown = plain(str(address))
        return f"{shown} port {port}" if port is not None else shown

    return f"{end('src')} \N{RIGHTWARDS ARROW} {end('dst')}"


def _views(row: Any, threshold: float) -> Markup:
    values = {
        key.removeprefix("view_"): value for key, value in row.items() if key.startswith("view_")
    }
    top = max(threshold, *values.values())
    rows = [
        [
            VIEWS.get(name, name),
            tag("i", class_="bar long", style=f"--share:{max(value, 0) / top:.4f}"),
            f"{value:.2f}",
        ]
        for name, value in values.items()
    ]
    return table(["view", "", "nats"], rows, numbers=range(2, 3))


def _reasons(group: Group) -> Markup:
    top = max((reason.effect for reason in group.reasons), default=1.0)
    rows: list[list[Any]] = [
        [
            tag("code", reason.column),
            quantity(reason.column, reason.value),
            quantity(reason.column, reason.usual),
            _percentile(reason.percentile, is_category=isinstance(reason.usual, str)),
            joined(
                tag("i", class_="bar", style=f"--share:{max(reason.effect, 0) / top:.4f}"),
                f"{reason.effect:.2f}",
            ),
        ]
        for reason in group.reasons
        if reason.effect > 0
    ]
    head = ["column", "this flow", "usual", "benign flows at or below", "effect, nats"]
    return table(head, rows, numbers=range(1, 5))


def _percentile(value: float, *, is_category: bool) -> str:
    if is_category:
        return f"{value:.3g} % have it"
    if value > 99.9:
        return "all but a few" if value < 100 else "all"
    return f"{value:.1f} %"
