"""The orders of a scene in the order of their ids, for a scene that makes more of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from cardcore.business.quote import Payer
from cardcore.connections import RawConnection

# Ids rise with the instant an order came; one that came earlier may be committed this much later.
OVERLAP: Final = timedelta(seconds=5)
ORDERS_PER_READ_MAX: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FedOrder:
    """An order as its scene sees it; ``amounts`` by payer are what was booked with it at once."""

    order_id: UUID
    user_id: UUID
    merchant_id: str
    terminal_id: str
    type: str
    business_on: date
    occurred_at: datetime
    recorded_at: datetime
    by_card: bool
    details: dict[str, Any]
    amounts: dict[Payer, int]


_ORDERS: Final = """
SELECT o.order_id, o.user_id, o.merchant_id, o.terminal_id, o.type, o.business_on, o.occurred_at,
       o.recorded_at, o.code_digest IS NULL, o.details,
       CASE WHEN o.mode = 'pay' THEN
           (SELECT json_object_agg(payer, fen) FROM (
               SELECT l.payer, sum(l.amount_fen) AS fen FROM cardcore.order_line l
                WHERE l.order_id = o.order_id AND l.amount_fen > 0 GROUP BY l.payer) AS sums)
       END
  FROM cardcore.business_order o
 WHERE o.order_id > %s AND o.scene = %s AND (o.type, o.mode) IN (
       SELECT * FROM unnest(%s::text[], %s::text[]))
 ORDER BY o.order_id LIMIT %s
"""


async def read_orders_since(
    raw: RawConnection, scene: str, kinds: Sequence[tuple[str, str]], mark: UUID
) -> list[FedOrder]:
    """Orders after a mark, and those of the seconds before it again: some come late.

    Args:
        raw: an open connection.
        scene: whose orders.
        kinds: type and mode of the orders wanted.
        mark: the last order seen.

    Returns:
        In order of their ids, at most ``ORDERS_PER_READ_MAX``; those seen before among them.
    """
    back = int(OVERLAP.total_seconds() * 1000) << 80
    since = UUID(int=max(mark.int - back, 0))
    found = await raw.execute(
        _ORDERS,
        (
            since,
            scene,
            [type_ for type_, _ in kinds],
            [mode for _, mode in kinds],
            ORDERS_PER_READ_MAX,
        ),
    )
    return [
        FedOrder(
            order_id=row[0],
            user_id=row[1],
            merchant_id=row[2],
            terminal_id=row[3],
            type=row[4],
            business_on=row[5],
            occurred_at=row[6],
            recorded_at=row[7],
            by_card=row[8],
            details=row[9],
            amounts={Payer(payer): int(fen) for payer, fen in (row[10] or {}).items()},
        )
        for row in await found.fetchall()
    ]
