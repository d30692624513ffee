"""From a quote to ledger transfers: which account pays which, line by line. Pure.

Every line above zero becomes exactly one transfer whose id follows from the order's id. The
transfers of one order are one linked chain: all of them happen or none.
"""

from collections.abc import Sequence
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
) -> tuple[OrderLine, ...]:
    """Order lines of a quote: citizen lines split over funds, subsidy lines as receivables.

    Args:
        order_id: id of the order.
        quote: what is to be paid, by whom.
        shares: where the citizen's share comes from; sums to ``quote.citizen_fen``.
        payable_id: account of what the merchant will get from citizens' money.
        subsidy_payable_id: account of what the merchant will get once the payer has paid us.
    """
    assert sum(share.amount_fen for share in shares) == quote.citizen_fen
    lines: list[OrderLine] = []
    remaining = [[share.fund_id, share.kind, share.amount_fen] for share in shares]
    for quoted in quote.lines:
        if quoted.amount_fen == 0:
            lines.append(_zero_line(len(lines) + 1, quoted))
        elif quoted.payer is Payer.CITIZEN:
            missing_fen = quoted.amount_fen
            while missing_fen:
                fund_id, kind, left_fen = remaining[0]
                taken_fen = min(missing_fen, left_fen)
                lines.append(
                    _paid_line(
                        order_id, len(lines) + 1, quoted, taken_fen, kind, fund_id, payable_id
                    )
                )
                missing_fen -= taken_fen
                remaining[0][2] -= taken_fen
                if remaining[0][2] == 0:
                    remaining.pop(0)
        else:
            lines.append(
                _paid_line(
                    order_id,
                    len(lines) + 1,
                    quoted,
                    quoted.amount_fen,
                    None,
                    subsidy_receivable(quoted.payer),
                    subsidy_payable_id,
                )
            )
    return tuple(lines)


def transfers_of_order(
    order_id: UUID, lines: Sequence[OrderLine], *, pending: bool
) -> list[Transfer]:
    """One transfer for each line above zero, linked into one chain."""
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
                code=TransferCode.PAYMENT if line.fund is not None else TransferCode.SUBSIDY,
                flags=base | TransferFlags.linked if position < len(paid) else base,
                user_data_128=order_id.int,
            )
        )
    return transfers


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


def _paid_line(
    order_id: UUID,
    line_no: int,
    quoted: QuoteLine,
    amount_fen: int,
    fund: str | None,
    debit_account_id: UUID,
    credit_account_id: UUID,
) -> OrderLine:
    return OrderLine(
        line_no=line_no,
        payer=quoted.payer.value,
        fund=fund,
        amount_fen=amount_fen,
        debit_account_id=debit_account_id,
        credit_account_id=credit_account_id,
        transfer_id=part_id(order_id, line_no),
        rule_id=quoted.rule_id,
        rule_version=quoted.rule_version,
        reason_zh=quoted.reason_zh,
        reason_en=quoted.reason_en,
    )
