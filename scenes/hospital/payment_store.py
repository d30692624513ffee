"""Payments and refunds as rows: read, and shown.

They are moved from state to state by ``saga_moves``; what the insurer told of them is kept by
``settlements``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore.caller import Caller
from cardcore.errors import NotFoundError
from scenes.hospital.messages import number_of
from scenes.hospital.payment_states import PaymentState, RefundState
from scenes.hospital.split import Split
from scenes.hospital.tables import bill, bill_line, hospital, payment, refund, saga_step, visit
from scenes.hospital.views import PaymentView, ReturnView, StepView


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment as it stands, with what its visit and hospital tell."""

    payment_id: UUID
    merchant_id: str
    visit_id: UUID
    user_id: UUID
    state: PaymentState
    version: int
    reason: str | None
    split: Split
    setl_id: str | None
    msgid: str | None
    order_request: dict[str, Any] | None
    order_id: UUID | None
    undoing: bool
    quote_ends_at: datetime
    business_on: date
    recorded_at: datetime
    attempts: int
    visit_no: str
    visit_kind: str
    dept_code: str
    psn_no: str | None
    insutype: str | None
    mdtrt_id: str | None
    pay_after: bool
    fixmedins_code: str | None
    terminal_id: str

    @property
    def total_fen(self) -> int:
        """The whole bill."""
        return self.split.total_fen

    @property
    def batch_no(self) -> str:
        """Number of its batch of charges with the insurer (chrg_bchno)."""
        return number_of(self.payment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One refund as it stands, with its payment."""

    refund_id: UUID
    payment: Payment
    out_refund_no: str
    reason: str
    state: RefundState
    version: int
    fault: str | None
    lines: Sequence[Mapping[str, Any]]
    amount_fen: int
    fund_fen: int | None
    account_fen: int | None
    cash_fen: int | None
    cancel_msgid: str
    undoing: bool
    whole: bool
    msgid: str | None
    setl_id: str | None
    attempts: int
    recorded_at: datetime

    @property
    def batch_no(self) -> str:
        """Number of the batch of what stays charged: a new one each time the rest is settled.

        An answer about one attempt must not be taken for one about another.
        """
        assert self.msgid is not None
        return self.msgid


def _payment_of(row: Row[Any]) -> Payment:
    fields = row._mapping  # noqa: SLF001  (SQLAlchemy's public name for it)
    names = {name: fields[name] for name in _COPIED}
    return Payment(
        **names,
        state=PaymentState(row.state),
        split=Split(
            fund_fen=row.fund_fen,
            account_fen=row.account_fen,
            cash_fen=row.cash_fen,
            hospital_fen=row.hospital_fen,
            deposit_fen=row.deposit_fen,
        ),
    )


_FROM_VISIT: Final = (
    visit.c.visit_no,
    visit.c.kind.label("visit_kind"),
    visit.c.dept_code,
    visit.c.psn_no,
    visit.c.insutype,
    visit.c.mdtrt_id,
    visit.c.pay_after,
    hospital.c.fixmedins_code,
    hospital.c.terminal_id,
)
_COPIED: Final = tuple(
    name for name in Payment.__dataclass_fields__ if name not in ("state", "split")
)


async def find_payment(
    connection: AsyncConnection, payment_id: UUID, *, lock: bool = False
) -> Payment | None:
    """A payment; ``lock`` keeps others from moving it."""
    query = (
        select(payment, *_FROM_VISIT)
        .join(visit, visit.c.visit_id == payment.c.visit_id)
        .join(hospital, hospital.c.merchant_id == payment.c.merchant_id)
        .where(payment.c.payment_id == payment_id)
    )
    if lock:
        query = query.with_for_update(of=payment)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else _payment_of(row)


async def read_payment(
    connection: AsyncConnection, caller: Caller, payment_id: UUID, *, lock: bool = False
) -> Payment:
    """A payment the caller may see. Raises ``NotFoundError``."""
    found = await find_payment(connection, payment_id, lock=lock)
    if found is None or caller.merchant_id not in (None, found.merchant_id):
        raise NotFoundError(field="payment_id")
    if caller.user_id not in (None, found.user_id):
        raise NotFoundError(field="payment_id")
    return found


async def read_refund(
    connection: AsyncConnection, caller: Caller, refund_id: UUID, *, lock: bool = False
) -> Refund:
    """A refund the caller may see. Raises ``NotFoundError``."""
    query = select(refund).where(refund.c.refund_id == refund_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        raise NotFoundError(field="refund_id")
    paid = await read_payment(connection, caller, row.payment_id)
    fields = row._mapping  # noqa: SLF001  (SQLAlchemy's public name for it)
    names = {
        name: fields[name]
        for name in Refund.__dataclass_fields__
        if name not in ("payment", "state")
    }
    return Refund(**names, payment=paid, state=RefundState(row.state))


async def due(
    connection: AsyncConnection, table: Table, now: datetime, rows_max: int
) -> list[UUID]:
    """Payments or refunds whose next step is late, the longest waiting first."""
    identity = next(iter(table.primary_key.columns))
    rows = await connection.execute(
        select(identity).where(table.c.due_at <= now).order_by(table.c.due_at).limit(rows_max)
    )
    return list(rows.scalars())


async def bill_lines(connection: AsyncConnection, payment_id: UUID) -> Sequence[Row[Any]]:
    """All lines of a payment's bills, with what was given back of each."""
    return (
        await connection.execute(
            select(bill_line, bill.c.out_bill_no)
            .join(bill, bill.c.bill_id == bill_line.c.bill_id)
            .where(bill.c.payment_id == payment_id)
            .order_by(bill.c.bill_id, bill_line.c.line_no)
        )
    ).all()


async def release_bills(connection: AsyncConnection, payment_id: UUID) -> None:
    """The bills of a payment that came to nothing may be paid by another."""
    await connection.execute(
        update(bill)
        .where(bill.c.payment_id == payment_id, bill.c.state == "open")
        .values(payment_id=None)
    )


async def view_payment(connection: AsyncConnection, found: Payment) -> PaymentView:
    """A payment as it is shown."""
    split = found.split
    return PaymentView(
        payment_id=found.payment_id,
        visit_id=found.visit_id,
        merchant_id=found.merchant_id,
        state=found.state.value,
        reason=found.reason,
        total_fen=split.total_fen,
        fund_fen=split.fund_fen,
        account_fen=split.account_fen,
        cash_fen=split.cash_fen,
        hospital_fen=split.hospital_fen,
        deposit_fen=split.deposit_fen,
        due_fen=split.due_fen,
        order_id=found.order_id,
        setl_id=found.setl_id,
        quote_ends_at=found.quote_ends_at,
        recorded_at=found.recorded_at,
        steps=await _steps(connection, found.payment_id),
    )


async def view_refund(connection: AsyncConnection, found: Refund) -> ReturnView:
    """A refund as it is shown."""
    return ReturnView(
        refund_id=found.refund_id,
        payment_id=found.payment.payment_id,
        out_refund_no=found.out_refund_no,
        state=found.state.value,
        fault=found.fault,
        whole=found.whole,
        amount_fen=found.amount_fen,
        fund_fen=found.fund_fen,
        account_fen=found.account_fen,
        cash_fen=found.cash_fen,
        recorded_at=found.recorded_at,
        steps=await _steps(connection, found.refund_id),
    )


async def _steps(connection: AsyncConnection, subject_id: UUID) -> list[StepView]:
    rows = await connection.execute(
        select(saga_step.c.state, saga_step.c.recorded_at)
        .where(saga_step.c.subject_id == subject_id)
        .order_by(saga_step.c.version)
    )
    return [StepView(state=row.state, recorded_at=row.recorded_at) for row in rows]
