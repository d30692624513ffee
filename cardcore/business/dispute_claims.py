"""What disputes lay claim to: asked by refunds, and by whoever closes an account."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.business.dispute_states import CLAIMING, UNDECIDED
from cardcore.business.dispute_tables import dispute, dispute_line

_d, _l = dispute.c, dispute_line.c


async def disputed_by_line(connection: AsyncConnection, order_id: UUID) -> dict[int, int]:
    """By line number, what of an order is disputed or was given back by a dispute."""
    rows = await connection.execute(
        select(_l.line_no, func.sum(_l.amount_fen))
        .join(dispute, _d.dispute_id == _l.dispute_id)
        .where(_d.order_id == order_id, _d.status.in_([one.value for one in CLAIMING]))
        .group_by(_l.line_no)
    )
    return {line_no: int(fen) for line_no, fen in rows}


async def open_disputes(connection: AsyncConnection, user_ids: Sequence[UUID]) -> list[UUID]:
    """Disputes of these people that are not decided yet."""
    found = await connection.execute(
        select(_d.dispute_id)
        .where(_d.user_id.in_(user_ids), _d.status.in_([one.value for one in UNDECIDED]))
        .order_by(_d.dispute_id)
    )
    return list(found.scalars())
