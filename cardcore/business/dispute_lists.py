"""Disputes in the order in which they must be decided: the queue of merchants and the centre."""

from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.business.dispute_states import UNDECIDED, DisputeStatus
from cardcore.business.dispute_tables import dispute
from cardcore.model import Model, PrintedNumber

LISTED_MAX: Final = 200
_d = dispute.c


class DisputesPage(Model):
    """A page of disputes; without ``status`` those that are not decided yet."""

    status: DisputeStatus | None = None
    merchant_id: PrintedNumber | None = None
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=LISTED_MAX)] = 50


class DisputeRow(Model):
    """A dispute without its journal; money as ``DisputeView`` has it."""

    dispute_id: UUID
    order_id: UUID
    merchant_id: str
    reason: str
    status: str
    amount_fen: int
    credited_fen: int
    recovered_fen: int
    borne_by: str | None
    opened_at: datetime
    respond_by: datetime
    credit_by: datetime
    decide_by: datetime


class DisputeRowsView(Model):
    """Disputes, those that must be decided first in front. ``next_cursor`` leads on."""

    disputes: list[DisputeRow]
    next_cursor: str | None


async def list_disputes(
    connection: AsyncConnection,
    page: DisputesPage,
    *,
    merchant_id: str | None,
    since: tuple[datetime, UUID],
) -> list[DisputeRow]:
    """Disputes after ``since`` (``decide_by`` and id), one more than asked."""
    statuses = UNDECIDED if page.status is None else (page.status,)
    asked = select(dispute).where(
        _d.status.in_([one.value for one in statuses]),
        (_d.decide_by > since[0]) | ((_d.decide_by == since[0]) & (_d.dispute_id > since[1])),
    )
    if merchant_id is not None:
        asked = asked.where(_d.merchant_id == merchant_id)
    found = await connection.execute(
        asked.order_by(_d.decide_by, _d.dispute_id).limit(page.limit + 1)
    )
    return [
        DisputeRow.model_validate({name: row[name] for name in DisputeRow.model_fields})
        for row in found.mappings()
    ]
