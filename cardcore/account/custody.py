"""Custody: what the custodian bank holds against what it must cover, at the end of a business date.

    custody + in transit + credit drawn = what citizens and merchants may ask for + suspense + fees

The sums come from the transfers that count for a date, not from the counters of the accounts; the
counters are held against them besides, so that an edit of either shows.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.account.chart import COVERED_BY_CUSTODY, COVERING, LEDGER_CNY, AccountCode
from cardcore.account.fund_tables import custody_check
from cardcore.account.views import CustodyView
from cardcore.connections import RawConnection
from ledger.as_of import DayBalance, counters_by_code, totals_by_code

LEDGER_SEAL_KEY: Final = "ledger-seal"
ALARM: Final = "alarm: custody_difference"


def custody_of(
    on: date,
    totals: Mapping[int, DayBalance],
    *,
    counters: Mapping[int, DayBalance],
    whole: Mapping[int, DayBalance],
) -> CustodyView:
    """The report over sums by account code. Pure.

    Args:
        on: the business date.
        totals: what counts for dates up to ``on``.
        counters: what the counters of the accounts say now.
        whole: what counts for any date; equals ``counters`` in books that were not tampered with.
    """
    covering = {
        AccountCode(code).name.lower(): -totals[code].posted
        for code in sorted(COVERING & totals.keys())
    }
    covered = {
        AccountCode(code).name.lower(): totals[code].posted
        for code in sorted(COVERED_BY_CUSTODY & totals.keys())
    }
    difference_fen = sum(covering.values()) - sum(covered.values())
    trial_balance_fen = -sum(one.posted for one in totals.values())
    counters_off = [
        AccountCode(code).name.lower()
        for code in sorted(counters.keys() | whole.keys())
        if counters.get(code) != whole.get(code)
    ]
    return CustodyView(
        business_on=on,
        covering=covering,
        covered=covered,
        difference_fen=difference_fen,
        trial_balance_fen=trial_balance_fen,
        counters_off=counters_off,
        ok=not (difference_fen or trial_balance_fen or counters_off),
    )


async def read_custody(raw: RawConnection, on: date) -> CustodyView:
    """The report as of a business date, in one snapshot: the transaction's first question."""
    async with raw.cursor() as cursor:
        await cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return custody_of(
            on,
            await totals_by_code(cursor, LEDGER_CNY, on),
            counters=await counters_by_code(cursor, LEDGER_CNY),
            whole=await totals_by_code(cursor, LEDGER_CNY, date.max),
        )


async def with_check(connection: AsyncConnection, found: CustodyView) -> CustodyView:
    """The report with the newest check that was made of its date, where there was one."""
    check = custody_check.c
    row = (
        await connection.execute(
            select(check.seal_number, check.checked_at)
            .where(check.business_on == found.business_on)
            .order_by(check.checked_at.desc())
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        return found
    return found.model_copy(update={"seal_number": row.seal_number, "checked_at": row.checked_at})


async def custody_alarm(connection: AsyncConnection) -> str:
    """``ok``, or the alarm of the newest check."""
    check = custody_check.c
    row = (
        await connection.execute(
            select(check.difference_fen, check.trial_balance_fen, check.counters_off)
            .order_by(check.business_on.desc(), check.checked_at.desc())
            .limit(1)
        )
    ).one_or_none()
    return ALARM if row is not None and any(row) else "ok"
