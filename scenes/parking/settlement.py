"""What a car-park owner gets for a business date: the scene's side of the settlement.

The money itself is the owner's payable in the core's ledger, and is paid out with that of every
other merchant; these figures are what it must agree with, charge by charge.
"""

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.calendar import business_date
from scenes.parking.dues_store import due_of_stay
from scenes.parking.tables import charge, charge_refund, stay
from scenes.parking.views import CarParkView, DayView


async def read_day(
    connection: AsyncConnection, park: CarParkView, on: date, now: datetime
) -> DayView:
    """A car park's business date as it stands now; ``unpaid`` are stays that ended on it."""
    kinds = (
        await connection.execute(
            select(charge.c.kind, func.count(), func.sum(charge.c.amount_fen))
            .where(
                charge.c.car_park_id == park.car_park_id,
                charge.c.business_on == on,
                charge.c.state == "booked",
            )
            .group_by(charge.c.kind)
            .order_by(charge.c.kind)
        )
    ).all()
    returned = (
        await connection.execute(
            select(
                func.count().label("count"),
                func.coalesce(func.sum(charge_refund.c.amount_fen), 0).label("amount_fen"),
            )
            .join(charge, charge.c.charge_id == charge_refund.c.charge_id)
            .where(
                charge.c.car_park_id == park.car_park_id,
                charge_refund.c.business_on == on,
                charge_refund.c.state == "booked",
            )
        )
    ).one()
    ended = await connection.execute(
        select(stay).where(stay.c.car_park_id == park.car_park_id, stay.c.left_at.is_not(None))
    )
    dues = [
        await due_of_stay(connection, row, now)
        for row in ended.all()
        if business_date(row.left_at) == on
    ]
    unpaid = [one.due.due_fen for one in dues if one.due.due_fen > 0]
    charges_fen = {kind: int(amount) for kind, _, amount in kinds}
    return DayView(
        car_park_id=park.car_park_id,
        merchant_id=park.merchant_id,
        business_on=on,
        charges={kind: count for kind, count, _ in kinds},
        charges_fen=charges_fen,
        refunds_count=returned.count,
        refunds_fen=int(returned.amount_fen),
        net_fen=sum(charges_fen.values()) - int(returned.amount_fen),
        unpaid_count=len(unpaid),
        unpaid_fen=sum(unpaid),
    )
