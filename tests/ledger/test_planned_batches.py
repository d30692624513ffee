"""A batch decided from memory and booked in a statement of the caller's: ``plan_new_transfers``."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg.errors import SerializationFailure, UniqueViolation

from ledger import (
    Account,
    AccountFlags,
    Ledger,
    Planned,
    Transfer,
    TransferFlags,
    plan_met_another_head,
)
from ledger.engine import CAUTIOUS_BATCHES
from ledger.periods import close_through
from ledger.testing import ManualClock
from ledger.verify import verify

PENDING = TransferFlags.pending
PLAIN = TransferFlags(0)
NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
MAY_1 = dt.date(2026, 5, 1)


def move(id_: int, amount: int = 10, *, flags: TransferFlags = PLAIN, timeout: int = 0) -> Transfer:
    return Transfer(
        id=id_, debit_account_id=1, credit_account_id=2, amount=amount, ledger=1, code=1,
        flags=flags, timeout=timeout,
    )  # fmt: skip


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(int(NOW.timestamp()) * 10**9)


@pytest.fixture
async def connection(ledger_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(ledger_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
async def warm(book: Ledger) -> Ledger:
    """A ledger that remembers its two accounts; the first may go 100 below what it has."""
    purse = AccountFlags.debits_must_not_exceed_credits
    accounts = [
        Account(id=1, ledger=1, code=1, flags=purse, overdraft_limit=100),
        Account(id=2, ledger=1, code=1),
    ]
    assert await book.create_accounts(accounts) == ["created", "created"]
    assert await book.create_transfers([move(1000, 1)]) == ["created"]
    return book


def plan(
    book: Ledger, connection: psycopg.AsyncConnection, *transfers: Transfer
) -> tuple[Planned, list[str]]:
    planned = book.plan_new_transfers(connection, transfers)
    assert planned is not None
    return planned, [str(result) for result in planned.results]


async def keep(connection: psycopg.AsyncConnection, planned: Planned) -> None:
    await connection.execute(f"SELECT {planned.call}", planned.parameters)


async def waits_for_a_lock(asking: psycopg.AsyncConnection, asked: psycopg.AsyncConnection) -> bool:
    found = await asking.execute(
        "SELECT cardinality(pg_blocking_pids(%s)) > 0", (asked.info.backend_pid,)
    )
    row = await found.fetchone()
    return row == (True,)


async def debits(book: Ledger) -> tuple[int, int]:
    [account] = await book.lookup_accounts([1])
    return account.debits_posted, account.debits_pending


async def test_a_plan_that_is_booked_stands_and_leads_to_the_next(
    warm: Ledger, connection: psycopg.AsyncConnection
) -> None:
    planned, results = plan(warm, connection, move(1), move(2, 90), move(3))
    assert results == ["created", "exceeds_credits", "created"]
    assert await debits(warm) == (1, 0), "nothing is written by planning"
    await keep(connection, planned)
    planned, results = plan(warm, connection, move(4, 79))
    assert results == ["created"]
    await keep(connection, planned)
    assert await debits(warm) == (100, 0)
    [again] = await warm.create_transfers([move(2, 1)])
    assert again == "id_already_failed"
    assert await verify(warm) == []


async def test_planned_holds_end_by_themselves(
    warm: Ledger, connection: psycopg.AsyncConnection, clock: ManualClock
) -> None:
    planned, _ = plan(warm, connection, move(1, 5, flags=PENDING, timeout=60), move(2, 7))
    await keep(connection, planned)
    assert await debits(warm) == (8, 5)
    clock.advance_s(61)
    assert await debits(warm) == (8, 0)
    assert await verify(warm) == []


async def test_a_hold_that_is_over_must_be_seen_to_first(
    warm: Ledger, connection: psycopg.AsyncConnection, clock: ManualClock
) -> None:
    planned, _ = plan(warm, connection, move(1, 99, flags=PENDING, timeout=60))
    await keep(connection, planned)
    clock.advance_s(61)
    planned, results = plan(warm, connection, move(2, 50))
    assert results == ["exceeds_credits"]
    with pytest.raises(SerializationFailure) as lost:
        await keep(connection, planned)
    warm.forget_plans(lost.value)
    assert warm.plan_new_transfers(connection, [move(2, 50)]) is None
    assert await warm.create_transfers([move(2, 50)]) == ["created"]


async def test_a_plan_that_is_not_booked_is_forgotten(
    warm: Ledger, connection: psycopg.AsyncConnection
) -> None:
    plan(warm, connection, move(1, 99))
    warm.forget_plans(ConnectionError())
    assert await warm.create_transfers([move(2, 99)]) == ["created"]
    assert await verify(warm) == []


async def test_a_plan_waits_for_the_one_it_was_made_on(
    warm: Ledger, connection: psycopg.AsyncConnection, ledger_url: str
) -> None:
    async with await psycopg.AsyncConnection.connect(ledger_url, autocommit=True) as second:
        first, _ = plan(warm, connection, move(1, 60))
        after, results = plan(warm, second, move(2, 60), move(3, 39))
        assert results == ["exceeds_credits", "created"]
        async with connection.transaction():
            await keep(connection, first)
            waiting = asyncio.ensure_future(keep(second, after))
            while not await waits_for_a_lock(connection, second):
                pass
            assert not waiting.done()
        await waiting
    assert await debits(warm) == (100, 0)
    assert await verify(warm) == []


async def test_a_plan_fails_with_the_one_it_was_made_on(
    warm: Ledger, connection: psycopg.AsyncConnection
) -> None:
    plan(warm, connection, move(1, 60))
    after, _ = plan(warm, connection, move(2, 30))
    warm.forget_plans(ConnectionError())
    with pytest.raises(SerializationFailure) as lost:
        await keep(connection, after)
    assert plan_met_another_head(lost.value)
    warm.forget_plans(lost.value)
    assert await debits(warm) == (1, 0)


async def test_a_plan_that_came_too_early_may_be_sent_again(
    warm: Ledger, connection: psycopg.AsyncConnection
) -> None:
    first, _ = plan(warm, connection, move(1, 60))
    after, _ = plan(warm, connection, move(2, 30))
    with pytest.raises(SerializationFailure) as early:
        await keep(connection, after)
    assert plan_met_another_head(early.value)
    await keep(connection, first)
    await keep(connection, after)
    assert await debits(warm) == (91, 0)
    assert await verify(warm) == []


async def test_even_a_plan_that_nobody_gave_up_does_no_harm(
    warm: Ledger, connection: psycopg.AsyncConnection
) -> None:
    plan(warm, connection, move(1, 99))
    planned, results = plan(warm, connection, move(2, 99))
    assert results == ["exceeds_credits"]
    with pytest.raises(SerializationFailure):
        await keep(connection, planned)
    assert await warm.create_transfers([move(3, 99)]) == ["created"]
    assert await verify(warm) == []


async def test_the_shard_has_moved_on_meanwhile(
    warm: Ledger, connection: psycopg.AsyncConnection
) -> None:
    planned, _ = plan(warm, connection, move(1, 60))
    assert await warm.create_transfers([move(2, 60)]) == ["created"]
    with pytest.raises(SerializationFailure) as lost:
        await keep(connection, planned)
    warm.forget_plans(lost.value)
    assert await debits(warm) == (61, 0)


async def test_an_account_was_changed_by_another_writer(
    warm: Ledger, connection: psycopg.AsyncConnection, ledger_url: str, clock: ManualClock
) -> None:
    async with await Ledger.open(ledger_url, clock=clock) as other:
        assert await other.create_transfers([move(1, 60)]) == ["created"]
    planned, results = plan(warm, connection, move(2, 60))
    assert results == ["created"]
    with pytest.raises(SerializationFailure) as lost:
        await keep(connection, planned)
    assert not plan_met_another_head(lost.value)
    warm.forget_plans(lost.value)
    assert await warm.create_transfers([move(2, 60)]) == ["exceeds_credits"]


async def test_the_day_was_closed_meanwhile(
    warm: Ledger, connection: psycopg.AsyncConnection
) -> None:
    planned, _ = plan(warm, connection, move(1))
    await close_through(warm, MAY_1, by="li")
    with pytest.raises(SerializationFailure) as lost:
        await keep(connection, planned)
    warm.forget_plans(lost.value)
    assert await warm.create_transfers([move(1)]) == ["created"]
    planned, _ = plan(warm, connection, move(2))
    await keep(connection, planned)
    assert await verify(warm) == []


async def test_an_id_that_exists_is_refused_by_the_tables(
    warm: Ledger, connection: psycopg.AsyncConnection
) -> None:
    planned, _ = plan(warm, connection, move(1000))
    with pytest.raises(UniqueViolation) as lost:
        await keep(connection, planned)
    warm.forget_plans(lost.value)
    assert await debits(warm) == (1, 0)


async def test_after_a_plan_that_did_not_hold_batches_lock_before_they_decide(
    warm: Ledger, connection: psycopg.AsyncConnection, ledger_url: str, clock: ManualClock
) -> None:
    planned, _ = plan(warm, connection, move(1))
    async with await Ledger.open(ledger_url, clock=clock) as other:
        assert await other.create_transfers([move(900, 1)]) == ["created"]
        with pytest.raises(SerializationFailure) as lost:
            await keep(connection, planned)
        warm.forget_plans(lost.value)
        for number in range(CAUTIOUS_BATCHES):
            assert warm.plan_new_transfers(connection, [move(2 + number)]) is None
            # Another writer comes in between each time; who locks first is never overtaken.
            assert await other.create_transfers([move(500 + number, 1)]) == ["created"]
            async with connection.transaction():
                begun = await warm.begin(connection)
                assert await warm.create_new_transfers(begun, [move(2 + number, 0)]) == ["created"]
    planned, results = plan(warm, connection, move(400))
    assert results == ["created"]
    await keep(connection, planned)
    assert await verify(warm) == []


async def test_memory_does_not_reach(
    book: Ledger, warm: Ledger, connection: psycopg.AsyncConnection
) -> None:
    stranger = Transfer(id=1, debit_account_id=1, credit_account_id=9, amount=1, ledger=1, code=1)
    assert warm.plan_new_transfers(connection, [stranger]) is None
    many = [move(number) for number in range(1, 202)]
    assert warm.plan_new_transfers(connection, many) is None
