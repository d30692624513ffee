"""Every fen of an order: who paid it, from where, by which rule, in which transfers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cardcore import tables
from cardcore.account.arrears import payment_transfers, return_transfers
from cardcore.account.chart import (
    ARREARS,
    CUSTODY,
    DISPUTES,
    SUSPENSE,
    arrears_of,
    arrears_payable,
    subsidy_receivable,
)
from cardcore.business.dispute_claims import credit_id, recovery_id
from cardcore.business.dispute_tables import dispute, dispute_event
from cardcore.business.limit_rules import limits_of_order
from cardcore.business.orders import OrderLine, OrderRecord
from cardcore.business.quote import Payer
from cardcore.business.scenes import scene_version_of
from cardcore.business.views import (
    ExplainedDispute,
    ExplainedLine,
    ExplainedRefund,
    ExplainView,
    TransferView,
)
from cardcore.connections import RawConnection
from cardcore.user.people_tables import delegation
from ledger import Ledger, Transfer

_NS_PER_S = 1_000_000_000
SELF = "self"


@dataclass(slots=True, kw_only=True)
class _Books:
    """What the books say: transfers, the names of accounts, and who paid which line."""

    transfers: dict[int, Transfer]
    names: dict[int, str]
    owners: Mapping[UUID, UUID]
    delegations: Mapping[UUID, str] = field(default_factory=dict)
    names_people: bool = False

    def shown(self, transfer_ids: Sequence[UUID]) -> list[TransferView]:
        views = []
        for transfer_id in transfer_ids:
            transfer = self.transfers[transfer_id.int]
            views.append(
                TransferView(
                    transfer_id=transfer_id,
                    debit_account=self.names[transfer.debit_account_id],
                    credit_account=self.names[transfer.credit_account_id],
                    amount_fen=transfer.amount,
                    recorded_at=datetime.fromtimestamp(transfer.timestamp / _NS_PER_S, UTC),
                )
            )
        return views

    def line(self, line: OrderLine, transfer_ids: Sequence[UUID]) -> ExplainedLine:
        paid_by = payer_id = None
        if line.fund is not None and line.debit_account_id is not None:
            by = line.delegation_id
            paid_by = SELF if by is None else self.delegations[by]
            if line.fund == ARREARS:
                paid_by = None  # by nobody yet: the transfers say what was paid since
            payer_id = self.owners.get(line.debit_account_id) if self.names_people else None
        return ExplainedLine(
            **line.view().model_dump(),
            funding_version=line.funding_version,
            paid_by=paid_by,
            delegation_id=line.delegation_id,
            payer_id=payer_id,
            transfers=self.shown(transfer_ids),
        )


async def explain(
    connection: AsyncConnection,
    raw: RawConnection,
    book: Ledger,
    order: OrderRecord,
    *,
    names_people: bool = False,
) -> ExplainView:
    """Explain an order, its refunds and its disputes.

    ``explained_fen`` is the sum over the ledger's own rows, not over ours: it equals the nominal
    amount of the order, or something is wrong. ``names_people``: say by id whose funds paid.
    """
    captures = await _resolving_transfers(connection, order.order_id)
    payments = await payment_transfers(connection, order.order_id)
    for line_no, ids in payments.items():
        captures.setdefault(line_no, []).extend(ids)
    refunds = await _refunds(connection, order.order_id)
    moves_max = len(order.lines) + sum(len(ids) for ids in payments.values())
    disputes = await _disputes(connection, order.order_id, moves_max)
    wanted = [line.transfer_id for line in order.lines if line.transfer_id is not None]
    wanted += [transfer_id for ids in captures.values() for transfer_id in ids]
    wanted += [one for _, _, ids in refunds for one in ids]
    wanted += [transfer_id for _, ids in disputes for transfer_id in ids]
    found = await book.lookup_transfers([one.int for one in wanted], connection=raw)
    names, owners = await _accounts(connection, found)
    names[arrears_of(order.user_id).int] = "arrears"
    names[arrears_payable(order.merchant_id).int] = f"arrears_payable:{order.merchant_id}"
    books = _Books(
        transfers={transfer.id: transfer for transfer in found},
        names=names,
        owners=owners,
        delegations=await _delegations(connection, order),
        names_people=names_people,
    )
    explained = []
    for line in order.lines:
        own = [line.transfer_id] if line.transfer_id is not None else []
        explained.append(books.line(line, own + captures.get(line.line_no, [])))
    evidence = {"request_sha256": order.request_digest.hex()}
    if order.code_digest is not None:
        evidence["code_sha256"] = order.code_digest.hex()
    return ExplainView(
        order_id=order.order_id,
        status=order.status,
        nominal_fen=order.nominal_fen,
        explained_fen=sum(
            books.transfers[line.transfer_id.int].amount
            for line in order.lines
            if line.transfer_id is not None
        ),
        evidence=evidence,
        lines=explained,
        refunds=_explained_refunds(order, refunds, books),
        disputes=[_explained_dispute(row, ids, books) for row, ids in disputes],
        rules_version=order.rules_version,
        scene_version=await scene_version_of(connection, order.scene, order.rules_version),
        limits=await limits_of_order(raw, order),
    )


# -- what belongs to the order -----------------------------------------------------------------


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


async def _refunds(
    connection: AsyncConnection, order_id: UUID
) -> list[tuple[Row[Any], int, list[UUID]]]:
    """Refunds of an order, line by line, with the transfers of each."""
    line = tables.refund_line.c
    found = await connection.execute(
        select(tables.refund, line.line_no, line.transfer_id)
        .join(tables.refund_line, line.refund_id == tables.refund.c.refund_id)
        .where(tables.refund.c.order_id == order_id)
        .order_by(tables.refund.c.recorded_at, line.line_no)
    )
    rows = found.all()
    further: dict[tuple[UUID, int], list[UUID]] = {}
    for refund_id, line_no, transfer_id in await return_transfers(
        connection, [row.refund_id for row in rows]
    ):
        further.setdefault((refund_id, line_no), []).append(transfer_id)
    return [
        (
            row,
            row.line_no,
            list(dict.fromkeys([row.transfer_id, *further.get((row.refund_id, row.line_no), ())])),
        )
        for row in rows
    ]


async def _disputes(
    connection: AsyncConnection, order_id: UUID, moves_max: int
) -> list[tuple[Row[Any], list[UUID]]]:
    """Disputes of an order, oldest first, with the ids its transfers may have.

    A step moves money between at most ``moves_max`` funds and the dispute account, or none: which
    of these ids exist, the ledger knows.
    """
    found = await connection.execute(
        select(dispute)
        .where(dispute.c.order_id == order_id)
        .order_by(dispute.c.opened_at, dispute.c.dispute_id)
    )
    disputes = []
    for row in found.all():
        events = await connection.execute(
            select(dispute_event.c.event_id)
            .where(dispute_event.c.dispute_id == row.dispute_id)
            .order_by(dispute_event.c.seq)
        )
        ids = [
            make(event_id, position)
            for event_id in events.scalars()
            for make in (credit_id, recovery_id)
            for position in range(moves_max)
        ]
        disputes.append((row, ids))
    return disputes


async def _delegations(connection: AsyncConnection, order: OrderRecord) -> dict[UUID, str]:
    ids = {line.delegation_id for line in order.lines if line.delegation_id is not None}
    if not ids:
        return {}
    found = await connection.execute(
        select(delegation.c.delegation_id, delegation.c.kind).where(
            delegation.c.delegation_id.in_(ids)
        )
    )
    return {row.delegation_id: row.kind for row in found}


async def _accounts(
    connection: AsyncConnection, transfers: Sequence[Transfer]
) -> tuple[dict[int, str], dict[UUID, UUID]]:
    """What each ledger account of these transfers is called, for people; and whose funds are."""
    ids = {UUID(int=one.debit_account_id) for one in transfers}
    ids |= {UUID(int=one.credit_account_id) for one in transfers}
    names = {CUSTODY.int: "custody", SUSPENSE.int: "suspense", DISPUTES.int: "disputes"}
    names |= {subsidy_receivable(payer).int: f"subsidy_receivable:{payer}" for payer in Payer}
    owners = {}
    fund = tables.fund.c
    for fund_id, kind, user_id in await connection.execute(
        select(fund.fund_id, fund.kind, fund.user_id).where(fund.fund_id.in_(ids))
    ):
        names[fund_id.int] = f"fund:{kind}"
        owners[fund_id] = user_id
    merchant = tables.merchant.c
    for row in await connection.execute(
        select(merchant.merchant_id, merchant.payable_id, merchant.subsidy_payable_id).where(
            merchant.payable_id.in_(ids) | merchant.subsidy_payable_id.in_(ids)
        )
    ):
        names[row.payable_id.int] = f"payable:{row.merchant_id}"
        names[row.subsidy_payable_id.int] = f"subsidy_payable:{row.merchant_id}"
    return names, owners


# -- as views ----------------------------------------------------------------------------------


def _explained_refunds(
    order: OrderRecord, refunds: Sequence[tuple[Row[Any], int, list[UUID]]], books: _Books
) -> list[ExplainedRefund]:
    lines = {line.line_no: line for line in order.lines}
    views: dict[UUID, ExplainedRefund] = {}
    for row, line_no, transfer_ids in refunds:
        view = views.setdefault(
            row.refund_id,
            ExplainedRefund(
                refund_id=row.refund_id,
                out_refund_no=row.out_refund_no,
                amount_fen=row.amount_fen,
                lines=[],
            ),
        )
        view.lines.append(books.line(lines[line_no], transfer_ids))
    return list(views.values())


def _explained_dispute(row: Row[Any], ids: Sequence[UUID], books: _Books) -> ExplainedDispute:
    return ExplainedDispute(
        dispute_id=row.dispute_id,
        reason=row.reason,
        status=row.status,
        amount_fen=row.amount_fen,
        credited_fen=row.credited_fen,
        recovered_fen=row.recovered_fen,
        borne_by=row.borne_by,
        transfers=books.shown([one for one in ids if one.int in books.transfers]),
    )
