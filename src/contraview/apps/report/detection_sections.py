"""The sections about a capture: scores, what the labels say, alerts over time, the map."""

from typing import Any

import numpy as np

from contraview.apps.report import figures
from contraview.apps.report.contents import BENIGN, Contents, Detected
from contraview.apps.report.headline import expected_alarms
from contraview.apps.report.judgement import Judgement, KindFigures, Share
from contraview.apps.report.markup import Markup, joined, table, tag
from contraview.apps.report.model_sections import figure, mapped, section
from contraview.apps.report.wording import count, decimals, moment, percents


def scores(contents: Contents) -> Markup | None:
    """Where the scores lie, and the threshold between them."""
    it = contents.calibrated
    if it is None:
        return None
    captured = {} if contents.detected is None else _captured(contents.detected)
    drawn = figures.both(
        lambda width: figures.score_distributions(it.held_out, captured, it.threshold, width=width)
    )
    caption = (
        "Share of each group's flows, on a logarithmic scale. A score says in nats how surprising "
        "a flow is, all calibrated views together; 2.3 nats more is about ten times rarer. The "
        f"dashed line is the threshold {it.threshold:.2f}, which {100 * it.max_fpr:g} % of benign "
        f"flows may pass. It was set on {count(len(it.held_out))} benign flows that nothing was "
        "learnt from."
    )
    return section("scores", "Scores", figure(drawn, caption))


def _captured(detected: Detected) -> dict[str, np.ndarray]:
    values = detected.flows["score"].to_numpy()
    if detected.judgement is None:
        return {"flows": values}
    labels = detected.flows["label"].fill_null("").to_numpy()
    return {
        "benign flows": values[labels == BENIGN],
        "attacks": values[(labels != BENIGN) & (labels != "")],
    }


def judged(contents: Contents) -> Markup | None:
    """By kind of attack: how many were found, ROC, precision and recall."""
    detected, it = contents.detected, contents.calibrated
    if detected is None or it is None or detected.judgement is None:
        return None
    judgement = detected.judgement
    said = tag(
        "p",
        "The labels of this capture were used for this section and the marks in the figures, for "
        f"nothing else. At the threshold in use {percents(judgement.false_alarms)} of the "
        f"{count(judgement.false_alarms.rows)} benign flows raised a false alarm, and "
        f"{percents(judgement.precision)} of the alerts were attacks. The second figure "
        "depends on how much of a capture is attacks, the first does not.",
    )
    low, high = expected_alarms(it, judgement.false_alarms.rows)
    drift = None
    if judgement.false_alarms.count > high:
        drift = tag(
            "p",
            f"That is more than the {count(low)} to {count(high)} false alarms that were to be "
            f"expected among {count(judgement.false_alarms.rows)} flows like those that were "
            "learnt from: the benign traffic of this capture is somewhat unlike them.",
        )
    cards = [
        tag(
            "figure",
            tag("h3", kind.name),
            tag("p", f"AUROC {decimals(kind.auroc)}", class_="quiet"),
            tag("p", f"average precision {decimals(kind.precision)}", class_="quiet"),
            figures.kind_curves(kind, judgement.false_alarms),
        )
        for kind in judgement.kinds
    ]
    note = (
        "Each kind of attack against all benign flows of the capture. Left: share found over the "
        "false-alarm rate, from one alarm in ten thousand flows on; the dot is the threshold in "
        "use. Right: precision over recall. In brackets: 95 % intervals (exact binomial for "
        "shares, bootstrap for AUROC and average precision)."
    )
    return section(
        "kinds",
        "By kind of attack",
        said,
        drift,
        _kinds_table(judgement),
        tag("div", *cards, class_="cards"),
        tag("p", note, class_="caption"),
    )


def _kinds_table(judgement: Judgement) -> Markup:
    rows = [_kind_row(kind) for kind in judgement.kinds]
    benign = judgement.false_alarms
    rows.append(
        [
            tag("em", "benign"),
            count(benign.rows),
            count(benign.count),
            _rate(benign, "capture"),
            "",
            "",
        ]
    )
    head = ["kind", "flows", "alerts", "share with an alert", "AUROC", "average precision"]
    return table(head, rows, numbers=range(1, 6))


def _kind_row(kind: KindFigures) -> list[Any]:
    return [
        kind.name,
        count(kind.detected.rows),
        count(kind.detected.count),
        _rate(kind.detected, "found"),
        _exact(decimals(kind.auroc), kind.auroc.value),
        _exact(decimals(kind.precision), kind.precision.value),
    ]


def _rate(share: Share, colour: str) -> Markup:
    drawn = tag("i", class_="bar", style=f"--share:{share.value:.4f};--bar:var(--{colour})")
    return _exact(joined(drawn, tag("span", percents(share), class_="of-bar")), share.value)


def _exact(shown: str, value: float) -> Markup:
    """A cell that also carries the figure in full, for whoever reads the page by program."""
    return tag("td", shown, class_="number", data_value=repr(value))


def over_time(contents: Contents) -> Markup | None:
    """Alerts over time."""
    detected = contents.detected
    if detected is None or not detected.seconds:
        return None
    flows = detected.flows
    kinds = None
    if detected.judgement is not None:
        kinds = flows["label"].fill_null("").to_numpy().astype(np.str_)
    times, alerts = flows["timestamp"].to_list(), flows["alert"].to_numpy()
    first, last = moment(min(times)), moment(max(times))
    caption = f"All times are UTC. First flow {first}, last flow begins {last}."
    if kinds is not None:
        caption += (
            " Below, a lane for each kind of attack: times with flows that raised an alert (upper "
            "mark, dark) and with flows that did not (lower mark, light); in the lane of benign "
            "flows, false alarms."
        )
    drawn = figures.both(
        lambda width: figures.over_time(times, alerts, kinds, benign=BENIGN, width=width), 1000
    )
    return section("time", "Alerts over time", figure(drawn, caption))


def embedding(contents: Contents) -> Markup | None:
    """The map of the embeddings."""
    detected = contents.detected
    if detected is None or detected.map is None:
        return None
    it = detected.map
    caption = (
        f"Where CLAN puts a sample of {count(len(it.places))} flows of the capture: directions of "
        "the embedding, on their two principal axes. What lies in the grey cloud looks benign to "
        "this view; another of the views may still tell it apart."
    )
    return mapped(it, caption)
