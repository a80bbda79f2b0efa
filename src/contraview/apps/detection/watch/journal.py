"""The alert log and its cursor: nothing lost, nothing twice, whatever instant the process ends.

A batch of lines is appended and synced, then the cursor (where the input stands, how long the log
is) is renamed into place. What a restart finds in the log beyond the cursor's length was written
by a process that did not come to move the cursor: those lines are derived again, known by their
ids, and not written again. A line that was cut in the middle is completed. The log is never
truncated.
"""

import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from contraview.core.errors import ContraviewError, InputError
from contraview.core.whole_file import write_bytes, write_json
from contraview.modalities.flows.live.source import Place

VERSION = 1


@runtime_checkable
class AlertLog(Protocol):
    """Where alerts go."""

    def append(self, lines: Sequence[str]) -> None:
        """Write lines that each end with a newline; on return they are safe."""
        ...

    def commit(self, place: Place, counters: dict[str, Any]) -> None:
        """The input up to ``place`` has been dealt with."""
        ...

    def settle(self) -> None:
        """All input there is has been read."""
        ...

    def close(self) -> None:
        """Give back the file."""
        ...


class Stream:
    """Alerts on a pipe or a terminal: written at once, and again after a restart."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def append(self, lines: Sequence[str]) -> None:
        """Write and flush."""
        self._out.writelines(lines)
        self._out.flush()

    def commit(self, place: Place, counters: dict[str, Any]) -> None:
        """A pipe has no cursor."""

    def settle(self) -> None:
        """A pipe has no cursor."""

    def close(self) -> None:
        """The stream is not ours to close."""


class Journal:
    """An append-only log of JSON lines with a cursor beside it.

    Attributes:
        place: where the input stood at the last commit; None for a new log.
        counters: what was counted up to there.
        model: which model wrote the log last.

    Raises:
        InputError: it cannot be opened, another process writes to it, or its cursor is damaged.
    """

    def __init__(self, path: Path, *, source: str, model: str) -> None:
        self.path, self.cursor = path, path.with_name(f"{path.name}.cursor")
        self._source, self._model = source, model
        self.place: Place | None = None
        self.counters: dict[str, Any] = {}
        self._arrays: str | None = None
        self._written: Counter[str] = Counter()
        self._torn = b""
        self._waiting = False
        self._open()
        try:
            self._read_tail(self._read_cursor())
        except BaseException:
            os.close(self._file)
            raise

    def append(self, lines: Sequence[str]) -> None:
        """Write the lines that are not there yet, and sync them."""
        fresh = []
        for line in lines:
            identity = _identity(line) if self._written else None
            if identity is not None and self._written[identity] > 0:
                self._written[identity] -= 1
                self._written += Counter()  # drops what is used up
                continue
            fresh.append(self._completed(line.encode()))
        if not fresh:
            return
        self._reopen_if_rotated()
        self._write(b"".join(fresh))

    def commit(self, place: Place, counters: dict[str, Any]) -> None:
        """Move the cursor, unless lines of the process before have not been derived again yet."""
        if self._waiting and self._written:
            return
        self._waiting = False
        self._move(place, counters)

    def settle(self) -> None:
        """What was not derived again by now will not be: another model wrote it."""
        self._waiting = False

    def close(self) -> None:
        """Close the log."""
        os.close(self._file)

    def _open(self) -> None:
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise InputError(
                f"{self.path}: another watcher writes to it; expected a log of its own for each"
            ) from None
        except OSError as error:
            raise InputError(f"{self.path}: cannot be opened ({error.strerror})") from None

    def _read_cursor(self) -> int:
        try:
            said = json.loads(self.cursor.read_text())
        except FileNotFoundError:
            self._same_model = True
            if os.fstat(self._file).st_size:
                raise InputError(
                    f"{self.path}: holds other things (it has no cursor beside it); expected a new "
                    "file, or one that a watcher wrote"
                ) from None
            self._move(None, {})
            return 0
        except (OSError, ValueError, RecursionError):
            said = None
        if not isinstance(said, dict) or said.get("version") != VERSION:
            raise InputError(
                f"{self.cursor}: cannot be read; move it and the log away to start new"
            )
        if not self._is_cursor(said):
            raise InputError(
                f"{self.cursor}: is not as a watcher writes it; move it and the log away to start "
                "new"
            )
        if said["source"] != self._source:
            raise InputError(
                f"{self.path}: was written from {said['source']}, not from {self._source}; "
                "expected a log of its own for each source"
            )
        self.counters, self._arrays = said["counters"], said["arrays"]
        arrays = {}
        if self._arrays:
            try:
                arrays = load_file(self.path.with_name(self._arrays))
            except (OSError, ValueError, SafetensorError) as error:
                raise InputError(f"{self._arrays}: cannot be read: {error}") from None
        self.place = Place(said["place"], arrays) if said["place"] else None
        self._same_model = said["model"] == self._model
        return int(said["length"])

    def _is_cursor(self, said: dict[str, Any]) -> bool:
        """Whether every part is of its kind, and its arrays are a file of this cursor's own: it is
        removed when the next one is there.
        """
        arrays = said.get("arrays")
        own = re.compile(re.escape(self.cursor.name) + r"\.\d+\.safetensors")
        return (
            isinstance(said.get("source"), str)
            and isinstance(said.get("model"), str)
            and isinstance(said.get("counters"), dict)
            and type(said.get("length")) is int
            and said["length"] >= 0
            and isinstance(said.get("place", ""), dict | None)
            and (arrays is None or (isinstance(arrays, str) and bool(own.fullmatch(arrays))))
        )

    def _read_tail(self, length: int) -> None:
        """The lines beyond the cursor: what they are called, and the one that was cut."""
        if os.fstat(self._file).st_size <= length:
            return
        with self.path.open("rb") as file:
            file.seek(length)
            for line in file:
                if line.endswith(b"\n"):
                    identity = _identity(line)
                    if identity is not None:
                        self._written[identity] += 1
                else:
                    self._torn = line
        self._waiting = self._same_model

    def _completed(self, line: bytes) -> bytes:
        """The line, or its rest where it is the one that was cut."""
        torn, self._torn = self._torn, b""
        if not torn:
            return line
        return line[len(torn) :] if line.startswith(torn) else b"\n" + line

    def _write(self, content: bytes) -> None:
        at = 0
        try:
            while at < len(content):
                at += os.write(self._file, content[at:])
            os.fsync(self._file)
        except OSError as error:
            raise self._stopped(self.path, error) from None

    def _stopped(self, path: Path, error: OSError) -> ContraviewError:
        return ContraviewError(
            f"{path}: cannot be written ({error.strerror}); stopped, nothing is lost: make room "
            "and start the same command again"
        )

    def _move(self, place: Place | None, counters: dict[str, Any]) -> None:
        before, self._arrays = self._arrays, None
        if place is not None and place.arrays:
            number = 1 + int(before.rsplit(".", 2)[1]) if before else 0
            self._arrays = f"{self.cursor.name}.{number}.safetensors"
        said = {
            "version": VERSION,
            "source": self._source,
            "model": self._model,
            "place": None if place is None else place.facts,
            "arrays": self._arrays,
            "length": os.fstat(self._file).st_size,
            "counters": counters,
        }
        try:
            if place is not None and self._arrays:
                kept = {name: np.ascontiguousarray(a) for name, a in place.arrays.items()}
                write_bytes(self.path.with_name(self._arrays), save(kept))
            write_json(self.cursor, said)
        except OSError as error:
            raise self._stopped(self.cursor, error) from None
        if before and before != self._arrays:
            self.path.with_name(before).unlink(missing_ok=True)

    def _reopen_if_rotated(self) -> None:
        """The log itself may be rotated away: go on in a new one of the same name."""
        try:
            if self.path.stat().st_ino == os.fstat(self._file).st_ino:
                return
        except FileNotFoundError:
            pass
        os.close(self._file)
        self._open()


def _identity(line: str | bytes) -> str | None:
    """The id that an alert carries in either form; None for what is no whole record, and for what
    tells of the watcher itself: that is not derived from the input again. A group is another thing
    than the alert that stands for it.
    """
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if isinstance(record, dict) and "health" in record.get("contraview", ()):
        return None
    for part in ("contraview", "event"):
        found = record.get(part) if isinstance(record, dict) else None
        if isinstance(found, dict) and isinstance(found.get("id"), str):
            group = record.get("contraview", {}).get("group")
            return found["id"] + (f" {group}" if group else "")
    return None
