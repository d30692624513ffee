"""Reading accounts, transfers and balances with the filters of the event model.

A filter that breaks a constraint of the reference finds nothing; it is not an error.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger import account_store, store, wire
from ledger.books import TransferRecord
from ledger.events import (
    ID_MAX,
    TIMESTAMP_MAX,
    Account,
    AccountBalance,
    AccountFilter,
    AccountFilterFlags,
    AccountFlags,
    AccountSums,
    QueryFilter,
    QueryFilterFlags,
    Transfer,
    TransferFlags,
)
from ledger.store import Connection, Cursor

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

TRANSFER_READ: Final = (
    "uuid_send(t.id), uuid_send(d.id), uuid_send(c.id), t.amount, uuid_send(t.pending_id), "
    "uuid_send(t.user_data_128), t.user_data_64, t.user_data_32, t.timeout, t.ledger, t.code, "
    "t.flags, t.\"timestamp\", t.effective_at, t.effective_on - DATE '1970-01-01', "
    "uuid_send(t.reverses_id), "
    "coalesce(t.debit_debits_pending, 0), t.debit_debits_posted, "
    "coalesce(t.debit_credits_pending, 0), t.debit_credits_posted, "
    "coalesce(t.credit_debits_pending, 0), t.credit_debits_posted, "
    "coalesce(t.credit_credits_pending, 0), t.credit_credits_posted"
)
"""Columns of ``store.transfer_record``, over ``t`` joined to both its accounts."""

TRANSFER_JOINS: Final = (
    "JOIN ledger.account d ON d.number = t.debit_account "
    "JOIN ledger.account c ON c.number = t.credit_account"
)


class Queries:
    """The reading half of the ledger."""

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool

    async def lookup_accounts(
        self, ids: Sequence[int], *, connection: Connection | None = None
    ) -> list[Account]:
        """Accounts by id, in the order asked; ids that do not exist are left out.

        ``connection``: an open transaction whose own writes are to be seen too.
        """
        async with self.reading(connection) as cursor:
            found = await account_store.find_accounts(cursor, ids)
        return [found[id_][0] for id_ in ids if id_ in found]

    async def lookup_sums(
        self, ids: Sequence[int], *, connection: Connection
    ) -> dict[int, AccountSums]:
        """The counters of many accounts alone; ids that do not exist are left out.

        ``connection``: an open transaction, whose own writes are seen too. A hold whose time is
        over still counts until it was ended, as in every look inside a transaction.
        """
        async with self.reading(connection) as cursor:
            return await account_store.find_sums(cursor, ids)

    async def lookup_transfers(
        self, ids: Sequence[int], *, connection: Connection | None = None
    ) -> list[Transfer]:
        """Transfers by id, in the order asked; ids that do not exist are left out."""
        async with self.reading(connection) as cursor:
            await cursor.execute("SELECT * FROM ledger.find_transfers(%b)", (wire.uuid_array(ids),))
            records = [store.transfer_record(row[:-2]) for row in await cursor.fetchall()]
        found = {record.id: transfer_of(record) for record in records}
        return [found[id_] for id_ in ids if id_ in found]

    async def get_account_transfers(self, account_filter: AccountFilter) -> list[Transfer]:
        """Transfers of one account, in order of timestamp."""
        return [transfer_of(record) for record in await self._account_records(account_filter)]

    async def get_account_balances(self, account_filter: AccountFilter) -> list[AccountBalance]:
        """The account's counters after each of its transfers; only with the flag ``history``."""
        accounts = await Queries.lookup_accounts(self, [account_filter.account_id])
        if not accounts or not accounts[0].flags & AccountFlags.history:
            return []
        return [
            _balance_after(record, account_filter.account_id)
            for record in await self._account_records(account_filter)
        ]

    async def query_accounts(
        self, query_filter: QueryFilter, *, connection: Connection | None = None
    ) -> list[Account]:
        """Accounts that match all given fields, in order of timestamp."""
        if not _query_valid(query_filter):
            return []
        where, values = _conditions(query_filter, "")
        order = _order(reverse=bool(query_filter.flags & QueryFilterFlags.reversed))
        async with self.reading(connection) as cursor:
            await cursor.execute(
                f"SELECT {account_store.ACCOUNT_COLUMNS} FROM ledger.account "  # noqa: S608  (constants)
                f'WHERE {where} ORDER BY "timestamp" {order}, id {order} LIMIT %s',
                (*values, query_filter.limit),
            )
            return [account_store.account_of(row) for row in await cursor.fetchall()]

    async def query_transfers(self, query_filter: QueryFilter) -> list[Transfer]:
        """Transfers that match all given fields, in order of timestamp."""
        if not _query_valid(query_filter):
            return []
        where, values = _conditions(query_filter, "t.")
        order = _order(reverse=bool(query_filter.flags & QueryFilterFlags.reversed))
        async with self.reading() as cursor:
            await cursor.execute(
                f"SELECT {TRANSFER_READ} FROM ledger.transfer t {TRANSFER_JOINS} "  # noqa: S608  (constants)
                f'WHERE {where} ORDER BY t."timestamp" {order}, t.id {order} LIMIT %s',
                (*values, query_filter.limit),
            )
            rows = await cursor.fetchall()
        return [transfer_of(store.transfer_record(row)) for row in rows]

    # -- parts -------------------------------------------------------------------------------

    @asynccontextmanager
    async def reading(self, connection: Connection | None = None) -> AsyncIterator[Cursor]:
        """A cursor of the caller's open transaction, or of a connection of our own."""
        if connection is not None:
            wire.register(connection)
            async with connection.cursor(binary=True) as cursor:
                yield cursor
            return
        async with self._pool.connection() as own:
            wire.register(own)
            async with own.cursor(binary=True) as cursor:
                yield cursor

    async def _account_records(self, account_filter: AccountFilter) -> list[TransferRecord]:
        """Both sides are read in order from their own index and merged."""
        flags = account_filter.flags
        if not _account_filter_valid(account_filter):
            return []
        where, values = _conditions(account_filter, "t.")
        order = _order(reverse=bool(flags & AccountFilterFlags.reversed))
        number = "(SELECT number FROM ledger.account WHERE id = %s::uuid)"
        sides = [
            f"(SELECT t.* FROM ledger.transfer t WHERE t.{column} = {number} AND {where} "  # noqa: S608  (constants)
            f'ORDER BY t."timestamp" {order} LIMIT %s)'
            for column, wanted in (
                ("debit_account", flags & AccountFilterFlags.debits),
                ("credit_account", flags & AccountFilterFlags.credits),
            )
            if wanted
        ]
        side_values = [_uuid_text(account_filter.account_id), *values, account_filter.limit]
        async with self.reading() as cursor:
            await cursor.execute(
                f"SELECT {TRANSFER_READ} FROM ({' UNION ALL '.join(sides)}) t {TRANSFER_JOINS} "  # noqa: S608  (constants)
                f'ORDER BY t."timestamp" {order} LIMIT %s',
                (*(side_values * len(sides)), account_filter.limit),
            )
            return [store.transfer_record(row) for row in await cursor.fetchall()]


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


