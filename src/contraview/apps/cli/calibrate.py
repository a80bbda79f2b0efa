"""`contraview calibrate`: the threshold of a model from benign flows of one's own."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.detection.calibrated import outlook
from contraview.apps.detection.model import calibrate_model
from contraview.core.errors import InputError
from contraview.core.lineage import note
from contraview.core.model_folder import revert_model
from contraview.core.whole_file import write_json
from contraview.evaluation.threshold import alarm_rate


def run(_verb: str, arguments: list[str]) -> int:
    """Calibrate, and say what the rate means; or take the last calibration back."""
    chosen = parse(
        "contraview calibrate",
        "Takes the threshold of MODEL from benign FLOWS that it has not learnt from; nothing is "
        "fitted again. The calibration before stays in the folder: --undo brings it back.",
        arguments,
        model=(Positional[Path], ...),
        flows=(Positional[tuple[str, ...]], ()),
        benign=(str | None, None),
        max_fpr=(float | None, None),
        flows_a_day=(int | None, None),
        figures=(Annotated[Path | None, tyro.conf.arg(name="json")], None),
        undo=(bool, False),
    )
    if chosen.undo:
        if chosen.flows:
            raise InputError("contraview calibrate: --undo takes no flows; expected MODEL alone")
        revert_model(chosen.model, by="calibrate")
        note(chosen.model, "calibrate --undo")
        sys.stdout.write(f"{chosen.model}: the calibration is the one before\n")
        return 0
    if not chosen.flows:
        raise InputError("contraview calibrate: no flows; expected benign flows after the model")
    if chosen.flows_a_day is not None and chosen.flows_a_day < 1:
        raise InputError(f"--flows-a-day {chosen.flows_a_day}: expected at least 1")
    before, detector = calibrate_model(
        chosen.model, chosen.flows, benign=chosen.benign, max_fpr=chosen.max_fpr
    )
    figures = outlook(detector.held_out, detector.rate(), chosen.flows_a_day)
    figures["share with a rule broken"] = detector.rules_rate
    if before is not None:
        figures["share above the threshold before"] = alarm_rate(detector.held_out, before)
    if chosen.figures:
        write_json(chosen.figures, figures)
    sys.stdout.write(_told(figures))
    if not detector.rules_alert():
        sys.stdout.write("rules are broken too often to raise alerts of their own at this rate\n")
    return 0


def _told(figures: Mapping[str, Any]) -> str:
    """The figures as lines, each with its interval."""
    lines = [f"calibrated on {figures['benign flows']:,} benign flows; each with 95 % interval"]
    for name in ("threshold", "realised rate", "false alarms in 1,000 flows", "false alarms a day"):
        between = figures.get(f"{name}, 95 %")
        if between is not None:
            low, high = between
            value = figures[name] if name in figures else figures["rate"]
            above = "no bound" if high is None else f"{high:,.4g}"
            lines.append(f"{name:<32} {value:,.4g}  ({low:,.4g} to {above})")
    shares = [name for name in figures if name.startswith("share")]
    lines += [f"{name:<32} {figures[name]:.2g}" for name in ("lowest rate supported", *shares)]
    return "\n".join(lines) + "\n"
