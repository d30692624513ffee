"""The SQL of the write path: what a batch came to, written in one pipeline or one statement.

Every function runs inside the caller's transaction. A small batch is one statement: round trips
are most of its cost, and inside a caller's pipeline nothing is waited for at all. A large one
sends its rows by COPY, which gains more on a thousand rows than its extra round trips cost.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger import merkle, small_rows, wire
from ledger.books import AccountState, Books, TransferRecord
from ledger.errors import AccountsMovedOnError
from ledger.events import NS_PER_S
from ledger.flag_bits import EXPIRED
from ledger.rules import Outcome
from ledger.store import Cursor, Head

SMALL_ROWS_MAX: Final = 200
"""Rows of a batch that is written in one statement."""

Touched = Sequence[tuple[AccountState, int]]
"""Accounts to write, each with its ``last_timestamp`` when it was read."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A batch in the chain of its shard: the leaves' first bytes, their root, first timestamp."""

    rows: int
    first_timestamp: int
    root: bytes
    marks: bytes


async def write(
    cursor: Cursor,
    head: Head,
    books: Books,
    before: Mapping[int, int],
    locked: Container[int],
    outcome: Outcome,
    timestamp: int,
) -> None:
    """Write what a batch of transfers came to.

    Args:
        cursor: inside the transaction in which the books were loaded.
        head: the locked shard; brought up to date.
        books: as the rules left them.
        before: ``last_timestamp`` of each account when it was loaded, by id.
        locked: ids of the accounts that are under lock since they were read.
        outcome: what the rules decided.
        timestamp: of the last event of the batch.

    Raises:
        AccountsMovedOnError: an account was not as it had been when the batch was decided:
            nothing of this is right, roll back.
        psycopg.errors.SerializationFailure: says the same; in a pipeline of the caller, where its
            results are fetched.
    """
    # Accounts without a change are written too where they were not locked: a refusal that was
    # decided on them must be confirmed like everything else.
    touched = [
        (account, before[account.id])
        for account in books.accounts.values()
        if account.last_timestamp != before[account.id] or account.id not in locked
    ]
    if len(outcome.created) <= SMALL_ROWS_MAX:
        await _write_small(cursor, head, books.accounts, touched, outcome, timestamp)
    else:
        await _write_large(cursor, head, books.accounts, touched, outcome, timestamp)


async def _write_small(
    cursor: Cursor,
    head: Head,
    accounts: Mapping[int, AccountState],
    touched: Touched,
    outcome: Outcome,
    timestamp: int,
) -> None:
    await _write_marks(cursor, head.shard, outcome)
    await cursor.execute(
        f"SELECT ledger.book_small_batch({_SMALL_BATCH})",
        _small_batch(head, accounts, touched, outcome, timestamp),
    )


_SMALL_BATCH: Final = "%s::smallint, %s::bigint, %s::bigint, %s::bigint, %b, %b, %b, %b, %b, %b"
PLANNED_BATCH: Final = (
    "ledger.book_planned_batch(%b, %s::bigint, %s::integer, %s::bigint, "
    f"%b, %b, %s::text[], %b, %b, {_SMALL_BATCH})"
)
"""The call that books a planned batch, with the placeholders of ``planned_batch``."""


def _small_batch(
    head: Head,
    accounts: Mapping[int, AccountState],
    touched: Touched,
    outcome: Outcome,
    timestamp: int,
) -> tuple[object, ...]:
    """The parameters of ``ledger.book_small_batch``; brings the head up to date."""
    leaves = _leaves(outcome)
    sealed = _seal(head, leaves, _first_timestamp(outcome) or timestamp, timestamp)
    # By id, as accounts are locked everywhere: no two writers wait for each other in a circle.
    touched = sorted(touched, key=lambda one: one[0].id)
    return (
        head.shard,
        head.batch_number if leaves else None,
        sealed.first_timestamp,
        head.last_timestamp,
        sealed.root,
        head.chain,
        sealed.marks,
        small_rows.accounts(touched),
        small_rows.numbers(outcome.created, accounts),
        small_rows.ids(outcome.created),
    )


