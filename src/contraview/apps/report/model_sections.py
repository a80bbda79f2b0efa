"""The sections about the model: what it learnt from, what was found in the data, its training."""

from collections.abc import Mapping, Sequence
from typing import Any

from contraview.apps.report import figures
from contraview.apps.report.contents import Contents, EmbeddingMap, Learned
from contraview.apps.report.markup import Markup, joined, table, tag
from contraview.apps.report.wording import count, number, percent, quantity


def section(anchor: str, title: str, *parts: Markup | None) -> Markup:
    """A section of the page with its heading."""
    return tag("section", tag("h2", title), *parts, id=anchor)


def figure(drawn: Markup, caption: str) -> Markup:
    """A drawn figure on its card."""
    return tag("figure", drawn, tag("figcaption", caption))


def mapped(it: EmbeddingMap, caption: str) -> Markup:
    """The section with a map of embeddings."""
    drawn = figures.both(
        lambda width: figures.embedding_map(
            it.places, it.groups, it.explained, benign=it.benign, width=width
        )
    )
    return section("map", "Map of the embeddings", figure(drawn, caption))


def learned(contents: Contents) -> Markup:
    """Rows, inputs, categories, columns left out, settings."""
    it = contents.learned
    facts: list[list[Any]] = [["System", f"{contents.system} (contraview {contents.version})"]]
    if contents.seed is not None:
        facts.append(["Seed", contents.seed])
    folded = [_settings(contents.settings)]
    if it is not None:
        held = f", {count(it.held_out)} of them held out to calibrate on" if it.held_out else ""
        short = it.fingerprint[:16] + "\N{HORIZONTAL ELLIPSIS}"
        facts += [
            ["Learnt from", f"{count(it.rows)} benign flows{held}"],
            ["Labels of attacks used", "none"],
            ["Inputs", f"{len(it.numeric)} numbers, {len(it.categories)} categories"],
            ["Fingerprint of the inputs", tag("code", short)],
        ]
        folded = [_numbers(it), _categories(it), _constants(it), *folded]
    return section("learned", "What was learnt", _facts(facts), *folded)


def _numbers(it: Learned) -> Markup | None:
    if not it.numeric:
        return None
    names = tag("p", *(joined(tag("code", name), " ") for name in it.numeric), class_="codes")
    return _more(f"{len(it.numeric)} columns of numbers", names)


def _categories(it: Learned) -> Markup | None:
    if not it.categories:
        return None
    rows = [[tag("code", name), ", ".join(seen)] for name, seen in it.categories.items()]
    return _more(f"{len(rows)} columns of categories", table(["column", "values seen"], rows))


def _constants(it: Learned) -> Markup | None:
    if not it.constant:
        return None
    rows = [[tag("code", name), quantity(name, value)] for name, value in it.constant.items()]
    return _more(
        f"{len(rows)} columns left out: they never move in the benign flows",
        table(["column", "value"], rows, numbers=range(1, 2)),
    )


def _settings(settings: Mapping[str, Any]) -> Markup | None:
    if not settings:
        return None
    rows = [[tag("code", name), _setting(value)] for name, value in settings.items()]
    return _more(f"{len(settings)} settings", table(["setting", "value"], rows))


def _setting(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not set"}[value]
    return number(value) if isinstance(value, int | float) else str(value)


def findings(contents: Contents) -> Markup | None:
    """What is to be known about the data before anything is concluded from it."""
    if not contents.findings:
        return None
    blocks = []
    for source, lines in contents.findings.items():
        said = lines or ["Nothing to report."]
        blocks.append(tag("div", tag("h3", source), tag("ul", *(tag("li", s) for s in said))))
    return section("findings", "The data itself", tag("div", *blocks, class_="columns"))


def training(contents: Contents) -> Markup | None:
    """Training curves."""
    if not contents.training:
        return None
    caption = (
        "The loss that was minimised, and how many directions of the embedding are in use "
        "(effective rank): a fall towards 1 would be a collapse."
    )
    drawn = figures.both(lambda width: figures.training(contents.training, width=width))
    return section("training", "Training", figure(drawn, caption))


def rules(contents: Contents) -> Markup | None:
    """Columns that had never moved and moved, categories that had never been seen."""
    it, detected = contents.calibrated, contents.detected
    if it is None:
        return None
    effect = (
        "so a broken rule raises an alert of its own"
        if it.rules_alert
        else "which is too often for alerts of their own: they are shown beside the score only"
    )
    said = tag(
        "p",
        "A rule fires where a column that never moved in the benign flows moves, or a category "
        f"turns up that was never seen. On the held-out benign flows rules fired for "
        f"{percent(it.rule_rate)}, {effect}.",
    )
    if detected is None:
        return section("rules", "Rules", said)
    fired = detected.flows.filter(detected.flows["rule"].is_not_null())
    if not fired.height:
        return section("rules", "Rules", said, tag("p", "No flow of the capture broke a rule."))
    counts = (
        fired["rule"].str.split(",").explode().value_counts(sort=True, name="flows").head(20).rows()
    )
    constant = contents.learned.constant if contents.learned else {}
    rows: list[list[Any]] = [
        [
            tag("code", column),
            quantity(column, constant[column]) if column in constant else "a category seen before",
            count(flows),
        ]
        for column, flows in counts
    ]
    head = ["column", "always was", "flows that broke it"]
    return section("rules", "Rules", said, table(head, rows, numbers=range(1, 3)))


def limits(contents: Contents) -> Markup | None:
    """What these figures do not say."""
    parts = []
    if contents.laboratory:
        parts.append(
            "This is laboratory traffic, made by the project's own lab and compressed in time: "
            "real servers, clients and tools, but few hosts, known attacks, and a day of minutes. "
            "It shows how the detector works. How accurate it is is judged on public data sets, "
            "never here; figures by kind of attack do not carry over to another network."
        )
    if contents.calibrated is not None:
        parts.append(
            "The false-alarm rate holds for benign traffic like that which was learnt from. New "
            "services, other hosts, another season raise it; refit, or recalibrate, when they come."
        )
        parts.append(
            "An alert says that a flow is unlike benign traffic, not that it is an attack; no "
            "alert does not say that a flow is harmless. The columns named with an alert are those "
            "whose usual value would calm the detector, one at a time: not causes."
        )
    if contents.detected is not None and contents.detected.judgement is not None:
        parts.append(
            "Intervals are 95 % and take flows as independent. Flows of one attack resemble each "
            "other, so what they say about another attack of the same kind is less certain."
        )
    if contents.learned is not None:
        parts.append(
            "Nothing checks that the traffic that was learnt from is free of attacks: what "
            "was in it counts as benign."
        )
    if not parts:
        return None
    return section("limits", "What these figures do not say", *(tag("p", part) for part in parts))


def commands(contents: Contents) -> Markup | None:
    """How to get all of this again."""
    if not contents.commands:
        return None
    lines = tag("pre", tag("code", "\n".join(contents.commands)), tabindex="0")
    return section("commands", "Do it again", lines)


def _facts(rows: Sequence[Sequence[Any]]) -> Markup:
    return tag(
        "dl", *(joined(tag("dt", name), tag("dd", value)) for name, value in rows), class_="facts"
    )


def _more(summary: str, body: Markup) -> Markup:
    """A part that is folded away at first."""
    return tag("details", tag("summary", summary), body)
