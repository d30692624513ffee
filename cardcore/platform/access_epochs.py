"""Epochs of the key that signs access tokens.

The key of an epoch is derived in the security module from the epoch's number, so no file and no
table holds it. A new epoch signs at once; the one before is good for checking until its last token
has ended, or not at all where it leaked.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.platform import tables

# Longer than any token lives, and the time a worker takes to learn of the new epoch.
OVERLAP: Final = timedelta(minutes=15)


async def begin_epoch(connection: AsyncConnection, *, now: datetime, at_once: bool) -> int:
    """Begin the next epoch; returns its number. ``at_once`` retires the present one now."""
    epoch = tables.access_epoch.c
    newest = (await connection.execute(select(func.max(epoch.epoch)))).scalar_one()
    retired_at = now if at_once else now + OVERLAP
    await connection.execute(
        update(tables.access_epoch)
        .where(or_(epoch.retired_at.is_(None), epoch.retired_at > retired_at))
        .values(retired_at=retired_at)
    )
    # Two at the same instant collide on the number; the later one is told to try again.
    await connection.execute(insert(tables.access_epoch).values(epoch=newest + 1, made_at=now))
    return int(newest) + 1


async def good_epochs(connection: AsyncConnection, *, now: datetime) -> list[int]:
    """The epochs whose tokens are good, oldest first; the last one signs."""
    epoch = tables.access_epoch.c
    rows = await connection.execute(
        select(epoch.epoch)
        .where(or_(epoch.retired_at.is_(None), epoch.retired_at > now))
        .order_by(epoch.epoch)
    )
    return list(rows.scalars().all())
