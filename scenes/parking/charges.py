"""Money for stays and month cards: written down as an intent, carried out by the core, marked.

The scene and the core each have a transaction of their own. So an intent is written first, in the
transaction that decided it; the core is asked under the intent's own number, as often as it takes;
and what the core said is marked last. A crash anywhere in between is finished by ``finish``.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, any_, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore.books import transaction
from cardcore.business.request import Business, OrderRequest, RefundRequest, User
from cardcore.business.views import OrderView
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.errors import (
    CardcoreError,
    CodeRefusedError,
    MerchantBalanceError,
    NotFoundError,
    ServiceUnavailableError,
)
from cardcore.ids import RandomBytes, new_id
from cardcore.ports import Clock
from cardcore.service import CardCore
from scenes.parking.dues_store import StayDue
from scenes.parking.pricing import STAY
from scenes.parking.tables import charge, charge_refund, stay

SCENE: Final = "parking"
CREDIT: Final = "parking_arrears"
# The scene acts for the card centre: a plate is no credential, so no lane may charge by it.
PARKING: Final = Caller(
    client_id="scene:parking",
    merchant_id=None,
    scopes=frozenset(
        scope.value
        for scope in (
            Scope.ORDERS_WRITE,
            Scope.ORDERS_READ,
            Scope.REFUNDS_WRITE,
            Scope.FUNDS_ADMIN,
            Scope.USERS_READ,
            Scope.DISPUTES_WRITE,
        )
    ),
)
LAPSES_AFTER: Final = timedelta(minutes=10)
_c, _r = charge.c, charge_refund.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an intent: an order, or the refusal."""

    order_id: UUID | None = None
    refusal: CardcoreError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """Something to be paid. ``charge_id`` is kept across retries and names the order."""

    charge_id: UUID
    kind: str
    passage_id: UUID | None
    car_park_id: str
    merchant_id: str
    terminal_id: str
    user_id: UUID | None
    amount_fen: int
    details: dict[str, Any]
    occurred_at: datetime


def stay_details(due: StayDue, lane_id: str) -> dict[str, Any]:
    """What the order of a stay carries as evidence; see ``pricing.StayDetails``."""
    view = due.view()
    return {
        "car_park": view.car_park_id,
        "tariff_version": view.tariff_version,
        "stay_id": str(view.stay_id),
        "plate": view.plate_masked,
        "entered_at": None if view.entered_at is None else view.entered_at.isoformat(),
        "left_at": None if view.left_at is None else view.left_at.isoformat(),
        "minutes": view.minutes,
        "fee_fen": view.fee_fen,
        "discount_fen": view.discount_fen,
        "paid_before_fen": view.paid_fen,
        "lane": lane_id,
        "readings": [str(one) for one in due.row.passages],
    }


