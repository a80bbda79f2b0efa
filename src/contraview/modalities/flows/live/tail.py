"""The bytes of a log that grows and is rotated, none lost and none twice."""

import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from contraview.modalities.flows.live.log_file import LogFile, digest, digests, first_bytes
from contraview.modalities.flows.live.source import Trouble

REMEMBERED: Final = 64
"""Rotated files remembered as read."""


@dataclass(frozen=True)
class Piece:
    """Bytes of a log.

    Attributes:
        data: the bytes; empty only where the file was left.
        head: the first bytes of the file they are from, where it is another file than before (or
            the first after a restart).
        at: where they begin in that file.
        last: the file was left for the next: what stands after its last newline is a whole line.
    """

    data: bytes
    head: bytes | None = None
    at: int = 0
    last: bool = False


class Tail:
    """Follows the file that bears a name, through rotation by renaming and by copying.

    A rotated file is read to its end before the next is begun: it is left once another file with
    something in it bears the name and nothing was added over one more reading. After a restart it
    is found again by its first bytes among ``NAME``, ``NAME.1``, ``NAME-2026..``, ``STEM.2026..``
    with or without ``.gz`` in the same folder and, for Zeek's ``current``, in the dated folders
    beside it; files rotated since are read in order. Without a saved place it begins at the begin
    of the file that bears the name; what was rotated before is left alone.

    Attributes:
        lost: what was being read when the place was saved cannot be found any more.
    """

    def __init__(self, path: Path, saved: dict[str, Any] | None = None) -> None:
        self.name = str(path)
        self._path = path
        self.lost = False
        self._troubles: list[Trouble] = []
        self._done: list[str] = []
        self._file: LogFile | None = None
        self._leaving = False
        self._announce = True
        self._todo: list[Path] = []
        self._modified = 0
        if saved and (saved["size"] or saved["done"]):
            self._resume(saved)
        else:
            self._begin()

    def read(self, size: int) -> Piece | None:
        """Up to ``size`` more bytes; None where there are none now."""
        if self._file is None and not self._open_next():
            return None
        assert self._file is not None
        at = self._file.offset
        data = self._file.read(size)
        if data:
            self._leaving = False
            head = self._file.head if self._announce else None
            self._announce = False
            return Piece(data, head, at)
        return self._rotate()

    def place(self, unread: int = 0) -> dict[str, Any]:
        """What finds this byte again, or the one ``unread`` bytes before it."""
        offset = 0 if self._file is None else self._file.offset - unread
        head = b"" if self._file is None else self._file.head[:offset]
        return {
            "head": digest(head),
            "size": len(head),
            "offset": offset,
            "modified": self._modified if self._file is None else self._file.modified,
            "done": self._done,
        }

    def troubles(self) -> list[Trouble]:
        """What went wrong since this was last asked."""
        found, self._troubles = self._troubles, []
        return found

    @property
    def path(self) -> Path:
        """The file that grows now."""
        return self._path

    def behind(self) -> int:
        """Bytes written to the file and not read yet (of a packed one: packed)."""
        waiting = 0 if self._file is None else self._file.behind()
        return waiting + sum(path.stat().st_size for path in self._todo if path.exists())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self._done = digests(self.rotated()[-REMEMBERED:])

    def _rotate(self) -> Piece | None:
        """At the end of a file: has another taken its place?"""
        assert self._file is not None
        if self._file.failed:
            return self._leave()
        if self._todo:
            return self._leave()
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return None
        if not self._file.path_is_live or there.st_ino == self._file.inode:
            if self._file.path_is_live and there.st_size >= self._file.offset:
                return None
            if self._file.path_is_live:  # copied away and emptied
                copy = self._find(self._file.head[: self._file.offset], self._file.offset)
                if copy:
                    at = self._file.offset
                    self._switch(copy, at, announce=False)
                    return None
                if self._cut(there.st_size):
                    return None
        if not there.st_size:
            return None
        if not self._leaving:
            self._leaving = True
            return None
        return self._leave()

    def _cut(self, size: int) -> bool:
        """Whether the file lost its end, and nothing else; then its new end is gone on from."""
        assert self._file is not None
        now, known = first_bytes(self.path), self._file.head
        if not now or now[: len(known)] != known[: len(now)]:
            return False
        text = f"{self.name}: was cut to {size:,} bytes; {self._file.offset:,} had been read"
        self._troubles.append(Trouble("cut", text))
        self._switch(self.path, size, announce=False)
        return True

    def _leave(self) -> Piece:
        """Leave the file; the next reading begins another."""
        assert self._file is not None
        at = self._file.offset
        self._remember()
        if not self._todo:
            self._todo = self._since(self._file.modified)
        self._modified = self._file.modified
        self._file.close()
        self._file, self._leaving = None, False
        return Piece(b"", None, at, last=True)

    def _open_next(self) -> bool:
        while self._todo:
            path = self._todo.pop(0)
            if path.exists() and path.stat().st_size:
                self._switch(path, 0)
                return True
        try:
            if not self.path.stat().st_size:
                return False
        except FileNotFoundError:
            return False
        self._switch(self.path, 0)
        return True

    def _switch(self, path: Path, offset: int, *, announce: bool = True) -> None:
        if self._file is not None:
            self._file.close()
        self._file = LogFile(path, offset, path_is_live=path == self.path)
        self._announce, self._leaving = self._announce or announce, False

    def _remember(self) -> None:
        assert self._file is not None
        self._done = [*self._done, digest(self._file.head)][-REMEMBERED:]

    def _resume(self, saved: dict[str, Any]) -> None:
        self._done, self._modified = list(saved["done"]), saved["modified"]
        if not saved["size"]:
            self._todo = self._since(saved["modified"])
            return
        for path in (self.path, *reversed(self.rotated())):
            head = first_bytes(path)
            if head is None or len(head) < saved["size"]:
                continue
            if digest(head[: saved["size"]]) == saved["head"]:
                if path != self.path:
                    self._todo = self._since(saved["modified"], but=path)
                self._switch(path, saved["offset"])
                return
        self.lost = True
        text = f"{self.name}: what was being read before the restart cannot be found any more"
        self._troubles.append(Trouble("gap", text))
        self._todo = self._since(saved["modified"])

    def _since(self, modified: int, but: Path | None = None) -> list[Path]:
        """The rotated files that were written after ``modified`` and have not been read."""
        found, known = [], set(self._done)
        for path in self.rotated():
            if path == but or path.stat().st_mtime_ns < modified:
                continue
            head = first_bytes(path)
            if head and (known_by := digest(head)) not in known:
                known.add(known_by)  # a file and its packed copy are one
                found.append(path)
        return found

    def _find(self, head: bytes, offset: int) -> Path | None:
        """The rotated file that begins with ``head`` and reaches to ``offset``."""
        for path in reversed(self.rotated()):
            there = first_bytes(path)
            if there is not None and there.startswith(head) and path.stat().st_size >= offset:
                return path
        return None

    def rotated(self) -> list[Path]:
        """Files that look like earlier ones of this name, oldest first."""
        stem, _, ending = self.path.name.rpartition(".")
        form = re.compile(
            rf"{re.escape(self.path.name)}[.-](\d|old).*"
            rf"|{re.escape(stem)}[._-]\d.*\.{re.escape(ending)}(\.gz)?"
        )
        folders = [self.path.parent]
        if self.path.parent.name == "current":
            beside = self.path.parent.resolve().parent
            folders += sorted(p for p in beside.glob("[0-9]*-[0-9]*-[0-9]*") if p.is_dir())
        files = [
            path
            for folder in folders
            if folder.is_dir()
            for path in folder.iterdir()
            if form.fullmatch(path.name) and path.is_file()
        ]
        return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name))


class Series(Tail):
    """Follows files of ever new names, such as ``eth0-20260102-1500.pcap``: begins with the oldest
    of those a pattern names, and leaves one for the next as `Tail` does.
    """

    def __init__(self, pattern: str, saved: dict[str, Any] | None = None) -> None:
        self._pattern = pattern
        super().__init__(Path(pattern), saved)

    @property
    def path(self) -> Path:
        """The youngest file; the pattern itself while there is none."""
        files = self._files()
        return files[-1] if files else self._path

    def rotated(self) -> list[Path]:
        """All files but the youngest, oldest first."""
        return self._files()[:-1]

    def _begin(self) -> None:
        self._todo = self.rotated()

    def _files(self) -> list[Path]:
        # Path.glob takes no absolute pattern.
        found = map(Path, glob.glob(self._pattern, recursive=True))  # noqa: PTH207
        files = [path for path in found if path.is_file()]
        return sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name))
