"""What stands in one book alone goes back to where it came from, by itself.

    insurer_only  nobody has paid for it here: its settlement is cancelled (2208)
    order_only    captured, and the payment came to nothing: the order is refunded
    his_missing   paid, and not in a day of which the hospital has told everything: all of it is
                  returned, as a return the patient asks for would be

What cannot go back now stays listed, with its age, and is tried again the next round.
"""

import hashlib
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, and_, exists, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.books import transaction
from cardcore.business.request import RefundRequest
from cardcore.errors import CardcoreError
from scenes.hospital import payment_store as store
from scenes.hospital.errors import PaymentStateError, RefundUnderWayError
from scenes.hospital.gateway import GatewaySilentError, InsuranceRefusedError
from scenes.hospital.messages import SettlementCancelling
from scenes.hospital.payments import Surroundings
from scenes.hospital.returns import Returns
from scenes.hospital.split import InsuranceSumsError
from scenes.hospital.tables import difference, his_day, insurer_item
from scenes.hospital.uniform_api import SCENE

RETURNED_PER_ROUND_MAX: Final = 100
D = difference.c


class OneSided:
    """Returns one-sided items of a hospital's day."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._returns = Returns(around)

    async def give_back(self, found: Row[Any], on: date) -> int:
        """All that can go back now of a day's differences; how many went."""
        return (
            await self._cancel_settlements(found, on)
            + await self._refund_orders(found.merchant_id, on)
            + await self._return_payments(found.merchant_id, on)
        )

    async def _cancel_settlements(self, found: Row[Any], on: date) -> int:
        i = insurer_item.c
        query = (
            select(D.difference_id, i.setl_id, i.psn_no, i.mdtrt_id, i.total_fen)
            .join(
                insurer_item,
                (i.merchant_id == D.merchant_id)
                & (i.settled_on == D.business_on)
                & (i.setl_id == D.item),
            )
            .where(_standing(found.merchant_id, on, "insurer_only"))
            .limit(RETURNED_PER_ROUND_MAX)
        )
        returned = 0
        for row in await self._rows(query):
            cancelling = SettlementCancelling(
                setl_id=row.setl_id, mdtrt_id=row.mdtrt_id, psn_no=row.psn_no
            )
            try:
                await self._around.insurer.cancel(
                    found.fixmedins_code,
                    _message_no(found.fixmedins_code, row.setl_id),
                    cancelling,
                    sent_fen=row.total_fen,
                    settled=None,
                )
            except (GatewaySilentError, InsuranceRefusedError, InsuranceSumsError):
                continue
            async with transaction(self._around.engine) as (connection, _):
                await _close(connection, row.difference_id, self._around.clock())
            returned += 1
        return returned

    async def _refund_orders(self, merchant_id: str, on: date) -> int:
        query = (
            select(D.difference_id, D.item, D.found_fen)
            .where(_standing(merchant_id, on, "order_only"))
            .limit(RETURNED_PER_ROUND_MAX)
        )
        returned = 0
        for row in await self._rows(query):
            async with transaction(self._around.engine) as (connection, _):
                paid = await store.find_payment(connection, UUID(row.item))
            assert paid is not None
            assert paid.order_id is not None
            number = f"HO{paid.payment_id.hex}"
            request = RefundRequest(
                out_refund_no=number, amount_fen=row.found_fen, reason="one-sided"
            )
            try:
                await self._around.api.refund(SCENE, paid.order_id, request, f"{number}:refund")
            except CardcoreError:
                continue
            async with transaction(self._around.engine) as (connection, _):
                await _close(connection, row.difference_id, self._around.clock())
            returned += 1
        return returned

    async def _return_payments(self, merchant_id: str, on: date) -> int:
        told = exists().where(his_day.c.merchant_id == merchant_id, his_day.c.business_on == on)
        query = (
            select(D.difference_id, D.item)
            .where(_standing(merchant_id, on, "his_missing"), told)
            .limit(RETURNED_PER_ROUND_MAX)
        )
        returned = 0
        for row in await self._rows(query):
            refund_id = await self._begin_return(row.difference_id, UUID(row.item))
            if refund_id is not None:
                await self._returns.saga.advance(refund_id)
                returned += 1
        return returned

    async def _begin_return(self, difference_id: int, payment_id: UUID) -> UUID | None:
        """The return of all that stands of a payment; its saga brings it to its end."""
        now = self._around.clock()
        try:
            async with transaction(self._around.engine) as (connection, _):
                paid = await store.find_payment(connection, payment_id, lock=True)
                assert paid is not None
                lines = [
                    {
                        "bill_id": str(line.bill_id),
                        "line_no": line.line_no,
                        "amount_fen": line.amount_fen - line.returned_fen,
                    }
                    for line in await store.bill_lines(connection, payment_id)
                    if line.amount_fen > line.returned_fen
                ]
                if not lines:
                    return None
                begun = await self._returns.begin(
                    connection,
                    paid,
                    out_refund_no=f"HO{payment_id.hex}",
                    lines=lines,
                    reason="one-sided",
                    now=now,
                )
                await _close(connection, difference_id, now)
                return begun
        except (PaymentStateError, RefundUnderWayError):
            return None  # part of it was a deposit, or a return is under way

    async def _rows(self, query: Any) -> list[Row[Any]]:  # noqa: ANN401  (a select)
        async with transaction(self._around.engine) as (connection, _):
            return list(await connection.execute(query))


def _standing(merchant_id: str, on: date, kind: str) -> Any:  # noqa: ANN401  (a condition)
    return and_(
        D.merchant_id == merchant_id,
        D.business_on == on,
        D.kind == kind,
        D.closed_at.is_(None),
    )


def _message_no(hospital: str, setl_id: str) -> str:
    """``msgid`` of the cancelling of a settlement nobody here knows: the same one each time."""
    return hashlib.sha256(f"{hospital}/{setl_id}".encode()).hexdigest()[:30]


async def _close(connection: AsyncConnection, difference_id: int, now: datetime) -> None:
    await connection.execute(
        update(difference)
        .where(D.difference_id == difference_id, D.closed_at.is_(None))
        .values(closed_at=now, resolution="returned")
    )
