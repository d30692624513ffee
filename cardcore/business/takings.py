"""What a merchant has taken on one business date, laid out for a comparison of books.

A scene that compares its own rows with the city's needs thousands of orders at once: they are laid
into a temporary table of the caller's transaction, to be joined and not fetched.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from cardcore.connections import RawConnection

TAKING: Final = "pg_temp.taking"
_MAKE: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS taking (
    order_id uuid PRIMARY KEY, status text NOT NULL,
    captured_fen bigint NOT NULL, refunded_fen bigint NOT NULL
) ON COMMIT DELETE ROWS
"""
_FILL: Final = """
INSERT INTO pg_temp.taking (order_id, status, captured_fen, refunded_fen)
SELECT order_id, status, captured_fen, refunded_fen
  FROM cardcore.business_order WHERE order_id = ANY(%s) AND merchant_id = %s
ON CONFLICT DO NOTHING
"""


async def lay_out_takings(
    connection: RawConnection, merchant_id: str, order_ids: Sequence[UUID]
) -> None:
    """Fill ``pg_temp.taking`` with these orders of a merchant: status, captured, refunded in fen.

    It lives until the caller's transaction ends. Orders of other merchants are left out.
    """
    await connection.execute(_MAKE)
    await connection.execute(_FILL, (list(order_ids), merchant_id))
    await connection.execute("ANALYZE pg_temp.taking")
