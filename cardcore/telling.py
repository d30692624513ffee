"""What a scene lets others know of: into the outbox, from there to webhooks and the event stream.

Nothing of a person may be in it; the stream lets only fields through that are known to be harmless
(``platform.cloud_event``). An event that is one merchant's has the field ``merchant_id``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables


class Told(NamedTuple):
    """One event; ``subject_id`` is the same for all about one thing."""

    topic: str
    subject_id: UUID
    payload: Mapping[str, object]


async def tell(connection: AsyncConnection, told: Sequence[Told], now: datetime) -> None:
    """Put events into the outbox, in the caller's transaction."""
    if told:
        await connection.execute(
            insert(tables.outbox),
            [
                {
                    "topic": one.topic,
                    "subject_id": one.subject_id,
                    "recorded_at": now,
                    "payload": dict(one.payload),
                }
                for one in told
            ],
        )
