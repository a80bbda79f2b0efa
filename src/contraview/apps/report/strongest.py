"""The strongest alerts, one of each group: a scan of a thousand flows takes one place, not ten."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contraview.apps.detection.reasons import Reason
from contraview.apps.report.contents import Detected

PARTS = re.compile(r"^(?:fwd_|bwd_)?(.+?)(?:_(?:tot|max|min|mean|std|var))?$")


@dataclass(frozen=True)
class Group:
    """Alerts of one source that stand out for one reason.

    Attributes:
        row: the strongest of them, all its columns.
        reasons: why it stands out.
        source: a letter for its source, the same throughout the report; None where unknown.
        flows: how many alerts are like it.
        labels: the kinds of attack among them and how many of each; empty where unknown.
        first: the time of the first of them, and ``last`` of the last.
    """

    row: dict[str, Any]
    reasons: Sequence[Reason]
    source: str | None
    flows: int
    labels: dict[str, int]
    first: datetime | None
    last: datetime | None


def strongest(detected: Detected, most: int = 10) -> list[Group]:
    """The strongest alert of each group, strongest first, at most ``most`` of them.

    Alerts are of one group where source, kind of statistic that did most (`aspect`) and protocol
    are the same.
    """
    members: dict[tuple[Any, ...], list[int]] = {}
    rows = detected.alerts.to_dicts()
    ranked = sorted(range(len(rows)), key=lambda i: -rows[i]["score"])
    for i in ranked:
        first = detected.reasons[i][0].column if detected.reasons[i] else None
        why = rows[i]["rule"] if first is None else aspect(first)
        members.setdefault((rows[i].get("src_addr"), rows[i].get("ip_prot"), why), []).append(i)
    letters: dict[Any, str] = {}
    groups = []
    for (source, _, _), group in list(members.items())[:most]:
        if source is not None:
            letters.setdefault(source, chr(ord("A") + len(letters)))
        times = [time for i in group if (time := rows[i].get("timestamp")) is not None]
        labels = [label for i in group if (label := rows[i].get("label"))]
        groups.append(
            Group(
                rows[group[0]],
                detected.reasons[group[0]],
                letters.get(source),
                len(group),
                {name: labels.count(name) for name in sorted(set(labels), key=labels.count)[::-1]},
                min(times, default=None),
                max(times, default=None),
            )
        )
    return groups


def aspect(column: str) -> str:
    """What a statistic is about, without direction and summary: ``bwd_iat_max`` is ``iat``."""
    found = PARTS.match(column)
    return found[1] if found else column
