"""Bills and differences as operators see them: taken, listed, taken up."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, update

from cardcore import audit, tables
from cardcore.books import transaction
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.once import record_refusal
from cardcore.parts import Parts
from cardcore.settlement.access import require_centre
from cardcore.settlement.comparing import CUSTODIAN
from cardcore.settlement.errors import (
    BillInvalidError,
    DifferenceClosedError,
    DifferenceUnknownError,
    SourceUnknownError,
)
from cardcore.settlement.reconciliation import Reconciliation
from cardcore.settlement.request import DifferencesQuery, TakeBill, TakeUp
from cardcore.settlement.tables import difference
from cardcore.settlement.views import BillTakenView, DifferencesView, DifferenceView


class DifferenceDesk:
    """Serves what differs between books."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reconciliation = Reconciliation(parts.engine, parts.random_bytes, parts.cut_off)

    async def take_bill(self, caller: Caller, request: TakeBill) -> BillTakenView:
        """Take a bill of the custodian bank or of a payment channel, and compare it.

        Raises:
            SourceUnknownError: there is no such source.
            BillInvalidError: it is cut, was changed, or cannot be read.
        """
        require_centre(caller, Scope.FUNDS_ADMIN)
        await self._require_source(request.source)
        now = self._parts.clock()
        try:
            return await self._reconciliation.take_bill(
                request.source,
                request.business_on,
                request.file,
                by=caller.client_id,
                now=now,
            )
        except BillInvalidError as refusal:
            subject = f"settlement_bill/{request.source}/{request.business_on}"
            await record_refusal(
                self._parts.engine, caller, "settlement.bill", subject, refusal, now
            )
            raise

    async def standing(self, caller: Caller, query: DifferencesQuery) -> DifferencesView:
        """Differences, oldest first: those that stand, or all of a date. The card centre's."""
        require_centre(caller, Scope.REPORTS_READ)
        d = difference.c
        asked = (
            select(difference)
            .order_by(d.business_on, d.found_at, d.difference_id)
            .limit(query.limit)
        )
        if query.business_on is None:
            asked = asked.where(d.closed_at.is_(None))
        else:
            asked = asked.where(d.business_on == query.business_on)
        if query.source is not None:
            asked = asked.where(d.source == query.source)
        async with transaction(self._parts.engine) as (connection, _):
            rows = (await connection.execute(asked)).all()
        return DifferencesView(differences=[self._difference(row) for row in rows])

    async def take_up(self, caller: Caller, difference_id: UUID, request: TakeUp) -> DifferenceView:
        """Say who looks into a difference.

        Raises:
            DifferenceUnknownError: no such difference.
            DifferenceClosedError: it is closed.
        """
        require_centre(caller, Scope.PROPOSALS_WRITE)
        d = difference.c
        async with transaction(self._parts.engine) as (connection, _):
            row = (
                await connection.execute(
                    select(difference).where(d.difference_id == difference_id).with_for_update()
                )
            ).one_or_none()
            if row is None:
                raise DifferenceUnknownError(field="difference_id")
            if row.closed_at is not None:
                raise DifferenceClosedError(field="difference_id")
            await connection.execute(
                update(difference)
                .where(d.difference_id == difference_id)
                .values(owner=request.owner)
            )
            await audit.record(
                connection,
                actor=caller.client_id,
                action="settlement.take_up",
                subject=f"settlement_difference/{difference_id}",
                outcome="done",
                now=self._parts.clock(),
                purpose=request.owner,
            )
            row = (
                await connection.execute(select(difference).where(d.difference_id == difference_id))
            ).one()
        return self._difference(row)

    def _difference(self, row: Row[Any]) -> DifferenceView:
        until = row.closed_at or self._parts.clock()
        age = business_date(until, self._parts.cut_off) - row.business_on
        return DifferenceView(**row._mapping, age_days=age.days)  # noqa: SLF001  (likewise)

    async def _require_source(self, source: str) -> None:
        """A bill is of the bank, of a channel that is wired, or of one that money came through."""
        if source == CUSTODIAN or source in self._parts.channels:
            return
        t = tables.topup.c
        async with transaction(self._parts.engine) as (connection, _):
            known = await connection.scalar(select(t.channel).where(t.channel == source).limit(1))
        if known is None:
            raise SourceUnknownError(field="source")
