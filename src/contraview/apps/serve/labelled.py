"""What people say of alerts on the page: the feedback of the model folder, shown beside them."""

import sqlite3
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contraview.apps.detection.living.feedback import (
    FILE,
    Verdict,
    forget_feedback,
    load_feedback,
    record_feedback,
)
from contraview.apps.serve.queries import Queries
from contraview.apps.serve.store import Store, changed
from contraview.core.errors import InputError


class Label(BaseModel):
    """What is said of an alert."""

    model_config = ConfigDict(extra="forbid")

    alert: int
    verdict: Verdict
    name: str | None = Field(None, max_length=60, description="of an attack")


class Labelled:
    """Feedback and the alerts that it is about.

    Args:
        store: the alerts.
        queries: gives an alert's record.
        folder: the model's.
    """

    def __init__(self, store: Store, queries: Queries, folder: Path) -> None:
        self._store, self._queries, self._folder = store, queries, folder
        self._seen: object = None

    def sync(self) -> None:
        """Show what the folder holds, wherever it was said."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        said = {each.id: each.name or each.verdict for each in load_feedback(self._folder)}
        with self._store.writing() as db:
            db.execute("CREATE TEMP TABLE IF NOT EXISTS said(identity TEXT PRIMARY KEY, label)")
            db.execute("DELETE FROM said")
            db.executemany("INSERT INTO said VALUES (?, ?)", said.items())
            db.execute(
                "UPDATE alerts SET label = NULL WHERE label IS NOT NULL "
                "AND identity NOT IN (SELECT identity FROM said)"
            )
            db.execute(
                "UPDATE alerts SET label = said.label FROM said "
                "WHERE alerts.identity = said.identity"
            )
            _label_groups(db)
            changed(db)
        self._seen = stamp

    def say(self, label: Label) -> dict[str, Any]:
        """Write down what somebody says of an alert."""
        record = self._queries.record(label.alert)
        if record is None:
            raise InputError(f"no alert {label.alert}")
        said = record_feedback(self._folder, record, label.verdict, name=label.name)
        self.sync()
        return {"alert": label.alert, "label": said.name or said.verdict}

    def forget(self, alert: int) -> None:
        """Take it back."""
        record = self._queries.record(alert)
        if record is None:
            raise InputError(f"no alert {alert}")
        forget_feedback(self._folder, record["contraview"]["id"])
        self.sync()

    def all(self) -> list[dict[str, Any]]:
        """All that was said, the latest first; ``alert`` and ``group`` of those kept here."""
        db = self._store.reading
        told = []
        for each in reversed(load_feedback(self._folder)):
            row = db.execute(
                "SELECT id, in_group FROM alerts WHERE identity = ?", [each.id]
            ).fetchone()
            told.append(
                {
                    "identity": each.id,
                    "alert": None if row is None else row["id"],
                    "group": None if row is None else row["in_group"],
                    "verdict": each.verdict,
                    "name": each.name,
                    "at": each.at.timestamp(),
                    "score": each.score,
                }
            )
        return told

    def _stamp(self) -> object:
        try:
            status = (self._folder / FILE).stat()
        except OSError:
            return "none"
        return status.st_ino, status.st_mtime_ns


def _label_groups(db: sqlite3.Connection) -> None:
    """A group is called what the latest labelled alert in it is called."""
    db.execute(
        "UPDATE groups SET label = NULL WHERE label IS NOT NULL AND NOT EXISTS "
        "(SELECT 1 FROM alerts WHERE in_group = groups.id AND label IS NOT NULL)"
    )
    db.execute(
        "UPDATE groups SET label = named.label FROM (SELECT in_group, label, max(id) "
        "FROM alerts WHERE label IS NOT NULL GROUP BY in_group) AS named "
        "WHERE groups.id = named.in_group"
    )
