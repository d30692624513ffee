"""Deposits (预交金): put down for a stay, charged day by day, used to pay, the rest given back.

Money that is put down is an order of the core, paid to the hospital; here stands whose stay it is
for and what of it is left. What is given back is a refund of those orders, the last one first: the
way it came. Nothing given back can exceed what was put down: the table's own check refuses.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_leave
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.business.request import OrderRequest, RefundRequest
from cardcore.calendar import business_date
from cardcore.errors import (
    CardcoreError,
    NotFoundError,
    OrderExistsError,
    ServiceUnavailableError,
)
from cardcore.ids import new_id
from scenes.hospital.errors import BillConflictError, DepositStateError
from scenes.hospital.payments import Surroundings
from scenes.hospital.tables import deposit_account, deposit_entry, deposit_top_up
from scenes.hospital.uniform_api import SCENE
from scenes.hospital.views import DepositView

PER_ROUND_MAX: Final = 200


class Deposits:
    """Brings top-ups and returns to their end."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def advance_top_up(self, merchant_id: str, out_trade_no: str) -> None:
        """Ask the core for the order of a top-up, once more or for the first time, and enter it.

        Raises:
            CardcoreError: as the order is refused; the top-up is refused with it.
        """
        t = deposit_top_up.c
        async with transaction(self._around.engine) as (connection, _):
            row = (
                await connection.execute(
                    select(deposit_top_up).where(
                        t.merchant_id == merchant_id, t.out_trade_no == out_trade_no
                    )
                )
            ).one()
        if row.state != "asked":
            return
        request = OrderRequest.model_validate(row.order_request)
        try:
            order, _ = await self._around.api.order(SCENE, request, f"{row.top_up_id}:deposit")
        except ServiceUnavailableError:
            return
        except CardcoreError as refusal:
            async with transaction(self._around.engine) as (connection, _):
                await connection.execute(
                    update(deposit_top_up)
                    .where(t.top_up_id == row.top_up_id, t.state == "asked")
                    .values(state="refused", reason=refusal.code, order_request=None)
                )
            raise
        now = self._around.clock()
        async with transaction(self._around.engine) as (connection, _):
            entered = await connection.execute(
                update(deposit_top_up)
                .where(t.top_up_id == row.top_up_id, t.state == "asked")
                .values(state="entered", order_id=order.order_id, order_request=None)
            )
            if entered.rowcount == 1:
                await self._enter(
                    connection, row.visit_id, "top_up", row.amount_fen, order.order_id, now
                )

    async def advance_due(self, now: datetime) -> int:
        """Top-ups that nobody attends to, rests that were not given back: a duty of the worker."""
        t, a = deposit_top_up.c, deposit_account.c
        async with transaction(self._around.engine) as (connection, _):
            asked = (
                await connection.execute(
                    select(t.merchant_id, t.out_trade_no)
                    .where(t.state == "asked", t.recorded_at <= now)
                    .order_by(t.recorded_at)
                    .limit(PER_ROUND_MAX)
                )
            ).all()
            left = (
                await connection.execute(
                    select(a.visit_id)
                    .where(a.state == "closed", a.paid_fen > a.used_fen + a.returned_fen)
                    .limit(PER_ROUND_MAX)
                )
            ).all()
        for row in asked:
            try:
                await self.advance_top_up(row.merchant_id, row.out_trade_no)
            except CardcoreError:
                continue  # refused, and written down as such
        for row in left:
            await self.return_rest(row.visit_id)
        return len(asked) + len(left)

    async def return_rest(self, visit_id: UUID) -> None:
        """Give back what a closed deposit still has, order by order, the last one first.

        What the hospital's takings do not cover now waits for the worker's next round.
        """
        for row in await self._returnable(visit_id):
            async with transaction(self._around.engine) as (connection, _):
                account = await read_account(connection, visit_id)
            assert account is not None
            rest_fen = account.paid_fen - account.used_fen - account.returned_fen
            if account.state != "closed" or rest_fen == 0:
                return
            amount_fen = min(rest_fen, row.amount_fen)
            request = RefundRequest(
                out_refund_no=f"HDR{row.top_up_id.hex}", amount_fen=amount_fen, reason="discharge"
            )
            try:
                await self._around.api.refund(
                    SCENE, row.order_id, request, f"{row.top_up_id}:return"
                )
            except CardcoreError:
                return
            now = self._around.clock()
            try:
                async with transaction(self._around.engine) as (connection, _):
                    await self._enter(
                        connection, visit_id, "returned", amount_fen, row.order_id, now
                    )
            except IntegrityError as broken:
                if not isinstance(broken.orig, pg_errors.UniqueViolation):
                    raise
                # Somebody else was giving it back too: one refund, and they have entered it.

    async def _returnable(self, visit_id: UUID) -> Sequence[Row[Any, Any, Any]]:
        t, e = deposit_top_up.c, deposit_entry.c
        returned = select(e.order_id).where(e.visit_id == visit_id, e.kind == "returned")
        async with transaction(self._around.engine) as (connection, _):
            rows = await connection.execute(
                select(t.top_up_id, t.order_id, t.amount_fen)
                .where(t.visit_id == visit_id, t.state == "entered", t.order_id.not_in(returned))
                .order_by(t.top_up_id.desc())
            )
            return rows.all()

    async def _enter(
        self,
        connection: AsyncConnection,
        visit_id: UUID,
        kind: str,
        amount_fen: int,
        order_id: UUID,
        now: datetime,
    ) -> None:
        await connection.execute(
            insert(deposit_entry).values(
                entry_id=new_id(now, self._around.random_bytes),
                visit_id=visit_id,
                kind=kind,
                amount_fen=amount_fen,
                order_id=order_id,
                business_on=business_date(now, self._around.cut_off),
                recorded_at=now,
            )
        )
        column = deposit_account.c.paid_fen if kind == "top_up" else deposit_account.c.returned_fen
        await connection.execute(
            update(deposit_account)
            .where(deposit_account.c.visit_id == visit_id)
            .values({column.name: column + amount_fen})
        )


