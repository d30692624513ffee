"""A batch that is one step of a caller's transaction: ``begin`` and ``create_new_transfers``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.errors import SerializationFailure, UniqueViolation

import ledger
from ledger import Account, AccountFlags, Ledger, Transfer, TransferFlags
from ledger.testing import ManualClock
from ledger.verify import verify


def move(id_: int, amount: int = 10, flags: TransferFlags | None = None) -> Transfer:
    return Transfer(
        id=id_, debit_account_id=1, credit_account_id=2, amount=amount, ledger=1, code=1,
        flags=flags or TransferFlags(0), timeout=60 if flags == TransferFlags.pending else 0,
    )  # fmt: skip


@pytest.fixture
async def opened(book: Ledger) -> Ledger:
    purse = AccountFlags.debits_must_not_exceed_credits
    accounts = [
        Account(id=1, ledger=1, code=1, flags=purse, overdraft_limit=100),
        Account(id=2, ledger=1, code=1),
    ]
    assert await book.create_accounts(accounts) == ["created", "created"]
    return book


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        yield connection


async def pay(book: Ledger, connection: psycopg.AsyncConnection, *transfers: Transfer) -> list[str]:
    """Begin, decide, write and commit in one pipeline, as the writer of orders does."""
    async with connection.pipeline():
        begun = await book.begin(connection)
        results = await book.create_new_transfers(begun, transfers)
        await connection.commit()
    return [str(result) for result in results]


async def debits(book: Ledger) -> tuple[int, int]:
    [account] = await book.lookup_accounts([1])
    return account.debits_posted, account.debits_pending


async def test_a_batch_in_a_pipeline_stands_when_its_transaction_does(
    opened: Ledger, ledger_url: str
) -> None:
    async with connected(ledger_url) as connection:
        assert await pay(opened, connection, move(1), move(2, 91), move(3)) == [
            "created", "exceeds_credits", "created",
        ]  # fmt: skip
        assert await pay(opened, connection, move(4)) == ["created"]
    assert await debits(opened) == (30, 0)
    [again] = await opened.create_transfers([move(2, 1)])
    assert again == "id_already_failed"
    assert await verify(opened) == []


async def test_without_a_pipeline_it_works_as_well(opened: Ledger, ledger_url: str) -> None:
    async with connected(ledger_url) as connection:
        begun = await opened.begin(connection)
        assert await opened.create_new_transfers(begun, [move(1)]) == ["created"]
        await connection.commit()
    assert await debits(opened) == (10, 0)


async def test_a_batch_that_is_begun_and_not_used_changes_nothing(
    opened: Ledger, ledger_url: str
) -> None:
    async with connected(ledger_url) as connection, connection.pipeline():
        await opened.begin(connection)
        await connection.commit()
    assert await debits(opened) == (0, 0)
    assert await opened.create_transfers([move(1)]) == ["created"]


async def test_what_is_rolled_back_never_was(opened: Ledger, ledger_url: str) -> None:
    async with connected(ledger_url) as connection:
        begun = await opened.begin(connection)
        assert await opened.create_new_transfers(begun, [move(1, 90)]) == ["created"]
        await connection.rollback()
    assert await opened.create_transfers([move(1, 20)]) == ["created"]
    assert await debits(opened) == (20, 0)
    assert await verify(opened) == []


async def test_an_id_that_exists_breaks_the_transaction_and_nothing_else(
    opened: Ledger, ledger_url: str
) -> None:
    assert await opened.create_transfers([move(1)]) == ["created"]
    async with connected(ledger_url) as connection:
        with pytest.raises(UniqueViolation):
            await pay(opened, connection, move(5), move(1))
        await connection.rollback()
        assert await debits(opened) == (10, 0)
        assert await pay(opened, connection, move(5)) == ["created"]
    assert await debits(opened) == (20, 0)
    assert await verify(opened) == []


async def test_an_account_that_moved_on_breaks_the_transaction_and_the_next_try_is_right(
    opened: Ledger, ledger_url: str, clock: ManualClock
) -> None:
    async with (
        await Ledger.open(ledger_url, clock=clock) as other,
        connected(ledger_url) as connection,
    ):
        assert await pay(opened, connection, move(1)) == ["created"]
        assert await other.create_transfers([move(2, 80)]) == ["created"]
        with pytest.raises(SerializationFailure):
            await pay(opened, connection, move(3, 50))
        await connection.rollback()
        assert await pay(opened, connection, move(3, 50)) == ["exceeds_credits"]
        assert await pay(opened, connection, move(4, 10)) == ["created"]
    assert await debits(opened) == (100, 0)


async def test_who_expects_an_account_to_have_moved_on_locks_first_and_is_right_at_once(
    opened: Ledger, ledger_url: str, clock: ManualClock
) -> None:
    async with (
        await Ledger.open(ledger_url, clock=clock) as other,
        connected(ledger_url) as connection,
    ):
        assert await pay(opened, connection, move(1)) == ["created"]
        assert await other.create_transfers([move(2, 80)]) == ["created"]
        begun = await opened.begin(connection)
        assert await opened.create_new_transfers(
            begun, [move(3, 50), move(4)], from_memory=False
        ) == ["exceeds_credits", "created"]
        await connection.commit()
    assert await debits(opened) == (100, 0)
    assert await verify(opened) == []


async def test_holds_whose_time_is_over_expire_first(
    opened: Ledger, ledger_url: str, clock: ManualClock
) -> None:
    async with connected(ledger_url) as connection:
        assert await pay(opened, connection, move(1, 100, TransferFlags.pending)) == ["created"]
        assert await pay(opened, connection, move(2)) == ["exceeds_credits"]
        clock.advance_s(61)
        assert await pay(opened, connection, move(3)) == ["created"]
    assert await debits(opened) == (10, 0)
    assert await verify(opened) == []


async def test_an_older_schema_is_brought_up_to_date(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        for file in ledger.schema_files()[:6]:
            await connection.execute(file.read_bytes())
        await connection.commit()
        for _ in range(2):  # the second time there is nothing to do
            await ledger.install(connection)
            found = await connection.execute("SELECT ledger.schema_version()")
            assert await found.fetchone() == (len(ledger.schema_files()),)
            await connection.commit()
    async with await Ledger.open(empty_database_url) as book:
        accounts = [Account(id=id_, ledger=1, code=1) for id_ in (1, 2)]
        assert await book.create_accounts(accounts) == ["created", "created"]
        assert await book.create_transfers([move(1)]) == ["created"]
