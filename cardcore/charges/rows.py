"""Writing what was booked: orders, lines, arrears, refunds and their events, every table once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from psycopg.types.json import Jsonb

from cardcore.bulk import copy_rows
from cardcore.charges.deciding import DecidedCharge, DecidedReturn, return_digest
from cardcore.connections import RawConnection
from cardcore.terminals.record_booking import ARREARS

_ORDER: Final = (
    "order_id merchant_id terminal_id scene type mode status out_trade_no user_id client_id"
    " nominal_fen citizen_fen captured_fen refunded_fen business_on occurred_at recorded_at"
    " request_digest details"
)
_LINE: Final = (
    "order_id line_no payer fund amount_fen debit_account_id credit_account_id transfer_id rule_id"
    " rule_version reason_zh reason_en funding_version"
)
_ARREARS: Final = "order_id line_no user_id merchant_id amount_fen recorded_at"
_OUTBOX: Final = "topic subject_id recorded_at payload"
_REFUND: Final = (
    "refund_id order_id merchant_id out_refund_no amount_fen reason client_id request_digest"
    " business_on recorded_at"
)
_REFUND_LINE: Final = "refund_id line_no amount_fen transfer_id"
_ARREARS_RETURN: Final = "transfer_id refund_id payment_id amount_fen"
# An order that gave all back is refunded; one that gave back a part stays captured.
_REFUNDED: Final = """
UPDATE cardcore.business_order o
   SET refunded_fen = o.refunded_fen + given.fen,
       status = CASE WHEN o.refunded_fen + given.fen = o.captured_fen THEN 'refunded'
                     ELSE o.status END
  FROM (SELECT * FROM unnest(%s::uuid[], %s::bigint[]) AS one (order_id, fen)) AS given
 WHERE o.order_id = given.order_id
"""


async def write_charges(raw: RawConnection, booked: Sequence[DecidedCharge]) -> None:
    """Everything beside the transfers that belongs to these orders.

    Raises:
        psycopg.errors.UniqueViolation: an ``out_trade_no`` was booked before.
    """
    if not booked:
        return
    records = [one.record for one in booked]
    await copy_rows(
        raw,
        "cardcore.business_order",
        _ORDER,
        (
            (
                one.order_id,
                one.merchant_id,
                one.terminal_id,
                one.scene,
                one.type,
                one.mode.value,
                one.status,
                one.out_trade_no,
                one.user_id,
                one.client_id,
                one.nominal_fen,
                one.citizen_fen,
                one.captured_fen,
                0,
                one.business_on,
                one.occurred_at,
                one.recorded_at,
                one.request_digest,
                Jsonb(one.details),
            )
            for one in records
        ),
    )
    await copy_rows(
        raw,
        "cardcore.order_line",
        _LINE,
        (
            (
                one.order_id,
                line.line_no,
                line.payer,
                line.fund,
                line.amount_fen,
                line.debit_account_id,
                line.credit_account_id,
                line.transfer_id,
                line.rule_id,
                line.rule_version,
                line.reason_zh,
                line.reason_en,
                line.funding_version,
            )
            for one in records
            for line in one.lines
        ),
    )
    arrears = [(one, line) for one in records for line in one.lines if line.fund == ARREARS]
    if arrears:
        await copy_rows(
            raw,
            "cardcore.arrears",
            _ARREARS,
            (
                (
                    one.order_id,
                    line.line_no,
                    one.user_id,
                    one.merchant_id,
                    line.amount_fen,
                    one.recorded_at,
                )
                for one, line in arrears
            ),
        )
    await copy_rows(
        raw,
        "cardcore.outbox",
        _OUTBOX,
        (
            (
                "order.captured",
                one.order_id,
                one.recorded_at,
                Jsonb({"order_id": str(one.order_id), "scene": one.scene, "status": one.status}),
            )
            for one in records
        ),
    )


def _lines_of(one: DecidedReturn) -> list[tuple[UUID, int, int, UUID]]:
    """A refund's lines: the parts of a line of arrears are one line, named by its first."""
    lines: dict[int, tuple[UUID, int, int, UUID]] = {}
    for (left, fen), transfer_id in zip(one.shares, one.transfer_ids, strict=True):
        line_no = left.line.line_no
        known = lines.get(line_no, (one.refund_id, line_no, 0, transfer_id))
        lines[line_no] = (*known[:2], known[2] + fen, known[3])
    return list(lines.values())


async def write_returns(
    raw: RawConnection,
    booked: Sequence[DecidedReturn],
    *,
    client_id: str,
    now: datetime,
    business_on: date,
) -> None:
    """Everything beside the transfers that belongs to these refunds.

    Raises:
        psycopg.errors.UniqueViolation: an ``out_refund_no`` was booked before.
    """
    if not booked:
        return
    await copy_rows(
        raw,
        "cardcore.refund",
        _REFUND,
        (
            (
                one.refund_id,
                one.asked.order_id,
                one.shares[0][0].merchant_id,
                one.asked.out_refund_no,
                one.amount_fen,
                one.asked.reason,
                client_id,
                return_digest(one.asked),
                business_on,
                now,
            )
            for one in booked
        ),
    )
    await copy_rows(
        raw,
        "cardcore.refund_line",
        _REFUND_LINE,
        (row for one in booked for row in _lines_of(one)),
    )
    await copy_rows(
        raw,
        "cardcore.arrears_return",
        _ARREARS_RETURN,
        (
            (transfer_id, one.refund_id, left.payment_id, fen)
            for one in booked
            for (left, fen), transfer_id in zip(one.shares, one.transfer_ids, strict=True)
            if left.payment_id is not None
        ),
    )
    sums: dict[object, int] = {}
    for one in booked:
        sums[one.asked.order_id] = sums.get(one.asked.order_id, 0) + one.amount_fen
    await raw.execute(_REFUNDED, (list(sums), list(sums.values())))
    await copy_rows(
        raw,
        "cardcore.outbox",
        _OUTBOX,
        (
            (
                "order.refunded",
                one.asked.order_id,
                now,
                Jsonb({"order_id": str(one.asked.order_id), "refund_id": str(one.refund_id)}),
            )
            for one in booked
        ),
    )
