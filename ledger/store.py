"""The SQL before a batch is decided: lock the shard, lock and read what the batch names.

Every function runs inside the caller's transaction and sends its statements in one pipeline.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection, AsyncCursor

from ledger import wire
from ledger.books import AccountState, Books, TransferRecord
from ledger.business_day import day_number
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


async def ask_head(cursor: Cursor, shard: int, now: int, early: Names | None) -> None:
    """Lock a shard and look for pending transfers whose time is over; see ``take_head``.

    Args:
        cursor: inside the transaction that will write; in a pipeline nothing is waited for.
        shard: to lock.
        now: instant for the pending transfers.
        early: a batch whose ids are to be looked up in the same round trip.
    """
    ids = wire.uuid_array(() if early is None else early.ids)
    await cursor.execute(
        "SELECT * FROM ledger.begin_batch(%s::smallint, %s::bigint, %s::integer, %b)",
        (shard, now, EXPIRE_EVENTS_MAX, ids),
    )


async def take_head(cursor: Cursor, shard: int) -> tuple[Head, list[int], bool]:
    """The answer to ``ask_head``.

    Returns:
        The head, the ids of pending transfers due, earliest first, and whether any id that was
        looked up is known.
    """
    row = await cursor.fetchone()
    assert row is not None
    *head, due, known = row
    assert head[0] is not None, f"shard {shard} has no row"
    return _head(shard, head), [id_of(id_bytes) for id_bytes in due], known


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
