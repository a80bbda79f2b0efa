"""`contraview suppress`: rules that quieten alerts, written, listed and removed."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.detection.living.feedback import records
from contraview.apps.detection.living.seen import Seen
from contraview.apps.detection.living.suppression import Rule, Suppressions, add_rule, remove_rule
from contraview.core.errors import InputError
from contraview.core.plain_text import plain

NAMES = ("host", "subnet", "service", "reason")


def run(_verb: str, arguments: list[str]) -> int:
    """Write, remove or list the rules of a model."""
    chosen = parse(
        "contraview suppress",
        "Alerts of MODEL that fit all that a rule names are counted, not told: a --host or a "
        "--subnet at either end, a --service (tcp/1883, mqtt), a --reason (a column, or what it is "
        "about), --until a date. With none of these the rules are listed; --remove takes one away. "
        "With --alerts FILE it is said how many alerts of an EVE or ECS file each rule fits.",
        arguments,
        model=(Positional[Path], ...),
        host=(str | None, None),
        subnet=(str | None, None),
        service=(str | None, None),
        reason=(str | None, None),
        until=(str | None, None),
        note=(str, ""),
        remove=(str | None, None),
        alerts=(Path | None, None),
    )
    named = {name: value for name in NAMES if (value := getattr(chosen, name))}
    if chosen.remove:
        if named:
            raise InputError("contraview suppress: --remove takes the id of a rule and no more")
        rule = remove_rule(chosen.model, chosen.remove)
        sys.stdout.write(f"removed {rule.id}: {rule.told()}\n")
        return 0
    if named or chosen.until or chosen.note:
        rule = Rule.of(**named, until=chosen.until, note=chosen.note)
        if rule.expired():
            raise InputError(f"--until {chosen.until}: has passed; the rule would suppress nothing")
        add_rule(chosen.model, rule)
    rules = Suppressions.load(chosen.model).rules
    seen = (
        [] if chosen.alerts is None else [Seen.of_record(each) for each in records(chosen.alerts)]
    )
    sys.stdout.write("".join(_line(rule, chosen, seen) for rule in rules) or "no rules\n")
    return 0


def _line(rule: Rule, chosen: Any, seen: list[Seen]) -> str:
    parts = [f"{rule.id}  {rule.told()}"]
    if rule.until is not None:
        ended = rule.expired(datetime.now(UTC))
        parts.append(f"{'expired' if ended else 'until'} {rule.until:%Y-%m-%d %H:%M} UTC")
    if chosen.alerts is not None:
        hits = sum(rule.matches(alert) for alert in seen)
        parts.append(f"fits {hits:,} of {len(seen):,} alerts")
    if rule.note:
        parts.append(plain(rule.note))
    return "; ".join(parts) + "\n"
