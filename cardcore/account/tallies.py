"""Tallies: rides and visits in whole counts, and figures that are noted but are not our money.

Each unit is a ledger of its own, so that no booking can turn a count into fen: a count is given
from the kind's issuing account and goes back there when it is used.
"""

from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import LEDGER_OF_UNIT, AccountCode, TransferCode, tally_issued
from cardcore.account.effect import Effect
from cardcore.account.fund_tables import tally_entry
from cardcore.account.funds import Funds
from cardcore.account.programmes import fund_of
from cardcore.account.request import TallyRequest
from cardcore.account.views import TalliesView, TallyEntryView, TallyView
from cardcore.books import account, open_accounts
from cardcore.connections import RawConnection
from cardcore.errors import (
    FundUnknownError,
    InsufficientBalanceError,
    LimitExceededError,
    UserFrozenError,
)
from cardcore.ids import RandomBytes, new_id, part_id
from ledger import Ledger, Transfer


class Tallies:
    """Gives, uses and reads counts."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._funds = Funds(book, random_bytes)
        self._random_bytes = random_bytes

    async def enter(
        self,
        effect: Effect,
        kind: str,
        request: TallyRequest,
        *,
        uses: bool,
        user_id: UUID,
        level: str,
    ) -> UUID:
        """Give counts, or use them.

        Raises:
            FundUnknownError: not a counter or memo, or it needs a higher level of registration.
            UserFrozenError: it is frozen or closed.
            LimitExceededError: it would count more than its kind may.
            InsufficientBalanceError: fewer are left than are to be used.
        """
        row = (
            await effect.connection.execute(
                select(tables.fund_kind.c.unit, tables.fund_kind.c.balance_fen_max).where(
                    tables.fund_kind.c.kind == kind
                )
            )
        ).one_or_none()
        if row is None or row.unit == "fen":
            raise FundUnknownError(f"{kind!r} does not count", field="fund")
        ledger = LEDGER_OF_UNIT[row.unit]
        issued = account(tally_issued(kind), AccountCode.TALLY_ISSUED, ledger=ledger)
        await open_accounts(self._book, [issued], effect.raw)
        await self._funds.open(
            effect.connection,
            effect.raw,
            user_id=user_id,
            level=level,
            kinds=[kind],
            now=effect.now,
        )
        fund = await fund_of(effect.connection, user_id, kind, lock=True)
        if fund.status != "active":
            raise UserFrozenError(field="fund")
        if not uses:
            (held,) = await self._book.lookup_accounts([fund.fund_id.int], connection=effect.raw)
            left = held.credits_posted - held.debits_posted
            if left + request.quantity > row.balance_fen_max:
                raise LimitExceededError(
                    field="quantity",
                    limit=f"fund_balance:{kind}",
                    limit_quantity=row.balance_fen_max,
                    quantity=left,
                )
        entry_id = new_id(effect.now, self._random_bytes)
        sides = (fund.fund_id.int, issued.id) if uses else (issued.id, fund.fund_id.int)
        (result,) = await self._book.create_transfers(
            [
                Transfer(
                    id=part_id(entry_id, 1).int,
                    debit_account_id=sides[0],
                    credit_account_id=sides[1],
                    amount=request.quantity,
                    ledger=ledger,
                    code=TransferCode.TALLY_USED if uses else TransferCode.TALLY_GIVEN,
                    user_data_128=entry_id.int,
                )
            ],
            connection=effect.raw,
        )
        if result == "exceeds_credits":
            raise InsufficientBalanceError("fewer are left", field="quantity")
        assert result == "created", result
        await effect.connection.execute(
            insert(tally_entry).values(
                entry_id=entry_id,
                fund_id=fund.fund_id,
                user_id=user_id,
                quantity=-request.quantity if uses else request.quantity,
                reason=request.reason,
                client_id=effect.client_id,
                business_on=effect.on,
                recorded_at=effect.now,
            )
        )
        return entry_id

    async def read(
        self, connection: AsyncConnection, raw: RawConnection, user_id: UUID
    ) -> TalliesView:
        """All counts of a person."""
        fund, kind = tables.fund.c, tables.fund_kind.c
        rows = (
            await connection.execute(
                select(fund.fund_id, fund.kind, kind.unit)
                .join(tables.fund_kind, kind.kind == fund.kind)
                .where(fund.user_id == user_id, kind.unit != "fen", fund.status != "closed")
                .order_by(fund.kind)
            )
        ).all()
        held = {
            one.id: one.credits_posted - one.debits_posted
            for one in await self._book.lookup_accounts(
                [row.fund_id.int for row in rows], connection=raw
            )
        }
        return TalliesView(
            user_id=user_id,
            tallies=[
                TallyView(fund=row.kind, unit=row.unit, quantity=held[row.fund_id.int])
                for row in rows
            ],
        )

    async def view(self, connection: AsyncConnection, entry_id: UUID) -> TallyEntryView:
        """One entry; it never changes."""
        row = (
            await connection.execute(
                select(tally_entry, tables.fund.c.kind, tables.fund_kind.c.unit)
                .join(tables.fund, tables.fund.c.fund_id == tally_entry.c.fund_id)
                .join(tables.fund_kind, tables.fund_kind.c.kind == tables.fund.c.kind)
                .where(tally_entry.c.entry_id == entry_id)
            )
        ).one()
        return TallyEntryView(
            entry_id=entry_id,
            user_id=row.user_id,
            fund=row.kind,
            unit=row.unit,
            quantity=row.quantity,
            recorded_at=row.recorded_at,
        )
