"""Withdrawals: held in the ledger, paid by a channel, then booked, or released where it refuses.

States: held → paid, held → refused. While nobody knows what the channel did the money stays held,
and the channel is asked; it is told to pay again only where it says it knows nothing of it, and
under the same number.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.channel import ChannelAnswer, ChannelState
from cardcore.account.chart import CUSTODY, LEDGER_CNY, TransferCode
from cardcore.account.effect import Effect
from cardcore.account.fund_tables import fund_regime, withdrawal
from cardcore.account.funds import Funds
from cardcore.account.request import WithdrawalRequest
from cardcore.account.turnover import TurnoverLimits, check_limits
from cardcore.account.views import WithdrawalView
from cardcore.errors import (
    FundUnknownError,
    InsufficientBalanceError,
    NotFoundError,
    OrderConflictError,
    UserFrozenError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer, TransferFlags

_w = withdrawal.c


class Withdrawals:
    """Makes and resolves withdrawals on the transaction of an effect."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._funds = Funds(book, random_bytes)
        self._random_bytes = random_bytes

    async def hold(
        self, effect: Effect, user_id: UUID, request: WithdrawalRequest, payee_sealed: bytes
    ) -> UUID:
        """Hold the money for the channel.

        Raises:
            FundUnknownError: no such fund, or its regime is not paid back in money.
            UserFrozenError: the fund is frozen or closed.
            LimitExceededError: over what one withdrawal or one day may come to.
            InsufficientBalanceError: the fund has less.
        """
        fund = await self._funds.lock(effect.connection, user_id, request.fund)
        if fund.status != "active":
            raise UserFrozenError(field="fund")
        await self._check(effect, fund, request.amount_fen)
        withdrawal_id = new_id(effect.now, self._random_bytes)
        (result,) = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(withdrawal_id, 1).int,
                    debit_account_id=fund.fund_id.int,
                    credit_account_id=CUSTODY.int,
                    amount=request.amount_fen,
                    ledger=LEDGER_CNY,
                    code=TransferCode.WITHDRAWAL,
                    flags=TransferFlags.pending,
                    user_data_128=withdrawal_id.int,
                )
            ],
            connection=effect.raw,
        )
        if result == "exceeds_credits":
            raise InsufficientBalanceError(field="amount_fen")
        assert result == "created", result
        await effect.connection.execute(
            insert(withdrawal).values(
                withdrawal_id=withdrawal_id,
                user_id=user_id,
                fund_id=fund.fund_id,
                amount_fen=request.amount_fen,
                channel=request.channel,
                payee_sealed=payee_sealed,
                status="held",
                client_id=effect.client_id,
                business_on=effect.on,
                recorded_at=effect.now,
            )
        )
        return withdrawal_id

    async def resolve(
        self,
        effect: Effect,
        withdrawal_id: UUID,
        answer: ChannelAnswer,
        *,
        amount_fen: int | None = None,
    ) -> None:
        """Book what the channel did; the same twice changes nothing.

        Raises:
            NotFoundError: no such withdrawal.
            OrderConflictError: it says otherwise than before, or another amount.
        """
        row = await self.row(effect.connection, withdrawal_id, lock=True)
        if amount_fen not in (None, row.amount_fen):
            raise OrderConflictError("this is another amount", field="amount_fen")
        if answer.state not in (ChannelState.PAID, ChannelState.REFUSED):
            return
        if row.status != "held":
            if (row.status, row.channel_no) != (answer.state.value, answer.channel_no):
                raise OrderConflictError("the channel said otherwise before", field="state")
            return
        paid = answer.state is ChannelState.PAID
        (result,) = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(withdrawal_id, 2).int,
                    pending_id=part_id(withdrawal_id, 1).int,
                    amount=row.amount_fen if paid else 0,
                    flags=TransferFlags.post_pending_transfer
                    if paid
                    else TransferFlags.void_pending_transfer,
                    user_data_128=withdrawal_id.int,
                )
            ],
            connection=effect.raw,
        )
        assert result == "created", result
        await effect.connection.execute(
            update(withdrawal)
            .where(_w.withdrawal_id == withdrawal_id)
            .values(
                status=answer.state.value,
                reason=answer.reason,
                channel_no=answer.channel_no,
                resolved_at=effect.now,
            )
        )

    async def _check(self, effect: Effect, fund: Row[Any], amount_fen: int) -> None:
        kind = tables.fund_kind.c
        limits = (
            await effect.connection.execute(
                select(
                    kind.withdrawal_fen_max, kind.withdrawal_day_fen_max, fund_regime.c.redeemable
                )
                .join(fund_regime, fund_regime.c.regime == kind.regime)
                .where(kind.kind == fund.kind)
            )
        ).one()
        if not limits.redeemable:
            raise FundUnknownError("this fund is not paid back in money", field="fund")
        used = await effect.connection.execute(
            select(func.coalesce(func.sum(_w.amount_fen), 0)).where(
                _w.fund_id == fund.fund_id,
                _w.business_on == effect.on,
                _w.status != "refused",
            )
        )
        check_limits(
            amount_fen,
            used_fen=int(used.scalar_one()),
            limits=TurnoverLimits(
                name=f"withdrawal:{fund.kind}",
                single_fen_max=limits.withdrawal_fen_max,
                day_fen_max=limits.withdrawal_day_fen_max,
            ),
            on=effect.on,
        )

    async def view(
        self, connection: AsyncConnection, withdrawal_id: UUID, *, as_made: bool = False
    ) -> WithdrawalView:
        """A withdrawal as it stands, or as it was answered when it was made."""
        row = await self.row(connection, withdrawal_id)
        return WithdrawalView(
            withdrawal_id=withdrawal_id,
            user_id=row.user_id,
            fund=row.kind,
            amount_fen=row.amount_fen,
            channel=row.channel,
            status="held" if as_made else row.status,
            reason=None if as_made else row.reason,
            channel_no=None if as_made else row.channel_no,
            recorded_at=row.recorded_at,
        )

    async def row(
        self, connection: AsyncConnection, withdrawal_id: UUID, *, lock: bool = False
    ) -> Row[Any]:
        """Its row, with the kind of its fund. Raises ``NotFoundError``."""
        asked = (
            select(withdrawal, tables.fund.c.kind)
            .join(tables.fund, tables.fund.c.fund_id == _w.fund_id)
            .where(_w.withdrawal_id == withdrawal_id)
        )
        if lock:
            asked = asked.with_for_update(of=withdrawal)
        found = (await connection.execute(asked)).one_or_none()
        if found is None:
            raise NotFoundError(field="withdrawal_id")
        return found
