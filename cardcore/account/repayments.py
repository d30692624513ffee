"""Paying a credit line back out of another fund of the same person.

Money that comes from outside for a credit line is a top-up of it; this is money that is here
already. The ledger keeps both sides: the fund cannot give more than it has, and what is paid back
is never more than what is owed.
"""

from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import LEDGER_CNY, TransferCode
from cardcore.account.effect import Effect
from cardcore.account.fund_tables import credit_repayment
from cardcore.account.programmes import fund_of
from cardcore.account.request import RepaymentRequest
from cardcore.account.views import RepaymentView
from cardcore.errors import (
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    ServiceUnavailableError,
    UserFrozenError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer


class Repayments:
    """Moves money from a prepaid fund to a credit line."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes

    async def repay(
        self, effect: Effect, kind: str, request: RepaymentRequest, *, user_id: UUID
    ) -> UUID:
        """Pay back; the person is locked, so two repayments see each other.

        Raises:
            FundUnknownError: no such credit line, or no such fund to pay from.
            UserFrozenError: one of the two is frozen or closed.
            LimitExceededError: more than is owed.
            InsufficientBalanceError: the fund holds less, or nothing.
            ServiceUnavailableError: the fund was spent from at the same instant: retry.
        """
        line = await fund_of(effect.connection, user_id, kind)
        source = await fund_of(effect.connection, user_id, request.source)
        if line.credit_fen_max is None or source.credit_fen_max is not None or source.unit != "fen":
            raise FundUnknownError(
                f"{kind!r} is not paid back from {request.source!r}", field="fund"
            )
        if {line.status, source.status} != {"active"}:
            raise UserFrozenError(field="fund")
        owing, paying = await self._book.lookup_accounts(
            [line.fund_id.int, source.fund_id.int], connection=effect.raw
        )
        owed_fen = owing.debits_posted - owing.credits_posted
        available_fen = paying.credits_posted - paying.debits_posted - paying.debits_pending
        amount_fen = request.amount_fen or min(owed_fen, available_fen)
        if amount_fen > owed_fen:
            raise LimitExceededError(
                field="amount_fen", limit=f"credit_owed:{kind}", limit_fen=owed_fen
            )
        if amount_fen > available_fen or amount_fen <= 0:
            raise InsufficientBalanceError(
                field="source", available_fen=available_fen, owed_fen=owed_fen
            )
        repayment_id = new_id(effect.now, self._random_bytes)
        results = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(repayment_id, 1).int,
                    debit_account_id=source.fund_id.int,
                    credit_account_id=line.fund_id.int,
                    amount=amount_fen,
                    ledger=LEDGER_CNY,
                    code=TransferCode.REPAYMENT,
                    user_data_128=repayment_id.int,
                )
            ],
            connection=effect.raw,
        )
        if list(results) == ["exceeds_credits"]:
            raise ServiceUnavailableError("the balance has just changed")
        assert list(results) == ["created"], results
        await effect.connection.execute(
            insert(credit_repayment).values(
                repayment_id=repayment_id,
                user_id=user_id,
                fund_id=line.fund_id,
                source_fund_id=source.fund_id,
                amount_fen=amount_fen,
                owed_fen=owed_fen - amount_fen,
                client_id=effect.client_id,
                business_on=effect.on,
                recorded_at=effect.now,
            )
        )
        return repayment_id

    async def view(self, connection: AsyncConnection, repayment_id: UUID) -> RepaymentView:
        """One repayment; it never changes."""
        line, source = tables.fund.alias("line"), tables.fund.alias("source")
        row = (
            await connection.execute(
                select(
                    credit_repayment,
                    line.c.kind.label("fund"),
                    source.c.kind.label("source"),
                )
                .join(line, line.c.fund_id == credit_repayment.c.fund_id)
                .join(source, source.c.fund_id == credit_repayment.c.source_fund_id)
                .where(credit_repayment.c.repayment_id == repayment_id)
            )
        ).one()
        return RepaymentView(
            repayment_id=repayment_id,
            user_id=row.user_id,
            fund=row.fund,
            source=row.source,
            amount_fen=row.amount_fen,
            owed_fen=row.owed_fen,
            recorded_at=row.recorded_at,
        )
