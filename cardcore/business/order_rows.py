"""Writing a batch of orders: every table once, all in one round trip."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from pydantic_core import to_json

from cardcore.business.limits import CounterKey, Use
from cardcore.business.order_facts import PreparedOrder
from cardcore.business.orders import OrderLine, OrderRecord
from cardcore.caller import Caller
from cardcore.connections import RawConnection
from cardcore.errors import CardcoreError, CodeRefusedError
from cardcore.known import Known, kept_kind
from cardcore.user.presented import PresentedCode
from ledger import Planned

_Row = dict[str, Any]
_Instants = Mapping[datetime, str]


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


_KEYS: Final = (("effects", _insert("cardcore.idempotency", _EFFECT_FIELDS)),)
_TABLES: Final = (
    *_KEYS,
    ("orders", _insert("cardcore.business_order", _ORDER_FIELDS)),
    ("lines", _insert("cardcore.order_line", _LINE_FIELDS)),
    ("used", _insert("cardcore.used_code", _USED_FIELDS)),
    ("outbox", _insert("cardcore.outbox", _OUTBOX_FIELDS)),
)
_REFUSED: Final = (("refused", _insert("cardcore.audit_event", _AUDIT_FIELDS)),)
_COUNTED: Final = (
    (
        "counted",
        (
            "INSERT INTO cardcore.limit_counter AS c"
            " (subject, limit_id, window_from, expires_at, used, ceiling)"
            " SELECT subject, limit_id, window_from, expires_at, used, ceiling"
            " FROM json_to_recordset(%s::json) AS given (subject text, limit_id text,"
            " window_from timestamptz, expires_at timestamptz, used int8, ceiling int8)"
            " ON CONFLICT (subject, limit_id, window_from)"
            " DO UPDATE SET used = c.used + excluded.used, ceiling = excluded.ceiling"
        ),
    ),
)


def _statement(parts: Sequence[tuple[str, str]], selected: str) -> str:
    """SQL that does all parts and then selects; every part is carried out whatever is selected."""
    named = ", ".join(f"{name} AS ({sql})" for name, sql in parts)
    return f"WITH {named} SELECT {selected}"


@dataclass(frozen=True, slots=True)
class Rows:
    """What a batch writes beside the ledger: the parts of one statement, and what fills them."""

    parts: Sequence[tuple[str, str]]
    parameters: Sequence[str]

    async def write(self, connection: RawConnection, planned: Planned | None = None) -> None:
        """Insert everything in one statement, and book the ledger's plan in the same.

        Raises:
            psycopg.errors.UniqueViolation: another writer was first with a key, a number or a code.
            psycopg.errors.CheckViolation: ``limit_counter_within``: another was first with a limit.
            psycopg.errors.SerializationFailure: the plan does not hold.
        """
        if planned is not None:
            # Selected, so done before the parts: two writers meet accounts, then unique keys.
            await connection.execute(
                _statement(self.parts, planned.call), (*self.parameters, *planned.parameters)
            )
        elif self.parts:
            await connection.execute(_statement(self.parts, "1"), self.parameters)


def rows_of(
    booked: Sequence[BookedOrder],
    uses: Sequence[Use],
    refused: Sequence[tuple[PreparedOrder, CardcoreError]],
    named: Sequence[tuple[PreparedOrder, UUID]] = (),
) -> Rows:
    """The rows of a batch: booked orders, what they use of limits, an audit row per refusal.

    ``named`` are requests whose number names an order already: their keys are kept, so that they
    are good for no other request, and are answered the same way again.
    """
    parts: list[tuple[str, str]] = []
    parameters: list[str] = []
    if uses:
        parts += _COUNTED
        parameters.append(_json(_counter_rows(uses)))
    if booked:
        parts += _TABLES
        parameters += _order_parameters(booked, named)
    elif named:
        parts += _KEYS
        parameters.append(_json(_named_rows(named)))
    if refused:
        parts += _REFUSED
        parameters.append(_json(_refused_row(*one) for one in refused))
    return Rows(parts, parameters)


async def write_orders(
    connection: RawConnection, booked: Sequence[BookedOrder], uses: Sequence[Use]
) -> None:
    """Insert everything that belongs to orders that are in the ledger; see ``Rows.write``."""
    await rows_of(booked, uses, ()).write(connection)


def _order_parameters(
    booked: Sequence[BookedOrder], named: Sequence[tuple[PreparedOrder, UUID]]
) -> Sequence[str]:
    # Sorted, so that two writers meet the same unique keys in the same order.
    booked = sorted(booked, key=lambda one: (one.prepared.caller.client_id, one.prepared.key))
    recorded_at = {one.record.recorded_at: one.record.recorded_at.isoformat() for one in booked}
    keys = [_effect_row(one, recorded_at) for one in booked]
    if named:
        keys = sorted(keys + _named_rows(named), key=lambda row: (row["client_id"], row["key"]))
    return (
        _json(keys),
        _json(_order_row(one.record, recorded_at) for one in booked),
        _json(_line_row(one.record, line) for one in booked for line in one.record.lines),
        _json(
            _used_row(one.prepared.code, one.record)
            for one in booked
            if one.prepared.code is not None
        ),
        _json(_outbox_row(one.record, recorded_at) for one in booked),
    )


def _refused_row(prepared: PreparedOrder, refusal: CardcoreError) -> _Row:
    business = prepared.request.business
    return {
        "recorded_at": prepared.received_at.isoformat(),
        "client_id": prepared.caller.client_id,
        "action": f"order.{prepared.request.mode}",
        "object": f"{business.merchant_id}/{business.out_trade_no}",
        "outcome": refusal_code(refusal),
    }


def refusal_code(refusal: CardcoreError) -> str:
    """The public code of a refusal; a refused code carries its own reason."""
    return refusal.reason if isinstance(refusal, CodeRefusedError) else refusal.code


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


def _named_rows(named: Sequence[tuple[PreparedOrder, UUID]]) -> list[_Row]:
    return [
        {
            "client_id": prepared.caller.client_id,
            "key": prepared.key,
            "request_digest": _bytea(prepared.digest),
            "effect_kind": kept_kind("order", Known.BY_NUMBER),
            "effect_id": order_id,
            "recorded_at": prepared.received_at.isoformat(),
        }
        for prepared, order_id in named
    ]


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
