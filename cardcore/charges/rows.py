"""Writing what was booked: orders, lines, arrears, refunds and their events, every table once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from cardcore.bulk import BulkTable, copy_rows
from cardcore.business.order_rows import rows_of
from cardcore.charges.deciding import DecidedCharge, DecidedReturn, return_digest
from cardcore.connections import RawConnection

_ORDER: Final = BulkTable.of(
    "cardcore.business_order",
    "order_id:uuid merchant_id:text terminal_id:text scene:text type:text mode:text status:text"
    " out_trade_no:text user_id:uuid client_id:text nominal_fen:bigint citizen_fen:bigint"
    " captured_fen:bigint refunded_fen:bigint business_on:date occurred_at:timestamptz"
    " recorded_at:timestamptz request_digest:bytea details:jsonb",
)
_LINE: Final = BulkTable.of(
    "cardcore.order_line",
    "order_id:uuid line_no:smallint payer:text fund:text amount_fen:bigint debit_account_id:uuid"
    " credit_account_id:uuid transfer_id:uuid rule_id:text rule_version:text reason_zh:text"
    " reason_en:text funding_version:bigint delegation_id:uuid",
)
_ARREARS: Final = BulkTable.of(
    "cardcore.arrears",
    "order_id:uuid line_no:smallint user_id:uuid merchant_id:text amount_fen:bigint"
    " recorded_at:timestamptz",
)
_OUTBOX: Final = BulkTable.of(
    "cardcore.outbox", "topic:text subject_id:uuid recorded_at:timestamptz payload:jsonb"
)
_REFUND: Final = BulkTable.of(
    "cardcore.refund",
    "refund_id:uuid order_id:uuid merchant_id:text out_refund_no:text amount_fen:bigint reason:text"
    " client_id:text request_digest:bytea business_on:date recorded_at:timestamptz",
)
_REFUND_LINE: Final = BulkTable.of(
    "cardcore.refund_line", "refund_id:uuid line_no:smallint amount_fen:bigint transfer_id:uuid"
)
_ARREARS_RETURN: Final = BulkTable.of(
    "cardcore.arrears_return", "transfer_id:uuid refund_id:uuid payment_id:uuid amount_fen:bigint"
)
# An order that gave all back is refunded; one that gave back a part stays captured.
_REFUNDED: Final = """
UPDATE cardcore.business_order o
   SET refunded_fen = o.refunded_fen + given.fen,
       status = CASE WHEN o.refunded_fen + given.fen = o.captured_fen THEN 'refunded'
                     ELSE o.status END
  FROM (SELECT * FROM unnest(%s::uuid[], %s::bigint[]) AS one (order_id, fen)) AS given
 WHERE o.order_id = given.order_id
"""


async def write_charges(raw: RawConnection, booked: Sequence[DecidedCharge], now: datetime) -> None:
    """Everything beside the transfers that belongs to these orders.

    Raises:
        psycopg.errors.UniqueViolation: an ``out_trade_no`` was booked before.
        psycopg.errors.CheckViolation: ``limit_counter_within``: another was first with a limit.
    """
    await rows_of((), [use for one in booked for use in one.uses], ()).write(raw)
    await copy_rows(raw, _ORDER, [one.row for one in booked])
    await copy_rows(raw, _LINE, [line for one in booked for line in one.lines])
    await copy_rows(
        raw,
        _ARREARS,
        [
            (one.order_id, line_no, one.user_id, one.merchant_id, fen, now)
            for one in booked
            for line_no, fen in one.owing
        ],
    )
    await copy_rows(
        raw,
        _OUTBOX,
        [
            (
                "order.captured",
                one.order_id,
                now,
                {"order_id": str(one.order_id), "scene": one.scene, "status": "captured"},
            )
            for one in booked
        ],
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
        _REFUND_LINE,
        (row for one in booked for row in _lines_of(one)),
    )
    await copy_rows(
        raw,
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
        _OUTBOX,
        (
            (
                "order.refunded",
                one.asked.order_id,
                now,
                {"order_id": str(one.asked.order_id), "refund_id": str(one.refund_id)},
            )
            for one in booked
        ),
    )
