"""Closing business days, and the two persons it takes to open them again.

A transfer whose effective day is closed is not refused: it counts for the first open day, and the
difference between ``effective_at`` and ``effective_on`` marks it.
"""

import datetime as dt
from typing import ClassVar

from ledger.errors import LedgerError
from ledger.queries import Queries
from ledger.store import Cursor


class PeriodNotLaterError(LedgerError):
    """Days can only be closed forward; opening again is another call."""

    code = "period_not_later"


class SecondPersonNeededError(LedgerError):
    """Who asked for a re-opening may not approve it."""

    code = "second_person_needed"


class RequestUnknownError(LedgerError):
    """No open request has this number."""

    code = "request_unknown"
    retryable: ClassVar[bool] = False


async def closed_through(book: Queries) -> dt.date | None:
    """The last closed business day, or None."""
    async with book.reading() as cursor:
        return await _closed_through(cursor)


async def close_through(book: Queries, day: dt.date, *, by: str, reason: str = "close") -> None:
    """Close all business days up to and including ``day``, for every shard at once.

    Waits for batches under way; those that follow see the new day.

    Raises:
        PeriodNotLaterError: ``day`` is closed already.
    """
    async with book.reading() as cursor:
        was = await _lock(cursor)
        if was is not None and day <= was:
            raise PeriodNotLaterError(f"closed through {was}")
        await _set(cursor, day, was=was, requested_by=by, approved_by=None, reason=reason)


async def request_reopening(book: Queries, day: dt.date, *, by: str, reason: str) -> int:
    """Ask that the days after ``day`` be opened again.

    Returns:
        The number by which a second person approves it.
    """
    async with book.reading() as cursor:
        await cursor.execute(
            "INSERT INTO ledger.period_request (closed_through, requested_by, reason) "
            "VALUES (%s, %s, %s) RETURNING number",
            (day, by, reason),
        )
        [number] = await cursor.fetchone() or (0,)
    return int(number)


async def approve_reopening(book: Queries, request: int, *, by: str) -> None:
    """Open days again as asked.

    Raises:
        RequestUnknownError: no such request, or it is done.
        SecondPersonNeededError: ``by`` is who asked.
    """
    async with book.reading() as cursor:
        was = await _lock(cursor)
        await cursor.execute(
            "SELECT closed_through, requested_by, reason FROM ledger.period_request "
            "WHERE number = %s AND NOT done FOR UPDATE",
            (request,),
        )
        row = await cursor.fetchone()
        if row is None:
            raise RequestUnknownError(str(request))
        day, requested_by, reason = row
        if requested_by == by:
            raise SecondPersonNeededError(by)
        await _set(cursor, day, was=was, requested_by=requested_by, approved_by=by, reason=reason)
        await cursor.execute(
            "UPDATE ledger.period_request SET done = true WHERE number = %s", (request,)
        )


async def _closed_through(cursor: Cursor) -> dt.date | None:
    await cursor.execute("SELECT max(closed_through) FROM ledger.shard")
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def _lock(cursor: Cursor) -> dt.date | None:
    """Hold up all writers, so that no batch decides on the old day and commits after the new."""
    await cursor.execute("SELECT shard FROM ledger.shard ORDER BY shard FOR UPDATE")
    return await _closed_through(cursor)


async def _set(
    cursor: Cursor,
    day: dt.date,
    *,
    was: dt.date | None,
    requested_by: str,
    approved_by: str | None,
    reason: str,
) -> None:
    await cursor.execute("UPDATE ledger.shard SET closed_through = %s", (day,))
    await cursor.execute(
        "INSERT INTO ledger.period_change (closed_through, was, requested_by, approved_by, reason) "
        "VALUES (%s, %s, %s, %s, %s)",
        (day, was, requested_by, approved_by, reason),
    )
