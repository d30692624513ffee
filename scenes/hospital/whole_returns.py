"""Everything goes back and the rest is billed anew: how a return ends that cannot end otherwise.

After a partial return the insurer may let a payer pay more for the rest than for all of it before:
another visit has used the deductible or refilled the insurance account meanwhile. Nobody agreed to
pay that. So all of the payment goes back to where it came from, and what was not given back lies on
new bills of the same visit, whose split the citizen is shown before they pay (全退重收).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.ids import RandomBytes, new_id
from scenes.hospital import settlements
from scenes.hospital.payment_store import Payment, bill_lines
from scenes.hospital.tables import bill, bill_line, registration


async def all_that_stands(connection: AsyncConnection, paid: Payment) -> dict[str, Any]:
    """Columns of a refund that gives back whatever of a payment stands."""
    left = await settlements.standing_split(connection, paid)
    return {
        "whole": True,
        "amount_fen": left.total_fen,
        "fund_fen": left.fund_fen,
        "account_fen": left.account_fen,
        "cash_fen": left.cash_fen,
    }


async def bill_rest_anew(
    connection: AsyncConnection, paid: Payment, now: datetime, random_bytes: RandomBytes
) -> list[UUID]:
    """Bills over what of a payment's bills was not given back, which is given back with this.

    A place that was kept by one of the old bills is kept by the new one.
    """
    rest: dict[UUID, list[Any]] = {}
    for row in await bill_lines(connection, paid.payment_id):
        if row.amount_fen > row.returned_fen:
            rest.setdefault(row.bill_id, []).append(row)
    made = []
    for old_id, lines in rest.items():
        bill_id = new_id(now, random_bytes)
        made.append(bill_id)
        await connection.execute(
            insert(bill).values(
                bill_id=bill_id,
                merchant_id=paid.merchant_id,
                visit_id=paid.visit_id,
                out_bill_no=f"RB{old_id.hex}",
                total_fen=sum(row.amount_fen - row.returned_fen for row in lines),
                state="open",
                follows_bill_id=old_id,
                recorded_at=now,
            )
        )
        await connection.execute(
            insert(bill_line),
            [
                {
                    "bill_id": bill_id,
                    "line_no": row.line_no,
                    "item_code": row.item_code,
                    "name": row.name,
                    "quantity": row.quantity,
                    "price_fen": row.price_fen,
                    "amount_fen": row.amount_fen - row.returned_fen,
                }
                for row in lines
            ],
        )
        await connection.execute(
            update(registration).where(registration.c.bill_id == old_id).values(bill_id=bill_id)
        )
    await connection.execute(
        update(bill_line)
        .where(bill_line.c.bill_id.in_(rest))
        .values(returned_fen=bill_line.c.amount_fen)
    )
    return made
