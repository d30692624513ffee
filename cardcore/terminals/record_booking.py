"""What a good record becomes: an order with its lines and transfers, money short or not. Pure.

A terminal has let the person pass. Where their funds do not reach any more, the rest becomes their
arrears, up to a limit of their level: the merchant gets a payable that is met when the arrears are
paid, apart from what custody covers (ADR 60).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from cardcore.account.chart import arrears_of, arrears_payable
from cardcore.account.funding_plan import FundShare
from cardcore.business.booking import lines_of_order, transfers_of_order
from cardcore.business.order_facts import PreparedOrder
from cardcore.business.orders import STATUS_AS_MADE, OrderLine, OrderRecord
from cardcore.business.quote import Quote
from cardcore.business.request import Mode
from cardcore.terminals.record_facts import Holder
from ledger import Transfer

ARREARS = "arrears"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payables:
    """The merchant of the terminal, and where their money is booked."""

    merchant_id: str
    payable_id: UUID
    subsidy_payable_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedRecord:
    """An order made of a record; what ``write_orders`` takes."""

    prepared: PreparedOrder
    record: OrderRecord
    transfers: Sequence[Transfer]
    arrears_fen: int


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


def book_record(
    order_id: UUID,
    prepared: PreparedOrder,
    quote: Quote,
    shares: Sequence[FundShare],
    *,
    holder: Holder,
    payables: Payables,
    occurred_at: datetime,
    details: dict[str, object],
) -> BookedRecord:
    """The order, with transfers effective at the instant of the tap."""
    business = prepared.request.business
    mode = prepared.request.mode
    lines = tuple(
        _as_arrears(line, payables.merchant_id)
        for line in lines_of_order(
            order_id,
            quote,
            shares,
            payable_id=payables.payable_id,
            subsidy_payable_id=payables.subsidy_payable_id,
        )
    )
    transfers = [
        replace(transfer, effective_at=occurred_at)
        for transfer in transfers_of_order(order_id, lines, pending=False)
    ]
    record = OrderRecord(
        order_id=order_id,
        merchant_id=business.merchant_id,
        terminal_id=business.terminal_id,
        scene=business.scene,
        type=business.type,
        mode=mode,
        status=STATUS_AS_MADE[mode],
        out_trade_no=business.out_trade_no,
        user_id=holder.user_id,
        client_id=prepared.caller.client_id,
        nominal_fen=quote.nominal_fen,
        citizen_fen=quote.citizen_fen,
        captured_fen=quote.nominal_fen if mode is Mode.PAY else 0,
        refunded_fen=0,
        business_on=prepared.business_on,
        occurred_at=occurred_at,
        recorded_at=prepared.received_at,
        request_digest=prepared.digest,
        code_digest=None if prepared.code is None else prepared.code.digest,
        details=details,
        lines=lines,
    )
    return BookedRecord(
        prepared=prepared,
        record=record,
        transfers=transfers,
        arrears_fen=sum(line.amount_fen for line in lines if line.fund == ARREARS),
    )


def _as_arrears(line: OrderLine, merchant_id: str) -> OrderLine:
    if line.fund != ARREARS:
        return line
    return replace(line, credit_account_id=arrears_payable(merchant_id))
