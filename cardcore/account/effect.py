"""What every change of funds works with."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.connections import RawConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An effect that is being made: its transaction (both connections), who makes it, when.

    ``on`` is the business date of ``now``.
    """

    connection: AsyncConnection
    raw: RawConnection
    client_id: str
    now: datetime
    on: date
