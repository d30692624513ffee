"""The verbs about money that comes in and goes out through payment channels."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.account.channel import ChannelNotice
from cardcore.account.channel_money import ChannelMoney
from cardcore.account.effect import Effect
from cardcore.account.request import TopUpIntentRequest, WithdrawalRequest
from cardcore.account.views import NoticeTakenView, TopUpIntentView, WithdrawalView
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.connections import RawConnection
from cardcore.errors import UserFrozenError
from cardcore.once import once
from cardcore.parts import Parts, request_digest
from cardcore.user.people import People
from cardcore.user.personal_data import Field, PersonalData


class ChannelService:
    """Serves top-ups, withdrawals and the channels' own notices."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._data = PersonalData(parts.hsm)
        self._people = People(self._data)
        self.channel_money = ChannelMoney(
            engine=parts.engine,
            book=parts.book,
            data=self._data,
            channels=parts.channels,
            random_bytes=parts.random_bytes,
            cut_off=parts.cut_off,
        )

    async def intend_top_up(
        self, caller: Caller, user_id: UUID, request: TopUpIntentRequest, idempotency_key: str
    ) -> tuple[TopUpIntentView, bool]:
        """Begin a top-up: the channel is asked to collect. Answers the intent as it was made.

        Raises:
            ChannelUnknownError: no such channel.
            FundUnknownError, UserFrozenError, LimitExceededError: it could not be credited.
        """
        caller.require(Scope.FUNDS_WRITE)
        self.channel_money.channel(request.channel)
        topups = self.channel_money.topups
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, TopUpIntentView]:
            person = await self._people.resolve(connection, user_id)
            if person.status != "active":
                raise UserFrozenError(field="user_id")
            effect = self._effect_of(caller, connection, raw)
            intent_id = await topups.intend(effect, person.user_id, request)
            return intent_id, await topups.view(connection, intent_id, as_made=True)

        async def recall(
            connection: AsyncConnection, _: RawConnection, intent_id: UUID
        ) -> TopUpIntentView:
            return await topups.view(connection, intent_id, as_made=True)

        view, replayed = await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=request_digest(f"topup_intent/{user_id}", request),
            action="topup_intent",
            subject=f"user/{user_id}",
            now=now,
            perform=perform,
            recall=recall,
        )
        if not replayed:
            await self.channel_money.collect(
                request.channel, view.intent_id, request.amount_fen, now
            )
        return view, replayed

    async def read_top_up(self, caller: Caller, intent_id: UUID) -> TopUpIntentView:
        """A top-up as it stands. Raises ``NotFoundError``."""
        caller.require(Scope.FUNDS_WRITE)
        async with transaction(self._parts.engine) as (connection, _):
            return await self.channel_money.topups.view(connection, intent_id)

    async def withdraw(
        self, caller: Caller, user_id: UUID, request: WithdrawalRequest, idempotency_key: str
    ) -> tuple[WithdrawalView, bool]:
        """Begin a withdrawal: held, then the channel pays. Answers it as it was made.

        Raises:
            ChannelUnknownError: no such channel.
            FundUnknownError: no such fund, or its regime is not paid back in money.
            UserFrozenError, LimitExceededError, InsufficientBalanceError: see ``Withdrawals``.
        """
        caller.require(Scope.FUNDS_WRITE)
        self.channel_money.channel(request.channel)
        withdrawals = self.channel_money.withdrawals
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection, raw: RawConnection
        ) -> tuple[UUID, WithdrawalView]:
            person = await self._people.resolve(connection, user_id)
            if person.status != "active":
                raise UserFrozenError(field="user_id")
            key = await self._data.key_of(connection, person.user_id)
            assert key is not None, "an active person has a key"
            effect = self._effect_of(caller, connection, raw)
            payee = key.seal(Field.PAYEE, request.payee)
            made = await withdrawals.hold(effect, person.user_id, request, payee)
            return made, await withdrawals.view(connection, made, as_made=True)

        async def recall(
            connection: AsyncConnection, _: RawConnection, made: UUID
        ) -> WithdrawalView:
            return await withdrawals.view(connection, made, as_made=True)

        view, replayed = await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=request_digest(f"withdrawal/{user_id}", request),
            action="withdrawal",
            subject=f"user/{user_id}",
            now=now,
            perform=perform,
            recall=recall,
        )
        if not replayed:
            await self.channel_money.pay_out(view.withdrawal_id, now)
        return view, replayed

    async def read_withdrawal(self, caller: Caller, withdrawal_id: UUID) -> WithdrawalView:
        """A withdrawal as it stands. Raises ``NotFoundError``."""
        caller.require(Scope.FUNDS_WRITE)
        async with transaction(self._parts.engine) as (connection, _):
            return await self.channel_money.withdrawals.view(connection, withdrawal_id)

    async def channel_notice(self, channel: str, notice: ChannelNotice) -> NoticeTakenView:
        """A channel's own notice, proved by its signature. Raises as ``take_notice``."""
        await self.channel_money.take_notice(channel, notice, self._parts.clock())
        return NoticeTakenView()

    def _effect_of(self, caller: Caller, connection: AsyncConnection, raw: RawConnection) -> Effect:
        now = self._parts.clock()
        return Effect(
            connection=connection,
            raw=raw,
            client_id=caller.client_id,
            now=now,
            on=business_date(now, self._parts.cut_off),
        )
