"""From the outbox to the receivers: what happened becomes events, events become deliveries.

At least once and perhaps out of order: a message keeps its id at every attempt, and carries a
version to order by. An attempt is leased, so that a worker that dies in the middle of one delays it
by a minute and loses nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.books import transaction
from cardcore.ids import RandomBytes, new_id
from cardcore.platform import tables
from cardcore.platform.webhook_message import Event, headers_of, signed_content
from cardcore.platform.webhook_schedule import TRIES_MAX, Outcome, wait_after
from cardcore.platform.webhooks import SIGNING_KEY, disable_endpoint
from hsm_sim.interface import HSM

EVENTS_PER_ROUND: Final = 500
SENT_AT_ONCE: Final = 64
SENT_AT_ONCE_PER_ENDPOINT: Final = 4
LEASE: Final = timedelta(seconds=60)
PATIENCE_S: Final = 1.0
"""How long a round waits for its attempts; slower ones go on beside the rounds after it."""
_FED: Final = (
    "seq",
    "event_id",
    "topic",
    "subject_id",
    "merchant_id",
    "recorded_at",
    "payload",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How an attempt ended; ``status_code`` is None where there was no answer."""

    outcome: Outcome
    status_code: int | None = None


class Sender(Protocol):
    """Brings one message to one URL. Never raises: what went wrong is an outcome."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        """POST ``body``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    delivery_id: UUID
    endpoint_id: UUID
    attempt_no: int
    tries_left: int
    url: str
    event: Event


