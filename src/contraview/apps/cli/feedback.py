"""`contraview feedback`: what people say of alerts, what it would change, and taking it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import tyro

from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.detection.living.feedback import (
    Verdict,
    find_alert,
    forget_feedback,
    load_feedback,
    record_feedback,
)
from contraview.apps.detection.living.lessons import Lessons, learn, take
from contraview.apps.detection.model import load_detector
from contraview.core.errors import InputError
from contraview.core.lineage import note
from contraview.core.model_folder import revert_model
from contraview.core.whole_file import write_json


def run(_verb: str, arguments: list[str]) -> int:
    """Write down, show, take or undo."""
    chosen = parse(
        "contraview feedback",
        "Says of alerts (ids, or their first 8 digits) in an EVE or ECS file that they are benign "
        "or an --attack, with its --name. This is written down beside MODEL and changes nothing: "
        "what it would change is shown, --apply lets MODEL learn it, --undo takes the last time "
        "back, --forget takes a word back.",
        arguments,
        model=(Positional[Path], ...),
        alert=(Positional[tuple[str, ...]], ()),
        alerts=(Path | None, None),
        benign=(bool, False),
        attack=(bool, False),
        name=(str | None, None),
        forget=(str | None, None),
        apply=(bool, False),
        undo=(bool, False),
        figures=(Annotated[Path | None, tyro.conf.arg(name="json")], None),
    )
    if chosen.undo:
        if chosen.alert or chosen.apply or chosen.forget:
            raise InputError("contraview feedback: --undo takes MODEL alone")
        revert_model(chosen.model, by="feedback")
        note(chosen.model, "feedback --undo")
        sys.stdout.write(f"{chosen.model}: what it learnt from feedback last is taken back\n")
        return 0
    if chosen.alert:
        _record(chosen)
    elif chosen.benign or chosen.attack or chosen.name:
        raise InputError("contraview feedback: of which alert? expected ids after the model")
    if chosen.forget:
        sys.stdout.write(f"forgotten {forget_feedback(chosen.model, chosen.forget).id}\n")
    said = load_feedback(chosen.model)
    lessons = learn(load_detector(chosen.model), said)
    if chosen.figures:
        write_json(chosen.figures, lessons.figures())
    sys.stdout.write(_told(lessons))
    if chosen.apply:
        take(chosen.model, lessons)
        sys.stdout.write(f"{chosen.model}: taken; `contraview feedback MODEL --undo` undoes it\n")
    else:
        sys.stdout.write("nothing is changed yet; add --apply to let the model learn it\n")
    return 0


def _record(chosen: Any) -> None:
    if chosen.benign == chosen.attack:
        raise InputError("contraview feedback: expected --benign or --attack, one of them")
    if chosen.alerts is None:
        raise InputError("contraview feedback: which file holds the alert? expected --alerts FILE")
    verdict: Verdict = "benign" if chosen.benign else "attack"
    found = [find_alert(chosen.alerts, each) for each in chosen.alert]
    for alert in found:
        record_feedback(chosen.model, alert, verdict, name=chosen.name)


def _told(lessons: Lessons) -> str:
    """What would change, line by line."""
    figures = lessons.figures()
    before, after = figures["before"], figures["after"]
    benign, attacks = figures["benign"], sum(figures["attacks"].values())
    lines = [f"feedback: {benign} benign, {attacks} attacks"]
    lines += [f"  left out {each[:8]}: {why}" for each, why in figures["left out"].items()]

    def changed(name: str, one: str, other: str) -> None:
        lines.append(f"{name:<28} {one}  ->  {other}")

    changed("threshold", _threshold(before), _threshold(after))
    for name, key, of in (
        ("benign flows that alert", "benign that alert", benign),
        ("attacks that alert", "attacks that alert", attacks),
    ):
        if of:
            changed(name, f"{before[key]} of {of}", f"{after[key]} of {of}")
    lines.append(f"{'the centre moves by':<28} {figures['centre moves by degrees']:.2f} degrees")
    for column, values in figures["no longer a rule"].items():
        lines.append(f"{'no rule any more':<28} {column} {', '.join(values)}".rstrip())
    if attacks:
        named = ", ".join(after["names"]) or "none yet"
        lines.append(f"{'attacks it can name':<28} {named}; every other is unknown")
        least = figures["flows a name needs"]
        few = [f"{name} ({n})" for name, n in figures["attacks"].items() if n < least]
        if few:
            lines.append(f"{'a name needs':<28} {least} flows; fewer: {', '.join(few)}")
    return "\n".join(lines) + "\n"


def _threshold(side: dict[str, Any]) -> str:
    low, high = side["threshold, 95 %"]
    above = "no bound" if high is None else f"{high:.3f}"
    return f"{side['threshold']:.3f} ({low:.3f} to {above})"
