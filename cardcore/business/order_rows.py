"""Writing a batch of orders: every table once, all in one round trip."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from pydantic_core import to_json

from cardcore.books import RawConnection
from cardcore.business.limits import CounterKey, Use
from cardcore.business.order_facts import PreparedOrder
from cardcore.business.orders import OrderLine, OrderRecord
from cardcore.caller import Caller
from cardcore.errors import CardcoreError, CodeRefusedError
from cardcore.user.presented import PresentedCode


class Asked(Protocol):
    """Who asked for an order, by which key, with what."""

    @property
    def caller(self) -> Caller:
        """Whose key it is."""
        ...

    @property
    def key(self) -> str:
        """The idempotency key."""
        ...

    @property
    def digest(self) -> bytes:
        """SHA-256 of the whole request."""
        ...

    @property
    def code(self) -> PresentedCode | None:
        """What it spends."""
        ...


class BookedOrder(Protocol):
    """What the writer has just put into the ledger."""

    @property
    def prepared(self) -> Asked:
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
    ("hold_expires_at", "timestamptz"),
    ("rules_version", "int8"),
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
    ("funding_version", "int8"),
    ("delegation_id", "uuid"),
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


def _insert(table: str, fields: Sequence[tuple[str, str]]) -> str:
    """SQL that inserts any number of rows given as one JSON array of objects."""
    columns = ", ".join(name for name, _ in fields)
    typed = ", ".join(f"{name} {kind}" for name, kind in fields)
    return (
        f"INSERT INTO {table} ({columns})"  # noqa: S608  (our constants)
        f" SELECT {columns} FROM json_to_recordset(%s::json) AS given ({typed})"
    )


# One statement writes all five tables: one round trip, and JSON is what Python makes fastest.
_WRITE: Final = (
    "WITH effects AS ("
    + _insert("cardcore.idempotency", _EFFECT_FIELDS)
    + "), orders AS ("
    + _insert("cardcore.business_order", _ORDER_FIELDS)
    + "), lines AS ("
    + _insert("cardcore.order_line", _LINE_FIELDS)
    + "), used AS ("
    + _insert("cardcore.used_code", _USED_FIELDS)
    + ") "
    + _insert("cardcore.outbox", _OUTBOX_FIELDS)
)
# Where a limit counts over a window: its counters in the same statement.
_COUNT: Final = (
    "counted AS (INSERT INTO cardcore.limit_counter AS c"
    " (subject, limit_id, window_from, expires_at, used, ceiling)"
    " SELECT subject, limit_id, window_from, expires_at, used, ceiling"
    " FROM json_to_recordset(%s::json) AS given (subject text, limit_id text,"
    " window_from timestamptz, expires_at timestamptz, used int8, ceiling int8)"
    " ON CONFLICT (subject, limit_id, window_from)"
    " DO UPDATE SET used = c.used + excluded.used, ceiling = excluded.ceiling), "
)
_WRITE_COUNTED: Final = _WRITE.replace("WITH ", "WITH " + _COUNT, 1)
_INSERT_AUDIT: Final = _insert("cardcore.audit_event", _AUDIT_FIELDS)


async def write_orders(
    connection: RawConnection, booked: Sequence[BookedOrder], uses: Sequence[Use] = ()
) -> None:
    """Insert everything that belongs to the booked orders, and count what they use of limits.

    Raises:
        psycopg.errors.UniqueViolation: another writer was first with a key, a number or a code.
        psycopg.errors.CheckViolation: ``limit_counter_within``: another was first with a limit.
    """
    if not booked:
        return
    # Sorted, so that two writers meet the same unique keys in the same order.
    booked = sorted(booked, key=lambda one: (one.prepared.caller.client_id, one.prepared.key))
    recorded_at = {one.record.recorded_at: one.record.recorded_at.isoformat() for one in booked}
    await connection.execute(
        _WRITE_COUNTED if uses else _WRITE,
        (
            *([_json(_counter_rows(uses))] if uses else ()),
            _json(_effect_row(one, recorded_at) for one in booked),
            _json(_order_row(one.record, recorded_at) for one in booked),
            _json(_line_row(one.record, line) for one in booked for line in one.record.lines),
            _json(
                _used_row(one.prepared.code, one.record)
                for one in booked
                if one.prepared.code is not None
            ),
            _json(_outbox_row(one.record, recorded_at) for one in booked),
        ),
    )


async def write_refusals(
    connection: RawConnection, refused: Sequence[tuple[PreparedOrder, CardcoreError]]
) -> None:
    """One audit row per refused order, and nothing else."""
    if not refused:
        return
    rows = (
        {
            "recorded_at": prepared.received_at.isoformat(),
            "client_id": prepared.caller.client_id,
            "action": f"order.{prepared.request.mode}",
            "object": (
                f"{prepared.request.business.merchant_id}/{prepared.request.business.out_trade_no}"
            ),
            "outcome": refusal_code(refusal),
        }
        for prepared, refusal in refused
    )
    await connection.execute(_INSERT_AUDIT, (_json(rows),))


def refusal_code(refusal: CardcoreError) -> str:
    """The public code of a refusal; a refused code carries its own reason."""
    return refusal.reason if isinstance(refusal, CodeRefusedError) else refusal.code


_Row = dict[str, Any]
_Instants = Mapping[datetime, str]


def _json(rows: Iterable[_Row]) -> str:
    return to_json(list(rows)).decode()


def _bytea(value: bytes) -> str:
    return f"\\x{value.hex()}"


def _counter_rows(uses: Sequence[Use]) -> list[_Row]:
    """One row per counter, in the one order that every writer takes them in."""
    rows: dict[CounterKey, _Row] = {}
    for use in sorted(uses, key=lambda one: one.key):
        row = rows.setdefault(
            use.key,
            {
                "subject": use.subject,
                "limit_id": use.rule.limit_id,
                "window_from": use.window_from,
                "expires_at": use.until,
                "used": 0,
                "ceiling": use.rule.limit_max,
            },
        )
        row["used"] += use.added
    return list(rows.values())


def _effect_row(one: BookedOrder, instants: _Instants) -> _Row:
    return {
        "client_id": one.prepared.caller.client_id,
        "key": one.prepared.key,
        "request_digest": _bytea(one.prepared.digest),
        "effect_kind": "order",
        "effect_id": one.record.order_id,
        "recorded_at": instants[one.record.recorded_at],
    }


def _order_row(record: OrderRecord, instants: _Instants) -> _Row:
    row: _Row = {
        "order_id": record.order_id,
        "merchant_id": record.merchant_id,
        "terminal_id": record.terminal_id,
        "scene": record.scene,
        "type": record.type,
        "mode": record.mode.value,
        "status": record.status,
        "out_trade_no": record.out_trade_no,
        "user_id": record.user_id,
        "client_id": record.client_id,
        "nominal_fen": record.nominal_fen,
        "citizen_fen": record.citizen_fen,
        "captured_fen": record.captured_fen,
        "refunded_fen": record.refunded_fen,
        "business_on": record.business_on,
        "occurred_at": record.occurred_at,
        "recorded_at": instants[record.recorded_at],
        "request_digest": _bytea(record.request_digest),
        "code_digest": None if record.code_digest is None else _bytea(record.code_digest),
        "details": record.details,
        "rules_version": record.rules_version,
    }
    if record.hold_expires_at is not None:
        row["hold_expires_at"] = record.hold_expires_at
    return row


def _line_row(record: OrderRecord, line: OrderLine) -> _Row:
    row: _Row = {
        "order_id": record.order_id,
        "line_no": line.line_no,
        "payer": line.payer,
        "fund": line.fund,
        "amount_fen": line.amount_fen,
        "debit_account_id": line.debit_account_id,
        "credit_account_id": line.credit_account_id,
        "transfer_id": line.transfer_id,
        "rule_id": line.rule_id,
        "rule_version": line.rule_version,
        "reason_zh": line.reason_zh,
        "reason_en": line.reason_en,
        "funding_version": line.funding_version,
    }
    if line.delegation_id is not None:
        row["delegation_id"] = line.delegation_id
    return row


def _used_row(code: PresentedCode, record: OrderRecord) -> _Row:
    return {
        "replay_key": _bytea(code.replay_key),
        "order_id": record.order_id,
        "expires_at": code.expires_at,
    }


def _outbox_row(record: OrderRecord, instants: _Instants) -> _Row:
    # Thin: a receiver asks for the rest, so nothing of a person lies here.
    return {
        "topic": f"order.{record.status}",
        "subject_id": record.order_id,
        "recorded_at": instants[record.recorded_at],
        "payload": {
            "order_id": str(record.order_id),
            "scene": record.scene,
            "status": record.status,
        },
    }
