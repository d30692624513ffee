"""Top-ups in two steps: an intent, and the money, credited once, whoever tells of it.

States of an intent: open → paid, open → failed, failed → paid (the channel took the money after
all). Money that the fund may not hold any more when it comes waits in suspense, with a claim.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.arrears import Arrears
from cardcore.account.channel import ChannelAnswer, ChannelState
from cardcore.account.chart import CUSTODY, LEDGER_CNY, SUSPENSE, TransferCode
from cardcore.account.claims import Claims
from cardcore.account.effect import Effect
from cardcore.account.fund_tables import topup_intent
from cardcore.account.funds import Funds
from cardcore.account.request import TopUpIntentRequest
from cardcore.account.views import TopUpIntentView
from cardcore.errors import (
    FundUnknownError,
    LimitExceededError,
    NotFoundError,
    OrderConflictError,
    UserFrozenError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer

_i = topup_intent.c


class TopUps:
    """Makes and resolves intents on the transaction of an effect."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._funds = Funds(book, random_bytes)
        self._claims = Claims(book, random_bytes)
        self._arrears = Arrears(book, random_bytes)
        self._random_bytes = random_bytes

    async def intend(self, effect: Effect, user_id: UUID, request: TopUpIntentRequest) -> UUID:
        """Write down that a citizen means to pay in; moves nothing.

        Raises:
            FundUnknownError, UserFrozenError, LimitExceededError: it could not be credited now.
        """
        fund = await self._funds.lock(effect.connection, user_id, request.fund)
        if fund.status != "active":
            raise UserFrozenError(field="fund")
        await self._funds.check_room(
            effect.connection,
            effect.raw,
            fund,
            user_id=user_id,
            amount_fen=request.amount_fen,
            on=effect.on,
        )
        intent_id = new_id(effect.now, self._random_bytes)
        await effect.connection.execute(
            insert(topup_intent).values(
                intent_id=intent_id,
                user_id=user_id,
                fund_id=fund.fund_id,
                amount_fen=request.amount_fen,
                channel=request.channel,
                status="open",
                client_id=effect.client_id,
                recorded_at=effect.now,
            )
        )
        return intent_id

    async def resolve(
        self, effect: Effect, intent_id: UUID, answer: ChannelAnswer, *, amount_fen: int | None
    ) -> None:
        """Take what the channel says into the books; the same twice changes nothing.

        ``amount_fen``: what the channel says it took, where it says so.

        Raises:
            NotFoundError: no such intent.
            OrderConflictError: another amount or another number than before.
        """
        intent = await self._row(effect.connection, intent_id, lock=True)
        if amount_fen not in (None, intent.amount_fen):
            raise OrderConflictError("this is another amount", field="amount_fen")
        if intent.status == "paid":
            if answer.state is ChannelState.PAID and answer.channel_no != intent.channel_no:
                raise OrderConflictError("it was paid under another number", field="channel_no")
            return
        if answer.state is ChannelState.PAID:
            assert answer.channel_no is not None
            await self._credit(effect, intent, answer.channel_no)
        elif answer.state is ChannelState.REFUSED and intent.status == "open":
            await effect.connection.execute(
                update(topup_intent)
                .where(_i.intent_id == intent_id)
                .values(status="failed", reason=answer.reason, resolved_at=effect.now)
            )

    async def _credit(self, effect: Effect, intent: Row[Any], channel_no: str) -> None:
        taken = await effect.connection.execute(
            select(tables.topup.c.topup_id).where(
                tables.topup.c.channel == intent.channel, tables.topup.c.channel_no == channel_no
            )
        )
        if taken.one_or_none() is not None:
            raise OrderConflictError("this channel_no names another payment", field="channel_no")
        fits = await self._fits(effect, intent)
        (result,) = await self._book.create_transfers(
            [
                Transfer(
                    # Derived, so that it cannot be booked twice whatever becomes of the row.
                    id=part_id(intent.intent_id, 1).int,
                    debit_account_id=CUSTODY.int,
                    credit_account_id=intent.fund_id.int if fits else SUSPENSE.int,
                    amount=intent.amount_fen,
                    ledger=LEDGER_CNY,
                    code=TransferCode.TOP_UP,
                    user_data_128=intent.intent_id.int,
                )
            ],
            connection=effect.raw,
        )
        assert result == "created", result
        if fits:
            await effect.connection.execute(
                insert(tables.topup).values(
                    topup_id=intent.intent_id,
                    user_id=intent.user_id,
                    fund_id=intent.fund_id,
                    amount_fen=intent.amount_fen,
                    channel=intent.channel,
                    channel_no=channel_no,
                    business_on=effect.on,
                    recorded_at=effect.now,
                )
            )
        else:
            await self._claims.write(
                effect.connection,
                new_id(effect.now, self._random_bytes),
                user_id=intent.user_id,
                amount_fen=intent.amount_fen,
                reason="top_up",
                payee_sealed=None,
                now=effect.now,
            )
        await effect.connection.execute(
            update(topup_intent)
            .where(_i.intent_id == intent.intent_id)
            .values(
                status="paid",
                reason=None,
                channel_no=channel_no,
                landed="fund" if fits else "claim",
                resolved_at=effect.now,
            )
        )
        if fits:
            await self._arrears.collect(effect, intent.user_id)

    async def _fits(self, effect: Effect, intent: Row[Any]) -> bool:
        """May the fund hold what has come? The channel has taken it, whatever we say."""
        kind = await effect.connection.execute(
            select(tables.fund.c.kind).where(tables.fund.c.fund_id == intent.fund_id)
        )
        try:
            fund = await self._funds.lock(effect.connection, intent.user_id, kind.scalar_one())
            await self._funds.check_room(
                effect.connection,
                effect.raw,
                fund,
                user_id=intent.user_id,
                amount_fen=intent.amount_fen,
                on=effect.on,
            )
        except (FundUnknownError, LimitExceededError):
            return False
        return bool(fund.status == "active")

    async def view(
        self, connection: AsyncConnection, intent_id: UUID, *, as_made: bool = False
    ) -> TopUpIntentView:
        """An intent as it stands, or as it was answered when it was made."""
        row = await self._row(connection, intent_id)
        return TopUpIntentView(
            intent_id=intent_id,
            user_id=row.user_id,
            fund=row.kind,
            amount_fen=row.amount_fen,
            channel=row.channel,
            status="open" if as_made else row.status,
            reason=None if as_made else row.reason,
            channel_no=None if as_made else row.channel_no,
            landed=None if as_made else row.landed,
            recorded_at=row.recorded_at,
        )

    async def _row(
        self, connection: AsyncConnection, intent_id: UUID, *, lock: bool = False
    ) -> Row[Any]:
        asked = (
            select(topup_intent, tables.fund.c.kind)
            .join(tables.fund, tables.fund.c.fund_id == _i.fund_id)
            .where(_i.intent_id == intent_id)
        )
        if lock:
            asked = asked.with_for_update(of=topup_intent)
        row = (await connection.execute(asked)).one_or_none()
        if row is None:
            raise NotFoundError(field="intent_id")
        return row
