"""Talking with payment channels: never inside a transaction, never twice without asking first."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from cardcore.account.channel import (
    ChannelAnswer,
    ChannelNotice,
    ChannelSilentError,
    ChannelState,
    ChannelUnknownError,
    PaymentChannel,
)
from cardcore.account.effect import Effect
from cardcore.account.fund_tables import topup_intent, withdrawal
from cardcore.account.topups import TopUps
from cardcore.account.withdrawals import Withdrawals
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.errors import NotFoundError
from cardcore.ids import RandomBytes
from cardcore.user.personal_data import Field, PersonalData
from ledger import Ledger

# A channel is asked about what it has not told of itself for this long.
PATIENCE: Final = timedelta(seconds=60)
# A collection the citizen has not paid by then is not going to be paid.
INTENT_LIFETIME: Final = timedelta(hours=2)
ASKED_PER_ROUND_MAX: Final = 200
_CHANNEL: Final = "channel:"


class ChannelMoney:
    """Asks channels, and takes into the books what they say."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        book: Ledger,
        data: PersonalData,
        channels: Mapping[str, PaymentChannel],
        random_bytes: RandomBytes,
        cut_off: time,
    ) -> None:
        self._engine = engine
        self._data = data
        self._channels = channels
        self._cut_off = cut_off
        self.topups = TopUps(book, random_bytes)
        self.withdrawals = Withdrawals(book, random_bytes)

    def channel(self, name: str) -> PaymentChannel:
        """A channel by its name. Raises ``ChannelUnknownError``."""
        channel = self._channels.get(name)
        if channel is None:
            raise ChannelUnknownError(field="channel")
        return channel

    async def collect(self, channel: str, intent_id: UUID, amount_fen: int, now: datetime) -> None:
        """Ask a channel to collect; its silence leaves the intent open, to be asked about."""
        try:
            answer = await self.channel(channel).collect(str(intent_id), amount_fen)
        except ChannelSilentError:
            return
        await self._take_topup(channel, intent_id, answer, now)

    async def pay_out(self, withdrawal_id: UUID, now: datetime) -> None:
        """Ask a channel to pay; its silence leaves the money held, to be asked about."""
        async with transaction(self._engine) as (connection, _):
            row = await self.withdrawals.row(connection, withdrawal_id)
            key = await self._data.key_of(connection, row.user_id)
        if row.status != "held":
            return
        assert key is not None, "nobody is erased whose money is held"
        payee = key.open(Field.PAYEE, row.payee_sealed)
        try:
            answer = await self.channel(row.channel).pay_out(
                str(withdrawal_id), row.amount_fen, payee
            )
        except ChannelSilentError:
            return
        await self._take_withdrawal(row.channel, withdrawal_id, answer, now)

    async def take_notice(self, name: str, notice: ChannelNotice, now: datetime) -> None:
        """Take a channel's own notice into the books, once.

        Raises:
            ChannelUnknownError, ChannelSignatureError: it is nobody's, or not the channel's.
            NotFoundError: it names nothing of ours.
            OrderConflictError: it says otherwise than the channel did before.
        """
        self.channel(name).check(notice)
        try:
            named = UUID(notice.our_no)
        except ValueError:
            raise NotFoundError(field="our_no") from None
        paid = notice.state is ChannelState.PAID
        answer = ChannelAnswer(
            state=notice.state,
            channel_no=notice.channel_no if paid else None,
            reason=notice.reason,
        )
        async with transaction(self._engine) as (connection, raw):
            effect = Effect(
                connection=connection,
                raw=raw,
                client_id=_CHANNEL + name,
                now=now,
                on=business_date(now, self._cut_off),
            )
            intent = await connection.execute(
                select(topup_intent.c.channel).where(topup_intent.c.intent_id == named)
            )
            if intent.scalar_one_or_none() == name:
                await self.topups.resolve(effect, named, answer, amount_fen=notice.amount_fen)
                return
            payment = await connection.execute(
                select(withdrawal.c.channel).where(withdrawal.c.withdrawal_id == named)
            )
            if payment.scalar_one_or_none() != name:
                raise NotFoundError(field="our_no")
            await self.withdrawals.resolve(effect, named, answer, amount_fen=notice.amount_fen)

    async def ask_due(self, now: datetime) -> int:
        """Ask channels about everything they have not told of; a duty of the worker.

        Returns:
            How many movements were asked about.
        """
        async with transaction(self._engine) as (connection, _):
            i, w = topup_intent.c, withdrawal.c
            intents = (
                await connection.execute(
                    select(i.intent_id, i.channel, i.recorded_at)
                    .where(i.status == "open", i.recorded_at < now - PATIENCE)
                    .order_by(i.recorded_at)
                    .limit(ASKED_PER_ROUND_MAX)
                )
            ).all()
            payments = (
                await connection.execute(
                    select(w.withdrawal_id, w.channel)
                    .where(w.status == "held", w.recorded_at < now - PATIENCE)
                    .order_by(w.recorded_at)
                    .limit(ASKED_PER_ROUND_MAX)
                )
            ).all()
        for row in intents:
            answer = await _ask(self.channel(row.channel).collected, str(row.intent_id))
            over = row.recorded_at < now - INTENT_LIFETIME
            if over and answer is not None and answer.state is not ChannelState.PAID:
                answer = ChannelAnswer(state=ChannelState.REFUSED, reason="not_paid_in_time")
            if answer is not None:
                await self._take_topup(row.channel, row.intent_id, answer, now)
        for payment in payments:
            answer = await _ask(self.channel(payment.channel).paid_out, str(payment.withdrawal_id))
            if answer is not None and answer.state is ChannelState.UNKNOWN:
                # Only now is it sure that nothing was paid; the number stays the same.
                await self.pay_out(payment.withdrawal_id, now)
            elif answer is not None:
                await self._take_withdrawal(payment.channel, payment.withdrawal_id, answer, now)
        return len(intents) + len(payments)

    async def _take_topup(
        self, channel: str, intent_id: UUID, answer: ChannelAnswer, now: datetime
    ) -> None:
        async with transaction(self._engine) as (connection, raw):
            effect = Effect(
                connection=connection,
                raw=raw,
                client_id=_CHANNEL + channel,
                now=now,
                on=business_date(now, self._cut_off),
            )
            await self.topups.resolve(effect, intent_id, answer, amount_fen=None)

    async def _take_withdrawal(
        self, channel: str, withdrawal_id: UUID, answer: ChannelAnswer, now: datetime
    ) -> None:
        async with transaction(self._engine) as (connection, raw):
            effect = Effect(
                connection=connection,
                raw=raw,
                client_id=_CHANNEL + channel,
                now=now,
                on=business_date(now, self._cut_off),
            )
            await self.withdrawals.resolve(effect, withdrawal_id, answer)


async def _ask(
    question: Callable[[str], Awaitable[ChannelAnswer]], our_no: str
) -> ChannelAnswer | None:
    """What the channel says; None where it says nothing."""
    try:
        return await question(our_no)
    except ChannelSilentError:
        return None
