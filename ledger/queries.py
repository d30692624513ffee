"""Reading accounts, transfers and balances with the filters of the event model."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger import store, wire
from ledger.books import TransferRecord
from ledger.events import Account, Transfer, TransferFlags

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Queries:
    """The reading half of the ledger."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def _reading(self, connection: store.Connection | None) -> AsyncIterator[store.Cursor]:
        """A cursor of the caller's transaction, or of a connection of our own."""
        if connection is not None:
            wire.register(connection)
            async with connection.cursor(binary=True) as cursor:
                yield cursor
            return
        async with self._pool.connection() as own:
            wire.register(own)
            async with own.cursor(binary=True) as cursor:
                yield cursor

    async def lookup_accounts(
        self, ids: Sequence[int], *, connection: store.Connection | None = None
    ) -> list[Account]:
        """Accounts by id, in the order asked; ids that do not exist are left out.

        Every read takes an open ``connection``, to see what its transaction has written.
        """
        async with self._reading(connection) as cursor:
            found = await store.find_accounts(cursor, ids)
        return [found[id_][0] for id_ in ids if id_ in found]

    async def lookup_transfers(
        self, ids: Sequence[int], *, connection: store.Connection | None = None
    ) -> list[Transfer]:
        """Transfers by id, in the order asked; ids that do not exist are left out."""
        async with self._reading(connection) as cursor:
            await cursor.execute("SELECT * FROM ledger.find_transfers(%b)", (wire.uuid_array(ids),))
            records = [store.transfer_record(row[:-2]) for row in await cursor.fetchall()]
        found = {record.id: transfer_of(record) for record in records}
        return [found[id_] for id_ in ids if id_ in found]


def transfer_of(record: TransferRecord) -> Transfer:
    """The public form of a transfer in the books."""
    return Transfer(
        id=record.id,
        debit_account_id=record.debit_account_id,
        credit_account_id=record.credit_account_id,
        amount=record.amount,
        pending_id=record.pending_id,
        user_data_128=record.user_data_128,
        user_data_64=record.user_data_64,
        user_data_32=record.user_data_32,
        timeout=record.timeout,
        ledger=record.ledger,
        code=record.code,
        flags=TransferFlags(record.flags),
        timestamp=record.timestamp,
        effective_at=instant_of(record.effective_at) if record.effective_at else None,
        reverses_id=record.reverses_id,
    )


def instant_of(instant_ns: int) -> datetime:
    """The aware instant, cut to microseconds."""
    return EPOCH + timedelta(microseconds=instant_ns // 1000)
