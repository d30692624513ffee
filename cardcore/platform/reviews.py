"""Records that wait for a person: listed, written off by one operator, charged by two.

A terminal let somebody pass and the books could not charge it (``terminals.record_rules``). Writing
off moves no money and says whose loss it stays. Charging does move money, so it is a proposal: the
order is booked in the transaction of its approval, as one that comes late.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field, StringConstraints
from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import audit, tables
from cardcore.books import transaction
from cardcore.business.quote import Payer, QuoteLine
from cardcore.calendar import business_date
from cardcore.caller import Caller, Scope
from cardcore.charges.charge import Charge
from cardcore.charges.writer import ChargeWriter
from cardcore.connections import RawConnection
from cardcore.errors import NotFoundError
from cardcore.model import Model
from cardcore.once import once
from cardcore.parts import Parts, request_digest
from cardcore.platform.cursors import after, id_of, instant_of, read_cursor
from cardcore.platform.errors import ProposalImpossibleError, RecordDecidedError
from cardcore.platform.limit_changes import Change
from cardcore.platform.request import ChargeRecord, ForPurpose
from cardcore.platform.tables import record_decision
from cardcore.terminals.tables import record_case, terminal_record

LISTED_MAX: Final = 200
RULE_ID: Final = "record_review"
RULE_VERSION: Final = "1"
_r, _d, _t = terminal_record.c, record_decision.c, tables.terminal.c


class ReviewPage(Model):
    """A page of records that wait."""

    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=LISTED_MAX)] = 50


class WriteOffRequest(ForPurpose):
    """Let a record go without a charge; ``liability`` says whose loss it stays."""

    liability: Literal["citizen", "merchant", "issuer"]


class ReviewView(Model):
    """A record that waits, or what was decided of it. ``liability``: whose loss it is so far."""

    record_id: UUID
    terminal_id: str
    merchant_id: str
    scene: str
    reason: str
    liability: str
    amount_fen: int
    occurred_at: datetime
    recorded_at: datetime
    decision: str | None
    order_id: UUID | None
    decided_by: str | None
    decided_at: datetime | None


class ReviewsView(Model):
    """Records that wait, oldest first. ``next_cursor`` leads on."""

    records: list[ReviewView]
    next_cursor: str | None


class CasesPage(Model):
    """A page of cases."""

    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=LISTED_MAX)] = 50


class CaseView(Model):
    """What does not fit together between records; ``other_id`` is the one it contradicts, if known.

    Kinds: ``duplicate_code``, ``terminal_forked``, ``chain_broken``, ``counter_backwards``.
    """

    case_id: UUID
    kind: str
    terminal_id: str
    merchant_id: str
    record_id: UUID
    other_id: UUID | None
    status: str
    recorded_at: datetime


class CasesView(Model):
    """Cases, oldest first. ``next_cursor`` leads on."""

    cases: list[CaseView]
    next_cursor: str | None


class Reviews:
    """Serves the queue of records that wait for a person."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def waiting(self, caller: Caller, page: ReviewPage) -> ReviewsView:
        """Records nobody has decided yet, in the order they came."""
        caller.require(Scope.PROPOSALS_WRITE)
        at, record_id = read_cursor(page.cursor, ("0001-01-01T00:00:00+00:00", UUID(int=0).hex))
        since, last_id = instant_of(at), id_of(record_id)
        later = (_r.recorded_at > since) | ((_r.recorded_at == since) & (_r.record_id > last_id))
        async with transaction(self._parts.engine) as (connection, _):
            rows = (
                await connection.execute(
                    _records()
                    .where(_r.state == "review", _d.record_id.is_(None), later)
                    .order_by(_r.recorded_at, _r.record_id)
                    .limit(page.limit + 1)
                )
            ).all()
        shown = [_view(row) for row in rows[: page.limit]]
        more = len(rows) > page.limit
        last = (shown[-1].recorded_at.isoformat(), shown[-1].record_id.hex) if more else None
        return ReviewsView(records=shown, next_cursor=None if last is None else after(last))

    async def cases(self, caller: Caller, page: CasesPage) -> CasesView:
        """Contradictions between records, in the order they were found."""
        caller.require(Scope.PROPOSALS_WRITE)
        at, case_id = read_cursor(page.cursor, ("0001-01-01T00:00:00+00:00", UUID(int=0).hex))
        since, last_id = instant_of(at), id_of(case_id)
        c = record_case.c
        later = (c.recorded_at > since) | ((c.recorded_at == since) & (c.case_id > last_id))
        async with transaction(self._parts.engine) as (connection, _):
            rows = (
                await connection.execute(
                    select(record_case, _t.merchant_id)
                    .join(tables.terminal, _t.terminal_id == c.terminal_id)
                    .where(later)
                    .order_by(c.recorded_at, c.case_id)
                    .limit(page.limit + 1)
                )
            ).all()
        shown = [CaseView.model_validate(row, from_attributes=True) for row in rows[: page.limit]]
        more = len(rows) > page.limit
        last = (shown[-1].recorded_at.isoformat(), shown[-1].case_id.hex) if more else None
        return CasesView(cases=shown, next_cursor=None if last is None else after(last))

    async def read(self, caller: Caller, record_id: UUID) -> ReviewView:
        """One record that waits or waited. Raises ``NotFoundError``."""
        caller.require(Scope.PROPOSALS_WRITE)
        async with transaction(self._parts.engine) as (connection, _):
            return await _read(connection, record_id)

    async def write_off(
        self, caller: Caller, record_id: UUID, request: WriteOffRequest, idempotency_key: str
    ) -> tuple[ReviewView, bool]:
        """Let a record go without a charge.

        Raises:
            NotFoundError: no record of this id waits or waited.
            RecordDecidedError: it was decided before.
        """
        caller.require(Scope.PROPOSALS_DECIDE)
        now = self._parts.clock()

        async def perform(
            connection: AsyncConnection,
            raw: RawConnection,  # noqa: ARG001  (the form of every effect)
        ) -> tuple[UUID, ReviewView]:
            waiting = await _undecided(connection, record_id)
            await connection.execute(
                insert(record_decision).values(
                    record_id=record_id,
                    decision="written_off",
                    liability=request.liability,
                    amount_fen=waiting.amount_fen,
                    decided_by=caller.client_id,
                    purpose=request.purpose,
                    decided_at=now,
                )
            )
            await audit.record(
                connection,
                actor=caller.client_id,
                action="record.write_off",
                subject=f"record/{record_id}",
                outcome="done",
                now=now,
                purpose=request.purpose,
            )
            return record_id, await _read(connection, record_id)

        async def recall(connection: AsyncConnection, _: RawConnection, made: UUID) -> ReviewView:
            return await _read(connection, made)

        return await once(
            self._parts.engine,
            caller=caller,
            key=idempotency_key,
            digest=request_digest(f"record.write_off/{record_id}", request),
            action="record.write_off",
            subject=f"record/{record_id}",
            now=now,
            perform=perform,
            recall=recall,
        )


