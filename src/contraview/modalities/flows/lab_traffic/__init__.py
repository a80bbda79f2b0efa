"""Three days of the project's own laboratory traffic: captures, truth, labelled flows.

Day 1 is benign and there to train on. Day 2 adds a service never seen before, and attacks. Day 3
has the services of day 1 among other hosts, and attacks. It is compressed laboratory traffic:
good for trying things out, no ground for claims of accuracy. README.md in this folder says more.
"""

from pathlib import Path

from contraview.core.errors import InputError

_FOLDER = Path(__file__).parent
_DAYS = (1, 2, 3)


def day(number: int) -> Path:
    """The capture of a day: a gzipped pcap file, headers only.

    Raises:
        InputError: `number` is not 1, 2 or 3.
    """
    return _of(number, ".pcap.gz")


def flows(number: int) -> Path:
    """The flows of a day as Parquet, as the meter's `std` mode makes them of the capture.

    Columns: `timestamp` (UTC), the 5-tuple, the 75 statistics as 32-bit floats, `label` ("benign"
    or the kind of attack) and `service`.

    Raises:
        InputError: `number` is not 1, 2 or 3.
    """
    return _of(number, "_flows.parquet")


def truth(number: int) -> Path:
    """What the generators of a day wrote down, as Parquet: who talked to whom, when, and why.

    Raises:
        InputError: `number` is not 1, 2 or 3.
    """
    return _of(number, "_truth.parquet")


def _of(number: int, ending: str) -> Path:
    if number not in _DAYS:
        raise InputError(f"lab traffic has no day {number}: expected 1, 2 or 3")
    return _FOLDER / f"day{number}{ending}"
