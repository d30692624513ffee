"""Statements of citizens' funds and merchants' payables: opening, lines, closing, by business date.

The lines and both ends come from the ledger; here they get words: what happened, at whom.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import TransferCode
from cardcore.account.request import Span
from cardcore.account.views import StatementLineView, StatementView
from cardcore.errors import RequestInvalidError
from ledger import Ledger, Transfer
from ledger.business_day import day_number
from ledger.statement_files import Language
from ledger.statements import Statement, StatementLine, StatementPage, read_statement_page

FILE_LINES_MAX: Final = 10_000
NO_LINE: Final = (0, 0)

# What each code is called on paper; a code that is not here is shown by its name.
WORDS: Final[dict[TransferCode, tuple[str, str]]] = {
    TransferCode.TOP_UP: ("充值", "Top-up"),
    TransferCode.PAYMENT: ("消费", "Payment"),
    TransferCode.SUBSIDY: ("补贴承担", "Borne by a subsidy"),
    TransferCode.ARREARS_PAID: ("补缴欠款", "Arrears paid"),
    TransferCode.ARREARS_CLEARED: ("欠款核销", "Arrears cleared"),
    TransferCode.FOREIGN_RIDE: ("异地码乘车", "Ride by a code of another city"),
    TransferCode.RECEIVABLE_PAID: ("应收款到账", "Paid by who owed it"),
    TransferCode.RECEIVABLE_CLEARED: ("应收款核销", "What was owed has come"),
    TransferCode.REFUND: ("退款", "Refund"),
    TransferCode.SUBSIDY_REFUND: ("补贴退回", "Subsidy given back"),
    TransferCode.MOVE: ("账户合并转入", "Moved from a merged account"),
    TransferCode.PAYOUT: ("销户转出", "Moved out on closing"),
    TransferCode.PAYOUT_PAID: ("销户兑付", "Paid out"),
    TransferCode.WITHDRAWAL: ("提现", "Withdrawal"),
    TransferCode.WITHDRAWAL_PAID: ("提现兑付", "Withdrawal paid out"),
    TransferCode.REPAYMENT: ("信用还款", "Credit paid back"),
    TransferCode.SUBSIDY_GRANT: ("专项补贴发放", "Subsidy granted"),
    TransferCode.SUBSIDY_RETURN: ("专项补贴收回", "Subsidy returned to its payer"),
    TransferCode.DISPUTE_CREDIT: ("争议垫付", "Credited while disputed"),
    TransferCode.DISPUTE_RECOVERY: ("争议追回", "Recovered after a dispute"),
    TransferCode.SETTLEMENT_SHARE: ("换乘分账", "Share of a transfer between operators"),
    TransferCode.SETTLEMENT_FEE: ("结算手续费", "Settlement fee"),
    TransferCode.SETTLEMENT_PAYOUT: ("结算付款", "Settlement paid out"),
    TransferCode.ADJUSTMENT: ("调账", "Adjustment"),
}


async def read_page(
    connection: AsyncConnection,
    book: Ledger,
    account_id: UUID,
    span: Span,
    *,
    after: tuple[int, int],
    limit: int,
) -> tuple[StatementPage, list[StatementLineView]]:
    """Some lines of a statement, with words."""
    page = await read_statement_page(
        book,
        account_id.int,
        span.from_on,
        span.to_on,
        lines_max=limit,
        after=after,
        describe=_order_of,
    )
    orders = await _orders(connection, page.lines)
    return page, [_view(line, orders) for line in page.lines]


def view_of(
    page: StatementPage,
    lines: list[StatementLineView],
    *,
    account: str,
    today: date,
    next_cursor: str | None,
) -> StatementView:
    """A page as it is answered."""
    return StatementView(
        account=account,
        from_on=page.from_on,
        to_on=page.to_on,
        final=page.to_on < today,
        opening_fen=page.opening,
        closing_fen=page.closing,
        lines=lines,
        next_cursor=next_cursor,
    )


def place_of(line: StatementLine) -> tuple[int, int]:
    """Where a line stands in its statement: what the next page goes on after."""
    return day_number(line.effective_on), line.timestamp


async def read_whole(
    connection: AsyncConnection, book: Ledger, account_id: UUID, span: Span, language: Language
) -> Statement:
    """A whole statement, to be printed in one language.

    Raises:
        RequestInvalidError: it has more lines than a file takes.
    """
    page, views = await read_page(
        connection, book, account_id, span, after=NO_LINE, limit=FILE_LINES_MAX
    )
    if page.more:
        raise RequestInvalidError(
            f"more than {FILE_LINES_MAX} lines: ask for fewer days", field="from_on"
        )
    texts = [view.text_zh if language == "zh" else view.text_en for view in views]
    return Statement(
        account_id=account_id.int,
        from_on=span.from_on,
        to_on=span.to_on,
        opening=page.opening,
        closing=page.closing,
        lines=tuple(replace(line, text=text) for line, text in zip(page.lines, texts, strict=True)),
    )


_Orders = dict[str, tuple[UUID, str, str]]


def _order_of(transfer: Transfer) -> str:
    """What a line belongs to, until it gets its words."""
    return str(UUID(int=transfer.user_data_128))


async def _orders(connection: AsyncConnection, lines: Iterable[StatementLine]) -> _Orders:
    """By id, those things the lines belong to that are orders: at whom, and their number."""
    order, merchant = tables.business_order.c, tables.merchant.c
    wanted = {UUID(line.text) for line in lines}
    found = await connection.execute(
        select(order.order_id, order.out_trade_no, merchant.name_zh, merchant.name_en)
        .join(tables.merchant, merchant.merchant_id == order.merchant_id)
        .where(order.order_id.in_(wanted))
    )
    return {
        str(row.order_id): (
            row.order_id,
            f"{row.name_zh} {row.out_trade_no}",
            f"{row.name_en} {row.out_trade_no}",
        )
        for row in found
    }


def _view(line: StatementLine, orders: _Orders) -> StatementLineView:
    known = line.code in set(TransferCode)
    name = TransferCode(line.code).name.lower() if known else str(line.code)
    zh, en = WORDS.get(TransferCode(line.code), (name, name)) if known else (name, name)
    order_id, at_zh, at_en = orders.get(line.text, (None, "", ""))
    return StatementLineView(
        business_on=line.effective_on,
        recorded_at=line.recorded_at,
        transfer_id=UUID(int=line.transfer_id),
        kind=name,
        text_zh=f"{zh} {at_zh}".rstrip(),
        text_en=f"{en} {at_en}".rstrip(),
        order_id=order_id,
        amount_fen=line.amount,
        balance_fen=line.balance,
    )