async def charge_record(
    parts: Parts,
    connection: AsyncConnection,
    raw: RawConnection,
    content: ChargeRecord,
    change: Change,
) -> None:
    """Charge a record that waits, in the transaction of the approval.

    Raises:
        ProposalImpossibleError: no such record waits, it took less, or nobody can be charged.
    """
    try:
        waiting = await _undecided(connection, content.record_id)
    except (NotFoundError, RecordDecidedError) as error:
        raise ProposalImpossibleError(error.detail, field="record_id") from error
    if content.amount_fen > waiting.amount_fen:
        raise ProposalImpossibleError(
            "the terminal took less", field="amount_fen", amount_fen=waiting.amount_fen
        )
    user_id = content.user_id or await _holder(connection, waiting.token)
    if user_id is None:
        raise ProposalImpossibleError("the record leads to nobody: name the user", field="user_id")
    writer = ChargeWriter(
        book=parts.book,
        plans=parts.plans,
        random_bytes=parts.random_bytes,
        cut_off=parts.cut_off,
    )
    booked = await writer.book(
        connection,
        raw,
        charges=[_charge(waiting, user_id, content.amount_fen, parts)],
        returns=(),
        client_id=change.decided_by,
        now=change.now,
    )
    (result,) = booked.charges
    if result.effect_id is None:
        raise ProposalImpossibleError(f"not charged: {result.refusal}", reason=result.refusal)
    await connection.execute(
        insert(record_decision).values(
            record_id=content.record_id,
            decision="charged",
            liability="citizen",
            amount_fen=content.amount_fen,
            order_id=result.effect_id,
            decided_by=change.decided_by,
            purpose=change.purpose,
            decided_at=change.now,
        )
    )


def _charge(waiting: Row[Any], user_id: UUID, amount_fen: int, parts: Parts) -> Charge:
    return Charge(
        user_id=user_id,
        merchant_id=waiting.merchant_id,
        terminal_id=waiting.terminal_id,
        scene=waiting.scene,
        type="reviewed_record",
        # The number a record is booked under: the same record is never charged twice.
        out_trade_no=f"R-{waiting.record_id.hex}",
        business_on=business_date(waiting.occurred_at, parts.cut_off),
        occurred_at=waiting.occurred_at,
        lines=(
            QuoteLine(
                payer=Payer.CITIZEN,
                amount_fen=amount_fen,
                rule_id=RULE_ID,
                rule_version=RULE_VERSION,
                reason_zh="终端记录经人工复核补记",
                reason_en="a terminal's record, charged after review",
            ),
        ),
        details={"record_id": str(waiting.record_id), "review_reason": waiting.reason},
    )


async def _undecided(connection: AsyncConnection, record_id: UUID) -> Row[Any]:
    row = (
        await connection.execute(
            _records()
            .where(_r.record_id == record_id, _r.state == "review")
            .with_for_update(of=terminal_record)
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError(field="record_id")
    if row.decision is not None:
        raise RecordDecidedError(field="record_id", decision=row.decision)
    return row


async def _holder(connection: AsyncConnection, token: bytes | None) -> UUID | None:
    """Whom the alias of a code leads to; a card's tap names nobody here."""
    alias = tables.code_token.c
    found: UUID | None = await connection.scalar(select(alias.user_id).where(alias.token == token))
    return found


async def _read(connection: AsyncConnection, record_id: UUID) -> ReviewView:
    found = await connection.execute(
        _records().where(_r.record_id == record_id, _r.state == "review")
    )
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(field="record_id")
    return _view(row)


def _records() -> Any:  # noqa: ANN401  (a select of many columns)
    return (
        select(
            terminal_record,
            _t.merchant_id,
            _t.scene,
            _d.decision,
            _d.liability.label("decided_liability"),
            _d.order_id.label("charged_order_id"),
            _d.decided_by,
            _d.decided_at,
        )
        .join(tables.terminal, _t.terminal_id == _r.terminal_id)
        .outerjoin(record_decision, _d.record_id == _r.record_id)
    )


def _view(row: Row[Any]) -> ReviewView:
    return ReviewView(
        record_id=row.record_id,
        terminal_id=row.terminal_id,
        merchant_id=row.merchant_id,
        scene=row.scene,
        reason=row.reason,
        liability=row.decided_liability or row.liability,
        amount_fen=row.amount_fen,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        decision=row.decision,
        order_id=row.charged_order_id,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
    )
