"""The SQL of the write path: lock and read what a batch names, write what it came to.

Every function runs inside the caller's transaction and sends its statements in one pipeline.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection, AsyncCursor

from ledger import merkle, wire
from ledger.books import AccountState, Books, TransferRecord
from ledger.business_day import day_number
from ledger.events import NS_PER_S
from ledger.flag_bits import EXPIRED
from ledger.rules import Outcome
from ledger.wire import id_of, unsigned_16, unsigned_32, unsigned_64

Connection = AsyncConnection[Any]
Cursor = AsyncCursor[Any]

EXPIRE_EVENTS_MAX: Final = 2000
"""How many pending transfers one batch expires at most; the rest waits for the next batch."""


@dataclass(slots=True)
class Head:
    """The state of a shard, locked. ``open_from``: first day number that takes transfers."""

    shard: int
    batch_number: int
    last_timestamp: int
    chain: bytes
    open_from: int | None


def _head(shard: int, row: Sequence[Any]) -> Head:
    batch_number, last_timestamp, chain, closed_through = row
    open_from = None if closed_through is None else day_number(closed_through) + 1
    return Head(shard, batch_number, last_timestamp, bytes(chain), open_from)


@dataclass(slots=True)
class Names:
    """What the events of a batch name.

    ``ids`` in order; ``account_ids`` of single-phase and pending transfers; ``pending_ids`` to
    resolve; ``reverses_ids`` to undo.
    """

    ids: list[int]
    account_ids: set[int]
    pending_ids: set[int]
    reverses_ids: set[int]


async def lock_head(
    cursor: Cursor, shard: int, now: int, early: Names | None
) -> tuple[Head, list[int], Books | None]:
    """Lock a shard and look for pending transfers whose time is over.

    Args:
        cursor: inside the transaction that will write.
        shard: to lock.
        now: instant for the pending transfers.
        early: a batch whose ids are to be looked up in the same round trip.

    Returns:
        The head, the ids of pending transfers due at ``now``, earliest first, and empty books
        where ``early`` was given and none of its ids is known: then nothing is to be read.
    """
    ids = wire.uuid_array(() if early is None else early.ids)
    await cursor.execute(
        "SELECT * FROM ledger.begin_batch(%s::smallint, %s::bigint, %s::integer, %b)",
        (shard, now, EXPIRE_EVENTS_MAX, ids),
    )
    row = await cursor.fetchone()
    assert row is not None
    *head, due, known = row
    assert head[0] is not None, f"shard {shard} has no row"
    books = None if early is None or known else Books()
    return _head(shard, head), [id_of(id_bytes) for id_bytes in due], books


async def load(
    cursor: Cursor, names: Names, *, account_ids: Iterable[int], due: Iterable[int]
) -> Books:
    """Lock accounts, then read the transfers a batch names.

    Args:
        cursor: inside the transaction that will write.
        names: what the events name; the accounts of pending transfers are locked too.
        account_ids: the accounts to lock.
        due: pending transfers that are about to expire; their accounts are locked too.
    """
    connection = cursor.connection
    resolving = [*names.pending_ids, *due]
    async with connection.pipeline():
        accounts = connection.cursor(binary=True)
        await accounts.execute(
            "SELECT * FROM ledger.lock_accounts(%b, %b)",
            (wire.uuid_array(sorted(account_ids)), wire.uuid_array(resolving)),
        )
        books = await _find(connection, [*names.ids, *resolving, *names.reverses_ids], names.ids)
        for row in await accounts.fetchall():
            account = account_state(row)
            books.accounts[account.id] = account
    return books


async def _find(connection: Connection, ids: Sequence[int], new_ids: Sequence[int]) -> Books:
    """Transfers by id, and which of the new ids are spent."""
    books = Books()
    transfers = connection.cursor(binary=True)
    await transfers.execute("SELECT * FROM ledger.find_transfers(%b)", (wire.uuid_array(ids),))
    failed = connection.cursor(binary=True)
    await failed.execute("SELECT * FROM ledger.find_failed(%b)", (wire.uuid_array(new_ids),))
    for *columns, status, is_reversed in await transfers.fetchall():
        record = transfer_record(columns)
        books.transfers[record.id] = record
        if status is not None:
            books.resolutions[record.id] = status
        if is_reversed:
            books.reversed_ids.add(record.id)
    books.failed.update(id_of(id_bytes) for (id_bytes,) in await failed.fetchall())
    return books


def account_state(row: Sequence[Any]) -> AccountState:
    """A row of ``ledger.lock_accounts``."""
    (
        number, id_, debits_pending, debits_posted, credits_pending, credits_posted,
        last_timestamp, closed, timestamp, overdraft_limit, ledger, code, flags,
    ) = row  # fmt: skip
    return AccountState(
        number, id_of(id_), debits_pending, debits_posted, credits_pending, credits_posted,
        last_timestamp, closed, timestamp, overdraft_limit,
        unsigned_32(ledger), unsigned_16(code), unsigned_16(flags),
    )  # fmt: skip


def transfer_record(columns: Sequence[Any]) -> TransferRecord:
    """A row of ``ledger.find_transfers``, without its last two columns."""
    (
        id_, debit, credit, amount, pending, data_128, data_64, data_32, timeout, ledger,
        code, flags, timestamp, effective_at, effective_on, reverses, *counters,
    ) = columns  # fmt: skip
    return TransferRecord(
        id_of(id_), id_of(debit), id_of(credit), amount, id_of(pending), id_of(data_128),
        unsigned_64(data_64), unsigned_32(data_32), unsigned_32(timeout), unsigned_32(ledger),
        unsigned_16(code), unsigned_16(flags), timestamp, effective_at or 0, effective_on,
        id_of(reverses), tuple(counters),
    )  # fmt: skip


async def write(
    cursor: Cursor,
    head: Head,
    books: Books,
    before: dict[int, int],
    locked: Container[int],
    outcome: Outcome,
    timestamp: int,
) -> bool:
    """Write what a batch of transfers came to.

    Args:
        cursor: inside the transaction in which the books were loaded.
        head: the locked shard; brought up to date.
        books: as the rules left them.
        before: ``last_timestamp`` of each account when it was loaded, by id.
        locked: ids of the accounts that are under lock since they were read.
        outcome: what the rules decided.
        timestamp: of the last event of the batch.

    Returns:
        False where an account was not as it had been when the batch was decided: nothing of
        this is right, roll back.
    """
    # Accounts without a change are written too where they were not locked: a refusal that was
    # decided on them must be confirmed like everything else.
    touched = [
        (account, before[account.id])
        for account in books.accounts.values()
        if account.last_timestamp != before[account.id] or account.id not in locked
    ]
    async with cursor.connection.pipeline():
        counters = cursor.connection.cursor(binary=True)
        if touched:
            await _write_accounts(counters, touched)
        # Packing and hashing overlap with the server's work on the accounts.
        rows, leaves, first = _pack(head.shard, books, outcome)
        if outcome.resolved:
            await _write_resolutions(cursor, head.shard, outcome)
        if outcome.failed:
            await _write_failed(cursor, outcome)
        await _write_marks(cursor, outcome.created)
        await advance(cursor, head, leaves, first or timestamp, timestamp)
        if touched and await counters.fetchone() != (len(touched),):
            return False
    if rows:
        await copy_rows(cursor, f"ledger.transfer ({wire.TRANSFER_COLUMNS})", rows)
    return True


def _pack(
    shard: int, books: Books, outcome: Outcome
) -> tuple[list[bytes], list[bytes], int | None]:
    """COPY rows, leaf hashes and first timestamp of a batch, in order of timestamp.

    Expiries come first: they are decided before the events.
    """
    expired = [
        (pending_id, at)
        for pending_id, (at, status) in outcome.resolved.items()
        if status == EXPIRED
    ]
    leaves = [merkle.expiry_leaf(pending_id, at) for pending_id, at in expired]
    rows: list[bytes] = []
    accounts = books.accounts
    for record in outcome.created:
        id_bytes = record.id.to_bytes(16, "big")
        debit = accounts[record.debit_account_id].number
        credit = accounts[record.credit_account_id].number
        rows.append(wire.transfer_row(record, id_bytes, debit, credit, shard))
        leaves.append(merkle.transfer_leaf(record, id_bytes))
    if expired:
        return rows, leaves, expired[0][1]
    return rows, leaves, outcome.created[0].timestamp if rows else None


async def _write_accounts(cursor: Cursor, touched: Sequence[tuple[AccountState, int]]) -> None:
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


async def _write_marks(cursor: Cursor, created: Sequence[TransferRecord]) -> None:
    """Holds that may expire, and transfers that undo another."""
    timed = [record for record in created if record.timeout]
    if timed:
        await cursor.execute(
            "INSERT INTO ledger.expiry (expires_at, timestamp, pending_id) "
            "SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::uuid[])",
            (
                wire.bigint_array([r.timestamp + r.timeout * NS_PER_S for r in timed]),
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


async def advance(
    cursor: Cursor, head: Head, leaves: Sequence[bytes], first: int, last: int
) -> None:
    """Seal a batch into the chain of its shard; a batch without rows only moves the time on."""
    head.last_timestamp = last
    batch_root = marks = b""
    if leaves:
        head.batch_number += 1
        batch_root = merkle.root(leaves)
        head.chain = merkle.chain_hash(
            head.chain,
            shard=head.shard,
            number=head.batch_number,
            first_timestamp=first,
            last_timestamp=last,
            rows=len(leaves),
            batch_root=batch_root,
        )
        marks = b"".join([leaf[: merkle.MARK_SIZE] for leaf in leaves])
    await cursor.execute(
        "SELECT ledger.advance(%s::smallint, %s::bigint, %s::bigint, %s::bigint, %s::integer, "
        "%s, %s, %s)",
        (head.shard, head.batch_number, first, last, len(leaves), batch_root, head.chain, marks),
    )


async def copy_rows(cursor: Cursor, target: str, rows: Iterable[bytes]) -> None:
    """Append packed rows to ``table (columns)``."""
    statement = f"COPY {target} FROM STDIN (FORMAT BINARY)"  # constants of ledger.wire only
    async with cursor.copy(statement.encode()) as copy:
        await copy.write(b"".join((wire.COPY_HEADER, *rows, wire.COPY_TRAILER)))
