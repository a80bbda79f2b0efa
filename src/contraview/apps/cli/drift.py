"""`contraview drift`: what has changed since the fit, and what to do about it."""

import sys
from pathlib import Path

from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.detection.living.drift import By, Drift, measure
from contraview.apps.detection.model import load_detector
from contraview.apps.detection.services import readable
from contraview.apps.report.drift_page import drift_page
from contraview.core.errors import InputError
from contraview.core.lineage import lineage
from contraview.core.plain_text import plain
from contraview.core.whole_file import write_bytes, write_json

PAGE = "drift.html"
FIGURES = "drift.json"


def run(_verb: str, arguments: list[str]) -> int:
    """Compare, write drift.html and drift.json, say what to do."""
    chosen = parse(
        "contraview drift",
        "Compares FLOWS with what MODEL learnt, a day at a time: how far inputs and scores have "
        "moved, which services and categories are new, what the false alarms did. Says whether to "
        "recalibrate, re-centre or refit; writes drift.html and drift.json to --out.",
        arguments,
        model=(Positional[Path], ...),
        flows=(Positional[tuple[str, ...]], ()),
        out=(Path, ...),
        by=(By, "day"),
        benign=(str | None, None),
        max_fpr=(float | None, None),
    )
    if not chosen.flows:
        raise InputError("contraview drift: no flows; expected files after the model")
    if chosen.out.exists() and not chosen.out.is_dir():
        raise InputError(f"{chosen.out}: is a file; expected a folder")
    detector = load_detector(chosen.model)
    source = detector.source
    if chosen.benign is not None:
        source = source.model_copy(update={"benign": chosen.benign})
    drift = measure(detector, source.read(chosen.flows), by=chosen.by, max_fpr=chosen.max_fpr)
    chosen.out.mkdir(parents=True, exist_ok=True)
    told = {"model": str(chosen.model), "lineage": lineage(chosen.model)}
    write_json(chosen.out / FIGURES, told | drift.as_json())
    page = drift_page(drift, str(chosen.model), told["lineage"])
    write_bytes(chosen.out / PAGE, page.encode())
    sys.stdout.write(_told(drift, chosen.model) + f"{chosen.out / PAGE}\n")
    return 0


def _told(drift: Drift, model: Path) -> str:
    lines = []
    for period in drift.periods:
        low, high = period.expected
        lines.append(
            f"{period.name}  {period.flows:,} flows, {period.alerts:,} alerts (expected {low:,.0f} "
            f"to {high:,.0f}); score index {period.scores:.2f}, {len(period.moved)} inputs moved: "
            f"{period.advice}"
        )
        lines += [
            f"  new: {plain(readable(new.name))}, {new.share:.1%} of the flows, "
            f"{new.share_of_alerts:.0%} of the alerts"
            for new in (*period.services, *period.categories)
        ]
    lines.append(f"do: {command(drift, model)}")
    return "\n".join(lines) + "\n"


def command(drift: Drift, model: Path) -> str:
    """The command that the advice stands for."""
    return {
        "recalibrate": f"recalibrate: contraview refit {model} FLOWS --calibration",
        "re-centre": f"re-centre: contraview refit {model} FLOWS --centre",
        "refit": f"refit: contraview refit {model} FLOWS --all --out NEW",
    }.get(drift.advice, drift.advice)
