"""`contraview refit`: a model brought up to date: its threshold, its centre, or all of it."""

import sys
from pathlib import Path

from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.detection.calibrated import outlook
from contraview.apps.detection.living.refit import Refitted, recalibrate, recentre, refit
from contraview.core.errors import InputError
from contraview.core.lineage import note
from contraview.core.model_folder import revert_model


def run(_verb: str, arguments: list[str]) -> int:
    """Do one of the three, or take the last one back."""
    chosen = parse(
        "contraview refit",
        "Brings MODEL up to date with newer benign FLOWS: --calibration takes the threshold from "
        "them; --centre also moves centre, bank and tails towards them; --all fits a new model in "
        "--out. Flows of which more than ten times the rate are alerts are refused, unless "
        "--contamination says which share of them to leave out. --undo takes the last one back.",
        arguments,
        model=(Positional[Path], ...),
        flows=(Positional[tuple[str, ...]], ()),
        calibration=(bool, False),
        centre=(bool, False),
        all=(bool, False),
        out=(Path | None, None),
        contamination=(float | None, None),
        max_fpr=(float | None, None),
        seed=(int, 0),
        undo=(bool, False),
    )
    kinds = chosen.calibration + chosen.centre + chosen.all
    if chosen.undo:
        if chosen.flows or kinds:
            raise InputError("contraview refit: --undo takes MODEL alone")
        revert_model(chosen.model, by="refit")
        note(chosen.model, "refit --undo")
        sys.stdout.write(f"{chosen.model}: is as it was before\n")
        return 0
    if kinds != 1:
        raise InputError("contraview refit: expected one of --calibration, --centre, --all")
    if not chosen.flows:
        raise InputError("contraview refit: no flows; expected files after the model")
    share = chosen.contamination
    if share is not None and not 0 <= share < 0.5:
        raise InputError(f"--contamination {share:g}: expected a share from 0 to below 0.5")
    if chosen.all != (chosen.out is not None):
        raise InputError("contraview refit: --all and --out NEW go together")
    if chosen.all:
        if chosen.max_fpr is not None:
            raise InputError("contraview refit: --all keeps the rate; calibrate the new model")
        done = refit(chosen.model, chosen.flows, chosen.out, contamination=share, seed=chosen.seed)
    else:
        work = recentre if chosen.centre else recalibrate
        done = work(chosen.model, chosen.flows, contamination=share, max_fpr=chosen.max_fpr)
    sys.stdout.write(_told(done))
    sys.stdout.write(f"{chosen.out or chosen.model}\n")
    return 0


def _told(done: Refitted) -> str:
    said = outlook(done.after.held_out, done.after.rate())
    low, high = said["threshold, 95 %"]
    above = "no bound" if high is None else f"{high:.3f}"
    rate = f"{done.after.rate():g}"
    now = f"{said['threshold']:.3f} ({low:.3f} to {above})"
    if done.left_out:
        worst = done.after.rate() + done.left_out / (done.rows + done.left_out)
        rate += f"; with those left out, at most {worst:.3g}"
    lines = [
        f"{done.rows:,} benign flows, {done.left_out:,} left out",
        f"{done.alarms_before:.2%} of them were alerts before",
        f"threshold {done.before.threshold():.3f}  ->  {now}",
        f"false-alarm rate {rate}",
    ]
    return "\n".join(lines) + "\n"
