"""Arrears in the books: paid oldest first as soon as the person has money, read, and given back.

A debt is the person's account ``arrears`` against the merchant's ``arrears payable`` (ADR 60). A
payment is two transfers in one chain: the fund pays the merchant's payable, and the debt is gone
on both sides. So custody covers at every instant exactly what was really paid (ADR 121).
"""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from cardcore import tables
from cardcore.account.arrears_payments import Debt, DebtShare, Paid, share_out
from cardcore.account.arrears_tables import arrears, arrears_payment, arrears_return
from cardcore.account.chart import LEDGER_CNY, TransferCode, arrears_of, arrears_payable
from cardcore.account.effect import Effect
from cardcore.account.funding_policy import read_policy
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer, TransferFlags

DEBTS_PER_ROUND_MAX: Final = 200
PEOPLE_PER_ROUND_MAX: Final = 500
WORKER: Final = "worker"
_PAID_PART, _CLEARED_PART = 1, 2
_a, _p, _r = arrears.c, arrears_payment.c, arrears_return.c
OPEN_FEN: Final = _a.amount_fen - _a.paid_fen - _a.waived_fen
_IS_OPEN: Final = _a.paid_fen + _a.waived_fen < _a.amount_fen


class Arrears:
    """Pays debts on the transaction of an effect."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes

    async def collect(self, effect: Effect, user_id: UUID) -> int:
        """Pay what a person owes from what they have, oldest first; returns how many fen.

        Nothing is taken from somebody who is not active, from a frozen fund, or from credit. What
        an order takes at the same instant is left to it: the debt stays, and is asked for again.
        """
        person = tables.person.c
        # The person first, as a top-up has it: two that collect take turns.
        active = await effect.connection.scalar(
            select(person.user_id)
            .where(person.user_id == user_id, person.status == "active")
            .with_for_update()
        )
        debts = [] if active is None else await self._debts(effect, user_id)
        if not debts:
            return 0
        fund = tables.fund.c
        found = await effect.connection.execute(
            select(fund.kind, fund.fund_id).where(fund.user_id == user_id, fund.status == "active")
        )
        fund_ids = {row.kind: row.fund_id for row in found}
        held = await self._book.lookup_accounts(
            [one.int for one in fund_ids.values()], connection=effect.raw
        )
        shares = share_out(
            debts,
            fund_ids,
            {
                UUID(int=one.id): one.credits_posted - one.debits_posted - one.debits_pending
                for one in held
            },
        )
        return await self._pay(effect, user_id, shares)

    async def _debts(self, effect: Effect, user_id: UUID) -> list[Debt]:
        order = tables.business_order.c
        found = await effect.connection.execute(
            select(_a.order_id, _a.line_no, _a.merchant_id, OPEN_FEN.label("open"), order.scene)
            .join(tables.business_order, order.order_id == _a.order_id)
            .where(_a.user_id == user_id, _IS_OPEN)
            .order_by(_a.recorded_at, _a.order_id, _a.line_no)
            .limit(DEBTS_PER_ROUND_MAX)
            .with_for_update(of=arrears)
        )
        rows = found.all()
        if not rows:
            return []
        policy = await read_policy(effect.raw)
        return [
            Debt(
                order_id=row.order_id,
                line_no=row.line_no,
                merchant_id=row.merchant_id,
                open_fen=row.open,
                plan=policy.kinds(row.scene, row.merchant_id, effect.on),
            )
            for row in rows
        ]

    async def _pay(self, effect: Effect, user_id: UUID, shares: Sequence[DebtShare]) -> int:
        if not shares:
            return 0
        merchant = tables.merchant.c
        found = await effect.connection.execute(
            select(merchant.merchant_id, merchant.payable_id).where(
                merchant.merchant_id.in_({one.debt.merchant_id for one in shares})
            )
        )
        payables = {row.merchant_id: row.payable_id for row in found}
        named = [(new_id(effect.now, self._random_bytes), one) for one in shares]
        results = await self._book.create_transfers(
            [
                transfer
                for payment_id, one in named
                for transfer in _transfers(payment_id, one, user_id, payables[one.debt.merchant_id])
            ],
            connection=effect.raw,
        )
        paid_fen = 0
        for place, (payment_id, one) in enumerate(named):
            own = results[2 * place : 2 * place + 2]
            if set(own) == {"created"}:
                await self._write(effect, payment_id, one)
                paid_fen += one.amount_fen
            else:
                # An order was faster with the money.
                assert "exceeds_credits" in own, own
        return paid_fen

    async def _write(self, effect: Effect, payment_id: UUID, share: DebtShare) -> None:
        debt, connection = share.debt, effect.connection
        await connection.execute(
            insert(arrears_payment).values(
                payment_id=payment_id,
                order_id=debt.order_id,
                line_no=debt.line_no,
                fund_id=share.fund_id,
                amount_fen=share.amount_fen,
                recorded_at=effect.now,
            )
        )
        open_fen = await connection.scalar(
            update(arrears)
            .where(_a.order_id == debt.order_id, _a.line_no == debt.line_no)
            .values(paid_fen=_a.paid_fen + share.amount_fen)
            .returning(OPEN_FEN)
        )
        # Named by the order, so that it goes where the order's own events go.
        await connection.execute(
            insert(tables.outbox).values(
                topic="arrears.paid",
                subject_id=debt.order_id,
                recorded_at=effect.now,
                payload={
                    "order_id": str(debt.order_id),
                    "amount_fen": share.amount_fen,
                    "open_fen": open_fen,
                },
            )
        )


class ArrearsCollection:
    """Looks for money of those who owe: a duty of the worker, safe to run twice at once."""

    def __init__(
        self, engine: AsyncEngine, book: Ledger, random_bytes: RandomBytes, cut_off: time
    ) -> None:
        self._engine = engine
        self._arrears = Arrears(book, random_bytes)
        self._cut_off = cut_off
        self._asked_last = UUID(int=0)

    async def collect_due(self, now: datetime) -> int:
        """Ask the next few hundred who owe, each in a transaction; returns how many paid something.

        Whoever was asked last is remembered, so that many who have nothing do not stand before
        those who have.
        """
        async with transaction(self._engine) as (connection, _):
            found = await connection.execute(
                select(_a.user_id)
                .where(_IS_OPEN, _a.user_id > self._asked_last)
                .distinct()
                .order_by(_a.user_id)
                .limit(PEOPLE_PER_ROUND_MAX)
            )
            people = list(found.scalars())
        self._asked_last = people[-1] if len(people) == PEOPLE_PER_ROUND_MAX else UUID(int=0)
        paid = 0
        for user_id in people:
            async with transaction(self._engine) as (connection, raw):
                effect = Effect(
                    connection=connection,
                    raw=raw,
                    client_id=WORKER,
                    now=now,
                    on=business_date(now, self._cut_off),
                )
                paid += bool(await self._arrears.collect(effect, user_id))
        return paid


async def open_part(connection: AsyncConnection, order_id: UUID, line_no: int) -> int:
    """What is still owed of a line, its row locked; in fen."""
    found = await connection.scalar(
        select(OPEN_FEN).where(_a.order_id == order_id, _a.line_no == line_no).with_for_update()
    )
    return int(found or 0)


async def payments_of(connection: AsyncConnection, order_id: UUID) -> dict[int, list[Paid]]:
    """By line, the payments of what was owed, oldest first, less what was given back of each."""
    returned = (
        select(func.coalesce(func.sum(_r.amount_fen), 0))
        .where(_r.payment_id == _p.payment_id)
        .scalar_subquery()
    )
    found = await connection.execute(
        select(arrears_payment, (_p.amount_fen - returned).label("left_fen"))
        .where(_p.order_id == order_id)
        .order_by(_p.recorded_at, _p.payment_id)
    )
    payments: dict[int, list[Paid]] = {}
    for row in found:
        paid = Paid(payment_id=row.payment_id, fund_id=row.fund_id, left_fen=int(row.left_fen))
        payments.setdefault(row.line_no, []).append(paid)
    return payments


async def payment_transfers(connection: AsyncConnection, order_id: UUID) -> dict[int, list[UUID]]:
    """By line, the ids of the transfers that paid what was owed."""
    transfers: dict[int, list[UUID]] = {}
    for line_no, payments in (await payments_of(connection, order_id)).items():
        transfers[line_no] = [
            part_id(one.payment_id, part)
            for one in payments
            for part in (_PAID_PART, _CLEARED_PART)
        ]
    return transfers


async def return_transfers(
    connection: AsyncConnection, refund_ids: Sequence[UUID]
) -> list[tuple[UUID, int, UUID]]:
    """What refunds gave back of such payments: refund, line and transfer."""
    found = await connection.execute(
        select(_r.refund_id, _p.line_no, _r.transfer_id)
        .join(arrears_payment, _p.payment_id == _r.payment_id)
        .where(_r.refund_id.in_(refund_ids))
        .order_by(_r.transfer_id)
    )
    return [(refund_id, line_no, transfer_id) for refund_id, line_no, transfer_id in found]


def _transfers(
    payment_id: UUID, share: DebtShare, user_id: UUID, payable_id: UUID
) -> tuple[Transfer, Transfer]:
    """The fund pays the merchant, and the debt is gone: both or neither."""
    debt = share.debt
    paid = Transfer(
        id=part_id(payment_id, _PAID_PART).int,
        debit_account_id=share.fund_id.int,
        credit_account_id=payable_id.int,
        amount=share.amount_fen,
        ledger=LEDGER_CNY,
        code=TransferCode.ARREARS_PAID,
        flags=TransferFlags.linked,
        user_data_128=debt.order_id.int,
    )
    cleared = Transfer(
        id=part_id(payment_id, _CLEARED_PART).int,
        debit_account_id=arrears_payable(debt.merchant_id).int,
        credit_account_id=arrears_of(user_id).int,
        amount=share.amount_fen,
        ledger=LEDGER_CNY,
        code=TransferCode.ARREARS_CLEARED,
        user_data_128=debt.order_id.int,
    )
    return paid, cleared
