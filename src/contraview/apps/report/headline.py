"""The few figures to take away."""

from contraview.apps.report.contents import Calibrated, Contents, Detected
from contraview.apps.report.markup import Markup, tag
from contraview.apps.report.wording import count, percent
from contraview.evaluation.intervals import Interval, false_alarm_interval
from contraview.evaluation.threshold import alarms_allowed

DAY = 86_400


def headline(contents: Contents) -> Markup:
    """Learnt from, threshold, alerts, false alarms: as far as they are known."""
    it, learned, detected = contents.calibrated, contents.learned, contents.detected
    tiles = []
    if learned is not None:
        tiles.append(_tile("learnt from", count(learned.rows), "benign flows, no attack labels"))
    if it is not None:
        tiles.append(
            _tile(
                "threshold",
                f"{it.threshold:.2f}",
                f"nats of surprise, passed by {100 * it.max_fpr:g} % of benign flows",
            )
        )
    if detected is not None:
        share = percent(detected.alerts.height / max(detected.flows.height, 1))
        of = f"of {count(detected.flows.height)} flows ({share})"
        if detected.judgement is not None:
            of += f"; by the labels {percent(detected.judgement.precision.value)} are attacks"
        tiles.append(_tile("alerts", count(detected.alerts.height), of))
    if it is not None:
        tiles += _false_alarm_tiles(it, detected)
    return tag("div", *tiles, class_="tiles")


def _false_alarm_tiles(it: Calibrated, detected: Detected | None) -> list[Markup]:
    n = len(it.held_out)
    rows = detected.flows.height if detected is not None else 1000
    expected = alarms_allowed(n, it.max_fpr) / (n + 1)
    low, high = (bound / rows for bound in expected_alarms(it, rows))
    shown = f"expected in 1,000 benign flows, 95 % interval {1000 * low:.1f} to {1000 * high:.1f}"
    if detected is not None and detected.judgement is not None:
        real = detected.judgement.false_alarms
        shown += f"; in this capture, by its labels, {1000 * real.value:.1f}"
    tiles = [_tile("false alarms", f"{1000 * expected:.1f}", shown)]
    if detected is not None and detected.seconds:
        flows = detected.flows.height / detected.seconds
        tiles.append(
            _tile(
                "false alarms a day",
                count(expected * flows * DAY),
                f"if the {flows:.3g} flows a second of this capture went on all day and all were "
                f"benign; {count(low * flows * DAY)} to {count(high * flows * DAY)}",
            )
        )
    return tiles


def expected_alarms(it: Calibrated, rows: int) -> Interval:
    """How many of so many benign flows will raise a false alarm, with a chance of 95 %."""
    return false_alarm_interval(len(it.held_out), rows, it.max_fpr)


def _tile(name: str, value: str, note: str) -> Markup:
    return tag(
        "div", tag("span", name, class_="name"), tag("b", value), tag("small", note), class_="tile"
    )
