"""The records of this terminal in order: appended when decided, sent in batches, settled by answer.

Each key of the terminal has a chain of its own that starts at 1, so that a terminal that was
replaced and enrolled anew does not seem to say two things under one number. ``number`` is the
order here.

A record keeps its bytes until long after the server has answered. States: ``queued`` (not answered
yet), then the server's word for it: ``booked``, ``duplicate``, ``review``, ``rejected``; or
``held``: the server refused even to look at it, alone; it is tried again after a restart.
"""

import sqlite3
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from adapters.terminal.journal import Journal
from codes.validator_record import CHAIN_START, Decision, ValidatorRecord

UNSENT_MAX: Final = 100_000
SETTLED_KEPT: Final = 10_000
TROUBLED: Final = ("review", "rejected", "held")


class ChainEnd(NamedTuple):
    """Sequence number and digest of a key's last record; before the first 0 and zeros."""

    sequence_no: int = 0
    digest: bytes = CHAIN_START


@dataclass(frozen=True, slots=True)
class QueuedRecord:
    """A record that waits for the server's answer."""

    number: int
    sequence_no: int
    record_id: bytes
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the server said of one record, by its number in the journal."""

    number: int
    state: str
    reason: str | None = None
    order_id: str | None = None


@dataclass(frozen=True, slots=True)
class TroubledRecord:
    """A record a person should know about."""

    sequence_no: int
    state: str
    reason: str | None
    occurred_at_ms: int


def chain_end(connection: sqlite3.Connection, kid: int) -> ChainEnd:
    """Where the next record under a key continues."""
    row = connection.execute(
        "SELECT sequence_no, digest FROM chain WHERE kid = ?", (kid,)
    ).fetchone()
    return ChainEnd() if row is None else ChainEnd(*row)


def append(connection: sqlite3.Connection, record: ValidatorRecord) -> None:
    """Queue a signed record and move the end of the chain, in the caller's transaction."""
    connection.execute(
        "INSERT INTO record (kid, sequence_no, record_id, data, accepted, occurred_at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            record.kid,
            record.sequence_no,
            record.record_id.bytes,
            record.to_bytes(),
            record.decision is not Decision.REFUSED,
            record.occurred_at_ms,
        ),
    )
    connection.execute(
        "INSERT OR REPLACE INTO chain VALUES (?, ?, ?)",
        (record.kid, record.sequence_no, record.digest),
    )


def unsent_count(connection: sqlite3.Connection) -> int:
    """How many records wait."""
    (count,) = connection.execute("SELECT count(*) FROM record WHERE state = 'queued'").fetchone()
    return int(count)


class RecordQueue:
    """The queue as the uplink and the status see it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def next_batch(self, count_max: int) -> list[QueuedRecord]:
        """The oldest records that wait, in order."""
        with self._journal.reading() as connection:
            rows = connection.execute(
                "SELECT number, sequence_no, record_id, data FROM record WHERE state = 'queued'"
                " ORDER BY number LIMIT ?",
                (count_max,),
            ).fetchall()
        return [QueuedRecord(*row) for row in rows]

    def settle(self, settlements: list[Settlement]) -> None:
        """Keep the server's answers, all or none. Raises ``JournalError``."""
        with self._journal.transaction() as connection:
            connection.executemany(
                "UPDATE record SET state = ?, reason = ?, order_id = ?"
                " WHERE number = ? AND state = 'queued'",
                [(one.state, one.reason, one.order_id, one.number) for one in settlements],
            )

    def requeue_held(self) -> None:
        """Give held records another chance. Raises ``JournalError``."""
        with self._journal.transaction() as connection:
            connection.execute(
                "UPDATE record SET state = 'queued', reason = NULL WHERE state = 'held'"
            )

    def counts(self) -> dict[str, int]:
        """How many records are in each state."""
        with self._journal.reading() as connection:
            rows = connection.execute("SELECT state, count(*) FROM record GROUP BY state")
            return {str(state): int(count) for state, count in rows}

    def oldest_queued_at_ms(self) -> int | None:
        """When the oldest waiting record was made."""
        with self._journal.reading() as connection:
            row = connection.execute(
                "SELECT occurred_at_ms FROM record WHERE state = 'queued' ORDER BY number LIMIT 1"
            ).fetchone()
        return None if row is None else int(row[0])

    def troubled(self, count_max: int) -> list[TroubledRecord]:
        """The latest records a person should know about, latest first."""
        with self._journal.reading() as connection:
            rows = connection.execute(
                "SELECT sequence_no, state, reason, occurred_at_ms FROM record"
                " WHERE state IN (?, ?, ?) ORDER BY number DESC LIMIT ?",
                (*TROUBLED, count_max),
            ).fetchall()
        return [TroubledRecord(*row) for row in rows]


def forget_settled(connection: sqlite3.Connection) -> None:
    """Let go of answered records but the latest; one that waits or is held always stays."""
    connection.execute(
        "DELETE FROM record WHERE state NOT IN ('queued', 'held') AND number <="
        " (SELECT max(number) FROM record) - ?",
        (SETTLED_KEPT,),
    )
