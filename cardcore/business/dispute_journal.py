"""How a dispute stands after each of its steps: written once, read as often as asked for."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.business.dispute_states import (
    Bearer,
    DisputeMoney,
    DisputeStatus,
)
from cardcore.business.dispute_tables import dispute, dispute_event
from cardcore.business.dispute_views import DisputeEventView, DisputeView

BY_ITSELF: Final = "worker"
_d, _e = dispute.c, dispute_event.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """Who takes a step, when, and on what grounds."""

    client_id: str
    now: datetime
    grounds: str | None = None
    reference: str | None = None


def money_of(row: Row[Any]) -> DisputeMoney:
    """The money of a dispute as its row says."""
    return DisputeMoney(
        amount_fen=row.amount_fen,
        credited_fen=row.credited_fen,
        recovered_fen=row.recovered_fen,
        bearer=None if row.borne_by is None else Bearer(row.borne_by),
    )


async def dispute_view(connection: AsyncConnection, event_id: UUID) -> DisputeView:
    """The dispute as it stood after one of its events."""
    event = (await connection.execute(select(dispute_event).where(_e.event_id == event_id))).one()
    row = (await connection.execute(select(dispute).where(_d.dispute_id == event.dispute_id))).one()
    events = await connection.execute(
        select(dispute_event)
        .where(_e.dispute_id == event.dispute_id, _e.seq <= event.seq)
        .order_by(_e.seq)
    )
    return DisputeView(
        dispute_id=row.dispute_id,
        order_id=row.order_id,
        merchant_id=row.merchant_id,
        reason=row.reason,
        amount_fen=row.amount_fen,
        currency="CNY",
        status=event.status_after,
        credited_fen=event.credited_after_fen,
        recovered_fen=event.recovered_after_fen,
        borne_by=event.borne_by_after,
        opened_at=row.opened_at,
        respond_by=row.respond_by,
        credit_by=row.credit_by,
        decide_by=row.decide_by,
        evidence_sha256=row.evidence_digest.hex(),
        events=[
            DisputeEventView(
                step=one.step,
                by=one.client_id,
                grounds=one.grounds,
                reference=one.reference,
                recorded_at=one.recorded_at,
            )
            for one in events
        ],
    )


def digest_of(pack: dict[str, Any]) -> bytes:
    """SHA-256 of the pack as JSON with sorted keys and no spaces, in UTF-8."""
    text = json.dumps(pack, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


async def write_event(
    connection: AsyncConnection,
    dispute_id: UUID,
    event_id: UUID,
    name: str,
    status: DisputeStatus,
    money: DisputeMoney,
    saying: Saying,
) -> None:
    """Write down how the dispute stands after a step, in its row, its journal and the outbox."""
    bearer = None if money.bearer is None else money.bearer.value
    await connection.execute(
        update(dispute)
        .where(_d.dispute_id == dispute_id)
        .values(
            status=status.value,
            credited_fen=money.credited_fen,
            recovered_fen=money.recovered_fen,
            borne_by=bearer,
        )
    )
    await connection.execute(
        insert(dispute_event).values(
            event_id=event_id,
            dispute_id=dispute_id,
            step=name,
            client_id=saying.client_id,
            grounds=saying.grounds,
            reference=saying.reference,
            status_after=status.value,
            credited_after_fen=money.credited_fen,
            recovered_after_fen=money.recovered_fen,
            borne_by_after=bearer,
            recorded_at=saying.now,
        )
    )
    # Named by the order, so that it goes where the order's own events go.
    order_id = await connection.scalar(select(_d.order_id).where(_d.dispute_id == dispute_id))
    await connection.execute(
        insert(tables.outbox).values(
            topic=f"dispute.{status.value}",
            subject_id=order_id,
            recorded_at=saying.now,
            payload={
                "order_id": str(order_id),
                "dispute_id": str(dispute_id),
                "status": status.value,
            },
        )
    )
