"""Counts of passengers pushed into the event feed, each once: a duty of the worker.

The same events as the kiosks ask for (``flow_service``), by the same functions; ``count_id`` is the
id they have there. Where nobody listens nothing is written.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.books import transaction
from cardcore.telling import Told, tell
from scenes.bus.flow_service import BACK_MAX, read_counts
from scenes.bus.passenger_flow import Flow, flows_of, passenger_event
from scenes.bus.tables import flow_told

TOPIC: Final = "bus.passengers"
# Taps that were still being written when the last round looked.
OVERLAP: Final = timedelta(minutes=2)
FIRST_LOOK: Final = timedelta(hours=1)
_PLACES: Final = UUID("9b1b0b52-0c0a-5e0e-8a43-4f4cf7a1f3d6")
_LISTENS: Final = text(
    "SELECT EXISTS (SELECT 1 FROM cardcore.webhook_endpoint WHERE status = 'active'"
    " AND topics && ARRAY['bus.passengers', 'bus.*'])"
)


class FlowTelling:
    """Tells counts; ``streams``: whether there is a stream outside that listens."""

    def __init__(self, engine: AsyncEngine, *, streams: bool) -> None:
        self._engine = engine
        self._streams = streams

    async def tell_due(self, now: datetime) -> int:
        """Hand over the counts that are new or have changed; returns how many.

        Safe to run twice at once: one round at a time, and the same figures are one row.
        """
        async with transaction(self._engine) as (connection, raw):
            alone = select(func.pg_try_advisory_xact_lock(func.hashtext(TOPIC)))
            if not await connection.scalar(alone):
                return 0
            if not self._streams and not await connection.scalar(_LISTENS):
                return 0
            last = await connection.scalar(select(func.max(flow_told.c.told_at)))
            since = now - FIRST_LOOK if last is None else max(last - OVERLAP, now - BACK_MAX)
            flows = {
                UUID(str(passenger_event(flow)["id"])): flow
                for flow in flows_of(await read_counts(raw, since, now))
            }
            new = await _claim(connection, list(flows), now)
            await tell(connection, [_told(one, flows[one]) for one in flows if one in new], now)
            await connection.execute(
                delete(flow_told).where(flow_told.c.told_at < now - 2 * BACK_MAX)
            )
        return len(new)


async def _claim(connection: AsyncConnection, ids: list[UUID], now: datetime) -> set[UUID]:
    """Those of these events that were not told before."""
    if not ids:
        return set()
    rows = await connection.execute(
        insert(flow_told)
        .values([{"event_id": one, "told_at": now} for one in ids])
        .on_conflict_do_nothing()
        .returning(flow_told.c.event_id)
    )
    return set(rows.scalars())


def _told(event_id: UUID, flow: Flow) -> Told:
    event = passenger_event(flow)
    payload = {
        **event["data"],
        "minute": event["time"],
        "count_id": str(event_id),
        "merchant_id": flow.count.merchant,
    }
    return Told(TOPIC, uuid5(_PLACES, str(event["subject"])), payload)
