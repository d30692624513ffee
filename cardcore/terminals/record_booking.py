"""What a good record becomes: an order with its lines and transfers, money short or not. Pure.

A terminal has let the person pass. Where their funds do not reach any more, the rest becomes their
arrears, up to a limit of their level: the merchant gets a payable that is met when the arrears are
paid, apart from what custody covers (ADR 60).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from cardcore.account.chart import ARREARS as ARREARS  # noqa: PLC0414  (others read it here)
from cardcore.account.chart import arrears_of, arrears_payable
from cardcore.account.funding_plan import FundShare
from cardcore.business.booking import by_delegation, lines_of_order, transfers_of_order
from cardcore.business.limits import Use
from cardcore.business.orders import STATUS_AS_MADE, OrderLine, OrderRecord
from cardcore.business.quote import Quote
from cardcore.business.request import Mode
from cardcore.caller import Caller
from cardcore.terminals.record_facts import Holder
from cardcore.terminals.record_judging import CodeFacts, JudgedRecord
from cardcore.user.presented import PresentedCode
from ledger import Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Payables:
    """The merchant of the terminal, and where their money is booked."""

    merchant_id: str
    payable_id: UUID
    subsidy_payable_id: UUID


class RecordRequest(NamedTuple):
    """What stands for a request where an order is made of a record; see ``write_orders``."""

    caller: Caller
    key: str
    digest: bytes
    code: PresentedCode | None


class RecordedOrder(NamedTuple):
    """What a record says as an order, before money is found for it."""

    order_id: UUID
    caller: Caller
    scene: str
    type: str
    mode: Mode
    nominal_fen: int
    citizen_fen: int
    occurred_at: datetime
    received_at: datetime
    business_on: date
    details: dict[str, object]


class BookedRecord(NamedTuple):
    """An order made of a record; what ``write_orders`` takes."""

    prepared: RecordRequest
    record: OrderRecord
    transfers: Sequence[Transfer]
    arrears_fen: int
    uses: Sequence[Use] = ()


def shares_with_arrears(
    holder: Holder,
    amount_fen: int,
    *,
    plan: Sequence[str],
    balances: Mapping[UUID, int],
    owed_fen: int,
) -> list[FundShare] | None:
    """Where the citizen's part comes from: funds in the order of the plan, then arrears.

    Args:
        holder: the person and their funds.
        amount_fen: the citizen's part.
        plan: kinds of funds the scene may draw on, first to last.
        balances: what each fund has available, in fen.
        owed_fen: what the person owes already.

    Returns:
        Shares that sum to the amount; None where the arrears would pass their limit.
    """
    shares: list[FundShare] = []
    missing_fen = amount_fen
    by_kind = dict(holder.fund_ids)
    for kind in plan:
        fund_id = by_kind.get(kind)
        drawn_fen = 0 if fund_id is None else min(missing_fen, max(balances.get(fund_id, 0), 0))
        if fund_id is not None and drawn_fen:
            shares.append(FundShare(fund_id=fund_id, kind=kind, amount_fen=drawn_fen))
            missing_fen -= drawn_fen
    if missing_fen:
        if owed_fen + missing_fen > holder.arrears_fen_max:
            return None
        share = FundShare(fund_id=arrears_of(holder.user_id), kind=ARREARS, amount_fen=missing_fen)
        shares.append(share)
    return shares


def own_fen(holder: Holder, plan: Sequence[str], balances: Mapping[UUID, int]) -> int:
    """What a person's own funds of the plan's kinds have together."""
    return sum(
        max(balances.get(fund_id, 0), 0) for kind, fund_id in holder.fund_ids if kind in plan
    )


def book_record(
    order: RecordedOrder,
    judged: JudgedRecord,
    quote: Quote,
    shares: Sequence[FundShare],
    *,
    delegation_id: UUID | None,
    uses: Sequence[Use],
    holder: Holder,
    payables: Payables,
    terminal_id: str,
) -> BookedRecord:
    """The order, with transfers effective at the instant of the tap."""
    assert judged.record is not None
    assert judged.code is not None
    order_id, mode = order.order_id, order.mode
    lines = lines_of_order(
        order_id,
        quote,
        shares,
        payable_id=payables.payable_id,
        subsidy_payable_id=payables.subsidy_payable_id,
    )
    lines = by_delegation(lines, delegation_id)
    arrears_fen = sum(share.amount_fen for share in shares if share.kind == ARREARS)
    if arrears_fen:
        lines = tuple(_as_arrears(line, payables.merchant_id) for line in lines)
    transfers = transfers_of_order(order_id, lines, pending=False, effective_at=order.occurred_at)
    name = judged.record.record_id.hex
    record = OrderRecord(
        order_id=order_id,
        merchant_id=payables.merchant_id,
        terminal_id=terminal_id,
        scene=order.scene,
        type=order.type,
        mode=mode,
        status=STATUS_AS_MADE[mode],
        out_trade_no=f"R-{name}",
        user_id=holder.user_id,
        client_id=order.caller.client_id,
        nominal_fen=order.nominal_fen,
        citizen_fen=order.citizen_fen,
        captured_fen=order.nominal_fen if mode is Mode.PAY else 0,
        refunded_fen=0,
        business_on=order.business_on,
        occurred_at=order.occurred_at,
        recorded_at=order.received_at,
        request_digest=judged.digest,
        code_digest=None if judged.code.code_class == "P" else judged.code.digest,
        details=order.details,
        lines=lines,
    )
    request = RecordRequest(order.caller, f"record-{name}", judged.digest, _presented(judged.code))
    return BookedRecord(request, record, transfers, arrears_fen, uses)


def _presented(code: CodeFacts) -> PresentedCode | None:
    if code.code_class == "P":
        return None
    return PresentedCode(
        code_class=code.code_class,
        token=code.token,
        replay_key=code.replay_key,
        digest=code.digest,
        cap_fen=code.cap_fen,
        expires_at=datetime.fromtimestamp(code.expires_at_s, UTC),
    )


def _as_arrears(line: OrderLine, merchant_id: str) -> OrderLine:
    if line.fund != ARREARS:
        return line
    return replace(line, credit_account_id=arrears_payable(merchant_id))
