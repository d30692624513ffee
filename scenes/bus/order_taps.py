"""Orders of the uniform API read as taps, so that what was paid at once joins the day's pricing.

A ``fare`` that was paid is a ride one tap tells of; what was paid for it is booked already. A
``tap_on`` opens a journey, a ``tap_off`` closes it; a ``boarding`` opens one and holds the maximum
fare, which is released when the journey is charged.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.books import transaction
from cardcore.business.quote import Payer
from cardcore.charges.order_feed import FedOrder, read_orders_since
from scenes.bus import journey_store
from scenes.bus.pricing import BOARDING, FARE, TAP_OFF, TAP_ON
from scenes.bus.stored_weeks import Entry
from scenes.bus.tap_intake import Taken, TapIntake, TapReport
from scenes.bus.taps import Tap, TapKind
from scenes.bus.week_pricing import week_of

SCENE: Final = "bus"
KINDS: Final = ((FARE, "pay"), (TAP_ON, "record"), (TAP_OFF, "record"), (BOARDING, "hold"))
_KIND_OF: Final = {
    FARE: TapKind.SINGLE,
    TAP_ON: TapKind.ON,
    BOARDING: TapKind.ON,
    TAP_OFF: TapKind.OFF,
}


class OrderTaps:
    """Reads what is new among the orders of the scene."""

    def __init__(self, engine: AsyncEngine, intake: TapIntake) -> None:
        self._engine = engine
        self._intake = intake

    async def collect(self, now: datetime) -> int:
        """Take in the taps of orders that came since the last time; one collector at a time.

        Returns:
            How many taps were new.
        """
        async with transaction(self._engine) as (_, raw):
            found = await raw.execute("SELECT order_id FROM scene_bus.order_mark FOR UPDATE")
            row = await found.fetchone()
            assert row is not None
            orders = await read_orders_since(raw, SCENE, KINDS, row[0])
            if not orders:
                return 0
            reports = [tap_of(order) for order in orders]
            results = await self._intake.take(
                raw,
                reports,
                now,
                merchants={order.terminal_id: order.merchant_id for order in orders},
            )
            new = [
                order
                for order, taken in zip(orders, results, strict=True)
                if taken is not Taken.DUPLICATE
            ]
            await journey_store.write_entries(raw, _entries(new))
            await raw.execute(
                "UPDATE scene_bus.order_mark SET order_id = greatest(order_id, %s)",
                (orders[-1].order_id,),
            )
            return len(new)


def tap_of(order: FedOrder) -> TapReport:
    """An order as a tap. Its id is the order's: the tap is known by it wherever it shows."""
    details = order.details
    closing = order.type == TAP_OFF
    tap = Tap(
        tap_id=str(order.order_id),
        kind=_KIND_OF[order.type],
        terminal_id=order.terminal_id,
        terminal_counter=None,
        line_id=details["line"],
        vehicle_id=details.get("vehicle") or order.terminal_id,
        stop=details["off_stop"] if closing else details["on_stop"],
        tapped_at=order.occurred_at,
        received_at=order.recorded_at,
        trip_id=details.get("trip") or "",
        sequence=details.get("off_sequence" if closing else "on_sequence"),
        off_stop=None if closing else details.get("off_stop"),
        off_sequence=None if closing else details.get("off_sequence"),
    )
    return TapReport(
        tap=tap,
        user_id=order.user_id,
        medium="card" if order.by_card else "code",
        order_id=order.order_id,
    )


def _entries(orders: Iterable[FedOrder]) -> list[Entry]:
    """What an order paid is booked for its journey, whose id is the order's too."""
    return [_entry(order, payer, fen) for order in orders for payer, fen in order.amounts.items()]


def _entry(order: FedOrder, payer: Payer, fen: int) -> Entry:
    journey_id: UUID = order.order_id
    return Entry(
        journey_id=str(journey_id),
        user_id=order.user_id,
        week_on=week_of(order.occurred_at),
        business_on=order.business_on,
        merchant_id=order.merchant_id,
        payer=payer,
        amount_fen=fen,
        order_id=order.order_id,
        refund_id=None,
        recorded_at=order.recorded_at,
    )
