"""From the feed to a stream outside: published in order, forgotten once acknowledged.

At least once: whoever dies between the acknowledgement and its own commit publishes again, under
the same id, and the stream drops it (within its window for duplicates). While the stream is away
the rows wait here and nothing else is held up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.books import transaction
from cardcore.platform import tables
from cardcore.platform.cloud_event import FeedEvent, cloud_event
from cardcore.user.pseudonyms import pairwise

EVENTS_AT_ONCE: Final = 500
# No merchant's id has a blank in it: this pseudonym is nobody else's.
AUDIENCE: Final = "event stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMessage:
    """What is published: ``message_id`` is the same at every attempt."""

    message_id: str
    topic: str
    body: bytes


class EventStream(Protocol):
    """Stores messages for whoever listens."""

    async def publish(self, messages: Sequence[StreamMessage]) -> int:
        """Publish in order; how many, from the first on, are stored for certain.

        Raises:
            ServiceUnavailableError: the stream is away.
        """
        ...


class EventFeed:
    """Publishes what waits in the feed. Any number of workers: one at a time does it, in order."""

    def __init__(self, engine: AsyncEngine, stream: EventStream, pseudonym_key: bytes) -> None:
        self._engine = engine
        self._stream = stream
        self._pseudonym_key = pseudonym_key

    async def publish_due(self, now: datetime) -> int:  # noqa: ARG002  (the form of every duty)
        """Publish what waits, oldest first; returns how many were acknowledged.

        Raises:
            ServiceUnavailableError: the stream or the database is away; nothing is lost.
        """
        feed, published = tables.event_feed, 0
        while True:
            async with transaction(self._engine) as (connection, _):
                # Held to the end of the transaction: two publishers would mix up the order.
                alone = select(func.pg_try_advisory_xact_lock(func.hashtext("event feed")))
                if not await connection.scalar(alone):
                    return published
                rows = await connection.execute(
                    select(feed).order_by(feed.c.seq).limit(EVENTS_AT_ONCE)
                )
                events = [FeedEvent(**row._mapping) for row in rows]  # noqa: SLF001  (SQLAlchemy's documented name)
                if not events:
                    return published
                stored = await self._stream.publish([self._message(event) for event in events])
                done = [event.seq for event in events[:stored]]
                await connection.execute(delete(feed).where(feed.c.seq.in_(done)))
            published += stored
            if stored < EVENTS_AT_ONCE:
                return published

    def _message(self, event: FeedEvent) -> StreamMessage:
        return StreamMessage(
            message_id=str(event.event_id),
            topic=event.topic,
            body=cloud_event(event, self._name_of),
        )

    def _name_of(self, user_id: UUID) -> str:
        return pairwise(self._pseudonym_key, AUDIENCE, user_id)
