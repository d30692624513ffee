"""From a quote to ledger transfers: which account pays which, line by line. Pure.

Every line above zero becomes exactly one transfer whose id follows from the order's id. The
transfers of one order are one linked chain: all of them happen or none.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from cardcore.account.chart import LEDGER_CNY, TransferCode, subsidy_receivable
from cardcore.account.funding_plan import FundShare
from cardcore.business.orders import OrderLine
from cardcore.business.quote import Payer, Quote, QuoteLine
from cardcore.ids import part_id
from ledger import Transfer, TransferFlags


def lines_of_order(
    order_id: UUID,
    quote: Quote,
    shares: Sequence[FundShare],
    *,
    payable_id: UUID,
    subsidy_payable_id: UUID,
    funding_version: int | None = None,
) -> tuple[OrderLine, ...]:
    """Order lines of a quote: citizen lines split over funds, subsidy lines as receivables.

    Args:
        order_id: id of the order.
        quote: what is to be paid, by whom.
        shares: where the citizen's share comes from; sums to ``quote.citizen_fen``.
        payable_id: account of what the merchant will get from citizens' money.
        subsidy_payable_id: account of what the merchant will get once the payer has paid us.
        funding_version: the funding policy that chose the shares.
    """
    assert sum(share.amount_fen for share in shares) == quote.citizen_fen
    lines: list[OrderLine] = []
    left = deque(shares)
    for quoted in quote.lines:
        if quoted.amount_fen == 0:
            lines.append(_zero_line(len(lines) + 1, quoted))
        elif quoted.payer is Payer.CITIZEN:
            for share in _take(left, quoted.amount_fen):
                line = _line(order_id, len(lines) + 1, quoted, share, payable_id, funding_version)
                lines.append(line)
        else:
            receivable = FundShare(
                fund_id=subsidy_receivable(quoted.payer), kind="", amount_fen=quoted.amount_fen
            )
            lines.append(_line(order_id, len(lines) + 1, quoted, receivable, subsidy_payable_id))
    return tuple(lines)


def by_delegation(
    lines: tuple[OrderLine, ...], delegation_id: UUID | None
) -> tuple[OrderLine, ...]:
    """The lines, those that somebody else pays marked with the delegation by which they do."""
    if delegation_id is None:
        return lines
    return tuple(
        line if line.fund is None else replace(line, delegation_id=delegation_id) for line in lines
    )


def _take(left: deque[FundShare], amount_fen: int) -> list[FundShare]:
    """Take an amount off the front of the shares that are left."""
    taken = []
    while amount_fen:
        share = left.popleft()
        if amount_fen < share.amount_fen:
            left.appendleft(replace(share, amount_fen=share.amount_fen - amount_fen))
            share = replace(share, amount_fen=amount_fen)
        taken.append(share)
        amount_fen -= share.amount_fen
    return taken


def transfers_of_order(
    order_id: UUID,
    lines: Sequence[OrderLine],
    *,
    pending: bool,
    timeout_s: int = 0,
    effective_at: datetime | None = None,
) -> list[Transfer]:
    """One transfer for each line above zero, linked into one chain.

    ``timeout_s``: how long a pending one holds, 0 for as long as it takes. ``effective_at``: the
    instant whose day they count for, None for that of the booking.
    """
    paid = [line for line in lines if line.amount_fen]
    base = TransferFlags.pending if pending else TransferFlags(0)
    transfers = []
    for position, line in enumerate(paid, start=1):
        assert line.transfer_id is not None
        assert line.debit_account_id is not None
        assert line.credit_account_id is not None
        transfers.append(
            Transfer(
                id=line.transfer_id.int,
                debit_account_id=line.debit_account_id.int,
                credit_account_id=line.credit_account_id.int,
                amount=line.amount_fen,
                ledger=LEDGER_CNY,
                code=payment_code(line),
                timeout=timeout_s,
                flags=base | TransferFlags.linked if position < len(paid) else base,
                user_data_128=order_id.int,
                effective_at=effective_at,
            )
        )
    return transfers


def payment_code(line: OrderLine) -> TransferCode:
    """Why the money of a line moves: a citizen's fund pays, or a subsidy is owed."""
    return TransferCode.PAYMENT if line.fund is not None else TransferCode.SUBSIDY


def _zero_line(line_no: int, quoted: QuoteLine) -> OrderLine:
    return OrderLine(
        line_no=line_no,
        payer=quoted.payer.value,
        fund=None,
        amount_fen=0,
        debit_account_id=None,
        credit_account_id=None,
        transfer_id=None,
        rule_id=quoted.rule_id,
        rule_version=quoted.rule_version,
        reason_zh=quoted.reason_zh,
        reason_en=quoted.reason_en,
    )


def _line(
    order_id: UUID,
    line_no: int,
    quoted: QuoteLine,
    share: FundShare,
    credit_account_id: UUID,
    funding_version: int | None = None,
) -> OrderLine:
    """A line above zero: ``share`` says which account pays it; no kind means no fund."""
    return OrderLine(
        line_no=line_no,
        payer=quoted.payer.value,
        fund=share.kind or None,
        amount_fen=share.amount_fen,
        debit_account_id=share.fund_id,
        credit_account_id=credit_account_id,
        transfer_id=part_id(order_id, line_no),
        rule_id=quoted.rule_id,
        rule_version=quoted.rule_version,
        reason_zh=quoted.reason_zh,
        reason_en=quoted.reason_en,
        funding_version=funding_version,
    )
