"""Refunds: money of one captured order goes back to the funds it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.arrears import open_part, payments_of
from cardcore.account.arrears_payments import Paid, take_back
from cardcore.account.arrears_tables import arrears_return
from cardcore.account.chart import ARREARS, LEDGER_CNY, TransferCode
from cardcore.account.claims import Claims
from cardcore.account.fund_life import landing_accounts
from cardcore.business.dispute_claims import disputed_by_line
from cardcore.business.holds import captured_by_line
from cardcore.business.order_states import OrderStatus, OrderStep, after
from cardcore.business.orders import OrderLine, OrderRecord, load_order, load_orders
from cardcore.business.refund_split import split_by_rule, split_refund
from cardcore.business.request import RefundRequest
from cardcore.business.views import RefundView
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import (
    MerchantBalanceError,
    OrderConflictError,
    OrderStateError,
    UserFrozenError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from cardcore.once import Found
from ledger import Ledger, Transfer, TransferFlags

# A refunded order is asked for once more before it is refused: by what is left, not by its state.
_REFUNDABLE = (OrderStatus.CAPTURED, OrderStatus.REFUNDED)
_RETURNS = 20_000  # part numbers of what goes back to funds that had paid arrears


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """One transfer of a refund; ``payment_id`` where it undoes a payment of arrears."""

    transfer_id: UUID
    line: OrderLine
    from_id: UUID
    to_id: UUID
    amount_fen: int
    payment_id: UUID | None = None


class Refunds:
    """Books refunds on the connection of the caller's transaction."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes
        self._claims = Claims(book, random_bytes)

    async def refund(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        caller: Caller,
        order_id: UUID,
        request: RefundRequest,
        digest: bytes,
        now: datetime,
        business_on: date,
    ) -> tuple[UUID, RefundView] | Found[RefundView]:
        """Give back all or part of an order; found where ``out_refund_no`` names this one already.

        Raises:
            NotFoundError: no such order of this caller.
            OrderStateError: nothing of it was captured.
            RefundExceedsError: more than is left of what was captured.
            OrderConflictError: ``out_refund_no`` names another refund.
            MerchantBalanceError: the merchant's payable does not cover it (settled already).
        """
        order = await load_order(raw, caller, order_id, lock=True)
        known = await self._known(connection, order.merchant_id, request.out_refund_no, digest)
        if known is not None:
            return Found(effect_id=known, answer=await self.view(connection, raw, known))
        if order.status not in _REFUNDABLE:
            raise OrderStateError(field="order_id", status=order.status)
        captured = await captured_by_line(connection, order)
        gone = await self._gone(connection, order_id)
        if request.shares is None:
            shares = split_refund(request.amount_fen, order.lines, captured, gone)
        else:
            asked = {share.rule_id: share.amount_fen for share in request.shares}
            shares = split_by_rule(asked, order.lines, captured, gone)
        amount_fen = sum(fen for _, fen in shares)
        refund_id = new_id(now, self._random_bytes)
        moves = await self._moves(connection, refund_id, order, shares)
        landing = await landing_accounts(connection, [one.to_id for one in moves])
        await self._post(raw, order_id, moves, landing)
        await self._claims.write_homeless(
            connection,
            [(one.to_id, one.amount_fen) for one in moves if one.line.fund],
            landing,
            reason="refund",
            now=now,
        )
        await connection.execute(
            insert(tables.refund).values(
                refund_id=refund_id,
                order_id=order_id,
                merchant_id=order.merchant_id,
                out_refund_no=request.out_refund_no,
                amount_fen=amount_fen,
                reason=request.reason,
                client_id=caller.client_id,
                request_digest=digest,
                business_on=business_on,
                recorded_at=now,
            )
        )
        await connection.execute(
            insert(tables.refund_line),
            [
                {
                    "refund_id": refund_id,
                    "line_no": line.line_no,
                    "amount_fen": fen,
                    "transfer_id": next(one.transfer_id for one in moves if one.line is line),
                }
                for line, fen in shares
            ],
        )
        returned = [one for one in moves if one.payment_id is not None]
        if returned:
            await connection.execute(
                insert(arrears_return),
                [
                    {
                        "transfer_id": one.transfer_id,
                        "refund_id": refund_id,
                        "payment_id": one.payment_id,
                        "amount_fen": one.amount_fen,
                    }
                    for one in returned
                ],
            )
        refunded_fen = order.refunded_fen + amount_fen
        await connection.execute(
            update(tables.business_order)
            .where(tables.business_order.c.order_id == order_id)
            .values(
                refunded_fen=refunded_fen,
                status=after(
                    order.status,
                    OrderStep.REFUND_ALL
                    if refunded_fen == order.captured_fen
                    else OrderStep.REFUND_PART,
                ),
            )
        )
        await connection.execute(
            insert(tables.outbox).values(
                topic="order.refunded",
                subject_id=order_id,
                recorded_at=now,
                payload={"order_id": str(order_id), "refund_id": str(refund_id)},
            )
        )
        return refund_id, await self.view(connection, raw, refund_id)

    async def view(
        self, connection: AsyncConnection, raw: RawConnection, refund_id: UUID
    ) -> RefundView:
        """One refund with its lines; refunds never change, so a replay reads the same."""
        refund = (
            await connection.execute(
                select(tables.refund).where(tables.refund.c.refund_id == refund_id)
            )
        ).one()
        rows = await connection.execute(
            select(tables.refund_line)
            .where(tables.refund_line.c.refund_id == refund_id)
            .order_by(tables.refund_line.c.line_no)
        )
        order = (await load_orders(raw, [refund.order_id]))[refund.order_id]
        lines = {line.line_no: line for line in order.lines}
        return RefundView(
            refund_id=refund_id,
            order_id=refund.order_id,
            out_refund_no=refund.out_refund_no,
            amount_fen=refund.amount_fen,
            recorded_at=refund.recorded_at,
            lines=[
                lines[row.line_no].view().model_copy(update={"amount_fen": row.amount_fen})
                for row in rows
            ],
        )

    async def _gone(self, connection: AsyncConnection, order_id: UUID) -> dict[int, int]:
        """By line number, what was given back or is disputed: no fen is given back twice."""
        gone = await refunded_by_line(connection, order_id)
        for line_no, fen in (await disputed_by_line(connection, order_id)).items():
            gone[line_no] = gone.get(line_no, 0) + fen
        return gone

    async def _known(
        self, connection: AsyncConnection, merchant_id: str, out_refund_no: str, digest: bytes
    ) -> UUID | None:
        refund = tables.refund.c
        row = (
            await connection.execute(
                select(refund.refund_id, refund.request_digest).where(
                    refund.merchant_id == merchant_id, refund.out_refund_no == out_refund_no
                )
            )
        ).one_or_none()
        if row is None:
            return None
        if row.request_digest != digest:
            raise OrderConflictError(
                "this out_refund_no names another refund", field="out_refund_no"
            )
        refund_id: UUID = row.refund_id
        return refund_id

    async def _moves(
        self,
        connection: AsyncConnection,
        refund_id: UUID,
        order: OrderRecord,
        shares: list[tuple[OrderLine, int]],
    ) -> list[_Move]:
        """What moves in the ledger: each share goes back the way it came.

        Of arrears, what is still owed is let off first; what was paid since goes back to the funds
        that paid it, the last payment first.
        """
        payments: dict[int, list[Paid]] = {}
        if any(line.fund == ARREARS for line, _ in shares):
            payments = await payments_of(connection, order.order_id)
        moves = []
        for line, fen in shares:
            assert line.debit_account_id is not None
            assert line.credit_account_id is not None
            mirrored_fen = fen
            if line.fund == ARREARS:
                open_fen = await open_part(connection, order.order_id, line.line_no)
                mirrored_fen = min(fen, open_fen)
            if mirrored_fen:
                moves.append(
                    _Move(
                        transfer_id=part_id(refund_id, line.line_no),
                        line=line,
                        from_id=line.credit_account_id,
                        to_id=line.debit_account_id,
                        amount_fen=mirrored_fen,
                    )
                )
            if fen > mirrored_fen:
                payable_id = await _payable(connection, order.merchant_id)
                latest = payments[line.line_no][::-1]
                for one, given_fen in take_back(fen - mirrored_fen, latest):
                    moves.append(
                        _Move(
                            transfer_id=part_id(refund_id, _RETURNS + len(moves)),
                            line=line,
                            from_id=payable_id,
                            to_id=one.fund_id,
                            amount_fen=given_fen,
                            payment_id=one.payment_id,
                        )
                    )
        return moves

    async def _post(
        self, raw: RawConnection, order_id: UUID, moves: list[_Move], landing: Mapping[UUID, UUID]
    ) -> None:
        """Book the moves as one chain.

        ``landing``: for funds that are no more, where their money goes instead.
        """
        transfers = [
            Transfer(
                id=one.transfer_id.int,
                debit_account_id=one.from_id.int,
                credit_account_id=landing.get(one.to_id, one.to_id).int,
                amount=one.amount_fen,
                ledger=LEDGER_CNY,
                code=TransferCode.REFUND if one.line.fund else TransferCode.SUBSIDY_REFUND,
                flags=TransferFlags.linked if place < len(moves) else TransferFlags(0),
                user_data_128=order_id.int,
            )
            for place, one in enumerate(moves, start=1)
        ]
        results = await self._book.create_transfers(transfers, connection=raw)
        reasons = [name for name in results if name not in ("created", "linked_event_failed")]
        if not reasons:
            return
        if reasons[0] == "exceeds_credits":
            raise MerchantBalanceError(field="amount_fen")
        assert reasons[0] in (
            "debit_account_already_closed",
            "credit_account_already_closed",
        ), reasons
        raise UserFrozenError("the fund it came from is closed", field="order_id")


async def refunded_by_line(connection: AsyncConnection, order_id: UUID) -> dict[int, int]:
    """By line number, what was given back so far."""
    line = tables.refund_line.c
    rows = await connection.execute(
        select(line.line_no, func.sum(line.amount_fen))
        .join(tables.refund, tables.refund.c.refund_id == line.refund_id)
        .where(tables.refund.c.order_id == order_id)
        .group_by(line.line_no)
    )
    return {line_no: int(fen) for line_no, fen in rows}


async def _payable(connection: AsyncConnection, merchant_id: str) -> UUID:
    merchant = tables.merchant.c
    found = await connection.execute(
        select(merchant.payable_id).where(merchant.merchant_id == merchant_id)
    )
    payable_id: UUID = found.scalar_one()
    return payable_id
