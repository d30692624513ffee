"""Lookups and filters of the event model."""

from dataclasses import replace

import pytest

from ledger import (
    ID_MAX,
    Account,
    AccountBalance,
    AccountFilter,
    AccountFilterFlags,
    AccountFlags,
    Ledger,
    QueryFilter,
    QueryFilterFlags,
    Transfer,
    TransferFlags,
)

DEBITS, CREDITS = AccountFilterFlags.debits, AccountFilterFlags.credits
BACKWARDS = AccountFilterFlags.reversed


@pytest.fixture
async def filled(book: Ledger) -> Ledger:
    """Accounts 1 (with history), 2, 3; transfers 1 to 6, odd ones from 1 to 2, even ones back."""
    await book.create_accounts(
        [
            Account(id=n, ledger=1, code=n, user_data_128=n % 2, user_data_64=2**64 - n,
                    user_data_32=2**32 - 1,
                    flags=AccountFlags.history if n == 1 else AccountFlags(0))
            for n in (1, 2, 3)
        ]
    )  # fmt: skip
    await book.create_transfers(
        [
            Transfer(id=n, debit_account_id=1 if n % 2 else 2, credit_account_id=2 if n % 2 else 1,
                     amount=n, ledger=1, code=n % 3 + 1, user_data_128=n % 2,
                     user_data_64=2**64 - n, user_data_32=n // 3)
            for n in range(1, 7)
        ]
    )  # fmt: skip
    return book


async def stamp(book: Ledger, id_: int) -> int:
    [transfer] = await book.lookup_transfers([id_])
    return transfer.timestamp


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"flags": DEBITS}, [1, 3, 5]),
        ({"flags": CREDITS}, [2, 4, 6]),
        ({"flags": DEBITS | CREDITS | BACKWARDS, "limit": 2}, [6, 5]),
        ({"limit": 3}, [1, 2, 3]),
        ({"code": 1}, [3, 6]),
        ({"user_data_128": 1}, [1, 3, 5]),
        ({"user_data_64": 2**64 - 4}, [4]),
        ({"user_data_32": 1, "code": 2}, [4]),
        ({"account_id": 3}, []),
        ({"account_id": 9}, []),
        # What breaks a constraint finds nothing.
        ({"account_id": 0}, []),
        ({"account_id": ID_MAX}, []),
        ({"limit": 0}, []),
        ({"flags": AccountFilterFlags(0)}, []),
        ({"flags": DEBITS | AccountFilterFlags(8)}, []),
        ({"timestamp_min": 2**63}, []),
        ({"timestamp_max": 2**64 - 1}, []),
        ({"timestamp_min": 9, "timestamp_max": 8}, []),
    ],
)
async def test_transfers_of_an_account(
    filled: Ledger, changes: dict[str, int], expected: list[int]
) -> None:
    wanted = replace(AccountFilter(account_id=1), **changes)  # type: ignore[arg-type]
    assert [t.id for t in await filled.get_account_transfers(wanted)] == expected
    balances = await filled.get_account_balances(wanted)
    assert [b.timestamp for b in balances] == [await stamp(filled, id_) for id_ in expected]


async def test_pages_meet_at_their_timestamps(filled: Ledger) -> None:
    first = await filled.get_account_transfers(AccountFilter(account_id=1, limit=4))
    rest = await filled.get_account_transfers(
        AccountFilter(account_id=1, timestamp_min=first[-1].timestamp + 1)
    )
    assert [t.id for t in first + rest] == [1, 2, 3, 4, 5, 6]
    until = await filled.get_account_transfers(
        AccountFilter(account_id=1, timestamp_max=first[1].timestamp)
    )
    assert [t.id for t in until] == [1, 2]


async def test_balances_are_kept_where_history_is_asked_for(filled: Ledger) -> None:
    [first, second, *_] = await filled.get_account_balances(AccountFilter(account_id=1))
    assert second == AccountBalance(
        timestamp=await stamp(filled, 2), debits_pending=0, debits_posted=1, credits_pending=0,
        credits_posted=2,
    )  # fmt: skip
    assert first.credits_posted == 0
    assert await filled.get_account_balances(AccountFilter(account_id=2)) == []


@pytest.mark.parametrize(
    ("query", "accounts", "transfers"),
    [
        (QueryFilter(), [1, 2, 3], [1, 2, 3, 4, 5, 6]),
        (QueryFilter(user_data_128=1), [1, 3], [1, 3, 5]),
        (QueryFilter(user_data_64=2**64 - 2), [2], [2]),
        (QueryFilter(user_data_32=2**32 - 1), [1, 2, 3], []),
        (QueryFilter(ledger=1, code=2), [2], [1, 4]),
        (QueryFilter(ledger=2), [], []),
        (QueryFilter(limit=2, flags=QueryFilterFlags.reversed), [3, 2], [6, 5]),
        (QueryFilter(limit=0), [], []),
        (QueryFilter(flags=QueryFilterFlags(2)), [], []),
        (QueryFilter(timestamp_min=2**64 - 1), [], []),
        (QueryFilter(timestamp_min=5, timestamp_max=4), [], []),
    ],
)
async def test_queries(
    filled: Ledger, query: QueryFilter, accounts: list[int], transfers: list[int]
) -> None:
    assert [a.id for a in await filled.query_accounts(query)] == accounts
    assert [t.id for t in await filled.query_transfers(query)] == transfers


async def test_lookups_keep_the_order_asked_and_leave_out_what_is_not_there(
    filled: Ledger,
) -> None:
    assert [a.id for a in await filled.lookup_accounts([3, 99, 1])] == [3, 1]
    assert [t.id for t in await filled.lookup_transfers([6, 99, 2])] == [6, 2]
    assert (await filled.lookup_accounts([3]))[0].balances.posted == 0


async def test_a_closed_account_shows_its_flag(filled: Ledger) -> None:
    closing = TransferFlags.pending | TransferFlags.closing_debit
    await filled.create_transfers(
        [Transfer(id=9, debit_account_id=1, credit_account_id=2, ledger=1, code=1, flags=closing)]
    )
    [found] = await filled.lookup_accounts([1])
    assert found.flags == AccountFlags.history | AccountFlags.closed