class Deliveries:
    """Relays and sends; any number of workers may run it beside each other.

    ``feeds``: whether what happened goes into the feed of a stream outside, too.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        hsm: HSM,
        sender: Sender,
        random_bytes: RandomBytes,
        *,
        feeds: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._under_way: dict[asyncio.Task[None], UUID] = {}
        self._feeds = feeds
        self._engine = engine
        self._hsm = hsm
        self._sender = sender
        self._random_bytes = random_bytes

    async def relay(self, now: datetime) -> int:
        """Take what happened out of the outbox; keep what an endpoint or the stream waits for."""
        async with transaction(self._engine) as (connection, _):
            rows = (await connection.execute(_TAKE, {"limit": EVENTS_PER_ROUND})).mappings().all()
            events = [{**row, "event_id": new_id(now, self._random_bytes)} for row in rows]
            for event in events:
                if event["endpoints"]:
                    await self._keep(connection, event, now)
            if self._feeds and events:
                await connection.execute(
                    insert(tables.event_feed),
                    [{name: event[name] for name in _FED} for event in events],
                )
        return len(rows)

    async def send_due(self, now: datetime) -> int:
        """Make the attempts that are due, side by side, a few per endpoint; returns how many.

        Attempts that a round before began and a slow receiver holds up count among the few.

        Raises:
            psycopg.OperationalError, HSMError: a part was away in an attempt of this round or of
                one before; its lease runs out, and it is made again.
        """
        due = await self._claim(now)
        begun = [asyncio.create_task(self._send(one, now)) for one in due]
        self._under_way |= dict(zip(begun, (one.endpoint_id for one in due), strict=True))
        try:
            if begun:
                await asyncio.wait(begun, timeout=self._patience_s)
        except asyncio.CancelledError:
            for task in begun:
                task.cancel()
                del self._under_way[task]
            raise
        await self._note_ended()
        return len(due)

    async def finish(self) -> None:
        """Wait for what is still under way. Raises as ``send_due``."""
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self._note_ended()

    async def _note_ended(self) -> None:
        ended = [task for task in self._under_way if task.done()]
        for task in ended:
            del self._under_way[task]
        await asyncio.gather(*ended)

    async def _claim(self, now: datetime) -> list[_Due]:
        busy = Counter(self._under_way.values())
        async with transaction(self._engine) as (connection, _):
            rows = await connection.execute(
                _CLAIM,
                {
                    "now": now,
                    "lease": now + LEASE,
                    "limit": SENT_AT_ONCE - busy.total(),
                    "per_endpoint": SENT_AT_ONCE_PER_ENDPOINT,
                    "busy": list(busy),
                    "busy_with": list(busy.values()),
                },
            )
            return [_due_of(dict(row)) for row in rows.mappings()]

    async def _keep(self, connection: AsyncConnection, row: dict[str, Any], now: datetime) -> None:
        event_id = row["event_id"]
        await connection.execute(
            insert(tables.webhook_event).values(
                event_id=event_id,
                merchant_id=row["merchant_id"],
                topic=row["topic"],
                subject_id=row["subject_id"],
                version=row["seq"],
                occurred_at=row["recorded_at"],
                payload=row["payload"],
            )
        )
        await connection.execute(
            insert(tables.webhook_delivery),
            [
                {
                    "delivery_id": new_id(now, self._random_bytes),
                    "event_id": event_id,
                    "endpoint_id": endpoint_id,
                    "status": "pending",
                    "tries_left": TRIES_MAX,
                    "next_at": now,
                    "recorded_at": now,
                }
                for endpoint_id in row["endpoints"]
            ],
        )

    async def _send(self, due: _Due, now: datetime) -> None:
        body = due.event.body()
        timestamp_s = int(now.timestamp())
        message_id = due.event.message_id
        signature = await self._hsm.sign(SIGNING_KEY, signed_content(message_id, timestamp_s, body))
        sent = await self._sender.send(
            due.url, headers_of(message_id, timestamp_s, signature), body
        )
        async with transaction(self._engine) as (connection, _):
            await self._note(connection, due, sent, now)

    async def _note(
        self, connection: AsyncConnection, due: _Due, sent: Sent, now: datetime
    ) -> None:
        await connection.execute(
            insert(tables.webhook_attempt).values(
                delivery_id=due.delivery_id,
                attempt_no=due.attempt_no,
                begun_at=now,
                outcome=sent.outcome.value,
                status_code=sent.status_code,
            )
        )
        changes: dict[str, object]
        if sent.outcome is Outcome.DELIVERED:
            changes = {"status": "delivered"}
        elif due.tries_left == 0:
            changes = {"status": "failed"}
        else:
            changes = {"next_at": now + wait_after(due.tries_left)}
        delivery = tables.webhook_delivery.c
        await connection.execute(
            update(tables.webhook_delivery)
            .where(delivery.delivery_id == due.delivery_id, delivery.status == "pending")
            .values(**changes)
        )
        if sent.outcome is Outcome.GONE:
            await disable_endpoint(connection, due.endpoint_id, "gone")


def _due_of(row: dict[str, Any]) -> _Due:
    return _Due(
        delivery_id=row["delivery_id"],
        endpoint_id=row["endpoint_id"],
        attempt_no=row["attempts"],
        tries_left=row["tries_left"],
        url=row["url"],
        event=Event(
            event_id=row["event_id"],
            topic=row["topic"],
            merchant_id=row["merchant_id"],
            subject_id=row["subject_id"],
            version=row["version"],
            occurred_at=row["occurred_at"],
            payload=row["payload"],
        ),
    )


_TAKE: Final = text("""
    WITH taken AS (
        DELETE FROM cardcore.outbox WHERE seq IN (
            SELECT seq FROM cardcore.outbox ORDER BY seq LIMIT :limit FOR UPDATE SKIP LOCKED
        ) RETURNING seq, topic, subject_id, recorded_at, payload
    )
    SELECT taken.*, whose.merchant_id, ARRAY(
        SELECT endpoint_id FROM cardcore.webhook_endpoint e
        WHERE e.merchant_id = whose.merchant_id AND e.status = 'active'
          AND e.topics && ARRAY[taken.topic, split_part(taken.topic, '.', 1) || '.*']
        ORDER BY endpoint_id
    ) AS endpoints
    FROM taken LEFT JOIN cardcore.business_order ON business_order.order_id = taken.subject_id
    CROSS JOIN LATERAL (
        -- What is no order's says itself whose it is.
        SELECT coalesce(business_order.merchant_id, taken.payload ->> 'merchant_id') AS merchant_id
    ) AS whose
    ORDER BY seq
""")
# The window spreads the attempts over the endpoints: one that hangs must not fill the round.
_CLAIM: Final = text("""
    UPDATE cardcore.webhook_delivery d
    SET next_at = :lease, attempts = d.attempts + 1, tries_left = d.tries_left - 1
    FROM cardcore.webhook_event v, cardcore.webhook_endpoint e
    WHERE d.delivery_id IN (
        SELECT delivery_id FROM cardcore.webhook_delivery
        WHERE status = 'pending' AND next_at <= :now AND tries_left > 0 AND delivery_id IN (
            SELECT delivery_id FROM (
                SELECT delivery_id, endpoint_id, next_at, row_number() OVER (
                    PARTITION BY endpoint_id ORDER BY next_at, delivery_id
                ) AS place
                FROM cardcore.webhook_delivery
                WHERE status = 'pending' AND next_at <= :now AND tries_left > 0
            ) AS due LEFT JOIN unnest(
                CAST(:busy AS uuid[]), CAST(:busy_with AS bigint[])
            ) AS busy (endpoint_id, under_way) USING (endpoint_id)
            WHERE place + coalesce(under_way, 0) <= :per_endpoint
            ORDER BY place, next_at LIMIT :limit
        ) FOR UPDATE SKIP LOCKED
    ) AND v.event_id = d.event_id AND e.endpoint_id = d.endpoint_id
    RETURNING d.delivery_id, d.endpoint_id, d.attempts, d.tries_left, e.url, v.*
""")
