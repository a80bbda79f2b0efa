"""The page itself: one file, no script, nothing fetched from anywhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from contraview.apps.report import alert_cards, detection_sections, image_sections, model_sections
from contraview.apps.report.contents import Contents
from contraview.apps.report.headline import headline
from contraview.apps.report.markup import Markup, joined, tag
from contraview.apps.report.style import COLOURS, DARK
from contraview.apps.report.wording import count

SECTIONS: Final = (
    detection_sections.over_time,
    alert_cards.alerts,
    detection_sections.judged,
    detection_sections.scores,
    detection_sections.embedding,
    image_sections.views,
    image_sections.neighbours,
    image_sections.embedding,
    model_sections.rules,
    model_sections.learned,
    model_sections.findings,
    model_sections.training,
    model_sections.limits,
    model_sections.commands,
)
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""What a browser may load for this page: nothing but what is in it."""


def page(contents: Contents) -> str:
    """The whole report as HTML."""
    title = _title(contents)
    shown = [made for make in SECTIONS if (made := make(contents)) is not None]
    top = tag(
        "header",
        tag("p", "contraview report", class_="kicker"),
        tag("h1", title),
        tag("p", _lead(contents), class_="lead"),
        class_="top",
    )
    foot = f"contraview {contents.version}. {_privacy(contents)}"
    return shell(f"contraview: {title}", top, [headline(contents), *shown], foot)


def shell(title: str, top: Markup, main: Sequence[Markup | None], foot: str) -> str:
    """A whole page: its title, what stands above, its sections, and a line below."""
    head = tag(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        tag("title", title),
        tag("style", style_sheet()),
    )
    body = tag("body", top, tag("main", *main), tag("footer", tag("p", foot)))
    return "<!doctype html>\n" + tag("html", head, body, lang="en") + "\n"


def _title(contents: Contents) -> str:
    detected = contents.detected
    if detected is None:
        return f"A fit of {contents.system}"
    return f"{count(detected.alerts.height)} alerts in {count(detected.flows.height)} flows"


def _lead(contents: Contents) -> Markup:
    detected, learned = contents.detected, contents.learned
    if learned is None:
        return joined("What was learnt, and how the training went.")
    if detected is None:
        return joined(f"What was learnt from {count(learned.rows)} benign flows, and how it went.")
    lab = " Laboratory traffic." if contents.laboratory else ""
    return joined(
        "In ",
        tag("strong", detected.name),
        f", by a detector that learnt from {count(learned.rows)} benign flows and has never seen "
        f"an attack.{lab}",
    )


def _privacy(contents: Contents) -> str:
    addresses = "holds" if contents.with_addresses else "holds no"
    return f"This page {addresses} addresses and ports, loads nothing and runs no script."


def style_sheet() -> Markup:
    """The style sheet of every page of the package: the colours, and the rules."""

    def variables(colours: dict[str, str]) -> str:
        return ";".join(f"--{name}:{colour}" for name, colour in colours.items())

    rules = Path(__file__).with_name("page.css").read_text()
    dark = f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}"
    return Markup(f":root{{{variables(COLOURS)}}}\n{dark}\n{rules}")
