"""Credit lines: funds whose balance may go below zero, as far as their limit.

The ledger keeps the limit, so no race of orders can pass it; here stands who set it, and why.
"""

from uuid import UUID

from psycopg.errors import CheckViolation
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.effect import Effect
from cardcore.account.fund_tables import credit_limit
from cardcore.account.funds import Funds
from cardcore.account.programmes import fund_of
from cardcore.account.request import CreditLimitRequest
from cardcore.account.views import CreditLimitView, CreditLineView
from cardcore.errors import FundUnknownError, LimitExceededError, ObligationsOpenError
from cardcore.ids import RandomBytes, new_id
from ledger import Ledger
from ledger.corrections import set_overdraft_limit


class CreditLines:
    """Sets limits."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._funds = Funds(book, random_bytes)
        self._random_bytes = random_bytes

    async def set_limit(
        self,
        effect: Effect,
        kind: str,
        request: CreditLimitRequest,
        *,
        user_id: UUID,
        level: str,
    ) -> UUID:
        """Set the limit of a person's credit line; opens it where they have none.

        Raises:
            FundUnknownError: not a credit line, or it needs a higher level of registration.
            LimitExceededError: over what this kind of credit may come to.
            ObligationsOpenError: more is owed or held already than the new limit.
        """
        allowed = await effect.connection.execute(
            select(tables.fund_kind.c.credit_fen_max).where(tables.fund_kind.c.kind == kind)
        )
        limit_fen_max = allowed.scalar_one_or_none()
        if limit_fen_max is None:
            raise FundUnknownError(f"{kind!r} is not a credit line", field="fund")
        if request.limit_fen > limit_fen_max:
            raise LimitExceededError(
                field="limit_fen", limit=f"credit:{kind}", limit_fen=limit_fen_max
            )
        await self._funds.open(
            effect.connection,
            effect.raw,
            user_id=user_id,
            level=level,
            kinds=[kind],
            now=effect.now,
        )
        fund = await fund_of(effect.connection, user_id, kind, lock=True)
        try:
            await set_overdraft_limit(
                self._book,
                fund.fund_id.int,
                request.limit_fen,
                reason=request.reason,
                connection=effect.raw,
            )
        except CheckViolation as broken:
            raise ObligationsOpenError(
                "more is owed than the new limit", field="limit_fen", open=[f"fund_owed:{kind}"]
            ) from broken
        change_id = new_id(effect.now, self._random_bytes)
        await effect.connection.execute(
            insert(credit_limit).values(
                change_id=change_id,
                fund_id=fund.fund_id,
                limit_fen=request.limit_fen,
                reason=request.reason,
                client_id=effect.client_id,
                recorded_at=effect.now,
            )
        )
        return change_id

    async def view(self, connection: AsyncConnection, change_id: UUID) -> CreditLimitView:
        """One setting of a limit; it never changes."""
        row = (
            await connection.execute(
                select(credit_limit, tables.fund.c.user_id, tables.fund.c.kind)
                .join(tables.fund, tables.fund.c.fund_id == credit_limit.c.fund_id)
                .where(credit_limit.c.change_id == change_id)
            )
        ).one()
        return CreditLimitView(
            change_id=change_id,
            user_id=row.user_id,
            fund=row.kind,
            limit_fen=row.limit_fen,
            recorded_at=row.recorded_at,
        )

    async def read(self, effect: Effect, kind: str, *, user_id: UUID) -> CreditLineView:
        """A person's credit line as the ledger has it.

        Raises:
            FundUnknownError: they have none of this kind, or it is not a credit line.
        """
        fund = await fund_of(effect.connection, user_id, kind)
        if fund.credit_fen_max is None:
            raise FundUnknownError(f"{kind!r} is not a credit line", field="fund")
        (held,) = await self._book.lookup_accounts([fund.fund_id.int], connection=effect.raw)
        return CreditLineView(
            user_id=user_id,
            fund=kind,
            limit_fen=held.overdraft_limit,
            owed_fen=held.debits_posted - held.credits_posted,
            held_fen=held.debits_pending,
        )
