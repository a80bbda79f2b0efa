"""Flow records: tables, logs, captures, datagrams."""

from pathlib import Path
from typing import Any

from tests.fuzz.judge import Reader
from tests.fuzz.seeds import captures, flows

from contraview.modalities.flows.data import Flows, read_flows
from contraview.modalities.flows.features import FeatureMap
from contraview.modalities.flows.findings import inspect
from contraview.modalities.flows.meter import stream


def _flows(path: Path, **knobs: Any) -> None:
    first = path.read_bytes().lstrip()[:2000].split(b"\n", 1)[0]
    if b"label" in first.replace(b"\t", b",").split(b","):
        knobs["labels"] = "label"
    records: Flows = read_flows(path, **knobs)
    if path.stat().st_size % 2:  # what follows is dear, and sees only what was understood by now
        return
    rows = records.benign().collect()
    if path.stat().st_size % 4:
        return
    inspect(records).lines()
    records.fingerprint()
    if records.label is not None:
        records.labels()
    FeatureMap.fit(rows, records.numeric, records.categorical).transform(rows)


def _capture(path: Path) -> None:
    if path.stat().st_size % 8 == 0:  # what follows the meter is the same for all captures
        _flows(path)
        return
    mode = "lycos" if path.stat().st_size % 2 else "std"
    for part in stream(path, mode, max_open=4, window=5 if path.stat().st_size % 8 < 3 else 100):
        part.frame.height  # noqa: B018


def _datagrams(path: Path) -> None:
    captures.listen(path.read_bytes())


READERS = (
    Reader("csv", "flows.csv", _flows, flows.csv),
    Reader("zeek", "conn.log", _flows, flows.zeek),
    Reader("eve", "eve.json", _flows, flows.eve),
    Reader("binetflow", "capture.binetflow", _flows, flows.binetflow),
    Reader("parquet", "flows.parquet", _flows, flows.parquet),
    Reader("pcap", "capture.pcap", _capture, captures.pcap),
    Reader("pcapng", "capture.pcapng", _capture, captures.pcapng),
    Reader("netflow", "datagrams", _datagrams, captures.netflow),
)
