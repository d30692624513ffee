"""The ledger as the core sees it, and a transaction that both it and SQLAlchemy share."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast
from uuid import UUID

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.account.chart import LEDGER_CNY, AccountCode
from cardcore.connections import RawConnection
from cardcore.errors import ServiceUnavailableError
from ledger import Account, AccountFlags, Ledger


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[tuple[AsyncConnection, RawConnection]]:
    """One transaction, as SQLAlchemy's connection and as the driver's own.

    Raises:
        ServiceUnavailableError: the database is away; nothing was committed, or the commit's
            outcome is unknown: the same request may be retried and will be told.
    """
    try:
        async with engine.begin() as connection:
            raw = await connection.get_raw_connection()
            yield connection, cast("RawConnection", raw.driver_connection)
    except (psycopg.OperationalError, NoConnectionLeft) as error:
        raise ServiceUnavailableError from error
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.OperationalError):
            raise ServiceUnavailableError from error
        raise


def account(account_id: UUID, code: AccountCode, *, ledger: int = LEDGER_CNY) -> Account:
    """A ledger account of the chart, with the flags of its class.

    What we owe a citizen or a merchant may never turn into what they owe us; what the bank holds
    for us may never be overdrawn.
    """
    if code in (
        AccountCode.CUSTODY,
        AccountCode.IN_TRANSIT,
        AccountCode.SUBSIDY_RECEIVABLE,
        AccountCode.ISSUER_RECEIVABLE,
        AccountCode.ARREARS,
    ):
        flags = AccountFlags.credits_must_not_exceed_debits
    elif code in (AccountCode.SUSPENSE, AccountCode.FEES, AccountCode.TALLY_ISSUED):
        flags = AccountFlags(0)
    else:
        flags = AccountFlags.debits_must_not_exceed_credits
    return Account(id=account_id.int, ledger=ledger, code=int(code), flags=flags)


async def open_accounts(
    book: Ledger, accounts: Sequence[Account], connection: RawConnection
) -> None:
    """Open ledger accounts in the caller's transaction; those that exist stay as they are."""
    results = await book.create_accounts(list(accounts), connection=connection)
    refused = [result for result in results if result not in ("created", "exists")]
    assert not refused, refused
