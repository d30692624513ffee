"""Disputes in the books: opening, each step with its money, and what falls due by itself.

The citizen is credited out of the city's dispute account, which may go below zero: what it is
short of is what merchants and citizens still owe it. It stands under suspense, so custody covers
the citizen's credit from the first instant on. Only the citizen's share is disputed; a subsidy
goes back with a refund.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.arrears import payments_of
from cardcore.account.arrears_payments import take_back
from cardcore.account.chart import ARREARS, DISPUTES, LEDGER_CNY, SUSPENSE, TransferCode
from cardcore.account.claims import Claims
from cardcore.account.fund_life import landing_accounts
from cardcore.business.dispute_claims import credit_id, disputed_by_line, recovery_id
from cardcore.business.dispute_errors import DisputeExceedsError
from cardcore.business.dispute_states import (
    UNDECIDED,
    Bearer,
    DisputeMoney,
    DisputeStatus,
    DisputeStep,
    step,
)
from cardcore.business.dispute_tables import dispute, dispute_event, dispute_line, dispute_rule
from cardcore.business.dispute_views import DisputeEventView, DisputeView, EvidenceView
from cardcore.business.explain import explain
from cardcore.business.holds import captured_by_line
from cardcore.business.orders import OrderLine, OrderRecord, load_order, load_orders
from cardcore.business.quote import Payer
from cardcore.business.refund_split import split_refund
from cardcore.business.refunds import refunded_by_line
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import NotFoundError, OrderStateError, RefundExceedsError
from cardcore.ids import RandomBytes, new_id
from ledger import Ledger, Transfer, TransferFlags

BY_ITSELF: Final = "worker"
DUE_PER_ROUND_MAX: Final = 100
_DISPUTABLE: Final = ("captured", "refunded")
_d, _e, _l = dispute.c, dispute_event.c, dispute_line.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """Who takes a step, when, and on what grounds."""

    client_id: str
    now: datetime
    grounds: str | None = None
    reference: str | None = None


class Disputes:
    """Works on the connection of the caller's transaction."""

    def __init__(self, book: Ledger, random_bytes: RandomBytes) -> None:
        self._book = book
        self._random_bytes = random_bytes
        self._claims = Claims(book, random_bytes)

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
        await _write_event(
            connection, dispute_id, event_id, "open", DisputeStatus.OPEN, money, saying
        )
        return event_id, await self.view(connection, event_id)

    async def take(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        *,
        caller: Caller | None,
        dispute_id: UUID,
        taken: DisputeStep,
        saying: Saying,
    ) -> tuple[UUID, DisputeView]:
        """Take one step: credit, recover, write it down; returns the event's id.

        ``caller`` None: the step falls due by itself.

        Raises:
            NotFoundError: no such dispute of this caller.
            DisputeStateError: its state does not allow the step.
        """
        row = await self._row(connection, caller, dispute_id)
        status, money, credit_fen = step(DisputeStatus(row.status), _money(row), taken)
        event_id = new_id(saying.now, self._random_bytes)
        if credit_fen:
            await self._credit(connection, raw, row, event_id, saying.now)
        money = money.recover(await self._recover(connection, raw, row, event_id, money))
        await _write_event(connection, dispute_id, event_id, taken.value, status, money, saying)
        return event_id, await self.view(connection, event_id)

    async def view(self, connection: AsyncConnection, event_id: UUID) -> DisputeView:
        """The dispute as it stood after one of its events."""
        event = (
            await connection.execute(select(dispute_event).where(_e.event_id == event_id))
        ).one()
        row = (
            await connection.execute(select(dispute).where(_d.dispute_id == event.dispute_id))
        ).one()
        events = await connection.execute(
            select(dispute_event)
            .where(_e.dispute_id == event.dispute_id, _e.seq <= event.seq)
            .order_by(_e.seq)
        )
        return DisputeView(
            dispute_id=row.dispute_id,
            order_id=row.order_id,
            merchant_id=row.merchant_id,
            reason=row.reason,
            amount_fen=row.amount_fen,
            currency="CNY",
            status=event.status_after,
            credited_fen=event.credited_after_fen,
            recovered_fen=event.recovered_after_fen,
            borne_by=event.borne_by_after,
            opened_at=row.opened_at,
            respond_by=row.respond_by,
            credit_by=row.credit_by,
            decide_by=row.decide_by,
            evidence_sha256=row.evidence_digest.hex(),
            events=[
                DisputeEventView(
                    step=one.step,
                    by=one.client_id,
                    grounds=one.grounds,
                    reference=one.reference,
                    recorded_at=one.recorded_at,
                )
                for one in events
            ],
        )

    async def read(
        self, connection: AsyncConnection, caller: Caller, dispute_id: UUID
    ) -> DisputeView:
        """The dispute as it stands. Raises ``NotFoundError``."""
        await self._row(connection, caller, dispute_id, lock=False)
        latest = await connection.scalar(
            select(_e.event_id).where(_e.dispute_id == dispute_id).order_by(_e.seq.desc()).limit(1)
        )
        assert latest is not None
        return await self.view(connection, latest)

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
        money = _money(row)
        event_id = new_id(now, self._random_bytes)
        taken_fen = await self._recover(connection, raw, row, event_id, money)
        if taken_fen:
            saying = Saying(client_id=BY_ITSELF, now=now)
            status = DisputeStatus(row.status)
            money = money.recover(taken_fen)
            await _write_event(connection, dispute_id, event_id, "recover", status, money, saying)
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

    async def _credit(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        row: Row[Any],
        event_id: UUID,
        now: datetime,
    ) -> None:
        """Give the disputed amount back to where it came from, out of the dispute account."""
        shares = await self._shares(connection, raw, row)
        landing = await landing_accounts(connection, [fund_id for fund_id, _ in shares])
        transfers = [
            Transfer(
                id=credit_id(event_id, position).int,
                debit_account_id=DISPUTES.int,
                credit_account_id=landing.get(fund_id, fund_id).int,
                amount=fen,
                ledger=LEDGER_CNY,
                code=TransferCode.DISPUTE_CREDIT,
                flags=(TransferFlags.linked if position + 1 < len(shares) else TransferFlags(0)),
                user_data_128=row.dispute_id.int,
            )
            for position, (fund_id, fen) in enumerate(shares)
        ]
        results = await self._book.create_transfers(transfers, connection=raw)
        assert set(results) == {"created"}, results
        await self._claims.write_homeless(connection, shares, landing, reason="dispute", now=now)

    async def _recover(
        self,
        connection: AsyncConnection,
        raw: RawConnection,
        row: Row[Any],
        event_id: UUID,
        money: DisputeMoney,
    ) -> int:
        """Take what the bearer owes as far as there is something, into the dispute account."""
        taken_fen = 0
        if not money.owed_fen:
            return taken_fen
        debtors = await self._debtors(connection, raw, row, money)
        found = await self._book.lookup_accounts([one.int for one in debtors], connection=raw)
        for position, account in enumerate(found):
            available_fen = account.credits_posted - account.debits_posted - account.debits_pending
            fen = min(money.owed_fen - taken_fen, max(available_fen, 0))
            if fen:
                results = await self._book.create_transfers(
                    [
                        Transfer(
                            id=recovery_id(event_id, position).int,
                            debit_account_id=account.id,
                            credit_account_id=DISPUTES.int,
                            amount=fen,
                            ledger=LEDGER_CNY,
                            code=TransferCode.DISPUTE_RECOVERY,
                            user_data_128=row.dispute_id.int,
                        )
                    ],
                    connection=raw,
                )
                # Somebody was faster: what is owed stays owed, and the worker asks again.
                taken_fen += fen if list(results) == ["created"] else 0
        return taken_fen

    async def _debtors(
        self, connection: AsyncConnection, raw: RawConnection, row: Row[Any], money: DisputeMoney
    ) -> list[UUID]:
        """Accounts of the bearer, in the order in which they are asked."""
        if money.bearer is Bearer.MERCHANT:
            merchant = tables.merchant.c
            payable = await connection.scalar(
                select(merchant.payable_id).where(merchant.merchant_id == row.merchant_id)
            )
            assert payable is not None
            return [payable]
        fund_ids = [fund_id for fund_id, _ in await self._shares(connection, raw, row)]
        landing = await landing_accounts(connection, fund_ids)
        landed = [landing.get(fund_id, fund_id) for fund_id in fund_ids]
        return list(dict.fromkeys(one for one in landed if one != SUSPENSE))

    async def _shares(
        self, connection: AsyncConnection, raw: RawConnection, row: Row[Any]
    ) -> list[tuple[UUID, int]]:
        """Funds the disputed amount came from, and how much from each."""
        order = (await load_orders(raw, [row.order_id]))[row.order_id]
        lines = {line.line_no: line for line in order.lines}
        payments = await payments_of(connection, row.order_id)
        shares = []
        for one in await connection.execute(
            select(_l.line_no, _l.amount_fen)
            .where(_l.dispute_id == row.dispute_id)
            .order_by(_l.line_no.desc())
        ):
            line = lines[one.line_no]
            if line.fund == ARREARS:
                # The oldest payments: refunds take the latest, and the two never meet.
                paid = take_back(one.amount_fen, payments[one.line_no])
                shares += [(payment.fund_id, fen) for payment, fen in paid]
                continue
            assert line.debit_account_id is not None
            shares.append((line.debit_account_id, one.amount_fen))
        return shares


