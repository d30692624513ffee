"""Beginning a return: which items, of which payment, checked and written down."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import errors as pg_errors
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.calendar import business_date
from cardcore.errors import NotFoundError
from cardcore.ids import new_id
from scenes.hospital import payment_store as store
from scenes.hospital import saga_moves as moves
from scenes.hospital.errors import (
    BillConflictError,
    PaymentStateError,
    RefundUnderWayError,
    ReturnExceedsError,
)
from scenes.hospital.messages import number_of
from scenes.hospital.payment_states import REFUND_FINAL, PaymentState, RefundState
from scenes.hospital.payment_store import Payment
from scenes.hospital.payments import Surroundings
from scenes.hospital.refunds import RefundSaga, give_lines_back
from scenes.hospital.tables import bill, refund


class Returns:
    """Begins returns; ``saga`` brings them to their end."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.saga = RefundSaga(around)

    async def begin(
        self,
        connection: AsyncConnection,
        paid: Payment,
        *,
        out_refund_no: str,
        lines: Sequence[Mapping[str, Any]],
        reason: str,
        now: datetime,
    ) -> UUID:
        """Write a return down; the payment is locked by the caller.

        Raises:
            PaymentStateError: it was not paid, or partly from a deposit: that ends with the stay.
            RefundUnderWayError: one after another.
            NotFoundError: a line is not of this payment.
            ReturnExceedsError: more than is left of a line.
            BillConflictError: ``out_refund_no`` names another return.
        """
        if paid.state is not PaymentState.PAID or paid.split.deposit_fen:
            raise PaymentStateError(field="payment_id", status=paid.state.value)
        under_way = await connection.execute(
            select(refund.c.refund_id).where(
                refund.c.payment_id == paid.payment_id,
                refund.c.state.not_in([state.value for state in REFUND_FINAL]),
            )
        )
        if under_way.first() is not None:
            raise RefundUnderWayError(field="payment_id")
        await self._check(connection, paid, lines)
        amount_fen = sum(int(line["amount_fen"]) for line in lines)
        insured = paid.psn_no is not None
        state = RefundState.CANCELLING if insured else RefundState.REFUNDING
        refund_id = new_id(now, self._around.random_bytes)
        try:
            async with connection.begin_nested():
                await connection.execute(
                    insert(refund).values(
                        refund_id=refund_id,
                        payment_id=paid.payment_id,
                        merchant_id=paid.merchant_id,
                        out_refund_no=out_refund_no,
                        reason=reason,
                        state=state.value,
                        version=1,
                        lines=[dict(line) for line in lines],
                        amount_fen=amount_fen,
                        fund_fen=None if insured else 0,
                        account_fen=None if insured else 0,
                        cash_fen=None if insured else amount_fen,
                        cancel_msgid=number_of(refund_id, "c"),
                        due_at=now + moves.PATIENCE,
                        business_on=business_date(now, self._around.cut_off),
                        recorded_at=now,
                        changed_at=now,
                    )
                )
        except IntegrityError as broken:
            if isinstance(broken.orig, pg_errors.UniqueViolation):
                raise BillConflictError(field="out_refund_no") from broken
            raise
        await give_lines_back(connection, lines)
        note = {"lines": len(lines), "amount_fen": amount_fen}
        await moves.write_first_step(connection, refund_id, state.value, note, now)
        return refund_id

    async def whole_bill(
        self, connection: AsyncConnection, bill_id: UUID, now: datetime
    ) -> list[UUID]:
        """Begin to return a bill: all of it where it was paid; otherwise it is withdrawn."""
        row = (await connection.execute(select(bill).where(bill.c.bill_id == bill_id))).one()
        if row.state != "paid":
            await connection.execute(
                bill.update().where(bill.c.bill_id == bill_id).values(state="withdrawn")
            )
            return []
        paid = await store.find_payment(connection, row.payment_id, lock=True)
        assert paid is not None
        lines = [
            {
                "bill_id": str(line.bill_id),
                "line_no": line.line_no,
                "amount_fen": line.amount_fen - line.returned_fen,
            }
            for line in await store.bill_lines(connection, paid.payment_id)
            if line.bill_id == bill_id and line.amount_fen > line.returned_fen
        ]
        if not lines:
            return []
        begun = await self.begin(
            connection,
            paid,
            out_refund_no=f"B{bill_id.hex}",
            lines=lines,
            reason="registration given back",
            now=now,
        )
        return [begun]

    async def _check(
        self, connection: AsyncConnection, paid: Payment, lines: Sequence[Mapping[str, Any]]
    ) -> None:
        left = {
            (str(row.bill_id), row.line_no): row.amount_fen - row.returned_fen
            for row in await store.bill_lines(connection, paid.payment_id)
        }
        for line in lines:
            key = (str(line["bill_id"]), int(line["line_no"]))
            if key not in left:
                raise NotFoundError(field="lines")
            left[key] -= int(line["amount_fen"])
            if left[key] < 0:
                raise ReturnExceedsError(
                    field="lines",
                    line_no=key[1],
                    left_fen=left[key] + int(line["amount_fen"]),
                )
