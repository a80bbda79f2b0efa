"""The packets behind alerts, where the source is a capture."""

from pathlib import Path

import polars as pl

from contraview.core.errors import InputError
from contraview.core.whole_file import replacing
from contraview.modalities.flows.data import Flows
from contraview.modalities.flows.meter.cutting import COLUMNS, Cut, cut_out
from contraview.modalities.flows.readers.blocks import TextFile
from contraview.modalities.flows.readers.capture import is_capture


class Evidence:
    """Remembers which flows raised an alert, and writes their packets as one pcap file.

    Args:
        flows: what is judged; must come from captures, which are read once more at the end.
        path: the pcap file; appears under its name once it is whole.

    Raises:
        InputError: a source is no capture, or is the file to be written.
    """

    def __init__(self, flows: Flows, path: Path) -> None:
        self._captures = [Path(name) for name in flows.intake.sources]
        for capture in self._captures:
            if not (capture.is_file() and is_capture(TextFile(capture).magic())):
                raise InputError(f"{capture}: is no capture; --pcap-out needs one to cut from")
            if path.exists() and path.samefile(capture):
                raise InputError(f"{path}: is the capture itself; expected another file")
        self._path = path
        self._mode = flows.kind.removeprefix("meter/")
        self._alerts: list[pl.DataFrame] = []

    def add(self, alerts: pl.DataFrame) -> None:
        """Remember the flows of alerts."""
        self._alerts.append(alerts.select(COLUMNS))

    def write(self) -> Cut:
        """Go through the captures once more and write the packets."""
        with replacing(self._path) as beside, beside.open("wb") as file:
            return cut_out(self._captures, pl.concat(self._alerts), file, mode=self._mode)
