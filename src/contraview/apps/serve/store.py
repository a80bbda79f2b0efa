"""What the service knows, in one SQLite file: hosts, alerts, the groups they form, health."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from contraview.core.errors import InputError

VERSION: Final = 1
SCHEMA: Final = """
CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE hosts(id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE);
CREATE TABLE groups(
    id INTEGER PRIMARY KEY,
    src INTEGER REFERENCES hosts(id), dst INTEGER REFERENCES hosts(id), port INTEGER,
    proto TEXT NOT NULL, about TEXT NOT NULL, is_rule INTEGER NOT NULL,
    first REAL NOT NULL, last REAL NOT NULL,
    flows INTEGER NOT NULL, destinations INTEGER NOT NULL, ports INTEGER NOT NULL,
    score REAL NOT NULL, severity INTEGER NOT NULL, strongest INTEGER NOT NULL,
    label TEXT, suppressed TEXT
);
CREATE INDEX groups_newest ON groups(last DESC, id DESC);
CREATE INDEX groups_strongest ON groups(score DESC, id DESC);
CREATE INDEX groups_open ON groups(last DESC, id DESC) WHERE label IS NULL AND suppressed IS NULL;
CREATE INDEX groups_severity ON groups(severity, last DESC);
CREATE INDEX groups_key ON groups(src, proto, about, last);
CREATE INDEX groups_dst ON groups(dst);
CREATE INDEX groups_about ON groups(about, last DESC);
CREATE INDEX groups_label ON groups(label, last DESC) WHERE label IS NOT NULL;
CREATE INDEX groups_suppressed ON groups(suppressed, last DESC) WHERE suppressed IS NOT NULL;
CREATE TABLE members(
    in_group INTEGER NOT NULL, sort TEXT NOT NULL, value INTEGER NOT NULL,
    PRIMARY KEY (in_group, sort, value)
) WITHOUT ROWID;
CREATE TABLE alerts(
    id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, in_group INTEGER NOT NULL,
    src INTEGER, src_port INTEGER, dst INTEGER, dst_port INTEGER,
    time REAL NOT NULL, score REAL NOT NULL, severity INTEGER NOT NULL,
    label TEXT, suppressed TEXT, record TEXT NOT NULL
);
CREATE INDEX alerts_group ON alerts(in_group, id);
CREATE INDEX alerts_src ON alerts(src);
CREATE INDEX alerts_dst ON alerts(dst);
CREATE INDEX alerts_label ON alerts(label) WHERE label IS NOT NULL;
CREATE INDEX alerts_suppressed ON alerts(suppressed) WHERE suppressed IS NOT NULL;
CREATE TABLE health(
    id INTEGER PRIMARY KEY, identity TEXT NOT NULL UNIQUE, time REAL NOT NULL,
    sort TEXT NOT NULL, message TEXT NOT NULL
);
"""


class Store:
    """A SQLite file that many threads read and one at a time writes.

    Args:
        path: the file; made where there is none.

    Raises:
        InputError: it is no such file, or one of a later version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._writing = threading.RLock()
        self._closed = False
        try:
            with self.writing() as db:
                found = db.execute("PRAGMA user_version").fetchone()[0]
                if found == 0:
                    for statement in SCHEMA.split(";\n"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            self.close()
            raise InputError(f"{path}: is no state of the service ({error})") from None
        if found > VERSION:
            self.close()
            raise InputError(f"{path}: written by a later version; expected {VERSION} or older")

    @property
    def reading(self) -> sqlite3.Connection:
        """This thread's connection."""
        db = getattr(self._own, "db", None)
        if db is None:
            db = sqlite3.connect(
                self.path, timeout=5, isolation_level=None, check_same_thread=False
            )
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA case_sensitive_like = OFF")
            self._own.db = db
            self._opened.append(db)
        return db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: taken as a whole, or not at all."""
        with self._writing:
            db = self.reading
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def fact(self, name: str) -> str | None:
        """A single value kept under a name."""
        found = self.reading.execute("SELECT value FROM facts WHERE name = ?", [name]).fetchone()
        return None if found is None else found[0]

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._writing:
            for db in self._opened:
                db.close()
            self._opened = []


def keep(db: sqlite3.Connection, name: str, value: Any) -> None:
    """Keep a single value, within a transaction."""
    db.execute(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
        [name, str(value)],
    )


def changed(db: sqlite3.Connection) -> None:
    """Tell open pages that something is another now, within a transaction."""
    db.execute(
        "INSERT INTO facts VALUES ('changed', '1') "
        "ON CONFLICT(name) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
    )
