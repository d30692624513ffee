"""Monthly partitions of the transfers, made ahead. A job calls this daily."""

import datetime as dt
from typing import Final

from ledger.queries import Queries

MONTHS_AHEAD: Final = 3


async def make_partitions(
    book: Queries, today: dt.date, *, months_ahead: int = MONTHS_AHEAD
) -> list[dt.date]:
    """Make the partitions of this month and of those to come, where they are missing.

    Returns:
        First days (UTC) of the months whose partition was made now.
    """
    made: list[dt.date] = []
    month = today.replace(day=1)
    for _ in range(months_ahead + 1):
        async with book.reading() as cursor:
            await cursor.execute("SELECT ledger.make_partition(%s)", (month,))
            if await cursor.fetchone() == (True,):
                made.append(month)
        month = (month + dt.timedelta(days=31)).replace(day=1)
    return made
