"""`contraview detect --follow`: the watcher on the command line."""

import signal
import sys
from typing import Any, Final

from contraview.apps.detection.grouping import LONGEST, Groups
from contraview.apps.detection.model import load_detector
from contraview.apps.detection.watch.health import ModelWatch, RulesWatch
from contraview.apps.detection.watch.journal import Journal, Stream
from contraview.apps.detection.watch.opening import open_source
from contraview.apps.detection.watch.watcher import LOOK, Watcher
from contraview.core.errors import InputError
from contraview.core.plain_text import plain
from contraview.modalities.flows.live.source import SystemClock

PCAP_OUT: Final = (
    "--pcap-out goes with captures that end, not with a source that grows: an alert comes minutes "
    "after its packets, when they have gone by. Let tcpdump -G write files, follow these, and run "
    "`contraview detect MODEL FILE... --pcap-out OUT` on the files of an alert's time"
)


def follow(chosen: Any) -> int:
    """Watch one source until it ends, or until the process is told to stop."""
    if len(chosen.source) != 1:
        raise InputError(f"{len(chosen.source)} sources to follow; expected one watcher for each")
    if chosen.format not in ("eve", "ecs"):
        raise InputError(f"--format {chosen.format}: a log that grows is eve or ecs")
    if not chosen.heartbeat > 0:
        raise InputError(f"--heartbeat {chosen.heartbeat:g}: expected seconds above 0")
    if chosen.pcap_out:
        raise InputError(PCAP_OUT)
    model = ModelWatch(chosen.model)
    detector, rules = load_detector(chosen.model), RulesWatch(chosen.model)
    detector.threshold(chosen.max_fpr)
    name, clock = chosen.source[0], SystemClock()
    source = open_source(name, detector, clock=clock)
    if chosen.out is None:
        log = Stream(sys.stdout)
    else:
        label = f"{model.loaded}, groups" if chosen.group else model.loaded
        log = Journal(chosen.out, source=source.name, model=label)
        if log.place is not None and source.replayable:
            source.close()
            source = open_source(name, detector, clock=clock, saved=log.place)
    terminal = sys.stderr.isatty()

    def say(line: str) -> None:
        sys.stderr.write(f"\r\x1b[K{line}\n" if terminal else f"{line}\n")
        sys.stderr.flush()

    def show(line: str) -> None:
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()

    watcher = Watcher(
        detector,
        source,
        log,
        form=chosen.format,
        clock=clock,
        max_fpr=chosen.max_fpr,
        model=model,
        rules=rules,
        heartbeat=chosen.heartbeat,
        groups=Groups() if chosen.group else None,
        saved=log.place if isinstance(log, Journal) else None,
        counters=chosen.counters,
        say=say,
        show=show if terminal else lambda _: None,
    )
    if isinstance(log, Journal) and source.replayable:
        watcher.counters.go_on_from(log.counters)
    later = LONGEST.total_seconds() + LOOK
    say(
        f"{plain(source.name)}: {source.kind}; an alert comes at most {source.delay} after the "
        "first packet of its flow"
        + (f", a group {later:,.0f} s after its first alert" if chosen.group else "")
    )
    if expired := rules.rules.said_of_expired().rstrip():
        say(expired)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: watcher.stop()) for number in numbers]
    try:
        counters = watcher.run()
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    say(counters.line())
    return 0