def _balance_after(record: TransferRecord, account_id: int) -> AccountBalance:
    counters = record.counters[:4] if record.debit_account_id == account_id else record.counters[4:]
    debits_pending, debits_posted, credits_pending, credits_posted = counters
    return AccountBalance(
        timestamp=record.timestamp,
        debits_pending=debits_pending,
        debits_posted=debits_posted,
        credits_pending=credits_pending,
        credits_posted=credits_posted,
    )


def _account_filter_valid(account_filter: AccountFilter) -> bool:
    flags = account_filter.flags
    return (
        0 < account_filter.account_id < ID_MAX
        and bool(flags & (AccountFilterFlags.debits | AccountFilterFlags.credits))
        and int(flags) >> 3 == 0
        and _range_valid(account_filter)
    )


def _query_valid(query_filter: QueryFilter) -> bool:
    return int(query_filter.flags) >> 1 == 0 and _range_valid(query_filter)


def _range_valid(any_filter: AccountFilter | QueryFilter) -> bool:
    first, last = any_filter.timestamp_min, any_filter.timestamp_max
    return (
        any_filter.limit > 0
        and 0 <= first < TIMESTAMP_MAX
        and 0 <= last < TIMESTAMP_MAX
        and (last == 0 or first <= last)
    )


def _conditions(any_filter: AccountFilter | QueryFilter, prefix: str) -> tuple[str, list[Any]]:
    """SQL conditions for the fields that are not zero, and their values."""
    conditions = ["true"]
    values: list[Any] = []

    def want(condition: str, value: object) -> None:
        conditions.append(prefix + condition)
        values.append(value)

    if any_filter.timestamp_min:
        want('"timestamp" >= %s::bigint', any_filter.timestamp_min)
    if any_filter.timestamp_max:
        want('"timestamp" <= %s::bigint', any_filter.timestamp_max)
    if any_filter.user_data_128:
        want("user_data_128 = %s::uuid", _uuid_text(any_filter.user_data_128))
    if any_filter.user_data_64:
        want("user_data_64 = %s::bigint", wire.signed(any_filter.user_data_64, 64))
    if any_filter.user_data_32:
        want("user_data_32 = %s::integer", wire.signed(any_filter.user_data_32, 32))
    if any_filter.code:
        want("code = %s::smallint", wire.signed(any_filter.code, 16))
    if isinstance(any_filter, QueryFilter) and any_filter.ledger:
        want("ledger = %s::integer", wire.signed(any_filter.ledger, 32))
    return " AND ".join(conditions), values


def _order(*, reverse: bool) -> str:
    return "DESC" if reverse else "ASC"


def _uuid_text(id_: int) -> str:
    return f"{id_:032x}"
