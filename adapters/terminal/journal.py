"""The one file that survives a power cut: records, their queue, what was spent, what was counted.

SQLite in write-ahead mode with ``synchronous=FULL``: when a transaction has been committed it is on
the disk. A scan is one transaction: claim of the code, count of the offline use, the signed record
and the new end of the chain are all there or none is. One thread writes at a time; readers in other
processes (``status``) see committed states only. ADR 67.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import RLock
from typing import ClassVar, Final

from adapters.terminal.home import FILE_MODE
from adapters.terminal.progress import UNWATCHED, Progress, Step

FORMAT: Final = 1
BUSY_TIMEOUT_S: Final = 5.0
_PRIMARY_CODE: Final = 0xFF
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
_SCHEMA: Final = """
CREATE TABLE record (
    number INTEGER PRIMARY KEY,
    kid INTEGER NOT NULL,
    sequence_no INTEGER NOT NULL,
    record_id BLOB NOT NULL UNIQUE,
    data BLOB NOT NULL,
    accepted INTEGER NOT NULL,
    occurred_at_ms INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    reason TEXT,
    order_id TEXT,
    UNIQUE (kid, sequence_no)
);
CREATE INDEX record_queued ON record (number) WHERE state = 'queued';
CREATE TABLE chain (
    kid INTEGER PRIMARY KEY,
    sequence_no INTEGER NOT NULL,
    digest BLOB NOT NULL
);
CREATE TABLE claimed (key BLOB PRIMARY KEY, expires_at_s INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE device (
    key BLOB PRIMARY KEY,
    highest_counter INTEGER NOT NULL,
    expires_at_s INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE offline_use (
    issuer_id INTEGER NOT NULL,
    token BLOB NOT NULL,
    used_fen INTEGER NOT NULL,
    used_count INTEGER NOT NULL,
    expires_at_s INTEGER NOT NULL,
    PRIMARY KEY (issuer_id, token)
) WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class JournalError(Exception):
    """Nothing was written. ``code`` is the stable reason a person is shown."""

    code: ClassVar[str] = "storage_failed"


class StorageFullError(JournalError):
    """There is no room, or the disk does not take it."""

    code = "storage_full"


class JournalFormatError(JournalError):
    """The file was written by another version of the agent."""

    code = "journal_format"


class Journal:
    """The open file. Safe between threads: a transaction holds the lock until it ends.

    Raises:
        JournalError: the file cannot be opened, or is of another format.
    """

    def __init__(self, file: Path, progress: Progress = UNWATCHED) -> None:
        self.progress = progress
        self._lock = RLock()
        with _refusing():
            file.touch(mode=FILE_MODE)
            self._connection = sqlite3.connect(
                file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self._prepare()

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        # Checkpoints copy the log into the file; a short log keeps the pause of each one short.
        self._connection.execute("PRAGMA wal_autocheckpoint = 256")
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        if found == 0:
            with self._transaction() as connection:
                for statement in _SCHEMA.split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {FORMAT}")
        elif found != FORMAT:
            raise JournalFormatError(f"the journal has format {found}, known is {FORMAT}")

    def close(self) -> None:
        """End with the file in one piece, its log folded in."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done inside is durable when this ends, or nothing of it is.

        Raises:
            JournalError: nothing of it is.
        """
        with self._lock, _refusing(), self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self.progress.reached(Step.WRITTEN)
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite may have rolled back by itself, as it does when the disk is full.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self.progress.reached(Step.COMMITTED)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read what is committed. Raises ``JournalError``."""
        with self._lock, _refusing():
            yield self._connection

    def fact(self, name: str) -> str | None:
        """A remembered single value."""
        with self.reading() as connection:
            row = connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, **facts: str | int) -> None:
        """Keep single values by name, replacing earlier ones. Raises ``JournalError``."""
        with self.transaction() as connection:
            connection.executemany(
                "INSERT INTO fact VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                [(name, str(value)) for name, value in facts.items()],
            )


@contextmanager
def opened(file: Path, progress: Progress = UNWATCHED) -> Iterator[Journal]:
    """The journal, closed at the end. Raises ``JournalError``."""
    with closing(Journal(file, progress)) as journal:
        yield journal


@contextmanager
def _refusing() -> Iterator[None]:
    """Faults of the disk as refusals."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        kind = StorageFullError if code in _FULL else JournalError
        raise kind(str(error)) from error
    except OSError as error:
        raise StorageFullError(str(error)) from error
