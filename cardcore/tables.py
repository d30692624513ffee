"""The core's tables as SQLAlchemy sees them, for every path that is not hot.

The schema itself is made by ``schema/*.sql``; a test compares the two. Hot paths write SQL.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

metadata = MetaData(schema="cardcore")
_At = DateTime(timezone=True)


def _required(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], *, key: bool = False
) -> Column[Any]:
    return Column(name, kind, primary_key=key, nullable=False)


person = Table(
    "person",
    metadata,
    _required("user_id", Uuid, key=True),
    _required("level", Text),
    _required("status", Text),
    Column("data_key_wrapped", LargeBinary),
    Column("name_sealed", LargeBinary),
    Column("id_no_sealed", LargeBinary),
    Column("id_no_index", LargeBinary),
    _required("recorded_at", _At),
)

entitlement = Table(
    "entitlement",
    metadata,
    _required("entitlement_id", Uuid, key=True),
    _required("user_id", Uuid),
    _required("class", Text),
    _required("evidence", Text),
    _required("valid_from", Date),
    _required("valid_to", Date),
    _required("recorded_at", _At),
)

code_token = Table(
    "code_token",
    metadata,
    _required("token", LargeBinary, key=True),
    _required("user_id", Uuid),
    _required("issued_at", _At),
    _required("expires_at", _At),
)

issuer_key = Table(
    "issuer_key",
    metadata,
    _required("issuer_id", Integer, key=True),
    _required("kid", SmallInteger, key=True),
    _required("algorithm", Text),
    _required("label", Text),
    _required("public_key", LargeBinary),
    _required("not_before", _At),
    _required("not_after", _At),
)

fund_kind = Table(
    "fund_kind",
    metadata,
    _required("kind", Text, key=True),
    _required("regime", Text),
    _required("level_min", Text),
    _required("balance_fen_max", BigInteger),
    _required("name_zh", Text),
    _required("name_en", Text),
)

fund = Table(
    "fund",
    metadata,
    _required("fund_id", Uuid, key=True),
    _required("user_id", Uuid),
    _required("kind", Text),
    _required("status", Text),
    _required("recorded_at", _At),
)

funding_plan = Table(
    "funding_plan",
    metadata,
    _required("scene", Text, key=True),
    _required("position", SmallInteger, key=True),
    _required("kind", Text),
)

topup = Table(
    "topup",
    metadata,
    _required("topup_id", Uuid, key=True),
    _required("user_id", Uuid),
    _required("fund_id", Uuid),
    _required("amount_fen", BigInteger),
    _required("channel", Text),
    _required("channel_no", Text),
    _required("business_on", Date),
    _required("recorded_at", _At),
)

merchant = Table(
    "merchant",
    metadata,
    _required("merchant_id", Text, key=True),
    _required("name_zh", Text),
    _required("name_en", Text),
    _required("status", Text),
    _required("payable_id", Uuid),
    _required("subsidy_payable_id", Uuid),
    _required("recorded_at", _At),
)

terminal = Table(
    "terminal",
    metadata,
    _required("terminal_id", Text, key=True),
    _required("merchant_id", Text),
    _required("scene", Text),
    _required("place", JSONB),
    _required("status", Text),
    _required("recorded_at", _At),
)

client = Table(
    "client",
    metadata,
    _required("client_id", Text, key=True),
    Column("merchant_id", Text),
    Column("terminal_id", Text),
    _required("scopes", ARRAY(Text)),
    _required("public_key", JSONB),
    _required("status", Text),
    _required("recorded_at", _At),
)

used_assertion = Table(
    "used_assertion",
    metadata,
    _required("client_id", Text, key=True),
    _required("assertion_id", Text, key=True),
    _required("expires_at", _At),
)

business_order = Table(
    "business_order",
    metadata,
    _required("order_id", Uuid, key=True),
    _required("merchant_id", Text),
    _required("terminal_id", Text),
    _required("scene", Text),
    _required("type", Text),
    _required("mode", Text),
    _required("status", Text),
    _required("out_trade_no", Text),
    _required("user_id", Uuid),
    _required("client_id", Text),
    _required("nominal_fen", BigInteger),
    _required("citizen_fen", BigInteger),
    _required("captured_fen", BigInteger),
    _required("refunded_fen", BigInteger),
    _required("business_on", Date),
    _required("occurred_at", _At),
    _required("recorded_at", _At),
    _required("request_digest", LargeBinary),
    Column("code_digest", LargeBinary),
    _required("details", JSONB),
)

order_line = Table(
    "order_line",
    metadata,
    _required("order_id", Uuid, key=True),
    _required("line_no", SmallInteger, key=True),
    _required("payer", Text),
    Column("fund", Text),
    _required("amount_fen", BigInteger),
    Column("debit_account_id", Uuid),
    Column("credit_account_id", Uuid),
    Column("transfer_id", Uuid),
    _required("rule_id", Text),
    _required("rule_version", Text),
    _required("reason_zh", Text),
    _required("reason_en", Text),
)

capture = Table(
    "capture",
    metadata,
    _required("capture_id", Uuid, key=True),
    _required("order_id", Uuid),
    _required("amount_fen", BigInteger),
    _required("recorded_at", _At),
)

capture_line = Table(
    "capture_line",
    metadata,
    _required("capture_id", Uuid, key=True),
    _required("line_no", SmallInteger, key=True),
    _required("amount_fen", BigInteger),
    _required("transfer_id", Uuid),
)

refund = Table(
    "refund",
    metadata,
    _required("refund_id", Uuid, key=True),
    _required("order_id", Uuid),
    _required("merchant_id", Text),
    _required("out_refund_no", Text),
    _required("amount_fen", BigInteger),
    _required("reason", Text),
    _required("client_id", Text),
    _required("request_digest", LargeBinary),
    _required("business_on", Date),
    _required("recorded_at", _At),
)

refund_line = Table(
    "refund_line",
    metadata,
    _required("refund_id", Uuid, key=True),
    _required("line_no", SmallInteger, key=True),
    _required("amount_fen", BigInteger),
    _required("transfer_id", Uuid),
)

used_code = Table(
    "used_code",
    metadata,
    _required("replay_key", LargeBinary, key=True),
    _required("order_id", Uuid),
    _required("expires_at", _At),
)

idempotency = Table(
    "idempotency",
    metadata,
    _required("client_id", Text, key=True),
    _required("key", Text, key=True),
    _required("request_digest", LargeBinary),
    _required("effect_kind", Text),
    _required("effect_id", Uuid),
    _required("recorded_at", _At),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    _required("topic", Text),
    _required("subject_id", Uuid),
    _required("recorded_at", _At),
    _required("payload", JSONB),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    _required("recorded_at", _At),
    _required("client_id", Text),
    _required("action", Text),
    _required("object", Text),
    _required("outcome", Text),
)
