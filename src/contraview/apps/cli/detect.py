"""`contraview detect`: alerts from a capture, a log or a table."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import polars as pl

from contraview.apps.cli.arguments import Positional, parse
from contraview.apps.detection.alerts import Format, write_alerts
from contraview.apps.detection.conversation import latest
from contraview.apps.detection.detection import Judge, detect
from contraview.apps.detection.detector import Detector
from contraview.apps.detection.evidence import Evidence
from contraview.apps.detection.grouping import Groups
from contraview.apps.detection.living.suppression import Suppressions
from contraview.apps.detection.model import load_detector
from contraview.apps.detection.reasons import Reason, explain
from contraview.apps.detection.watch.opening import grows
from contraview.core.errors import InputError
from contraview.core.whole_file import replacing

HOUR = 3600.0


def run(_verb: str, arguments: list[str]) -> int:
    """Write one line an alert to --out or stdout, and a summary to stderr."""
    chosen = parse(
        "contraview detect",
        "Alerts from SOURCE with a model of `contraview fit detector`. SOURCE is a capture, a flow "
        "log, CSV or Parquet; with --follow a log or capture that grows, or a sensor's folder; '-' "
        "for stdin, udp://HOST:PORT for NetFlow and IPFIX, or the name of an interface.",
        arguments,
        model=(Positional[Path], ...),
        source=(Positional[tuple[str, ...]], ()),
        format=(Format, "eve"),
        max_fpr=(float | None, None),
        out=(Path | None, None),
        group=(bool, False),
        pcap_out=(Path | None, None),
        follow=(bool, False),
        counters=(Path | None, None),
        heartbeat=(float, HOUR),
    )
    if not chosen.source:
        raise InputError("contraview detect: no source; expected a capture or a log")
    if chosen.follow or grows(chosen.source):
        from contraview.apps.cli.follow import follow

        return follow(chosen)
    if chosen.counters or chosen.heartbeat != HOUR:
        raise InputError("--counters and --heartbeat go with a source that grows: add --follow")
    detector = load_detector(chosen.model)
    rules = Suppressions.load(chosen.model)
    sys.stderr.write(rules.said_of_expired())
    seen, raised, quiet = run_detection(detector, chosen, rules)
    sys.stderr.write(rules.said_of(quiet))
    sys.stderr.write(
        f"{seen} flows, {raised} alerts; at this threshold {_rate(detector, chosen.max_fpr):g} "
        "false alarms are expected in 1,000 benign flows\n"
    )
    return 0


def run_detection(
    detector: Detector, chosen: Any, rules: Suppressions
) -> tuple[int, int, Counter[str]]:
    """Detect and write; gives back how many flows were seen, how many alerts raised, and how many
    each rule suppressed.
    """
    flows = detector.read(chosen.source)
    judge = Judge(detector, max_fpr=chosen.max_fpr)
    seen = raised = 0
    quiet: Counter[str] = Counter()
    groups = Groups() if chosen.group else None
    evidence = None if chosen.pcap_out is None else Evidence(flows, chosen.pcap_out)
    with target(chosen.out) as out:

        def put(alerts: pl.DataFrame, reasons: list[list[Reason]], *, head: bool = False) -> None:
            write_alerts(
                out.write,
                chosen.format,
                alerts,
                reasons,
                threshold=judge.threshold,
                inputs=detector.inputs,
                head=head,
            )

        for rows in detect(detector, flows, judge=judge):
            alerts = rows.filter("alert")
            alerts, reasons, hits = rules.split(alerts, explain(detector, alerts))
            quiet += hits
            raised += alerts.height
            if evidence is not None:
                evidence.add(alerts)
            if groups is not None:
                alerts, reasons = groups.add(alerts, reasons, latest(rows))
            put(alerts, reasons, head=seen == 0)
            seen += rows.height
        if groups is not None:
            put(*groups.finish())
    if evidence is not None:
        cut = evidence.write()
        lost = f", {cut.other_link:,} of another link type left out" if cut.other_link else ""
        sys.stderr.write(f"{chosen.pcap_out}: {cut.packets:,} packets of these alerts{lost}\n")
    if judge.calmed:
        sys.stderr.write(f"{judge.calmed:,} flows like those called benign are no alerts\n")
    return seen, raised, quiet


def _rate(detector: Detector, max_fpr: float | None) -> float:
    return 1000 * detector.rate(max_fpr)


@contextmanager
def target(path: Path | None) -> Iterator[IO[str]]:
    """Stdout, or a file that appears under its name once it is whole."""
    if path is None:
        yield sys.stdout
        return
    with replacing(path) as beside, beside.open("w") as file:
        yield file
