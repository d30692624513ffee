"""The write path as a whole: batches, transactions, shards, several writers."""

import asyncio
import datetime as dt

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

import ledger
from ledger import (
    BATCH_EVENTS_MAX,
    Account,
    AccountFlags,
    BatchTooLargeError,
    FieldOutOfRangeError,
    Ledger,
    Transfer,
    TransferFlags,
)
from ledger.account_cache import AccountCache
from ledger.books import AccountState
from ledger.engine import ATTEMPTS_MAX
from ledger.errors import AccountsMovedOnError, ShardsExhaustedError
from ledger.store import Head
from ledger.testing import ManualClock, set_counters
from ledger.verify import verify

F = TransferFlags


def account(id_: int, **fields: object) -> Account:
    return Account(id=id_, **{"ledger": 1, "code": 1, **fields})  # type: ignore[arg-type]


def move(id_: int, amount: int = 10, **fields: object) -> Transfer:
    base: dict[str, object] = {
        "debit_account_id": 1, "credit_account_id": 2, "ledger": 1, "code": 1,
    }  # fmt: skip
    return Transfer(id=id_, amount=amount, **{**base, **fields})  # type: ignore[arg-type]


@pytest.fixture(autouse=True, params=["one statement", "copy"])
def way_of_writing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of writing a batch keep every promise; which one is a matter of its size."""
    if request.param == "copy":
        monkeypatch.setattr("ledger.write_path.SMALL_ROWS_MAX", -1)


@pytest.fixture
async def opened(book: Ledger) -> Ledger:
    assert await book.create_accounts([account(1), account(2)]) == ["created", "created"]
    return book


async def posted(book: Ledger, account_id: int) -> tuple[int, int]:
    [found] = await book.lookup_accounts([account_id])
    return found.debits_posted, found.credits_posted


# -- one writer -------------------------------------------------------------------------------


async def test_money_moves_between_two_accounts(opened: Ledger) -> None:
    [result] = await opened.create_transfers([move(1)])
    assert result == "created"
    assert await posted(opened, 1) == (10, 0)
    assert await posted(opened, 2) == (0, 10)
    [transfer] = await opened.lookup_transfers([1])
    assert (transfer.amount, transfer.timestamp) == (10, result.timestamp)


async def test_results_carry_the_balances_right_after_each_event(opened: Ledger) -> None:
    first, second, failed = await opened.create_transfers(
        [move(1), move(2, 5, flags=F.pending), move(3, code=0)]
    )
    assert first.debit_account_balances == ledger.Balances(0, 10, 0, 0)
    assert second.debit_account_balances == ledger.Balances(5, 10, 0, 0)
    assert second.credit_account_balances == ledger.Balances(0, 0, 5, 10)
    assert second.credit_account_balances.posted == 10
    assert failed.debit_account_balances is None
    assert failed.credit_account_balances is None
    assert not failed.ok
    [again] = await opened.create_transfers([move(1)])
    assert again == "exists"
    assert again.timestamp == first.timestamp
    assert again.debit_account_balances == first.debit_account_balances


async def test_empty_batches_do_nothing(opened: Ledger) -> None:
    assert await opened.create_transfers([]) == []
    assert await opened.create_accounts([]) == []
    assert await opened.expire_pending_transfers() == 0


async def test_a_batch_above_the_limit_is_refused_whole(opened: Ledger) -> None:
    with pytest.raises(BatchTooLargeError):
        await opened.create_transfers([move(1)] * (BATCH_EVENTS_MAX + 1))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 2**128), ("id", -1), ("debit_account_id", 2**128), ("amount", -1),
        ("user_data_64", 2**64), ("user_data_32", 2**32), ("timeout", 2**32),
        ("ledger", -1), ("code", 2**16), ("reverses_id", 2**128),
    ],
)  # fmt: skip
async def test_a_field_that_does_not_fit_is_refused_by_name(
    opened: Ledger, field: str, value: int
) -> None:
    fields = {"amount": 1, field: value}
    id_ = fields.pop("id", 5)
    with pytest.raises(FieldOutOfRangeError) as refused:
        await opened.create_transfers([move(id_, **fields)])
    assert refused.value.field == field
    with pytest.raises(FieldOutOfRangeError):
        await opened.create_accounts([account(9, user_data_32=2**32)])


async def test_the_widest_values_come_back_as_they_were(opened: Ledger) -> None:
    widest = {"user_data_128": 2**128 - 1, "user_data_64": 2**64 - 1, "user_data_32": 2**32 - 1}
    big = 2**128 - 2
    await opened.create_accounts(
        [account(n, ledger=2**32 - 1, code=2**16 - 1, **widest) for n in (big, 7)]
    )
    event = move(
        2**128 - 2, debit_account_id=big, credit_account_id=7, ledger=2**32 - 1, code=2**16 - 1,
        flags=F.pending, timeout=2**32 - 1, **widest,
        effective_at=dt.datetime(1969, 7, 20, 20, 17, 40, 123456, tzinfo=dt.UTC),
    )  # fmt: skip
    [result] = await opened.create_transfers([event])
    assert result == "created"
    [stored] = await opened.lookup_transfers([event.id])
    assert stored == ledger.Transfer(
        **{name: getattr(event, name) for name in event.__slots__ if name != "timestamp"},
        timestamp=result.timestamp,
    )
    [found] = await opened.lookup_accounts([big])
    assert (found.user_data_128, found.user_data_64, found.user_data_32) == (
        2**128 - 1, 2**64 - 1, 2**32 - 1,
    )  # fmt: skip


async def test_timestamps_grow_even_where_the_clock_goes_back(
    opened: Ledger, clock: ManualClock
) -> None:
    clock.now_ns = 10**18
    [first] = await opened.create_transfers([move(1)])
    clock.now_ns = 5
    second, third = await opened.create_transfers([move(2), move(3)])
    assert 10**18 < first.timestamp < second.timestamp < third.timestamp


async def test_holds_expire_by_the_clock_before_a_batch_and_before_a_look(
    opened: Ledger, clock: ManualClock
) -> None:
    await opened.create_transfers([move(1, flags=F.pending, timeout=5)])
    await opened.create_transfers([move(2, flags=F.pending, timeout=8)])
    clock.advance_s(6)
    assert await opened.create_transfers(
        [Transfer(id=3, pending_id=1, flags=F.void_pending_transfer)]
    ) == ["pending_transfer_expired"]
    clock.advance_s(6)
    [found] = await opened.lookup_accounts([1])
    assert found.debits_pending == 0
    assert await opened.expire_pending_transfers() == 0


async def test_more_holds_than_one_batch_expires_all_expire(
    opened: Ledger, clock: ManualClock
) -> None:
    await opened.create_transfers([move(n, 1, flags=F.pending, timeout=1) for n in range(1, 2502)])
    clock.advance_s(2)
    assert await opened.expire_pending_transfers() == 2501


async def test_a_hold_that_ended_in_its_own_batch_never_expires(
    opened: Ledger, clock: ManualClock
) -> None:
    await opened.create_transfers(
        [move(1, flags=F.pending, timeout=1),
         Transfer(id=2, pending_id=1, flags=F.void_pending_transfer)]
    )  # fmt: skip
    clock.advance_s(5)
    assert await opened.expire_pending_transfers() == 0


# -- inside a caller's transaction ------------------------------------------------------------


async def test_the_caller_commits(opened: Ledger, ledger_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(ledger_url) as connection:
        await connection.execute("CREATE TABLE orders (id int)")
        await connection.execute("INSERT INTO orders VALUES (1)")
        assert await opened.create_transfers([move(1)], connection=connection) == ["created"]
        assert await opened.create_transfers([move(2)], connection=connection) == ["created"]
        assert await posted(opened, 1) == (0, 0)
        [seen] = await opened.lookup_accounts([1], connection=connection)
        sums = await opened.lookup_sums([1, 99], connection=connection)
        assert sums == {
            1: (seen.debits_pending, seen.debits_posted, seen.credits_pending, seen.credits_posted)
        }
        assert seen.debits_posted == 20
    assert await posted(opened, 1) == (20, 0)
    assert await verify(opened) == []


async def test_a_callers_rollback_leaves_no_trace_in_books_or_memory(
    opened: Ledger, ledger_url: str
) -> None:
    """Why: the accounts and the chain kept in memory are ahead of the books after a rollback."""
    await opened.create_transfers([move(1)])
    connection = await psycopg.AsyncConnection.connect(ledger_url)
    try:
        assert await opened.create_transfers([move(2, 90)], connection=connection) == ["created"]
        assert await opened.create_accounts([account(5)], connection=connection) == ["created"]
        await connection.rollback()
        async with connection.transaction():
            await opened.create_transfers([move(3)], connection=connection)
            async with connection.transaction(force_rollback=True):
                await opened.create_transfers([move(4, 70)], connection=connection)
            await opened.create_transfers([move(5)], connection=connection)
    finally:
        await connection.close()
    assert await opened.create_transfers([move(2), move(4)]) == ["created", "created"]
    assert await posted(opened, 1) == (50, 0)
    assert await verify(opened) == []


async def test_an_error_of_the_caller_undoes_its_transfers(opened: Ledger, ledger_url: str) -> None:
    async def order() -> None:
        async with await psycopg.AsyncConnection.connect(ledger_url) as connection:
            await opened.create_transfers([move(1)], connection=connection)
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        await order()
    assert await posted(opened, 1) == (0, 0)
    assert await opened.lookup_transfers([1]) == []


# -- several writers --------------------------------------------------------------------------


async def test_each_writer_has_a_shard_of_its_own_and_gives_it_back(ledger_url: str) -> None:
    first, second = await Ledger.open(ledger_url), await Ledger.open(ledger_url)
    await first.create_accounts([account(1), account(2)])
    await second.create_transfers([move(1)])
    assert (await first._claim.number(), await second._claim.number()) == (0, 1)
    await first.close()
    third = await Ledger.open(ledger_url)
    assert await third._claim.number() == 0
    await second.close()
    await third.close()


async def test_writers_of_the_same_accounts_see_each_other(ledger_url: str) -> None:
    """Why: each keeps accounts in memory, and the other changes them meanwhile."""
    limited = AccountFlags.debits_must_not_exceed_credits
    async with await Ledger.open(ledger_url) as first, await Ledger.open(ledger_url) as second:
        await first.create_accounts([account(1, flags=limited), account(2)])
        assert await first.create_transfers([move(1)]) == ["exceeds_credits"]
        back = {"debit_account_id": 2, "credit_account_id": 1}
        assert await second.create_transfers([move(2, 30, **back)]) == ["created"]
        # What ``first`` remembers would refuse this; the books do not.
        assert await first.create_transfers([move(3)]) == ["created"]
        assert await second.create_transfers([move(4)]) == ["created"]
        # And here memory would allow what the books refuse.
        assert await first.create_transfers([move(5, 15)]) == ["exceeds_credits"]
        assert await posted(first, 1) == (20, 30)
        assert await verify(first) == []


async def test_the_same_id_from_two_writers_is_booked_once(ledger_url: str) -> None:
    async with await Ledger.open(ledger_url) as first, await Ledger.open(ledger_url) as second:
        await first.create_accounts([account(n) for n in range(1, 5)])
        for id_ in range(10, 30):
            other = move(id_, debit_account_id=3, credit_account_id=4)
            results = await asyncio.gather(
                first.create_transfers([move(id_)]), second.create_transfers([other])
            )
            assert sorted(str(result) for [result] in results) == [
                "created", "exists_with_different_debit_account_id",
            ]  # fmt: skip


async def test_the_sum_of_all_accounts_is_the_same_at_every_instant(ledger_url: str) -> None:
    """The bank test: 32 clients, transfers both ways, four writers, an onlooker."""
    ids = list(range(1, 9))
    writers = [await Ledger.open(ledger_url) for _ in range(4)]
    onlooker = writers[0]
    await onlooker.create_accounts([account(id_) for id_ in ids])
    for id_ in ids:
        await set_counters(onlooker, id_, credits_posted=100)
    done = asyncio.Event()

    async def client(number: int) -> None:
        writer = writers[number % len(writers)]
        for step in range(12):
            debit = ids[(number + step) % 8]
            credit = ids[(number + step + 1 + step % 7) % 8]
            if number % 2:
                debit, credit = credit, debit
            if debit == credit:
                continue
            event = move(
                1 + number * 100 + step, 1 + step, debit_account_id=debit, credit_account_id=credit
            )
            assert await writer.create_transfers([event]) == ["created"]

    async def look() -> int:
        looks = 0
        while not done.is_set():
            found = await onlooker.query_accounts(ledger.QueryFilter(code=1))
            assert sum(a.credits_posted - a.debits_posted for a in found) == 800
            looks += 1
        return looks

    looking = asyncio.ensure_future(look())
    await asyncio.gather(*(client(number) for number in range(32)))
    done.set()
    assert await looking > 0
    for writer in writers:
        await writer.close()


async def test_a_writer_that_is_always_overtaken_gives_up_with_a_retryable_error(
    opened: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def overtaken(*_: object, **__: object) -> None:
        nonlocal tries
        tries += 1
        raise AccountsMovedOnError

    monkeypatch.setattr("ledger.write_path.write", overtaken)
    with pytest.raises(AccountsMovedOnError) as refused:
        await opened.create_transfers([move(1)])
    assert refused.value.retryable
    assert tries == ATTEMPTS_MAX


def test_a_full_cache_starts_again() -> None:
    def state(id_: int) -> AccountState:
        return AccountState(id_, id_, 0, 0, 0, 0, 0, False, 0, 0, 1, 1, 0)  # noqa: FBT003  (columns)

    def head(chain: bytes) -> Head:
        return Head(0, 1, 1, chain, None)

    cache = AccountCache(accounts_max=2)
    assert cache.head is None
    cache.keep({1: state(1), 2: state(2)}, head(b"x"))
    assert len(cache) == 2
    cache.keep({3: state(3)}, head(b"y"))
    assert set(cache.find([1, 2, 3])) == {3}
    cache.confirm(head(b"y"))
    assert len(cache) == 1
    cache.confirm(head(b"z"))
    assert len(cache) == 0


async def test_a_pool_that_was_given_stays_open(ledger_url: str) -> None:
    async with AsyncConnectionPool(ledger_url, min_size=1, open=False) as pool:
        book = Ledger(pool=pool)
        first, second = await asyncio.gather(
            book.create_accounts([account(1)]), book.create_accounts([account(2)])
        )
        assert first + second == ["created", "created"]
        await book.close()
        await book.close()
        async with pool.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM ledger.shard")
            assert await cursor.fetchone() == (1,)


async def test_two_first_calls_claim_one_shard(ledger_url: str) -> None:
    async with await Ledger.open(ledger_url) as book:
        assert set(await asyncio.gather(book._claim.number(), book._claim.number())) == {0}


async def test_queries_see_what_the_callers_transaction_wrote(
    opened: Ledger, ledger_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(ledger_url) as connection:
        await opened.create_accounts([account(3, code=9)], connection=connection)
        wanted = ledger.QueryFilter(code=9)
        assert await opened.query_accounts(wanted) == []
        assert len(await opened.query_accounts(wanted, connection=connection)) == 1


async def test_when_every_shard_is_claimed_nobody_writes(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.shards.SHARDS_MAX", 0)
    async with await Ledger.open(ledger_url) as book:
        with pytest.raises(ShardsExhaustedError):
            await book.create_accounts([account(1)])


# -- installing -------------------------------------------------------------------------------


async def test_installing_twice_is_harmless(empty_database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(empty_database_url) as connection:
        await ledger.install(connection)
        await ledger.install(connection)
        cursor = await connection.execute("SELECT count(*) FROM ledger.transfer")
        assert await cursor.fetchone() == (0,)


async def test_a_shard_may_be_named(ledger_url: str) -> None:
    async with await Ledger.open(ledger_url, shard=7) as book:
        await book.create_accounts([account(1)])
        async with book.reading() as cursor:
            await cursor.execute("SELECT shard, batch_number FROM ledger.shard")
            assert await cursor.fetchall() == [(7, 1)]


async def test_a_claim_that_fails_leaves_nothing_open(empty_database_url: str) -> None:
    async with await Ledger.open(empty_database_url) as book:
        with pytest.raises(psycopg.errors.UndefinedTable):
            await book.create_accounts([account(1)])