class Charges:
    """Writes intents and carries them out."""

    def __init__(
        self, core: CardCore, engine: AsyncEngine, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        self._core = core
        self._engine = engine
        self._clock = clock
        self._random_bytes = random_bytes

    def new_id(self) -> UUID:
        """A number for an intent that no request has named."""
        return new_id(self._clock(), self._random_bytes)

    async def intend(self, connection: AsyncConnection, intent: Intent) -> None:
        """Write an intent down; one that was refused before is taken up again."""
        values = {name: getattr(intent, name) for name in Intent.__slots__ if name != "charge_id"}
        values |= {"state": "intended", "refusal": None, "recorded_at": self._clock()}
        await connection.execute(
            upsert(charge)
            .values(charge_id=intent.charge_id, **values)
            .on_conflict_do_update(
                index_elements=["charge_id"], set_=values, where=_c.state == "refused"
            )
        )

    async def intend_refunds(self, connection: AsyncConnection, due: StayDue) -> list[UUID]:
        """Give back what a stay has paid too much, the last payment first."""
        left_fen = -due.due.due_fen
        returned = (
            select(func.coalesce(func.sum(_r.amount_fen), 0))
            .where(_r.charge_id == _c.charge_id, _r.state != "refused")
            .scalar_subquery()
        )
        booked = await connection.execute(
            select(_c.charge_id, (_c.amount_fen - returned).label("kept_fen"))
            .where(_c.passage_id.in_(due.row.passages), _c.state == "booked")
            .order_by(_c.recorded_at.desc(), _c.charge_id.desc())
        )
        made = []
        for row in booked.all():
            amount_fen = min(left_fen, int(row.kept_fen))
            if amount_fen > 0:
                refund_id = self.new_id()
                await connection.execute(
                    insert(charge_refund).values(
                        refund_id=refund_id,
                        charge_id=row.charge_id,
                        amount_fen=amount_fen,
                        state="intended",
                        recorded_at=self._clock(),
                    )
                )
                made.append(refund_id)
                left_fen -= amount_fen
        return made

    async def carry_out(self, charge_id: UUID, credential: str | None = None) -> Outcome:
        """Ask the core for an intent's order, and mark what it said.

        Raises:
            ServiceUnavailableError: the core cannot say now; the intent stands.
        """
        row = await self._read(charge_id)
        if row.state == "booked":
            return Outcome(order_id=row.order_id)
        user = User(credential=credential) if credential else User(user_id=row.user_id)
        request = OrderRequest(
            user=user,
            business=Business(
                scene=SCENE,
                type=STAY if row.kind != "month_card" else row.kind,
                merchant_id=row.merchant_id,
                terminal_id=row.terminal_id,
                out_trade_no=_out_trade_no(charge_id),
                amount_fen=row.amount_fen,
                currency="CNY",
                occurred_at=row.occurred_at,
                details=row.details,
            ),
        )
        try:
            order, _ = await self._core.order(PARKING, request, f"charge-{charge_id}")
        except ServiceUnavailableError:
            raise
        except CardcoreError as refusal:
            await self._refuse(charge_id, refusal)
            return Outcome(refusal=refusal)
        await self._mark_booked(charge_id, order)
        return Outcome(order_id=order.order_id)

    async def carry_out_refund(self, refund_id: UUID) -> bool:
        """Ask the core for a refund, and mark what it said; tells whether it is decided.

        A merchant whose payable holds too little is asked again later.

        Raises:
            ServiceUnavailableError: the core cannot say now; the intent stands.
        """
        async with transaction(self._engine) as (connection, _):
            row = (
                await connection.execute(
                    select(charge_refund, _c.order_id)
                    .join(charge, _c.charge_id == _r.charge_id)
                    .where(_r.refund_id == refund_id)
                )
            ).one()
        if row.state != "intended":
            return True
        request = RefundRequest(
            out_refund_no=f"PR{refund_id.hex}",
            amount_fen=row.amount_fen,
            reason="stay priced again",
        )
        values: dict[str, Any]
        try:
            view, _ = await self._core.refund(PARKING, row.order_id, request, f"refund-{refund_id}")
        except (ServiceUnavailableError, MerchantBalanceError):
            return False
        except CardcoreError as refusal:
            values = {"state": "refused", "refusal": refusal.code}
        else:
            values = {"state": "booked", "business_on": business_date(view.recorded_at)}
        async with transaction(self._engine) as (connection, _):
            await connection.execute(
                update(charge_refund)
                .where(_r.refund_id == refund_id, _r.state == "intended")
                .values(**values)
            )
        return True

    async def finish(self, now: datetime, *, limit: int = 100) -> int:
        """Finish what a crash left between two transactions; returns how much was decided."""
        done = 0
        async with transaction(self._engine) as (connection, _):
            left = await connection.execute(
                select(_c.charge_id, _c.user_id, _c.recorded_at)
                .where(_c.state == "intended", _c.recorded_at < now - timedelta(seconds=30))
                .order_by(_c.recorded_at)
                .limit(limit)
            )
            charges = left.all()
            refunds = (
                await connection.scalars(
                    select(_r.refund_id)
                    .where(_r.state == "intended")
                    .order_by(_r.recorded_at)
                    .limit(limit)
                )
            ).all()
        for row in charges:
            if row.user_id is not None:
                await self.carry_out(row.charge_id)
                done += 1
            else:
                done += await self._look_up(
                    row.charge_id, lapsed=now - row.recorded_at > LAPSES_AFTER
                )
        for refund_id in refunds:
            done += await self.carry_out_refund(refund_id)
        return done

    async def known(self, connection: AsyncConnection, charge_id: UUID) -> Row[Any] | None:
        """An intent that was written down before."""
        found = await connection.execute(select(charge).where(_c.charge_id == charge_id))
        return found.one_or_none()

    async def order_of_stay(self, connection: AsyncConnection, stay_id: UUID) -> UUID | None:
        """The last order that charged a stay on account."""
        found = await connection.execute(
            select(_c.order_id)
            .join(stay, _c.passage_id == any_(stay.c.passages))
            .where(stay.c.stay_id == stay_id, _c.state == "booked", _c.kind == "on_account")
            .order_by(_c.recorded_at.desc())
            .limit(1)
        )
        return found.scalar_one_or_none()

    async def _look_up(self, charge_id: UUID, *, lapsed: bool) -> bool:
        """A code that was shown is not kept: the core knows whether it was booked."""
        row = await self._read(charge_id)
        try:
            order = await self._core.find_order(PARKING, row.merchant_id, _out_trade_no(charge_id))
        except NotFoundError as unknown:
            if lapsed:
                await self._refuse(charge_id, unknown)
            return lapsed
        await self._mark_booked(charge_id, order)
        return True

    async def _read(self, charge_id: UUID) -> Row[Any]:
        async with transaction(self._engine) as (connection, _):
            found = await connection.execute(select(charge).where(_c.charge_id == charge_id))
            return found.one()

    async def _mark_booked(self, charge_id: UUID, order: OrderView) -> None:
        async with transaction(self._engine) as (connection, _):
            await connection.execute(
                update(charge)
                .where(_c.charge_id == charge_id, _c.state != "booked")
                .values(
                    state="booked",
                    order_id=order.order_id,
                    business_on=order.business_on,
                    refusal=None,
                )
            )

    async def _refuse(self, charge_id: UUID, refusal: CardcoreError) -> None:
        code = refusal.reason if isinstance(refusal, CodeRefusedError) else refusal.code
        async with transaction(self._engine) as (connection, _):
            await connection.execute(
                update(charge)
                .where(_c.charge_id == charge_id, _c.state == "intended")
                .values(state="refused", refusal=code)
            )


def _out_trade_no(charge_id: UUID) -> str:
    return f"P{charge_id.hex}"
