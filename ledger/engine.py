"""The ledger's front door: open it, create accounts and transfers, read them back.

One ``Ledger`` writes into one shard. Its batches are serialised by the shard's row, so their
numbers follow commit order; two processes have two shards and do not wait for each other except
where they move money of the same accounts.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self

from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool
from typing_extensions import override

from ledger import account_rules, account_store, resolving, rules, store, wire, write_path
from ledger.account_cache import AccountCache
from ledger.books import Books
from ledger.business_day import BusinessDay
from ledger.errors import AccountsMovedOnError, plan_met_another_head
from ledger.event_ranges import (
    check_account_range,
    check_size,
    names_of,
)
from ledger.events import Account, Clock, QueryFilter, Transfer
from ledger.flag_bits import EXPIRED
from ledger.queries import Queries
from ledger.record import EffectiveDay
from ledger.results import CreateAccountResult, CreateTransferResult
from ledger.shards import ShardClaim
from ledger.store import Connection, Cursor, Head

POOL_CONNECTIONS_MAX: Final = 8
CAUTIOUS_BATCHES: Final = 50
"""After a plan that did not hold, so many batches lock and read before they decide."""
ATTEMPTS_MAX: Final = 5

Pool = AsyncConnectionPool[AsyncConnection[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A batch that was begun in somebody's transaction: its shard is locked, or about to be."""

    cursor: Cursor
    shard: int
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A batch decided from memory: what becomes of each transfer, and the SQL that books it.

    ``call`` is an expression with placeholders for ``parameters``; it is to be selected in a
    statement of the caller that is, with it, the whole transaction.
    """

    call: ClassVar[str] = write_path.PLANNED_BATCH
    results: Sequence[CreateTransferResult]
    parameters: Sequence[object]


class Ledger(Queries):
    """A double-entry ledger in a PostgreSQL database that ``install`` has prepared.

    Args:
        pool: connections to the database; the caller keeps and closes it.
        clock: nanoseconds since 1970 UTC. Timestamps never run backwards even where it does.
        business_day: the calendar that gives each transfer its effective day.
        shard: number of the shard to write; by default the first that nobody has claimed.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        clock: Clock = time.time_ns,
        business_day: BusinessDay | None = None,
        shard: int | None = None,
    ) -> None:
        super().__init__(pool)
        self._clock = clock
        self.business_day = business_day or BusinessDay()
        self._claim = ShardClaim(pool, shard)
        self._own_batch = asyncio.Lock()
        # Never given out twice, even where the transaction that used it was rolled back.
        self._last_timestamp = 0
        self._cache = AccountCache()
        self._cautious_batches = 0
        self._owns_pool = False

    @classmethod
    async def open(
        cls,
        database_url: str,
        *,
        clock: Clock = time.time_ns,
        business_day: BusinessDay | None = None,
        shard: int | None = None,
    ) -> Self:
        """Open with a pool of its own. Close it with ``close``.

        Raises:
            psycopg.OperationalError: the database cannot be reached.
        """
        pool: Pool = AsyncConnectionPool(
            database_url, min_size=1, max_size=POOL_CONNECTIONS_MAX, open=False
        )
        await pool.open(wait=True)
        ledger = cls(pool=pool, clock=clock, business_day=business_day, shard=shard)
        ledger._owns_pool = True
        return ledger

    async def close(self) -> None:
        """Give the shard back and close what ``open`` opened."""
        await self._claim.release()
        if self._owns_pool:
            await self._pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    # -- writing -----------------------------------------------------------------------------

    async def create_accounts(
        self, accounts: Sequence[Account], *, connection: Connection | None = None
    ) -> list[CreateAccountResult]:
        """Open accounts.

        Args:
            accounts: at most ``BATCH_EVENTS_MAX``.
            connection: an open transaction to take part in; the caller commits. By default a
                transaction of its own, durable on return.

        Returns:
            One result per account, in order; see ``results.CREATE_ACCOUNT_RESULTS``.

        Raises:
            BatchTooLargeError, FieldOutOfRangeError: nothing was done.
        """
        check_size(len(accounts))
        for index, account in enumerate(accounts):
            check_account_range(index, account)
        if not accounts:
            return []
        async with self._transaction(connection) as cursor:
            now = self._clock()
            shard = await self._claim.number()
            await store.ask_head(cursor, shard, 0, None)
            head, _, _ = await store.take_head(cursor, shard)
            self._cache.confirm(head)
            existing = await account_store.find_accounts(
                cursor, [account.id for account in accounts]
            )
            timestamp = self._advance_time(head, now, 0) + len(accounts)
            self._last_timestamp = timestamp
            opening = account_rules.create_accounts(accounts, existing, timestamp)
            await account_store.write_new_accounts(cursor, head, opening.created, timestamp)
            self._cache.keep({}, head)
        return opening.results

    async def create_transfers(
        self, transfers: Sequence[Transfer], *, connection: Connection | None = None
    ) -> list[CreateTransferResult]:
        """Move money: single-phase, pending, posting and voiding transfers, in linked chains.

        Pending transfers whose time is over expire first.

        Args:
            transfers: at most ``BATCH_EVENTS_MAX``.
            connection: an open transaction to take part in; the caller commits. By default a
                transaction of its own, durable on return.

        Returns:
            One result per transfer, in order; see ``results.CREATE_TRANSFER_RESULTS``.

        Raises:
            BatchTooLargeError, FieldOutOfRangeError: nothing was done.
        """
        check_size(len(transfers))
        if not transfers:
            return []
        results, _ = await self._batch(transfers, connection)
        return results

    async def expire_pending_transfers(self, *, connection: Connection | None = None) -> int:
        """Release what pending transfers hold whose time is over by the clock.

        Returns:
            How many expired.
        """
        total = 0
        while True:
            _, expired = await self._batch((), connection)
            total += expired
            if expired < store.EXPIRE_EVENTS_MAX:
                return total

    @override
    async def lookup_accounts(
        self, ids: Sequence[int], *, connection: Connection | None = None
    ) -> list[Account]:
        """Accounts by id, as in ``Queries``; a hold whose time is over never shows."""
        if connection is None:
            await self._expire_if_due()
        return await super().lookup_accounts(ids, connection=connection)

    @override
    async def query_accounts(
        self, query_filter: QueryFilter, *, connection: Connection | None = None
    ) -> list[Account]:
        """Accounts by filter, as in ``Queries``; a hold whose time is over never shows."""
        if connection is None:
            await self._expire_if_due()
        return await super().query_accounts(query_filter, connection=connection)

    async def _expire_if_due(self) -> None:
        async with self.reading() as cursor:
            await cursor.execute(
                "SELECT EXISTS (SELECT FROM ledger.expiry WHERE expires_at <= %s::bigint)",
                (self._clock(),),
            )
            due = await cursor.fetchone()
        if due == (True,):
            await self.expire_pending_transfers()

    async def begin(self, connection: Connection) -> "Begun":
        """Begin a batch in the caller's transaction; it goes on with ``create_new_transfers``.

        Locks this writer's shard until the transaction ends. In a pipeline nothing is waited for:
        the caller's own first questions travel in the same round trip.
        """
        wire.register(connection)
        cursor = connection.cursor(binary=True)
        now = self._clock()
        shard = await self._claim.number()
        await store.ask_head(cursor, shard, max(now, self._last_timestamp), None)
        return Begun(cursor=cursor, shard=shard, now=now)

    async def create_new_transfers(
        self, begun: "Begun", transfers: Sequence[Transfer], *, from_memory: bool = True
    ) -> list[CreateTransferResult]:
        """As ``create_transfers``, for transfers whose ids the caller has just made at random.

        They are not looked up first, and no savepoint is set: an id that exists after all breaks
        the caller's transaction, as does an account that another writer has changed meanwhile.
        Nothing is lost by it: roll back and do the whole transaction again. In a pipeline nothing
        is waited for; the error comes where its results are fetched, at the latest at its end.

        Args:
            begun: of the same transaction.
            transfers: at most ``BATCH_EVENTS_MAX``, none of them posting, voiding or reversing.
            from_memory: False where another writer is expected to have just changed the accounts:
                they are locked and read first.

        Raises:
            BatchTooLargeError, FieldOutOfRangeError: nothing was done.
            psycopg.errors.UniqueViolation, psycopg.errors.SerializationFailure: roll back and try
                again.
        """
        check_size(len(transfers))
        names = names_of(transfers)
        assert not names.pending_ids
        assert not names.reverses_ids
        head, due, _ = await store.take_head(begun.cursor, begun.shard)
        names.ids.clear()
        if self._cautious_batches:
            self._cautious_batches -= 1
            from_memory = False
        if not from_memory:
            self._cache.forget()
        results, _ = await self._decide(begun, head, names, transfers, due, found=Books())
        return results

    def plan_new_transfers(
        self, connection: Connection, transfers: Sequence[Transfer]
    ) -> Planned | None:
        """As ``create_new_transfers``, decided from memory; nothing is asked and nothing written.

        The caller has the answer at once and books it with ``Planned.call`` inside a statement of
        its own. That statement fails, and the caller does all again, where memory was wrong.
        A plan is made on what the one before leaves, booked or not yet: its statement waits for
        that one's, and fails where that one fails.

        Args:
            connection: the one that will book; it is taught the ledger's types.
            transfers: at least one, none of them posting, voiding or reversing.

        Returns:
            None where memory does not reach, for a large batch, and for a while after a plan that
            did not hold: use ``begin``.

        Raises:
            FieldOutOfRangeError: nothing was done.
        """
        assert transfers
        names = names_of(transfers)
        assert not names.pending_ids
        assert not names.reverses_ids
        remembered = self._cache.head
        if remembered is None or self._cautious_batches:
            return None
        if len(transfers) > write_path.SMALL_ROWS_MAX:
            return None
        accounts = self._cache.find(names.account_ids)
        if len(accounts) < len(names.account_ids):
            return None
        wire.register(connection)
        head = replace(remembered)  # a copy: the plan may come to nothing
        books = Books()
        books.accounts = accounts
        before, timestamp = self._time_of(head, self._clock(), books, len(transfers))
        outcome = rules.Outcome()
        rules.create_transfers(
            transfers, books, timestamp, self._effective_day(head.open_from), outcome
        )
        parameters = write_path.planned_batch(
            head,
            accounts,
            before,
            outcome,
            decided_at=timestamp - len(transfers),
            timestamp=timestamp,
        )
        self._cache.keep(accounts, head)
        return Planned(results=outcome.results, parameters=parameters)

    def forget_plans(self, reason: BaseException) -> None:
        """To be called when a caller's batch was not booked: what is remembered is not so.

        Where another writer moves money of the same accounts it will do so again. To guess and be
        wrong costs more than to lock first, so the next batches do that.
        """
        self._cache.forget()
        if isinstance(reason, SerializationFailure) and not plan_met_another_head(reason):
            self._cautious_batches = CAUTIOUS_BATCHES

    async def _batch(
        self, transfers: Sequence[Transfer], connection: Connection | None
    ) -> tuple[list[CreateTransferResult], int]:
        """One batch, again where another writer came in between; see ``AccountCache``."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                async with self._transaction(connection) as cursor:
                    return await self._apply(cursor, transfers, use_cache=attempt == 1)
            except SerializationFailure as error:
                self._cache.forget()
                if attempt == ATTEMPTS_MAX:
                    raise AccountsMovedOnError from error
            except (AccountsMovedOnError, UniqueViolation, DeadlockDetected):
                self._cache.forget()
                if attempt == ATTEMPTS_MAX:
                    raise
        raise AssertionError

    async def _apply(
        self, cursor: Cursor, transfers: Sequence[Transfer], *, use_cache: bool
    ) -> tuple[list[CreateTransferResult], int]:
        """One batch inside an open transaction: results, and how many pending ones expired.

        Without the cache all accounts are locked before they are read, so that the batch
        cannot be overtaken.
        """
        names = names_of(transfers)
        looks_back = bool(names.pending_ids or names.reverses_ids)
        early = names if len(self._cache) and not looks_back else None
        begun = Begun(cursor=cursor, shard=await self._claim.number(), now=self._clock())
        await store.ask_head(cursor, begun.shard, max(begun.now, self._last_timestamp), early)
        head, due, known = await store.take_head(cursor, begun.shard)
        if not transfers and not due:
            return [], 0
        if not use_cache:
            self._cache.forget()
        found = None if early is None or known else Books()
        return await self._decide(begun, head, names, transfers, due, found=found)

    async def _decide(
        self,
        begun: "Begun",
        head: Head,
        names: store.Names,
        transfers: Sequence[Transfer],
        due: list[int],
        *,
        found: Books | None,
    ) -> tuple[list[CreateTransferResult], int]:
        """Decide a batch and write it: results, and how many pending transfers expired.

        ``found`` is what is known of the transfers it names; None: they are to be read.
        """
        self._cache.confirm(head)
        kept = self._cache.find(names.account_ids)
        missing = names.account_ids.difference(kept)
        books = found
        if books is None or missing or due:
            books = await store.load(begun.cursor, names, account_ids=missing, due=due)
        locked = books.accounts
        books.accounts = {**kept, **locked}
        due = [id_ for id_ in due if id_ not in books.resolutions]
        before, timestamp = self._time_of(head, begun.now, books, len(due) + len(transfers))
        outcome = rules.Outcome()
        begins = timestamp - len(due) - len(transfers)
        for at, pending_id in enumerate(due, start=begins + 1):
            resolving.expire(books.transfers[pending_id], books, at)
            outcome.resolved[pending_id] = (at, EXPIRED)
        rules.create_transfers(
            transfers, books, timestamp, self._effective_day(head.open_from), outcome
        )
        await write_path.write(begun.cursor, head, books, before, locked, outcome, timestamp)
        self._cache.keep(books.accounts, head)
        return outcome.results, len(due)

    # -- parts -------------------------------------------------------------------------------

    def _time_of(
        self, head: Head, now: int, books: Books, events: int
    ) -> tuple[dict[int, int], int]:
        """When each account last changed, by id, and the timestamp of the batch's last event."""
        before = {id_: account.last_timestamp for id_, account in books.accounts.items()}
        timestamp = self._advance_time(head, now, max(before.values(), default=0)) + events
        self._last_timestamp = timestamp
        return before, timestamp

    def _advance_time(self, head: Head, now: int, accounts_last: int) -> int:
        """The instant after which the events of a batch count up."""
        return max(head.last_timestamp + 1, self._last_timestamp + 1, accounts_last, now)

    def _effective_day(self, open_from: int | None) -> EffectiveDay:
        """The day a transfer counts for: never one that is closed."""
        number = self.business_day.number
        if open_from is None:
            return number
        return lambda instant_ns: max(number(instant_ns), open_from)

    @contextlib.asynccontextmanager
    async def _transaction(self, connection: Connection | None) -> AsyncIterator[Cursor]:
        if connection is not None:
            wire.register(connection)
            if (
                not connection.autocommit
                and connection.info.transaction_status == TransactionStatus.IDLE
            ):
                # Open the caller's implicit transaction: ``transaction()`` would otherwise be
                # the outermost one and commit at its end, which is the caller's to do.
                await connection.execute("SELECT")
            async with connection.transaction(), connection.cursor(binary=True) as cursor:
                yield cursor  # a savepoint, where the caller's transaction is open
            return
        async with self._own_batch, self._pool.connection() as own:
            wire.register(own)
            async with own.transaction(), own.cursor(binary=True) as cursor:
                yield cursor
