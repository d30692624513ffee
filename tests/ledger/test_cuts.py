"""Cuts: every posting lies in exactly one range between consecutive cuts."""

import asyncio
import itertools
from collections.abc import Sequence

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import Account, Ledger, Transfer, TransferFlags
from ledger.cuts import Cut, lay_out_postings, read_cut
from ledger.testing import ManualClock

Posted = list[tuple[int, int, int]]


async def cut(book: Ledger) -> dict[int, int]:
    async with book.reading() as cursor:
        return await read_cut(cursor)


async def postings(book: Ledger, accounts: Sequence[int], after: Cut, through: Cut) -> Posted:
    """Account, transfer and signed amount of what lies between."""
    async with book.reading() as cursor:
        await lay_out_postings(cursor, accounts, after=after, through=through)
        await cursor.execute("SELECT account, transfer_id, amount FROM pg_temp.posting")
        return sorted((one.int, id_.int, amount) for one, id_, amount in await cursor.fetchall())


def paid(id_: int, amount: int, **more: object) -> Transfer:
    values: dict[str, object] = {
        "debit_account_id": 1,
        "credit_account_id": 2,
        "ledger": 1,
        "code": 1,
    }
    return Transfer(id=id_, amount=amount, **(values | more))  # type: ignore[arg-type]


async def two_accounts(book: Ledger) -> None:
    await book.create_accounts([Account(id=n, ledger=1, code=1) for n in (1, 2)])


async def test_both_sides_are_laid_out_and_holds_post_nothing(book: Ledger) -> None:
    await two_accounts(book)
    before = await cut(book)
    await book.create_transfers(
        [
            paid(10, 7),
            paid(11, 9, flags=TransferFlags.pending),
            paid(12, 5, flags=TransferFlags.pending),
        ]
    )
    held = await cut(book)
    assert await postings(book, [1, 2], before, held) == [(1, 10, -7), (2, 10, 7)]
    await book.create_transfers(
        [
            Transfer(id=13, pending_id=11, amount=4, flags=TransferFlags.post_pending_transfer),
            Transfer(id=14, pending_id=12, flags=TransferFlags.void_pending_transfer),
        ]
    )
    assert await postings(book, [2], held, await cut(book)) == [(2, 13, 4)]
    assert await postings(book, [2], {}, await cut(book)) == [(2, 10, 7), (2, 13, 4)]
    assert await postings(book, [99], {}, await cut(book)) == []


async def test_what_commits_after_the_cut_lies_behind_it(ledger_url: str) -> None:
    """Why: a booking that began before the cut and ends after it must be in the next range.

    How: one writer holds its batch open while the cut is made, and commits then.
    """
    async with await Ledger.open(ledger_url) as book, await Ledger.open(ledger_url) as other:
        await two_accounts(book)
        await book.create_transfers([paid(10, 1)])
        await other.create_transfers([paid(11, 2)])
        open_batch = await psycopg.AsyncConnection.connect(ledger_url)
        await other.create_transfers([paid(12, 4)], connection=open_batch)
        first = await cut(book)
        assert await postings(book, [2], {}, first) == [(2, 10, 1), (2, 11, 2)]
        await open_batch.commit()
        await open_batch.close()
        assert await postings(book, [2], {}, first) == [(2, 10, 1), (2, 11, 2)]
        assert await postings(book, [2], first, await cut(book)) == [(2, 12, 4)]


@given(plan=st.lists(st.sampled_from(["a", "b", "open", "commit", "cut"]), max_size=24))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_posting_lies_in_exactly_one_range(plan: list[str], ledger_url: str) -> None:
    """Law: whatever two writers book, hold open and commit around cuts, once and only once.

    How: ranges between consecutive cuts are read at the end, and put together.
    """
    asyncio.run(_live(plan, ledger_url))


_numbers = iter(range(1_000, 1_000_000))


async def _live(plan: list[str], url: str) -> None:
    clock = ManualClock()
    async with await Ledger.open(url, clock=clock) as one, await Ledger.open(url) as two:
        await two_accounts(one)
        cuts: list[dict[int, int]] = [await cut(one)]
        booked: list[int] = []
        waiting: tuple[psycopg.AsyncConnection[object], int] | None = None

        async def commit() -> None:
            nonlocal waiting
            if waiting is not None:
                connection, id_ = waiting
                await connection.commit()
                await connection.close()
                booked.append(id_)
                waiting = None

        for step in plan:
            id_ = next(_numbers)
            if step == "cut":
                cuts.append(await cut(one))
            elif step == "commit":
                await commit()
            elif step == "open" and waiting is None:
                connection = await psycopg.AsyncConnection.connect(url)
                await two.create_transfers([paid(id_, 1)], connection=connection)
                waiting = connection, id_
            elif waiting is None:
                # With a batch open, its accounts are locked: others would wait for it.
                await (one if step == "a" else two).create_transfers([paid(id_, 1)])
                booked.append(id_)
        await commit()
        cuts.append(await cut(one))
        found = [
            transfer_id
            for after, through in itertools.pairwise(cuts)
            for _, transfer_id, _ in await postings(one, [2], after, through)
        ]
        assert sorted(found) == sorted(booked)
