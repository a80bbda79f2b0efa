"""What a reader may do with any input: give a result, or refuse it in one printable line."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from contraview.core.errors import ContraviewError

LONGEST = 4_000
"""Characters of a refusal; more is no sentence."""


class Finding(Exception):  # noqa: N818 it is what was looked for
    """Neither a result nor a clear refusal."""


@dataclass(frozen=True)
class Reader:
    """A way into the library for bytes from outside.

    Attributes:
        name: of the reader and its folder of cases in ``tests/fuzz/found``.
        file: the name that the bytes get.
        drive: reads that file as far as a fit would; what stands beside it is in its folder.
        seeds: makes small valid inputs.
        prepare: makes the file's bytes of an input, such as check sums that fit, so that what is
            behind them is reached.
    """

    name: str
    file: str
    drive: Callable[[Path], None]
    seeds: Callable[[], list[bytes]]
    prepare: Callable[[bytes], bytes] = bytes


def judge(reader: Reader, content: bytes, folder: Path) -> str:
    """Give a reader bytes; tells what it said, "" where it read them.

    Raises:
        Finding: it raised anything but a refusal, or the refusal is not one printable line.
    """
    path = folder / reader.file
    path.write_bytes(reader.prepare(content))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader.drive(path)
    except ContraviewError as error:
        said = str(error)
        if not said or not said.isprintable() or len(said) > LONGEST:
            raise Finding(f"{reader.name}: no single printable line: {said[:300]!r}") from error
        return said
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of Rust code is no Exception
        raise Finding(f"{reader.name}: {type(error).__name__}: {error}"[:300]) from error
    return ""


def where(error: BaseException | None) -> str:
    """Type of an error, and the innermost line of the library that it passed: what tells findings
    apart.
    """
    place, trace = "", error.__traceback__ if error else None
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if f"{os.sep}contraview{os.sep}" in file and f"{os.sep}tests{os.sep}" not in file:
            place = f"{file.rpartition(f'{os.sep}contraview{os.sep}')[2]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__} at {place}"
