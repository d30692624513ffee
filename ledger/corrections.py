"""Whole-chain resolution of holds, reversal of a transfer, change of an overdraft limit.

Everything here ends in ordinary transfers through ``Ledger.create_transfers``; the new ids derive
from the old, so that a retry after a lost answer is answered ``exists`` and does nothing twice.
"""

from collections.abc import Callable
from hashlib import sha256

from ledger.books import TransferRecord
from ledger.engine import Ledger
from ledger.errors import AccountUnknownError, TransferUnknownError
from ledger.events import AMOUNT_MAX, Transfer, TransferFlags
from ledger.queries import TRANSFER_JOINS, TRANSFER_READ
from ledger.results import CreateTransferResult
from ledger.store import Connection, Cursor, transfer_record
from ledger.wire import uuid_array

NewId = Callable[[int], int]
"""The id of the transfer that resolves or reverses the one with the id given."""

CHAIN_EVENTS_MAX = 10_000


def derived_id(purpose: str) -> NewId:
    """Ids made from the old id and a purpose: the same every time, never the old one."""

    def new_id(old_id: int) -> int:
        digest = sha256(purpose.encode() + old_id.to_bytes(16, "big")).digest()
        return int.from_bytes(digest[:16], "big") or 1

    return new_id


POST_ID = derived_id("post")
VOID_ID = derived_id("void")
REVERSE_ID = derived_id("reverse")


async def post_pending_chain(
    book: Ledger,
    member_id: int,
    *,
    new_id: NewId = POST_ID,
    connection: Connection | None = None,
) -> list[CreateTransferResult]:
    """Post all holds of the linked chain that holds ``member_id``, or none.

    Args:
        book: the ledger.
        member_id: any member of the chain; a hold outside a chain is a chain of one.
        new_id: gives the ids of the posting transfers.
        connection: see ``Ledger.create_transfers``.

    Returns:
        One result per hold of the chain, in order.

    Raises:
        TransferUnknownError: there is no such transfer.
    """
    return await _resolve_chain(
        book, member_id, TransferFlags.post_pending_transfer, AMOUNT_MAX, new_id, connection
    )


async def void_pending_chain(
    book: Ledger,
    member_id: int,
    *,
    new_id: NewId = VOID_ID,
    connection: Connection | None = None,
) -> list[CreateTransferResult]:
    """Void all holds of the linked chain that holds ``member_id``, or none; see posting."""
    return await _resolve_chain(
        book, member_id, TransferFlags.void_pending_transfer, 0, new_id, connection
    )


async def reverse_transfer(
    book: Ledger,
    transfer_id: int,
    *,
    new_id: NewId = REVERSE_ID,
    connection: Connection | None = None,
) -> CreateTransferResult:
    """Undo one transfer by its mirror image, which names it. A transfer is reversed once.

    Raises:
        TransferUnknownError: there is no such transfer.
    """
    found = await book.lookup_transfers([transfer_id], connection=connection)
    if not found:
        raise TransferUnknownError(f"{transfer_id:032x}")
    original = found[0]
    [result] = await book.create_transfers(
        [
            Transfer(
                id=new_id(transfer_id),
                debit_account_id=original.credit_account_id,
                credit_account_id=original.debit_account_id,
                amount=original.amount,
                user_data_128=original.user_data_128,
                user_data_64=original.user_data_64,
                user_data_32=original.user_data_32,
                ledger=original.ledger,
                code=original.code,
                reverses_id=transfer_id,
            )
        ],
        connection=connection,
    )
    return result


async def set_overdraft_limit(
    book: Ledger,
    account_id: int,
    limit: int,
    *,
    reason: str,
    connection: Connection | None = None,
) -> None:
    """Change how far an account may go beyond its other side; kept with its reason.

    ``connection``: an open transaction to take part in; the caller commits.

    Raises:
        AccountUnknownError: no such account, or it has no ``*_must_not_exceed_*`` flag.
        psycopg.errors.CheckViolation: the account is beyond the new limit now.
    """
    assert 0 <= limit <= AMOUNT_MAX
    async with book.reading(connection) as cursor:
        # last_timestamp moves on, so that writers which keep this account notice.
        await cursor.execute(
            "UPDATE ledger.account a SET overdraft_limit = %s, "
            "last_timestamp = a.last_timestamp + 1 "
            "FROM (SELECT number, overdraft_limit FROM ledger.account "
            "WHERE id = ANY (%b) AND flags & 6 <> 0 FOR NO KEY UPDATE) was "
            "WHERE a.number = was.number RETURNING a.id, a.last_timestamp, was.overdraft_limit",
            (limit, uuid_array([account_id])),
        )
        row = await cursor.fetchone()
        if row is None:
            raise AccountUnknownError(f"{account_id:032x}")
        await cursor.execute(
            "INSERT INTO ledger.overdraft_change VALUES (%s, %s, %s, %s, %s)",
            (*row, limit, reason),
        )


async def _resolve_chain(
    book: Ledger,
    member_id: int,
    how: TransferFlags,
    amount: int,
    new_id: NewId,
    connection: Connection | None,
) -> list[CreateTransferResult]:
    async with book.reading(connection) as cursor:
        holds = [
            record
            for record in await _chain_of(cursor, member_id)
            if record.flags & TransferFlags.pending
        ]
    last = len(holds) - 1
    return await book.create_transfers(
        [
            Transfer(
                id=new_id(hold.id),
                pending_id=hold.id,
                amount=amount,
                flags=how | TransferFlags.linked if index < last else how,
            )
            for index, hold in enumerate(holds)
        ],
        connection=connection,
    )


async def _chain_of(cursor: Cursor, member_id: int) -> list[TransferRecord]:
    """The members of a chain lie side by side: one nanosecond apart, in one shard.

    A chain that succeeded has no gap, and no batch ends inside one; so the chain reaches back
    to the first member whose neighbour before is missing or not linked, and forward to the
    first one that is not linked itself.
    """
    await cursor.execute(
        'SELECT shard, "timestamp" FROM ledger.transfer WHERE id = ANY (%b)',
        (uuid_array([member_id]),),
    )
    row = await cursor.fetchone()
    if row is None:
        raise TransferUnknownError(f"{member_id:032x}")
    shard, timestamp = row
    await cursor.execute(
        f"SELECT {TRANSFER_READ} FROM ledger.transfer t {TRANSFER_JOINS} "  # noqa: S608  (constants)
        'WHERE t.shard = %s AND t."timestamp" BETWEEN %s AND %s ORDER BY t."timestamp"',
        (shard, timestamp - CHAIN_EVENTS_MAX, timestamp + CHAIN_EVENTS_MAX),
    )
    by_time = {
        record.timestamp: record
        for record in (transfer_record(columns) for columns in await cursor.fetchall())
    }
    first = last = timestamp
    while (before := by_time.get(first - 1)) is not None and before.flags & TransferFlags.linked:
        first -= 1
    while by_time[last].flags & TransferFlags.linked:
        last += 1
    return [by_time[at] for at in range(first, last + 1)]
