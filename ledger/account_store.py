"""The SQL of accounts: find them, write new ones. Runs inside the caller's transaction."""

from collections.abc import Sequence
from typing import Any, Final

from ledger import merkle, store, wire, write_path
from ledger.books import CLOSED_FLAG
from ledger.events import Account, AccountFlags, AccountSums
from ledger.store import Cursor
from ledger.wire import id_of, unsigned_16, unsigned_32, unsigned_64

ACCOUNT_COLUMNS: Final = (
    "uuid_send(id), debits_pending, debits_posted, credits_pending, credits_posted, "
    "uuid_send(user_data_128), user_data_64, user_data_32, ledger, code, flags, closed, "
    '"timestamp", overdraft_limit'
)


async def find_accounts(cursor: Cursor, ids: Sequence[int]) -> dict[int, tuple[Account, int]]:
    """Accounts by id, flags as they are now, with the timestamp kept apart from the event."""
    await cursor.execute(
        f"SELECT {ACCOUNT_COLUMNS} FROM ledger.account WHERE id = ANY (%b)",  # noqa: S608  (constant)
        (wire.uuid_array(ids),),
    )
    accounts = [account_of(row) for row in await cursor.fetchall()]
    return {account.id: (account, account.timestamp) for account in accounts}


async def find_sums(cursor: Cursor, ids: Sequence[int]) -> dict[int, AccountSums]:
    """The four counters of accounts by id."""
    await cursor.execute(
        "SELECT uuid_send(id), debits_pending, debits_posted, credits_pending, credits_posted"
        " FROM ledger.account WHERE id = ANY (%b)",
        (wire.uuid_array(ids),),
    )
    return {id_of(id_): AccountSums(*sums) for id_, *sums in await cursor.fetchall()}


def account_of(row: Sequence[Any]) -> Account:
    """An account as it is now, from ``ACCOUNT_COLUMNS``."""
    (
        id_, debits_pending, debits_posted, credits_pending, credits_posted, data_128, data_64,
        data_32, ledger, code, flags, closed, timestamp, overdraft_limit,
    ) = row  # fmt: skip
    return Account(
        id=id_of(id_),
        debits_pending=debits_pending,
        debits_posted=debits_posted,
        credits_pending=credits_pending,
        credits_posted=credits_posted,
        user_data_128=id_of(data_128),
        user_data_64=unsigned_64(data_64),
        user_data_32=unsigned_32(data_32),
        ledger=unsigned_32(ledger),
        code=unsigned_16(code),
        flags=AccountFlags(unsigned_16(flags) | (CLOSED_FLAG if closed else 0)),
        timestamp=timestamp,
        overdraft_limit=overdraft_limit,
    )


async def write_new_accounts(
    cursor: Cursor, head: store.Head, created: Sequence[tuple[Account, int]], timestamp: int
) -> None:
    """Write the accounts of a batch."""
    rows: list[bytes] = []
    leaves: list[bytes] = []
    for account, at in created:
        flags = int(account.flags)
        rows.append(
            wire.account_row(
                account, flags & ~CLOSED_FLAG, bool(flags & CLOSED_FLAG), at, head.shard
            )
        )
        leaves.append(merkle.account_leaf(account, flags & ~CLOSED_FLAG, at))
    async with cursor.connection.pipeline():
        await write_path.advance(
            cursor, head, leaves, created[0][1] if created else timestamp, timestamp
        )
    if rows:
        await write_path.copy_rows(cursor, f"ledger.account ({wire.ACCOUNT_COLUMNS})", rows)
