"""Money of subsidy programmes: deposited by the payer, granted to people, gone back to the payer.

The payer's deposit is a liability of its own. A grant moves it to a person's earmarked fund; what
is left there when the programme ends, or when the person leaves, goes back to the deposit.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import CUSTODY, LEDGER_CNY, TransferCode, sponsor_deposit
from cardcore.account.effect import Effect
from cardcore.account.fund_tables import subsidy_movement
from cardcore.account.funds import Funds
from cardcore.account.programmes import ended_programmes, find_programme, fund_of
from cardcore.account.request import DepositRequest, GrantRequest
from cardcore.account.views import SubsidyMovementView
from cardcore.connections import RawConnection
from cardcore.errors import (
    InsufficientBalanceError,
    LimitExceededError,
    OrderConflictError,
    PersonStateError,
    UserFrozenError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer

# A refund may still bring money back to an ended programme for as long as a purchase can be
# refunded; after that nobody looks any more.
LOOKED_AFTER: Final = timedelta(days=400)
FUNDS_PER_READING: Final = 1000
_m = subsidy_movement.c


class Subsidies:
    """Moves the money of programmes."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._funds = Funds(book, random_bytes)
        self._random_bytes = random_bytes

    async def deposit(self, effect: Effect, programme: str, request: DepositRequest) -> UUID:
        """Book what the payer has paid in: the custodian bank holds more.

        Raises:
            NotFoundError: no such programme.
            OrderConflictError: the channel's number names another payment.
        """
        await find_programme(effect.connection, programme)
        known = (
            await effect.connection.execute(
                select(_m.movement_id, _m.programme, _m.amount_fen).where(
                    _m.channel == request.channel, _m.channel_no == request.channel_no
                )
            )
        ).one_or_none()
        if known is not None:
            if (known.programme, known.amount_fen) != (programme, request.amount_fen):
                raise OrderConflictError(
                    "this channel_no names another payment", field="channel_no"
                )
            movement_id: UUID = known.movement_id
            return movement_id
        movement_id = new_id(effect.now, self._random_bytes)
        result = await self._move(
            effect.raw,
            movement_id,
            TransferCode.SPONSOR_DEPOSIT,
            CUSTODY,
            sponsor_deposit(programme),
            request.amount_fen,
        )
        assert result == "created", result
        await effect.connection.execute(
            insert(subsidy_movement).values(
                movement_id=movement_id,
                programme=programme,
                kind="deposit",
                cause="paid_in",
                amount_fen=request.amount_fen,
                channel=request.channel,
                channel_no=request.channel_no,
                client_id=effect.client_id,
                business_on=effect.on,
                recorded_at=effect.now,
            )
        )
        return movement_id

    async def grant(
        self, effect: Effect, programme: str, request: GrantRequest, *, level: str
    ) -> UUID:
        """Give a person money of a programme; opens the fund where they have none.

        ``request.user_id`` is whoever the id means today, ``level`` their registration.

        Raises:
            NotFoundError: no such programme.
            PersonStateError: it has ended.
            FundUnknownError: it needs a higher level of registration.
            UserFrozenError: the person's fund is frozen or closed.
            LimitExceededError: the fund would hold more than the programme allows.
            InsufficientBalanceError: the payer has not deposited so much.
        """
        known = await find_programme(effect.connection, programme)
        if known.valid_to < effect.on:
            raise PersonStateError(
                "the programme has ended", field="programme", valid_to=known.valid_to.isoformat()
            )
        user_id = request.user_id
        await self._funds.open(
            effect.connection,
            effect.raw,
            user_id=user_id,
            level=level,
            kinds=[programme],
            now=effect.now,
        )
        fund = await fund_of(effect.connection, user_id, programme, lock=True)
        if fund.status != "active":
            raise UserFrozenError(field="fund")
        await self._check_room(effect, fund.fund_id, programme, request.amount_fen)
        movement_id = new_id(effect.now, self._random_bytes)
        result = await self._move(
            effect.raw,
            movement_id,
            TransferCode.SUBSIDY_GRANT,
            sponsor_deposit(programme),
            fund.fund_id,
            request.amount_fen,
        )
        if result == "exceeds_credits":
            raise InsufficientBalanceError(
                "the payer's deposit does not cover it", field="amount_fen"
            )
        assert result == "created", result
        await self._write(
            effect,
            movement_id,
            programme=programme,
            kind="grant",
            cause="granted",
            user_id=user_id,
            fund_id=fund.fund_id,
            amount_fen=request.amount_fen,
        )
        return movement_id

    async def give_back(
        self,
        effect: Effect,
        *,
        programme: str,
        user_id: UUID,
        fund_id: UUID,
        amount_fen: int,
        cause: str,
    ) -> bool:
        """Return what an earmarked fund holds to its payer; False where an order was faster."""
        movement_id = new_id(effect.now, self._random_bytes)
        result = await self._move(
            effect.raw,
            movement_id,
            TransferCode.SUBSIDY_RETURN,
            fund_id,
            sponsor_deposit(programme),
            amount_fen,
        )
        if result == "exceeds_credits":
            return False
        assert result == "created", result
        await self._write(
            effect,
            movement_id,
            programme=programme,
            kind="return",
            cause=cause,
            user_id=user_id,
            fund_id=fund_id,
            amount_fen=amount_fen,
        )
        return True

    async def return_ended(self, effect: Effect) -> int:
        """Return what is left of programmes that have ended; held money stays until it is free.

        Returns:
            How many funds gave something back.
        """
        returned = 0
        for programme in await ended_programmes(
            effect.connection, on=effect.on, since=effect.on - LOOKED_AFTER
        ):
            after = UUID(int=0)
            while True:
                fund = tables.fund.c
                rows = (
                    await effect.connection.execute(
                        select(fund.fund_id, fund.user_id)
                        .where(
                            fund.kind == programme,
                            fund.fund_id > after,
                            fund.status.in_(("active", "frozen")),
                        )
                        .order_by(fund.fund_id)
                        .limit(FUNDS_PER_READING)
                    )
                ).all()
                users = {row.fund_id: row.user_id for row in rows}
                returned += await self._return_from(effect, programme, users)
                if len(rows) < FUNDS_PER_READING:
                    break
                after = rows[-1].fund_id
        return returned

    async def view(self, connection: AsyncConnection, movement_id: UUID) -> SubsidyMovementView:
        """One movement; it never changes."""
        row = (
            await connection.execute(select(subsidy_movement).where(_m.movement_id == movement_id))
        ).one()
        return SubsidyMovementView(
            movement_id=movement_id,
            programme=row.programme,
            kind=row.kind,
            cause=row.cause,
            user_id=row.user_id,
            amount_fen=row.amount_fen,
            business_on=row.business_on,
            recorded_at=row.recorded_at,
        )

    async def _return_from(self, effect: Effect, programme: str, users: Mapping[UUID, UUID]) -> int:
        returned = 0
        held_now = await self._book.lookup_accounts(
            [fund_id.int for fund_id in users], connection=effect.raw
        )
        for held in held_now:
            free_fen = held.credits_posted - held.debits_posted - held.debits_pending
            if free_fen > 0:
                fund_id = UUID(int=held.id)
                returned += await self.give_back(
                    effect,
                    programme=programme,
                    user_id=users[fund_id],
                    fund_id=fund_id,
                    amount_fen=free_fen,
                    cause="ended",
                )
        return returned

    async def _check_room(
        self, effect: Effect, fund_id: UUID, programme: str, amount_fen: int
    ) -> None:
        kind = tables.fund_kind.c
        found = await effect.connection.execute(
            select(kind.balance_fen_max).where(kind.kind == programme)
        )
        limit_fen = found.scalar_one()
        (held,) = await self._book.lookup_accounts([fund_id.int], connection=effect.raw)
        balance_fen = held.credits_posted - held.debits_posted
        if balance_fen + amount_fen > limit_fen:
            raise LimitExceededError(
                field="amount_fen",
                limit=f"fund_balance:{programme}",
                limit_fen=limit_fen,
                balance_fen=balance_fen,
            )

    async def _move(
        self,
        raw: RawConnection,
        movement_id: UUID,
        code: TransferCode,
        debit: UUID,
        credit: UUID,
        amount_fen: int,
    ) -> str:
        (result,) = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(movement_id, 1).int,
                    debit_account_id=debit.int,
                    credit_account_id=credit.int,
                    amount=amount_fen,
                    ledger=LEDGER_CNY,
                    code=code,
                    user_data_128=movement_id.int,
                )
            ],
            connection=raw,
        )
        return result

    async def _write(
        self,
        effect: Effect,
        movement_id: UUID,
        *,
        programme: str,
        kind: str,
        cause: str,
        user_id: UUID,
        fund_id: UUID,
        amount_fen: int,
    ) -> None:
        await effect.connection.execute(
            insert(subsidy_movement).values(
                movement_id=movement_id,
                programme=programme,
                kind=kind,
                cause=cause,
                user_id=user_id,
                fund_id=fund_id,
                amount_fen=amount_fen,
                client_id=effect.client_id,
                business_on=effect.on,
                recorded_at=effect.now,
            )
        )
