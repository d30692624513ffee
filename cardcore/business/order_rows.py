"""Writing a batch of orders: every table once, all in one round trip."""

import json
from collections.abc import Sequence
from typing import Any, Final, Protocol

from cardcore.books import RawConnection
from cardcore.business.order_facts import PreparedOrder
from cardcore.business.orders import OrderLine, OrderRecord
from cardcore.errors import CardcoreError, CodeRefusedError


class BookedOrder(Protocol):
    """What the writer has just put into the ledger."""

    @property
    def prepared(self) -> PreparedOrder:
        """The request."""
        ...

    @property
    def record(self) -> OrderRecord:
        """What it became."""
        ...


_ORDER_FIELDS: Final = (
    ("order_id", "uuid"),
    ("merchant_id", "text"),
    ("terminal_id", "text"),
    ("scene", "text"),
    ("type", "text"),
    ("mode", "text"),
    ("status", "text"),
    ("out_trade_no", "text"),
    ("user_id", "uuid"),
    ("client_id", "text"),
    ("nominal_fen", "int8"),
    ("citizen_fen", "int8"),
    ("captured_fen", "int8"),
    ("refunded_fen", "int8"),
    ("business_on", "date"),
    ("occurred_at", "timestamptz"),
    ("recorded_at", "timestamptz"),
    ("request_digest", "bytea"),
    ("code_digest", "bytea"),
    ("details", "jsonb"),
)
_LINE_FIELDS: Final = (
    ("order_id", "uuid"),
    ("line_no", "int2"),
    ("payer", "text"),
    ("fund", "text"),
    ("amount_fen", "int8"),
    ("debit_account_id", "uuid"),
    ("credit_account_id", "uuid"),
    ("transfer_id", "uuid"),
    ("rule_id", "text"),
    ("rule_version", "text"),
    ("reason_zh", "text"),
    ("reason_en", "text"),
)
_EFFECT_FIELDS: Final = (
    ("client_id", "text"),
    ("key", "text"),
    ("request_digest", "bytea"),
    ("effect_kind", "text"),
    ("effect_id", "uuid"),
    ("recorded_at", "timestamptz"),
)
_USED_FIELDS: Final = (("replay_key", "bytea"), ("order_id", "uuid"), ("expires_at", "timestamptz"))
_OUTBOX_FIELDS: Final = (
    ("topic", "text"),
    ("subject_id", "uuid"),
    ("recorded_at", "timestamptz"),
    ("payload", "jsonb"),
)
_AUDIT_FIELDS: Final = (
    ("recorded_at", "timestamptz"),
    ("client_id", "text"),
    ("action", "text"),
    ("object", "text"),
    ("outcome", "text"),
)


def insert_many(table: str, fields: Sequence[tuple[str, str]]) -> str:
    """SQL that inserts any number of rows from one array per column: one plan for all sizes."""
    columns = ", ".join(name for name, _ in fields)
    arrays = ", ".join(f"%s::{kind}[]" for _, kind in fields)
    return f"INSERT INTO {table} ({columns}) SELECT * FROM unnest({arrays})"  # noqa: S608


def columns_of(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into the arrays ``insert_many`` wants."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * width


_INSERT_ORDERS: Final = insert_many("cardcore.business_order", _ORDER_FIELDS)
_INSERT_LINES: Final = insert_many("cardcore.order_line", _LINE_FIELDS)
_INSERT_EFFECTS: Final = insert_many("cardcore.idempotency", _EFFECT_FIELDS)
_INSERT_USED: Final = insert_many("cardcore.used_code", _USED_FIELDS)
_INSERT_OUTBOX: Final = insert_many("cardcore.outbox", _OUTBOX_FIELDS)
_INSERT_AUDIT: Final = insert_many("cardcore.audit_event", _AUDIT_FIELDS)


async def write_orders(connection: RawConnection, booked: Sequence[BookedOrder]) -> None:
    """Insert everything that belongs to the booked orders.

    Raises:
        psycopg.errors.UniqueViolation: another writer was first with a key, a number or a code.
    """
    if not booked:
        return
    # Sorted, so that two writers meet the same unique keys in the same order.
    booked = sorted(booked, key=lambda one: (one.prepared.caller.client_id, one.prepared.key))
    used = sorted(
        (one.prepared.code.replay_key, one.record.order_id, one.prepared.code.expires_at)
        for one in booked
        if one.prepared.code is not None
    )
    async with connection.pipeline():
        await connection.execute(
            _INSERT_EFFECTS,
            columns_of(
                [
                    (
                        one.prepared.caller.client_id,
                        one.prepared.key,
                        one.prepared.digest,
                        "order",
                        one.record.order_id,
                        one.record.recorded_at,
                    )
                    for one in booked
                ],
                len(_EFFECT_FIELDS),
            ),
        )
        await connection.execute(
            _INSERT_ORDERS,
            columns_of([_order_row(one.record) for one in booked], len(_ORDER_FIELDS)),
        )
        await connection.execute(
            _INSERT_LINES,
            columns_of(
                [_line_row(one.record, line) for one in booked for line in one.record.lines],
                len(_LINE_FIELDS),
            ),
        )
        if used:
            await connection.execute(_INSERT_USED, columns_of(used, len(_USED_FIELDS)))
        await connection.execute(
            _INSERT_OUTBOX,
            columns_of([_outbox_row(one.record) for one in booked], len(_OUTBOX_FIELDS)),
        )


async def write_refusals(
    connection: RawConnection, refused: Sequence[tuple[PreparedOrder, CardcoreError]]
) -> None:
    """One audit row per refused order, and nothing else."""
    if not refused:
        return
    rows = [
        (
            prepared.received_at,
            prepared.caller.client_id,
            f"order.{prepared.request.mode}",
            f"{prepared.request.business.merchant_id}/{prepared.request.business.out_trade_no}",
            refusal_code(refusal),
        )
        for prepared, refusal in refused
    ]
    await connection.execute(_INSERT_AUDIT, columns_of(rows, len(_AUDIT_FIELDS)))


def refusal_code(refusal: CardcoreError) -> str:
    """The public code of a refusal; a refused code carries its own reason."""
    return refusal.reason if isinstance(refusal, CodeRefusedError) else refusal.code


def _order_row(record: OrderRecord) -> tuple[Any, ...]:
    return (
        record.order_id,
        record.merchant_id,
        record.terminal_id,
        record.scene,
        record.type,
        record.mode.value,
        record.status,
        record.out_trade_no,
        record.user_id,
        record.client_id,
        record.nominal_fen,
        record.citizen_fen,
        record.captured_fen,
        record.refunded_fen,
        record.business_on,
        record.occurred_at,
        record.recorded_at,
        record.request_digest,
        record.code_digest,
        json.dumps(record.details, ensure_ascii=False),
    )


def _line_row(record: OrderRecord, line: OrderLine) -> tuple[Any, ...]:
    return (
        record.order_id,
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
    )


def _outbox_row(record: OrderRecord) -> tuple[Any, ...]:
    # Thin: a receiver asks for the rest, so nothing of a person lies here.
    payload = {"order_id": str(record.order_id), "scene": record.scene, "status": record.status}
    return f"order.{record.status}", record.order_id, record.recorded_at, json.dumps(payload)
