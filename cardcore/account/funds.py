"""Funds: a person's money, each fund under its own legal regime, and money coming in."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import (
    CODE_OF_NATURE,
    CUSTODY,
    LEDGER_CNY,
    LEDGER_OF_UNIT,
    TransferCode,
)
from cardcore.account.fund_tables import fund_regime
from cardcore.account.programmes import programme_ends
from cardcore.account.request import TopUpRequest
from cardcore.account.turnover import TurnoverLimits, check_limits
from cardcore.account.views import FundView, TopUpView
from cardcore.books import account, open_accounts
from cardcore.connections import RawConnection
from cardcore.errors import (
    FundUnknownError,
    LimitExceededError,
    OrderConflictError,
    UserFrozenError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from cardcore.user.life import LEVELS
from cardcore.user.people_tables import identity_level
from ledger import Account, Ledger, Transfer


class Funds:
    """Opens, reads and fills funds on the connection of the caller's transaction."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes

    async def open(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        user_id: UUID,
        level: str,
        kinds: Sequence[str],
        now: datetime,
    ) -> None:
        """Open the funds the user does not have yet.

        Raises:
            FundUnknownError: there is no such kind, or it needs a higher level.
        """
        wanted = dict.fromkeys(kinds)
        known = (
            await connection.execute(
                select(
                    tables.fund_kind.c.kind,
                    tables.fund_kind.c.level_min,
                    tables.fund_kind.c.unit,
                    fund_regime.c.nature,
                )
                .join(fund_regime, fund_regime.c.regime == tables.fund_kind.c.regime)
                .where(tables.fund_kind.c.kind.in_(list(wanted)))
            )
        ).all()
        allowed = {
            row.kind: row for row in known if LEVELS.index(row.level_min) <= LEVELS.index(level)
        }
        for kind in wanted:
            if kind not in allowed:
                raise FundUnknownError(f"no fund {kind!r} at level {level}", field="funds")
        held = set(
            (
                await connection.execute(
                    select(tables.fund.c.kind).where(tables.fund.c.user_id == user_id)
                )
            ).scalars()
        )
        opening = [(uuid4(), kind) for kind in wanted if kind not in held]
        if not opening:
            return
        await open_accounts(
            self._book,
            [
                account(
                    fund_id,
                    CODE_OF_NATURE[allowed[kind].nature],
                    ledger=LEDGER_OF_UNIT[allowed[kind].unit],
                )
                for fund_id, kind in opening
            ],
            raw,
        )
        await connection.execute(
            insert(tables.fund),
            [
                {
                    "fund_id": fund_id,
                    "user_id": user_id,
                    "kind": kind,
                    "status": "active",
                    "recorded_at": now,
                }
                for fund_id, kind in opening
            ],
        )

    async def read(
        self, connection: AsyncConnection, raw: RawConnection, user_id: UUID
    ) -> list[FundView]:
        """A user's funds of money with their balances; counts are read as tallies."""
        rows = (
            await connection.execute(
                select(
                    tables.fund.c.fund_id,
                    tables.fund.c.kind,
                    tables.fund_kind.c.regime,
                    fund_regime.c.nature,
                )
                .join(tables.fund_kind, tables.fund_kind.c.kind == tables.fund.c.kind)
                .join(fund_regime, fund_regime.c.regime == tables.fund_kind.c.regime)
                .where(tables.fund.c.user_id == user_id, tables.fund_kind.c.unit == "fen")
                .order_by(tables.fund.c.kind)
            )
        ).all()
        found = await self._book.lookup_accounts([row.fund_id.int for row in rows], connection=raw)
        by_id = {one.id: one for one in found}
        ends: dict[str, date] = {}
        if any(row.nature == "restricted" for row in rows):
            ends = await programme_ends(connection)
        return [_view(row, by_id[row.fund_id.int], ends.get(row.kind)) for row in rows]

    async def top_up(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        user_id: UUID,
        request: TopUpRequest,
        now: datetime,
        business_on: date,
    ) -> tuple[UUID, TopUpView]:
        """Book money a channel has received: the custodian bank holds more, so does the fund.

        Raises:
            FundUnknownError: the user has no such fund.
            UserFrozenError: the fund is frozen or closed.
            FundUnknownError: money of this nature does not come from a payment channel.
            LimitExceededError: over what one top-up, one day, the fund's regime or the person's
                level allows; more than is owed, where a credit line is paid back.
            OrderConflictError: the channel's number was booked before for something else.
        """
        fund = await self.lock(connection, user_id, request.fund)
        if fund.status != "active":
            raise UserFrozenError(field="fund")
        known = await self._known(connection, fund.fund_id, request)
        if known is not None:
            return known, await self.topup_view(connection, known)
        await self.check_room(
            connection, raw, fund, user_id=user_id, amount_fen=request.amount_fen, on=business_on
        )
        topup_id = new_id(now, self._random_bytes)
        results = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(topup_id, 1).int,
                    debit_account_id=CUSTODY.int,
                    credit_account_id=fund.fund_id.int,
                    amount=request.amount_fen,
                    ledger=LEDGER_CNY,
                    code=TransferCode.TOP_UP,
                    user_data_128=topup_id.int,
                )
            ],
            connection=raw,
        )
        assert list(results) == ["created"], results
        await connection.execute(
            insert(tables.topup).values(
                topup_id=topup_id,
                user_id=user_id,
                fund_id=fund.fund_id,
                amount_fen=request.amount_fen,
                channel=request.channel,
                channel_no=request.channel_no,
                business_on=business_on,
                recorded_at=now,
            )
        )
        return topup_id, await self.topup_view(connection, topup_id)

    async def topup_view(self, connection: AsyncConnection, topup_id: UUID) -> TopUpView:
        """One top-up; it never changes."""
        row = (
            await connection.execute(
                select(tables.topup, tables.fund.c.kind)
                .join(tables.fund, tables.fund.c.fund_id == tables.topup.c.fund_id)
                .where(tables.topup.c.topup_id == topup_id)
            )
        ).one()
        return TopUpView(
            topup_id=topup_id,
            user_id=row.user_id,
            fund=row.kind,
            amount_fen=row.amount_fen,
            channel=row.channel,
            channel_no=row.channel_no,
            recorded_at=row.recorded_at,
        )

    async def lock(self, connection: AsyncConnection, user_id: UUID, kind: str) -> Row[Any]:
        """A person's fund with the limits of its kind, locked together with the person.

        Raises:
            FundUnknownError: the user has no such fund.
        """
        fund = (
            await connection.execute(
                select(
                    tables.fund,
                    tables.fund_kind.c.balance_fen_max,
                    tables.fund_kind.c.topup_fen_max,
                    tables.fund_kind.c.topup_day_fen_max,
                    fund_regime.c.nature,
                )
                .join(tables.fund_kind, tables.fund_kind.c.kind == tables.fund.c.kind)
                .join(fund_regime, fund_regime.c.regime == tables.fund_kind.c.regime)
                .join(tables.person, tables.person.c.user_id == tables.fund.c.user_id)
                .where(tables.fund.c.user_id == user_id, tables.fund.c.kind == kind)
                # Two top-ups at once must see each other, or both pass under the limit: of the
                # fund, or of the person's level.
                .with_for_update(of=(tables.fund, tables.person))
            )
        ).one_or_none()
        if fund is None:
            raise FundUnknownError(f"the user has no fund {kind!r}", field="fund")
        return fund

    async def check_room(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        fund: Row[Any],
        *,
        user_id: UUID,
        amount_fen: int,
        on: date,
    ) -> None:
        """May this much come into a fund today? ``fund`` is locked, with its kind and nature.

        Raises:
            FundUnknownError, LimitExceededError: see ``top_up``.
        """
        if fund.nature not in ("prepaid", "credit"):
            raise FundUnknownError(f"{fund.kind!r} is not topped up by its owner", field="fund")
        (held,) = await self._book.lookup_accounts([fund.fund_id.int], connection=raw)
        balance_fen = held.credits_posted - held.debits_posted
        # What is paid back to a credit line is never more than what is owed.
        balance_fen_max = fund.balance_fen_max if fund.nature == "prepaid" else 0
        check_limits(
            amount_fen,
            used_fen=await self._topped_up_on(connection, fund.fund_id, on),
            limits=TurnoverLimits(
                name=f"topup:{fund.kind}",
                single_fen_max=fund.topup_fen_max,
                day_fen_max=fund.topup_day_fen_max,
            ),
            on=on,
        )
        if balance_fen + amount_fen > balance_fen_max:
            raise LimitExceededError(
                field="amount_fen",
                limit=f"fund_balance:{fund.kind}",
                limit_fen=balance_fen_max,
                balance_fen=balance_fen,
            )
        if fund.nature == "prepaid":
            await self._check_level(connection, raw, user_id, amount_fen)

    async def _topped_up_on(self, connection: AsyncConnection, fund_id: UUID, on: date) -> int:
        topup = tables.topup.c
        found = await connection.execute(
            select(func.coalesce(func.sum(topup.amount_fen), 0)).where(
                topup.fund_id == fund_id, topup.business_on == on
            )
        )
        return int(found.scalar_one())

    async def _check_level(
        self, connection: AsyncConnection, raw: RawConnection, user_id: UUID, amount_fen: int
    ) -> None:
        """A person's prepaid funds together stay within what their level of registration allows."""
        limit_fen = (
            await connection.execute(
                select(identity_level.c.balance_fen_max)
                .join(tables.person, tables.person.c.level == identity_level.c.level)
                .where(tables.person.c.user_id == user_id)
            )
        ).scalar_one()
        balance_fen = sum(
            fund.balance_fen
            for fund in await self.read(connection, raw, user_id)
            if fund.nature == "prepaid"
        )
        if balance_fen + amount_fen > limit_fen:
            raise LimitExceededError(
                field="amount_fen",
                limit="level_balance",
                limit_fen=limit_fen,
                balance_fen=balance_fen,
            )

    async def _known(
        self, connection: AsyncConnection, fund_id: UUID, request: TopUpRequest
    ) -> UUID | None:
        row = (
            await connection.execute(
                select(tables.topup).where(
                    tables.topup.c.channel == request.channel,
                    tables.topup.c.channel_no == request.channel_no,
                )
            )
        ).one_or_none()
        if row is None:
            return None
        if (row.fund_id, row.amount_fen) != (fund_id, request.amount_fen):
            raise OrderConflictError("this channel_no names another payment", field="channel_no")
        topup_id: UUID = row.topup_id
        return topup_id


def _view(
    row: Any,  # noqa: ANN401  (a row of ``read``)
    held: Account,
    valid_to: date | None,
) -> FundView:
    balance_fen = held.credits_posted - held.debits_posted
    return FundView(
        fund=row.kind,
        regime=row.regime,
        balance_fen=balance_fen,
        held_fen=held.debits_pending,
        available_fen=balance_fen - held.debits_pending + held.overdraft_limit,
        nature=row.nature,
        credit_limit_fen=held.overdraft_limit,
        valid_to=valid_to,
    )
