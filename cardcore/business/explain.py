"""Every fen of an order: who paid it, from where, by which rule, in which transfers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.chart import (
    CUSTODY,
    SUSPENSE,
    arrears_of,
    arrears_payable,
    subsidy_receivable,
)
from cardcore.books import RawConnection
from cardcore.business.orders import OrderLine, OrderRecord
from cardcore.business.quote import Payer
from cardcore.business.views import ExplainedLine, ExplainedRefund, ExplainView, TransferView
from ledger import Ledger, Transfer

_NS_PER_S = 1_000_000_000


async def explain(
    connection: AsyncConnection, raw: RawConnection, book: Ledger, order: OrderRecord
) -> ExplainView:
    """Explain an order and its refunds.

    ``explained_fen`` is the sum over the ledger's own rows, not over ours: it equals the nominal
    amount of the order, or something is wrong.
    """
    captures = await _resolving_transfers(connection, order.order_id)
    refunds = (
        await connection.execute(
            select(tables.refund, tables.refund_line.c.line_no, tables.refund_line.c.transfer_id)
            .join(tables.refund_line, tables.refund_line.c.refund_id == tables.refund.c.refund_id)
            .where(tables.refund.c.order_id == order.order_id)
            .order_by(tables.refund.c.recorded_at, tables.refund_line.c.line_no)
        )
    ).all()
    wanted = [line.transfer_id for line in order.lines if line.transfer_id is not None]
    wanted += [transfer_id for ids in captures.values() for transfer_id in ids]
    wanted += [row.transfer_id for row in refunds]
    found = await book.lookup_transfers([one.int for one in wanted], connection=raw)
    transfers = {transfer.id: transfer for transfer in found}
    names = await _account_names(connection, found)
    names[arrears_of(order.user_id).int] = "arrears"
    names[arrears_payable(order.merchant_id).int] = f"arrears_payable:{order.merchant_id}"

    lines = {line.line_no: line for line in order.lines}
    explained_refunds: dict[UUID, ExplainedRefund] = {}
    for row in refunds:
        view = explained_refunds.setdefault(
            row.refund_id,
            ExplainedRefund(
                refund_id=row.refund_id,
                out_refund_no=row.out_refund_no,
                amount_fen=row.amount_fen,
                lines=[],
            ),
        )
        view.lines.append(_explained(lines[row.line_no], [row.transfer_id], transfers, names))
    explained = []
    for line in order.lines:
        own = [line.transfer_id] if line.transfer_id is not None else []
        explained.append(_explained(line, own + captures.get(line.line_no, []), transfers, names))
    evidence = {"request_sha256": order.request_digest.hex()}
    if order.code_digest is not None:
        evidence["code_sha256"] = order.code_digest.hex()
    return ExplainView(
        order_id=order.order_id,
        status=order.status,
        nominal_fen=order.nominal_fen,
        explained_fen=sum(
            transfers[line.transfer_id.int].amount
            for line in order.lines
            if line.transfer_id is not None
        ),
        evidence=evidence,
        lines=explained,
        refunds=list(explained_refunds.values()),
    )


async def _resolving_transfers(
    connection: AsyncConnection, order_id: UUID
) -> dict[int, list[UUID]]:
    line = tables.capture_line.c
    rows = await connection.execute(
        select(line.line_no, line.transfer_id, line.held_transfer_id)
        .join(tables.capture, tables.capture.c.capture_id == line.capture_id)
        .where(tables.capture.c.order_id == order_id)
        .order_by(tables.capture.c.sequence_no)
    )
    found: dict[int, list[UUID]] = {}
    for line_no, resolving, holding in rows:
        found.setdefault(line_no, []).extend(one for one in (resolving, holding) if one is not None)
    return found


async def _account_names(
    connection: AsyncConnection, transfers: Sequence[Transfer]
) -> dict[int, str]:
    """What each ledger account of these transfers is called, for people."""
    ids = {UUID(int=one.debit_account_id) for one in transfers}
    ids |= {UUID(int=one.credit_account_id) for one in transfers}
    names = {CUSTODY.int: "custody", SUSPENSE.int: "suspense"}
    names |= {subsidy_receivable(payer).int: f"subsidy_receivable:{payer}" for payer in Payer}
    fund = tables.fund.c
    for fund_id, kind in await connection.execute(
        select(fund.fund_id, fund.kind).where(fund.fund_id.in_(ids))
    ):
        names[fund_id.int] = f"fund:{kind}"
    merchant = tables.merchant.c
    for row in await connection.execute(
        select(merchant.merchant_id, merchant.payable_id, merchant.subsidy_payable_id).where(
            merchant.payable_id.in_(ids) | merchant.subsidy_payable_id.in_(ids)
        )
    ):
        names[row.payable_id.int] = f"payable:{row.merchant_id}"
        names[row.subsidy_payable_id.int] = f"subsidy_payable:{row.merchant_id}"
    return names


def _explained(
    line: OrderLine,
    transfer_ids: Sequence[UUID],
    transfers: dict[int, Transfer],
    names: dict[int, str],
) -> ExplainedLine:
    views = []
    for transfer_id in transfer_ids:
        transfer = transfers[transfer_id.int]
        views.append(
            TransferView(
                transfer_id=transfer_id,
                debit_account=names[transfer.debit_account_id],
                credit_account=names[transfer.credit_account_id],
                amount_fen=transfer.amount,
                recorded_at=datetime.fromtimestamp(transfer.timestamp / _NS_PER_S, UTC),
            )
        )
    return ExplainedLine(
        **line.view().model_dump(), funding_version=line.funding_version, transfers=views
    )
