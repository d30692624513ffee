"""What disputes lay claim to, and the ids of the transfers that settle them.

Asked by refunds, by whoever closes an account, and by whoever explains an order.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.business.dispute_states import CLAIMING, UNDECIDED
from cardcore.business.dispute_tables import dispute, dispute_line
from cardcore.ids import part_id

_d, _l = dispute.c, dispute_line.c
_CREDITS: Final = 1  # part numbers of an event: credits from here, recoveries from there
_RECOVERIES: Final = 1_000


def credit_id(event_id: UUID, position: int) -> UUID:
    """Id of the transfer that credits one line in a step of a dispute; positions from 0."""
    return part_id(event_id, _CREDITS + position)


def recovery_id(event_id: UUID, position: int) -> UUID:
    """Id of the transfer that takes from one debtor in a step of a dispute; positions from 0."""
    return part_id(event_id, _RECOVERIES + position)


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