def planned_batch(
    head: Head,
    accounts: Mapping[int, AccountState],
    before: Mapping[int, int],
    outcome: Outcome,
    *,
    decided_at: int,
    timestamp: int,
) -> tuple[object, ...]:
    """The parameters of ``PLANNED_BATCH``: a batch that resolves, reverses and expires nothing.

    Args:
        head: the shard as it is remembered; brought up to date.
        accounts: as the rules left them.
        before: ``last_timestamp`` of each account when it was remembered, by id.
        outcome: what the rules decided.
        decided_at: the instant up to which no hold may wait to expire.
        timestamp: of the last event of the batch.
    """
    assert not outcome.resolved
    timed = [record for record in outcome.created if record.timeout]
    return (
        head.chain,
        head.last_timestamp,
        head.open_from,
        decided_at,
        wire.uuid_array(outcome.failed),
        wire.bigint_array([at for at, _ in outcome.failed.values()]),
        [result for _, result in outcome.failed.values()],
        wire.bigint_array([value for record in timed for value in _ends(record)]),
        wire.uuid_array([record.id for record in timed]),
        *_small_batch(
            head,
            accounts,
            [(account, before[account.id]) for account in accounts.values()],
            outcome,
            timestamp,
        ),
    )


def _ends(record: TransferRecord) -> tuple[int, int]:
    """When a hold ends, and its timestamp."""
    return record.timestamp + record.timeout * NS_PER_S, record.timestamp


async def _write_large(
    cursor: Cursor,
    head: Head,
    accounts: Mapping[int, AccountState],
    touched: Touched,
    outcome: Outcome,
    timestamp: int,
) -> None:
    async with cursor.connection.pipeline():
        counters = cursor.connection.cursor(binary=True)
        await _write_accounts(counters, touched)
        # Packing and hashing overlap with the server's work on the accounts.
        rows = [
            wire.transfer_row(
                record,
                accounts[record.debit_account_id].number,
                accounts[record.credit_account_id].number,
                head.shard,
            )
            for record in outcome.created
        ]
        leaves = _leaves(outcome)
        sealed = _seal(head, leaves, _first_timestamp(outcome) or timestamp, timestamp)
        await _write_marks(cursor, head.shard, outcome)
        await _advance(cursor, head, sealed)
        if await counters.fetchone() != (len(touched),):
            raise AccountsMovedOnError
    await copy_rows(cursor, f"ledger.transfer ({wire.TRANSFER_COLUMNS})", rows)


def _leaves(outcome: Outcome) -> list[bytes]:
    """Leaf hashes of a batch in order of timestamp: expiries are decided before the events."""
    leaves = [
        merkle.expiry_leaf(pending_id, at)
        for pending_id, (at, status) in outcome.resolved.items()
        if status == EXPIRED
    ]
    leaves.extend(map(merkle.transfer_leaf, outcome.created))
    return leaves


def _first_timestamp(outcome: Outcome) -> int | None:
    for at, status in outcome.resolved.values():
        if status == EXPIRED:
            return at
    return outcome.created[0].timestamp if outcome.created else None


async def _write_accounts(cursor: Cursor, touched: Touched) -> None:
    await cursor.execute(
        "SELECT ledger.write_accounts(%b, %b, %b, %b, %b, %b, %b, %b)",
        (
            wire.bigint_array([account.number for account, _ in touched]),
            wire.bigint_array([expected for _, expected in touched]),
            wire.bigint_array([account.debits_pending for account, _ in touched]),
            wire.bigint_array([account.debits_posted for account, _ in touched]),
            wire.bigint_array([account.credits_pending for account, _ in touched]),
            wire.bigint_array([account.credits_posted for account, _ in touched]),
            wire.bigint_array([account.last_timestamp for account, _ in touched]),
            wire.boolean_array([account.closed for account, _ in touched]),
        ),
    )


async def _write_resolutions(cursor: Cursor, shard: int, outcome: Outcome) -> None:
    """How holds ended; they leave the queue of those that may expire."""
    ids = wire.uuid_array(outcome.resolved)
    await cursor.execute(
        "INSERT INTO ledger.resolution (pending_id, timestamp, shard, status) "
        "SELECT id, at, %s, status FROM unnest(%b::uuid[], %b::bigint[], %b::bigint[]) "
        "AS v (id, at, status)",
        (
            shard,
            ids,
            wire.bigint_array([at for at, _ in outcome.resolved.values()]),
            wire.bigint_array([status for _, status in outcome.resolved.values()]),
        ),
    )
    await cursor.execute("DELETE FROM ledger.expiry WHERE pending_id = ANY (%b)", (ids,))


