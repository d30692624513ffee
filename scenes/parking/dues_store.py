"""What stays cost and what was paid for them, read from the database.

Every call runs on a SQLAlchemy connection it is given, inside the caller's transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from scenes.parking.dues import Due, Paid, due_of, missed_entry_due
from scenes.parking.projection import recent_stays
from scenes.parking.register import covered_by_cards, tariff_at
from scenes.parking.tables import charge, charge_refund
from scenes.parking.tariffs import MINUTE, Parked
from scenes.parking.views import StayView


@dataclass(frozen=True, slots=True, kw_only=True)
class StayDue:
    """A stay as its row stands, what is due of it, and by which version of the tariff."""

    row: Row[Any]
    due: Due
    tariff_version: int

    @property
    def ended(self) -> bool:
        """Has the car been seen to leave?"""
        return self.row.left_at is not None

    def view(self) -> StayView:
        """As it is told."""
        row, due = self.row, self.due
        return StayView(
            stay_id=row.stay_id,
            car_park_id=row.car_park_id,
            plate_masked=row.plate_masked,
            state=row.state,
            entered_at=row.entered_at,
            left_at=row.left_at,
            minutes=due.fee.minutes,
            fee_fen=due.fee.amount_fen,
            discount_fen=due.fee.discount_fen,
            paid_fen=due.paid_fen,
            due_fen=due.due_fen,
            tariff_version=self.tariff_version,
        )


async def due_of_stay(connection: AsyncConnection, row: Row[Any], now: datetime) -> StayDue:
    """What is due of a stay; of an open one, as if it ended now. Without an exit, nothing is."""
    version, tariff = await tariff_at(connection, row.car_park_id, row.started_at)
    paid = await paid_for(connection, row)
    if row.state == "entry_missed":
        return StayDue(row=row, due=missed_entry_due(tariff, paid), tariff_version=version)
    # A stay whose exit was missed is not priced: nobody knows how long it was.
    left_at = row.entered_at if row.state == "exit_missed" else row.left_at or now
    parked = Parked(
        entered_at=row.entered_at,
        left_at=left_at,
        new_energy=row.new_energy,
        covered=await covered_by_cards(connection, row.car_park_id, row.plate_index),
    )
    return StayDue(row=row, due=due_of(tariff, parked, paid), tariff_version=version)


async def paid_for(connection: AsyncConnection, row: Row[Any]) -> list[Paid]:
    """What was paid, or is being paid, for a stay's readings and not given back."""
    returned = (
        select(func.coalesce(func.sum(charge_refund.c.amount_fen), 0))
        .where(charge_refund.c.charge_id == charge.c.charge_id, charge_refund.c.state != "refused")
        .scalar_subquery()
    )
    found = await connection.execute(
        select(charge.c.occurred_at, (charge.c.amount_fen - returned).label("amount_fen")).where(
            charge.c.passage_id.in_(row.passages), charge.c.state != "refused"
        )
    )
    return [Paid(at=one.occurred_at, amount_fen=int(one.amount_fen)) for one in found]


async def unpaid_stays(
    connection: AsyncConnection, plate_index: bytes, now: datetime, *, but: UUID | None = None
) -> list[StayDue]:
    """Stays of a plate, at any car park, that have ended and are not paid; newest first."""
    dues = [
        await due_of_stay(connection, row, now)
        for row in await recent_stays(connection, plate_index)
        if row.left_at is not None and row.stay_id != but
    ]
    return [one for one in dues if one.due.due_fen > 0]


def minutes_of(row: Row[Any]) -> int:
    """Whole minutes between entry and exit, as far as both were seen."""
    if row.entered_at is None or row.left_at is None:
        return 0
    return int((row.left_at - row.entered_at) // MINUTE)
