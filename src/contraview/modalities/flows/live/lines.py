"""Whole lines of a log that grows as rows of text, also where its columns change midway."""

import re
from collections.abc import Iterator
from typing import Final

import polars as pl

from contraview.core.errors import InputError
from contraview.modalities.flows.kinds.kind import Kind
from contraview.modalities.flows.live.source import Trouble
from contraview.modalities.flows.readers.blocks import plain
from contraview.modalities.flows.readers.delimited import Layout, layout_of, parse
from contraview.modalities.flows.readers.json_lines import ObjectLines
from contraview.modalities.flows.readers.raw import Malformed

HEAD: Final = 1 << 16
FEW: Final = 20
"""Fewer lines than this say nothing about a log."""
LONGEST: Final = 1 << 20
"""A longer line is no flow record: it is counted as malformed and left out."""


class Lines:
    """Cuts bytes into whole lines; what follows the last newline waits for its rest.

    Attributes:
        too_long: lines left out because they were longer than `LONGEST`.
    """

    def __init__(self) -> None:
        self.held = b""
        self.too_long = 0
        self._skipping = False

    def cut(self, data: bytes, *, last: bool = False) -> bytes:
        """The whole lines there are now; at the ``last`` piece the rest is a line as well."""
        if self._skipping:
            _, newline, data = data.partition(b"\n")
            self._skipping = not newline and not last
            if not newline:
                return b""
        whole, newline, rest = (self.held + data).rpartition(b"\n")
        self.held = rest
        if len(rest) > LONGEST:
            self.held, self._skipping = b"", True
            self.too_long += 1
        elif last and rest:
            whole, newline, self.held = whole + newline + rest, b"\n", b""
        return plain(self._short(whole + newline))

    def _short(self, text: bytes) -> bytes:
        if len(text) <= LONGEST:
            return text
        lines = text.split(b"\n")
        short = [line if len(line) <= LONGEST else b"" for line in lines]
        self.too_long += sum(len(line) > LONGEST for line in lines)
        return b"\n".join(short)


class LogText:
    """The text of one log, file after file, as tables of text cells.

    A line of column names in the middle (Zeek's ``#fields``, a repeated header) is heeded.

    Attributes:
        malformed: lines that are no rows.
        troubles: what changed, since it was last taken.
    """

    def __init__(self, name: str, kind: Kind) -> None:
        self.name, self.kind = name, kind
        self.malformed = Malformed()
        self.troubles: list[Trouble] = []
        self._objects: ObjectLines | None = None
        self._layout: Layout | None = None
        self._marker = self._head = b""
        self._line = 1
        self._understood = self._resumed = self._over = False
        self._rows = 0
        self._filled: dict[str, int] = {}
        self._gone: list[str] = []

    def begin(self, head: bytes) -> None:
        """Another file begins; ``head`` holds its first bytes where reading begins further on."""
        self._objects, self._understood, self._over = None, False, False
        self._head, self._resumed, self._line = plain(head), bool(head), 1

    def cells(self, text: bytes) -> Iterator[pl.DataFrame]:
        """The rows of whole lines, one table for each change of columns.

        Raises:
            InputError: the log begins with something that is no such log.
        """
        if not self._understood and not self._understand(text):
            return
        if self._objects is not None:
            before = self._objects.malformed.count
            rows = self._objects.rows(text, self._line)
            found = self._objects.malformed
            if found.count > before:
                self.malformed.add(found.first, "", found.count - before)
            self._watch_keys(rows)
            yield rows
        else:
            yield from self._delimited(text)
        self._line += text.count(b"\n")

    def _understand(self, text: bytes) -> bool:
        """Read the begin of a file; False where more of it is needed."""
        if not text.strip():
            return False
        head = self._head = self._head if self._resumed else self._head + text
        if head.lstrip()[:1] == b"{":
            self._objects = ObjectLines(self.name, head[:HEAD], self.kind)
        elif head.startswith(b"#") and b"\n#fields" not in b"\n" + head:
            return False
        else:
            layout = layout_of(self.name, head)
            self._take(layout)
            line = head.split(b"\n")[max(layout.header_lines - 1, 0)]
            column = b"#fields" if layout.comments else line.split(layout.separator.encode())[0]
            self._marker = column + layout.separator.encode()
        self._understood, self._head = True, b""
        return True

    def _watch_keys(self, rows: pl.DataFrame) -> None:
        """An object may lack any key; one that nearly all had and none has now is a change."""
        there = rows.select(pl.col(c).count() for c in self.kind.required if c in rows.columns)
        counts = there.row(0, named=True) if there.width else {}
        if rows.height >= FEW:
            gone = [
                column
                for column, count in counts.items()
                if not count and self._filled.get(column, 0) > 0.95 * max(self._rows, 1)
            ]
            if gone and not self._gone:
                text = f"{self.name}: the keys changed: without {', '.join(gone[:5])}"
                self.troubles.append(Trouble("columns", text))
            self._gone = gone
        if not self._gone:
            self._rows += rows.height
            for column, count in counts.items():
                self._filled[column] = self._filled.get(column, 0) + count

    def _take(self, layout: Layout) -> None:
        if self._layout is not None and layout.columns != self._layout.columns:
            gone = [c for c in self._layout.columns if c not in layout.columns]
            come = [c for c in layout.columns if c not in self._layout.columns]
            said = [f"without {', '.join(gone[:5])}"] if gone else []
            said += [f"with {', '.join(come[:5])}"] if come else []
            change = "; ".join(said) or "in another order"
            self.troubles.append(Trouble("columns", f"{self.name}: the columns changed: {change}"))
        self._layout = layout

    def _delimited(self, text: bytes) -> Iterator[pl.DataFrame]:
        for part in re.split(rb"(?m)^(?=" + re.escape(self._marker) + rb")", text):
            rows = part
            assert self._layout is not None
            if part.startswith(self._marker):
                header, _, rows = part.partition(b"\n")
                try:
                    separator = self._layout.separator.encode()
                    head = (
                        b"#separator " + separator + b"\n" + header
                        if self._layout.comments
                        else header
                    )
                    self._take(layout_of(self.name, head + b"\n"))
                except InputError:
                    self.malformed.add(self.name, "column names that cannot be read")
                    continue
                self._over = False
            if self._layout.totals_at_end and re.search(rb"(?m)^Summary$", rows):
                rows = rows[: rows.index(b"Summary")] if not self._over else b""
                self._over = True
            elif self._over:
                rows = b""
            if self._layout.comments:
                rows = re.sub(rb"(?m)^#.*\n?", b"", rows)
            table = parse(self.name, rows, self._layout, self._line, self.malformed)
            if table.num_rows:
                frame = pl.from_arrow(table)
                assert isinstance(frame, pl.DataFrame)
                yield frame
