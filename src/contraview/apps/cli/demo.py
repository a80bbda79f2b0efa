"""`contraview demo`: from two bundled captures to a detector, its alerts, and a report."""

import io
import sys
from pathlib import Path
from typing import Any, Final

import polars as pl

from contraview.apps.cli.arguments import parse
from contraview.apps.cli.detect import target
from contraview.apps.detection.alerts import write_alerts
from contraview.apps.detection.detection import detect
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.reasons import Reason, explain
from contraview.apps.report.report import ALERTS, FLOWS, MODEL, write_report
from contraview.core.lineage import note
from contraview.core.run import Run
from contraview.core.whole_file import write_bytes
from contraview.modalities.flows import lab_traffic
from contraview.modalities.flows.data import Flows
from contraview.modalities.flows.findings import inspect
from contraview.modalities.flows.readers.parquet import KIND_KEY
from contraview.modalities.flows.schema import IDENTITY, TIME
from contraview.training.checkpoint import clear_checkpoints

LEARN_DAY: Final = 1
DETECT_DAY: Final = 3
EXPLAINED_AT_ONCE: Final = 128


def run(_verb: str, arguments: list[str]) -> int:
    """Fit, detect, explain, write; a summary on stdout."""
    chosen = parse(
        "contraview demo",
        "Learns day 1 of the bundled laboratory traffic, all of it benign, raises alerts in the "
        "capture of day 3, and writes model, alerts, scored flows and report.",
        arguments,
        out=(Path, Path("runs/demo")),
        max_fpr=(float, 0.01),
        with_addresses=(bool, False),
        seed=(int, 0),
    )
    detector = Detector(max_fpr=chosen.max_fpr)
    story = Run(chosen.out, seed=chosen.seed)
    story.log("begin", max_fpr=chosen.max_fpr, seed=chosen.seed)
    learnt_from, capture = lab_traffic.day(LEARN_DAY), lab_traffic.day(DETECT_DAY)

    _say(1, f"learning benign traffic from {learnt_from.name}")
    _fit(detector, learnt_from, chosen)
    _say(2, f"metering {capture.name}")
    flows = detector.read(capture)
    notes = [note.removeprefix(f"{capture}: ") for note in flows.intake.notes]
    found = inspect(flows).to_json() | {"notes": notes}
    _say(3, "detecting and explaining")
    rows = pl.concat(list(detect(detector, flows)))
    alerts = rows.filter("alert")
    reasons = _explained(detector, alerts, story)
    _say(4, "writing alerts and report")
    _write_alerts(chosen.out / ALERTS, detector, alerts, reasons)
    rows = _labelled(rows)
    _write_flows(chosen.out / FLOWS, rows, flows)
    story.log(
        "demo",
        source=capture.name,
        max_fpr=chosen.max_fpr,
        findings=found,
        commands=_commands(chosen),
    )
    page = write_report(chosen.out, with_addresses=chosen.with_addresses)
    sys.stdout.write(_summary(rows, chosen, page))
    return 0


def _say(step: int, what: str) -> None:
    sys.stderr.write(f"[{step}/4] {what}\n")
    sys.stderr.flush()


def _fit(detector: Detector, source: Path, chosen: Any) -> None:
    run = Run(chosen.out / MODEL, seed=chosen.seed)
    config = detector.config.model_dump(mode="json")
    run.log("fit", system=detector.slug, seed=chosen.seed, config=config)
    detector.fit(detector.read(source), run=run)
    detector.threshold()  # refuses a rate that the held-out flows cannot support
    detector.save(chosen.out / MODEL)
    note(chosen.out / MODEL, f"fit {detector.slug}")
    clear_checkpoints(run)


def _explained(detector: Detector, alerts: pl.DataFrame, run: Run) -> list[list[Reason]]:
    reasons = []
    with run.progress("explain", alerts.height) as advance:
        for part in alerts.iter_slices(EXPLAINED_AT_ONCE):
            reasons += explain(detector, part)
            advance(part.height)
    return reasons


def _write_alerts(
    path: Path, detector: Detector, alerts: pl.DataFrame, reasons: list[list[Reason]]
) -> None:
    with target(path) as out:
        threshold, inputs = detector.threshold(), detector.inputs
        write_alerts(out.write, "eve", alerts, reasons, threshold=threshold, inputs=inputs)


def _labelled(rows: pl.DataFrame) -> pl.DataFrame:
    """The flows with what the lab knows of each; only the report's evaluation looks at it."""
    key = [*TIME, *IDENTITY[1:]]
    known = pl.read_parquet(lab_traffic.flows(DETECT_DAY)).select(*key, "label", "service")
    known = known.cast({name: rows.schema[name] for name in key})
    return rows.join(known, on=key, how="left", maintain_order="left", validate="m:1")


def _write_flows(path: Path, rows: pl.DataFrame, flows: Flows) -> None:
    buffer = io.BytesIO()
    rows.write_parquet(buffer, metadata={KIND_KEY: flows.kind})
    write_bytes(path, buffer.getvalue())


def _commands(chosen: Any) -> list[str]:
    """The whole demo again, and each of its steps on its own."""
    settings = f"--max-fpr {chosen.max_fpr:g} --seed {chosen.seed}"
    folder = "from contraview.modalities.flows import lab_traffic; print(lab_traffic.day(1).parent)"
    learn, capture = (lab_traffic.day(day).name for day in (LEARN_DAY, DETECT_DAY))
    return [
        f"contraview demo --out {chosen.out} {settings}",
        "",
        "# the same, step by step",
        f"lab=$(python -c '{folder}')",
        f"contraview fit detector $lab/{learn} --out {chosen.out / MODEL} {settings}",
        f"contraview detect {chosen.out / MODEL} $lab/{capture} --out {chosen.out / ALERTS}",
        f"contraview report {chosen.out}",
    ]


def _summary(rows: pl.DataFrame, chosen: Any, page: Path) -> str:
    """What to take away, where it lies, what to type next."""
    kinds = (
        rows.group_by("label")
        .agg(pl.len().alias("flows"), pl.sum("alert").alias("alerts"))
        .sort(pl.col("label") == "benign", "flows", descending=[False, True])
    )
    wide = max(len(str(label)) for label in kinds["label"])
    lines = [
        f"{rows['alert'].sum():,} alerts in {rows.height:,} flows of laboratory traffic.",
        "",
        f"{'kind':<{wide}}  {'flows':>6}  {'alerts':>6}",
        *(
            f"{label:<{wide}}  {flows:>6,}  {alerts:>6,}  {alerts / flows:>6.1%}"
            + ("  false alarms" if label == "benign" else "")
            for label, flows, alerts in kinds.iter_rows()
        ),
        "",
        f"{page}  the report: open it in a browser",
        f"{chosen.out / ALERTS}  one alert a line, as Suricata's EVE",
        f"{chosen.out / FLOWS}  every flow with its score",
        f"{chosen.out / MODEL}  the detector",
        "",
        "Next, with your own traffic:",
        "  contraview fit detector BENIGN.pcap --out model",
        "  contraview detect model CAPTURE.pcap --out alerts.jsonl",
    ]
    return "\n".join(lines) + "\n"