def digest_of(pack: dict[str, Any]) -> bytes:
    """SHA-256 of the pack as JSON with sorted keys and no spaces, in UTF-8."""
    text = json.dumps(pack, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def _is_citizens(line: OrderLine) -> bool:
    return line.payer == Payer.CITIZEN and line.fund is not None


def _money(row: Row[Any]) -> DisputeMoney:
    return DisputeMoney(
        amount_fen=row.amount_fen,
        credited_fen=row.credited_fen,
        recovered_fen=row.recovered_fen,
        bearer=None if row.borne_by is None else Bearer(row.borne_by),
    )


async def _write_event(
    connection: AsyncConnection,
    dispute_id: UUID,
    event_id: UUID,
    name: str,
    status: DisputeStatus,
    money: DisputeMoney,
    saying: Saying,
) -> None:
    """Write down how the dispute stands after a step, in its row, its journal and the outbox."""
    bearer = None if money.bearer is None else money.bearer.value
    await connection.execute(
        update(dispute)
        .where(_d.dispute_id == dispute_id)
        .values(
            status=status.value,
            credited_fen=money.credited_fen,
            recovered_fen=money.recovered_fen,
            borne_by=bearer,
        )
    )
    await connection.execute(
        insert(dispute_event).values(
            event_id=event_id,
            dispute_id=dispute_id,
            step=name,
            client_id=saying.client_id,
            grounds=saying.grounds,
            reference=saying.reference,
            status_after=status.value,
            credited_after_fen=money.credited_fen,
            recovered_after_fen=money.recovered_fen,
            borne_by_after=bearer,
            recorded_at=saying.now,
        )
    )
    # Named by the order, so that it goes where the order's own events go.
    order_id = await connection.scalar(select(_d.order_id).where(_d.dispute_id == dispute_id))
    await connection.execute(
        insert(tables.outbox).values(
            topic=f"dispute.{status.value}",
            subject_id=order_id,
            recorded_at=saying.now,
            payload={
                "order_id": str(order_id),
                "dispute_id": str(dispute_id),
                "status": status.value,
            },
        )
    )
