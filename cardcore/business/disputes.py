"""Disputes: opening, each step with its money, and what falls due by itself.

Only the citizen's share is disputed; a subsidy goes back with a refund.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.account.arrears import payments_of
from cardcore.account.chart import ARREARS
from cardcore.business.dispute_claims import disputed_by_line
from cardcore.business.dispute_errors import DisputeExceedsError, SecondOperatorNeededError
from cardcore.business.dispute_journal import (
    BY_ITSELF,
    Saying,
    digest_of,
    dispute_view,
    money_of,
    write_event,
)
from cardcore.business.dispute_request import Finding
from cardcore.business.dispute_states import (
    UNDECIDED,
    DisputeMoney,
    DisputeStatus,
    DisputeStep,
    step,
)
from cardcore.business.dispute_tables import dispute, dispute_event, dispute_line, dispute_rule
from cardcore.business.dispute_transfers import DisputeTransfers
from cardcore.business.dispute_views import DisputeView, EvidenceView
from cardcore.business.explain import explain
from cardcore.business.holds import captured_by_line
from cardcore.business.orders import OrderLine, OrderRecord, load_order
from cardcore.business.quote import Payer
from cardcore.business.refund_split import split_refund
from cardcore.business.refunds import refunded_by_line
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import NotFoundError, OrderStateError, RefundExceedsError
from cardcore.ids import RandomBytes, new_id
from ledger import Ledger

DUE_PER_ROUND_MAX: Final = 100
_DISPUTABLE: Final = ("captured", "refunded")
_d, _e, _l = dispute.c, dispute_event.c, dispute_line.c


def decision_step(finding: Finding) -> DisputeStep:
    """The step a decision is."""
    if finding is Finding.CITIZEN:
        return DisputeStep.DECIDE_FOR_CITIZEN
    return DisputeStep.DECIDE_FOR_MERCHANT


class Disputes:
    """Works on the connection of the caller's transaction."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes
        self._transfers = DisputeTransfers(book, random_bytes)

    async def open(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        caller: Caller,
        order_id: UUID,
        reason: str,
        amount_fen: int | None,
        now: datetime,
    ) -> tuple[UUID, DisputeView]:
        """Open a dispute and keep the evidence as it is now; returns the event's id.

        Raises:
            NotFoundError: no such order of this caller.
            OrderStateError: nothing of it was paid, or something is still held.
            DisputeExceedsError: more than is left of the citizen's share.
        """
        order = await load_order(raw, caller, order_id, lock=True)
        if caller.user_id not in (None, order.user_id):
            raise NotFoundError(field="order_id")
        if order.status not in _DISPUTABLE:
            raise OrderStateError(field="order_id", status=order.status)
        shares = await self._disputable(connection, order, amount_fen)
        rule = (
            await connection.execute(select(dispute_rule).where(dispute_rule.c.reason == reason))
        ).one()
        pack = await self._evidence(connection, raw, order)
        dispute_id = new_id(now, self._random_bytes)
        money = DisputeMoney(amount_fen=sum(fen for _, fen in shares))
        await connection.execute(
            insert(dispute).values(
                dispute_id=dispute_id,
                order_id=order_id,
                merchant_id=order.merchant_id,
                user_id=order.user_id,
                reason=reason,
                amount_fen=money.amount_fen,
                status=DisputeStatus.OPEN,
                opened_at=now,
                respond_by=now + timedelta(days=rule.respond_days),
                credit_by=now + timedelta(days=rule.credit_days),
                decide_by=now + timedelta(days=rule.decide_days),
                evidence=pack,
                evidence_digest=digest_of(pack),
            )
        )
        await connection.execute(
            insert(dispute_line),
            [
                {"dispute_id": dispute_id, "line_no": line.line_no, "amount_fen": fen}
                for line, fen in shares
            ],
        )
        event_id = new_id(now, self._random_bytes)
        saying = Saying(client_id=caller.client_id, now=now)
        await write_event(
            connection, dispute_id, event_id, "open", DisputeStatus.OPEN, money, saying
        )
        return event_id, await dispute_view(connection, event_id)

    async def take(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        caller: Caller | None,
        dispute_id: UUID,
        taken: DisputeStep,
        saying: Saying,
        alone: bool = False,
    ) -> tuple[UUID, DisputeView]:
        """Take one step: credit, recover, write it down; returns the event's id.

        ``caller`` None: the step falls due by itself, or two operators take it. ``alone``: one
        person of the card centre takes it.

        Raises:
            NotFoundError: no such dispute of this caller.
            DisputeStateError: its state does not allow the step.
            SecondOperatorNeededError: one person takes it, above the limit of the rule.
        """
        row = await self._row(connection, caller, dispute_id)
        if alone:
            await _within_limit(connection, row)
        status, money, credit_fen = step(DisputeStatus(row.status), money_of(row), taken)
        event_id = new_id(saying.now, self._random_bytes)
        if credit_fen:
            await self._transfers.credit(connection, raw, row, event_id, saying.now)
        money = money.recover(await self._transfers.recover(connection, raw, row, event_id, money))
        await write_event(connection, dispute_id, event_id, taken.value, status, money, saying)
        return event_id, await dispute_view(connection, event_id)

    async def read(
        self, connection: AsyncConnection, caller: Caller, dispute_id: UUID
    ) -> DisputeView:
        """The dispute as it stands. Raises ``NotFoundError``."""
        await self._row(connection, caller, dispute_id, lock=False)
        latest = await connection.scalar(
            select(_e.event_id).where(_e.dispute_id == dispute_id).order_by(_e.seq.desc()).limit(1)
        )
        assert latest is not None
        return await dispute_view(connection, latest)

    async def evidence(
        self, connection: AsyncConnection, caller: Caller, dispute_id: UUID
    ) -> EvidenceView:
        """The evidence kept when it was opened. Raises ``NotFoundError``."""
        row = await self._row(connection, caller, dispute_id, lock=False)
        return EvidenceView(
            dispute_id=dispute_id, sha256=row.evidence_digest.hex(), pack=row.evidence
        )

    async def due(self, connection: AsyncConnection, now: datetime) -> list[tuple[UUID, str]]:
        """Disputes for which something falls due, with what: a step's name, or ``recover``."""
        undecided = _d.status.in_([one.value for one in UNDECIDED])
        unanswered = (_d.status == DisputeStatus.OPEN.value) & (_d.respond_by <= now)
        uncredited = (_d.credited_fen == 0) & (_d.credit_by <= now)
        rows = await connection.execute(
            select(dispute)
            .where(undecided, or_(unanswered, uncredited, _d.decide_by <= now))
            .order_by(_d.dispute_id)
            .limit(DUE_PER_ROUND_MAX)
        )
        found: list[tuple[UUID, str]] = []
        for row in rows:
            taken = DisputeStep.CREDIT
            if row.status == DisputeStatus.OPEN.value and row.respond_by <= now:
                taken = DisputeStep.RESPONSE_OVERDUE
            elif row.status == DisputeStatus.CONTESTED.value and row.decide_by <= now:
                taken = DisputeStep.DECISION_OVERDUE
            found.append((row.dispute_id, taken.value))
        owed = await connection.execute(
            select(_d.dispute_id)
            .where(_d.borne_by.is_not(None), _d.recovered_fen < _d.credited_fen)
            .order_by(func.random())
            .limit(DUE_PER_ROUND_MAX)
        )
        return found + [(dispute_id, "recover") for dispute_id in owed.scalars()]

    async def recover_more(
        self, connection: AsyncConnection, raw: RawConnection, dispute_id: UUID, now: datetime
    ) -> int:
        """Take more of what is owed, where there is some by now; returns how much, in fen."""
        row = await self._row(connection, None, dispute_id)
        money = money_of(row)
        event_id = new_id(now, self._random_bytes)
        taken_fen = await self._transfers.recover(connection, raw, row, event_id, money)
        if taken_fen:
            saying = Saying(client_id=BY_ITSELF, now=now)
            status = DisputeStatus(row.status)
            money = money.recover(taken_fen)
            await write_event(connection, dispute_id, event_id, "recover", status, money, saying)
        return taken_fen

    # -- parts -------------------------------------------------------------------------------

    async def _row(
        self,
        connection: AsyncConnection,
        caller: Caller | None,
        dispute_id: UUID,
        *,
        lock: bool = True,
    ) -> Row[Any]:
        query = select(dispute).where(_d.dispute_id == dispute_id)
        row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
        if (
            row is None
            or (caller is not None and caller.merchant_id not in (None, row.merchant_id))
            or (caller is not None and caller.user_id not in (None, row.user_id))
        ):
            raise NotFoundError(field="dispute_id")
        return row

    async def _disputable(
        self, connection: AsyncConnection, order: OrderRecord, amount_fen: int | None
    ) -> list[tuple[OrderLine, int]]:
        """What of which line is disputed: the citizen's funds, last line first."""
        own = [line for line in order.lines if _is_citizens(line)]
        paid_fen = await captured_by_line(connection, order)
        gone = Counter(await refunded_by_line(connection, order.order_id))
        # Of arrears only what was paid since is the citizen's; what is owed is let off by a refund.
        payments = await payments_of(connection, order.order_id)
        for line in own:
            if line.fund == ARREARS:
                left = payments.get(line.line_no, ())
                paid_fen[line.line_no] = sum(one.left_fen for one in left)
                gone[line.line_no] = 0
        gone.update(await disputed_by_line(connection, order.order_id))
        try:
            return split_refund(amount_fen, own, paid_fen, gone)
        except RefundExceedsError as more:
            raise DisputeExceedsError(field="amount_fen", left_fen=more.facts["left_fen"]) from None

    async def _evidence(
        self, connection: AsyncConnection, raw: RawConnection, order: OrderRecord
    ) -> dict[str, Any]:
        """Everything the books know of the order now."""
        explained = await explain(connection, raw, self._book, order)
        return {
            "order": order.view().model_dump(mode="json"),
            "explain": explained.model_dump(mode="json"),
            "details": order.details,
        }


def _is_citizens(line: OrderLine) -> bool:
    return line.payer == Payer.CITIZEN and line.fund is not None


async def _within_limit(connection: AsyncConnection, row: Row[Any]) -> None:
    limit_fen = await connection.scalar(
        select(dispute_rule.c.alone_fen_max).where(dispute_rule.c.reason == row.reason)
    )
    assert limit_fen is not None
    if row.amount_fen > limit_fen:
        raise SecondOperatorNeededError(
            field="dispute_id", amount_fen=row.amount_fen, limit_fen=limit_fen
        )
