"""Recordings: tables, UCR files, arrays."""

from pathlib import Path

from tests.fuzz import pack
from tests.fuzz.judge import Reader
from tests.fuzz.seeds import texts
from tests.fuzz.wings.items import use

from contraview.modalities.signals.data import read_signals


def _signals(path: Path) -> None:
    signals = read_signals(path, window=3, unusable="skip", max_gap=1, subject=None, time=None)
    use(signals)
    signals.segments()


def _signal_table(path: Path) -> None:
    signals = read_signals(
        path, window=2, unusable="skip", max_gap=1, subject="subject", time="time", labels="age"
    )
    use(signals)
    signals.segments()


READERS = (
    Reader("signals", "signals.csv", _signal_table, texts.signals),
    Reader("ucr", "signals.txt", _signals, texts.ucr),
    Reader("signal_arrays", "signals.npz", _signals, texts.signal_arrays, pack.archive),
)
