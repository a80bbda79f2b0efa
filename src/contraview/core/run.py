"""One fit as seen from outside: its seed, its folder, its log of events, its progress on screen."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from contraview.core.errors import ContraviewError
from contraview.core.model_folder import check_target
from contraview.core.processes import is_main
from contraview.core.whole_file import append_line

EVENTS = "events.jsonl"


@runtime_checkable
class Advance(Protocol):
    """Moves a progress bar on; keyword values are shown beside it."""

    def __call__(self, steps: int = 1, /, **shown: str) -> None:
        """Advance by ``steps``."""


def _silent(_steps: int = 1, /, **_shown: str) -> None:
    """Progress that nobody watches."""


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


class Run:
    """Where a fit keeps its events and checkpoints, and the seed all its randomness comes from.

    Args:
        folder: where events and checkpoints go; None keeps nothing on disk.
        seed: the one seed of the run (see `contraview.core.seeds`).
        show: draw progress on stderr; None asks whether stderr is a terminal.
        resume: continue from the folder's last checkpoint where there is one.
        checkpoint_every: steps between checkpoints of a training; see `training.loop.train`.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        seed: int = 0,
        show: bool | None = None,
        resume: bool = True,
        checkpoint_every: int = 500,
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.seed = seed
        self.show = (sys.stderr.isatty() if show is None else show) and is_main()
        self.resume = resume
        self.checkpoint_every = checkpoint_every
        if self.folder is not None and is_main():
            check_target(self.folder)

    def log(self, kind: str, **fields: Any) -> None:
        """Append one event to events.jsonl: its time (UTC seconds), its kind, its fields.

        Of several processes the main one writes.
        """
        if self.folder is None or not is_main():
            return
        line = json.dumps({"time": round(time.time(), 3), "kind": kind, **fields})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            append_line(self.folder / EVENTS, line)
        except OSError as error:
            said = error.strerror or error
            raise ContraviewError(f"{self.folder / EVENTS}: cannot be written: {said}") from None

    def events(self) -> list[dict[str, Any]]:
        """The run's events so far; lines that a crash cut short are left out."""
        path = None if self.folder is None else self.folder / EVENTS
        if path is None or not path.is_file():
            return []
        lines = path.read_text().splitlines()
        return [event for event in map(_parsed, lines) if event is not None]

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """A progress bar with time left for the length of the block; silent where not shown."""
        if not self.show:
            yield _silent
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as TimeLeft

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeLeft(elapsed_when_finished=True),
            TextColumn("{task.fields[shown]}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(title, total=total, shown="")

            def advance(steps: int = 1, /, **shown: str) -> None:
                bar.advance(task, steps)
                if shown:
                    text = "  ".join(f"{key} {value}" for key, value in shown.items())
                    bar.update(task, shown=text)

            yield advance