async def open_account(
    connection: AsyncConnection, visit_id: UUID, merchant_id: str, user_id: UUID, now: datetime
) -> None:
    """A deposit for a visit; one that is there stays as it is."""
    await connection.execute(
        insert_or_leave(deposit_account)
        .values(
            visit_id=visit_id,
            merchant_id=merchant_id,
            user_id=user_id,
            state="open",
            opened_at=now,
        )
        .on_conflict_do_nothing()
    )


async def ask_top_up(
    connection: AsyncConnection,
    top_up_id: UUID,
    found: Row[Any],
    order: OrderRequest,
    now: datetime,
) -> None:
    """Write down what will be asked of the core.

    Raises:
        DepositStateError: no open deposit.
        OrderExistsError: the number names this very top-up, which is under another key.
        BillConflictError: the number names another top-up.
    """
    account = await read_account(connection, found.visit_id, lock=True)
    if account is None or account.state != "open":
        raise DepositStateError(field="visit_id")
    try:
        async with connection.begin_nested():
            await connection.execute(
                insert(deposit_top_up).values(
                    top_up_id=top_up_id,
                    visit_id=found.visit_id,
                    merchant_id=found.merchant_id,
                    out_trade_no=order.business.out_trade_no,
                    amount_fen=order.business.amount_fen,
                    state="asked",
                    order_request=order.model_dump(mode="json"),
                    recorded_at=now,
                )
            )
    except IntegrityError as broken:
        if isinstance(broken.orig, pg_errors.UniqueViolation):
            raise await _taken_number(connection, found, order) from broken
        raise


async def _taken_number(
    connection: AsyncConnection, found: Row[Any], order: OrderRequest
) -> CardcoreError:
    """Why a number is not free: it names the same money for the same stay, or something else."""
    t = deposit_top_up.c
    taken = (
        await connection.execute(
            select(deposit_top_up).where(
                t.merchant_id == found.merchant_id, t.out_trade_no == order.business.out_trade_no
            )
        )
    ).one()
    same = (taken.visit_id, taken.amount_fen) == (found.visit_id, order.business.amount_fen)
    if same and taken.order_id is not None:
        return OrderExistsError(field="out_trade_no", order_id=str(taken.order_id))
    return BillConflictError(field="out_trade_no")


async def charge(
    connection: AsyncConnection,
    visit_id: UUID,
    bill_id: UUID,
    amount_fen: int,
    *,
    on: date,
    now: datetime,
) -> None:
    """A daily bill of the stay: what it has cost so far, against what was put down."""
    await connection.execute(
        insert(deposit_entry).values(
            entry_id=bill_id,
            visit_id=visit_id,
            kind="daily_bill",
            amount_fen=amount_fen,
            bill_id=bill_id,
            business_on=on,
            recorded_at=now,
        )
    )
    await connection.execute(
        update(deposit_account)
        .where(deposit_account.c.visit_id == visit_id)
        .values(charged_fen=deposit_account.c.charged_fen + amount_fen)
    )


async def reserve(connection: AsyncConnection, visit_id: UUID, amount_fen: int) -> None:
    """Set aside for a payment. Raises ``DepositStateError``: less is left than was shown."""
    try:
        async with connection.begin_nested():
            await connection.execute(
                update(deposit_account)
                .where(deposit_account.c.visit_id == visit_id)
                .values(used_fen=deposit_account.c.used_fen + amount_fen)
            )
    except IntegrityError as broken:
        if isinstance(broken.orig, pg_errors.CheckViolation):
            raise DepositStateError("less is left than was shown", field="visit_id") from broken
        raise


async def close_account(connection: AsyncConnection, visit_id: UUID, now: datetime) -> None:
    """Nothing more is put down; what is left may go back.

    Raises:
        DepositStateError: money is on its way into it.
    """
    t = deposit_top_up.c
    coming = await connection.execute(
        select(t.top_up_id).where(t.visit_id == visit_id, t.state == "asked")
    )
    if coming.first() is not None:
        raise DepositStateError("money is on its way into it", field="visit_id")
    await connection.execute(
        update(deposit_account)
        .where(deposit_account.c.visit_id == visit_id)
        .values(state="closed", closed_at=now)
    )


async def read_account(
    connection: AsyncConnection, visit_id: UUID, *, lock: bool = False
) -> Row[Any] | None:
    """A visit's deposit; None where it has none."""
    query = select(deposit_account).where(deposit_account.c.visit_id == visit_id)
    found = await connection.execute(query.with_for_update() if lock else query)
    return found.one_or_none()


async def available_fen(connection: AsyncConnection, visit_id: UUID) -> int:
    """What of a visit's deposit may pay a bill now."""
    account = await read_account(connection, visit_id)
    if account is None or account.state != "open":
        return 0
    return int(account.paid_fen - account.used_fen - account.returned_fen)


async def view_account(connection: AsyncConnection, visit_id: UUID) -> DepositView:
    """A deposit as it is shown. Raises ``NotFoundError``."""
    account = await read_account(connection, visit_id)
    if account is None:
        raise NotFoundError(field="visit_id")
    left_fen = account.paid_fen - account.used_fen - account.returned_fen
    return DepositView(
        visit_id=visit_id,
        state=account.state,
        paid_fen=account.paid_fen,
        charged_fen=account.charged_fen,
        used_fen=account.used_fen,
        returned_fen=account.returned_fen,
        available_fen=left_fen,
    )