async def _write_failed(cursor: Cursor, outcome: Outcome) -> None:
    await cursor.execute(
        "INSERT INTO ledger.failed_transfer (id, timestamp, result) "
        "SELECT * FROM unnest(%b::uuid[], %b::bigint[], %s::text[]) ON CONFLICT DO NOTHING",
        (
            wire.uuid_array(outcome.failed),
            wire.bigint_array([at for at, _ in outcome.failed.values()]),
            [result for _, result in outcome.failed.values()],
        ),
    )


async def _write_timed_and_reversals(cursor: Cursor, created: Sequence[TransferRecord]) -> None:
    """Holds that may expire, and transfers that undo another."""
    timed = [record for record in created if record.timeout]
    if timed:
        await cursor.execute(
            "INSERT INTO ledger.expiry (expires_at, timestamp, pending_id) "
            "SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::uuid[])",
            (
                wire.bigint_array([ends_at for ends_at, _ in map(_ends, timed)]),
                wire.bigint_array([r.timestamp for r in timed]),
                wire.uuid_array([r.id for r in timed]),
            ),
        )
        # A hold made and ended in the same batch never waits to expire.
        await cursor.execute(
            "DELETE FROM ledger.expiry e USING ledger.resolution r "
            "WHERE e.pending_id = ANY (%b) AND r.pending_id = e.pending_id",
            (wire.uuid_array([r.id for r in timed]),),
        )
    reversals = [record for record in created if record.reverses_id]
    if reversals:
        await cursor.execute(
            "INSERT INTO ledger.reversal (reverses_id, timestamp) "
            "SELECT * FROM unnest(%b::uuid[], %b::bigint[])",
            (
                wire.uuid_array([r.reverses_id for r in reversals]),
                wire.bigint_array([r.timestamp for r in reversals]),
            ),
        )


async def _write_marks(cursor: Cursor, shard: int, outcome: Outcome) -> None:
    """What is kept beside the rows: ends of holds, spent ids, holds that may expire, reversals."""
    if outcome.resolved:
        await _write_resolutions(cursor, shard, outcome)
    if outcome.failed:
        await _write_failed(cursor, outcome)
    await _write_timed_and_reversals(cursor, outcome.created)


def _seal(head: Head, leaves: Sequence[bytes], first: int, last: int) -> Sealed:
    """Seal a batch into the chain of its shard; one without rows only moves the time on."""
    head.last_timestamp = last
    if not leaves:
        return Sealed(0, first, b"", b"")
    head.batch_number += 1
    root = merkle.root(leaves)
    head.chain = merkle.chain_hash(
        head.chain,
        shard=head.shard,
        number=head.batch_number,
        first_timestamp=first,
        last_timestamp=last,
        rows=len(leaves),
        batch_root=root,
    )
    return Sealed(len(leaves), first, root, b"".join([leaf[: merkle.MARK_SIZE] for leaf in leaves]))


async def _advance(cursor: Cursor, head: Head, sealed: Sealed) -> None:
    await cursor.execute(
        "SELECT ledger.advance(%s::smallint, %s::bigint, %s::bigint, %s::bigint, %s::integer, "
        "%s, %s, %s)",
        (
            head.shard,
            head.batch_number,
            sealed.first_timestamp,
            head.last_timestamp,
            sealed.rows,
            sealed.root,
            head.chain,
            sealed.marks,
        ),
    )


async def advance(
    cursor: Cursor, head: Head, leaves: Sequence[bytes], first: int, last: int
) -> None:
    """Seal a batch into the chain of its shard, and write that."""
    await _advance(cursor, head, _seal(head, leaves, first, last))


async def copy_rows(cursor: Cursor, target: str, rows: Iterable[bytes]) -> None:
    """Append packed rows to ``table (columns)``."""
    statement = f"COPY {target} FROM STDIN (FORMAT BINARY)"  # constants of ledger.wire only
    async with cursor.copy(statement.encode()) as copy:
        await copy.write(b"".join((wire.COPY_HEADER, *rows, wire.COPY_TRAILER)))
