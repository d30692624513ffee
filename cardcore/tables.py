"""The core's tables as SQLAlchemy sees them, for every path that is not hot.

The schema itself is made by ``schema/*.sql``; a test compares the two. Hot paths write SQL.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
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


def required(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], *, key: bool = False
) -> Column[Any]:
    """A column that is never NULL; also for tables that rooms keep in files of their own."""
    return Column(name, kind, primary_key=key, nullable=False)


person = Table(
    "person",
    metadata,
    required("user_id", Uuid, key=True),
    required("level", Text),
    required("status", Text),
    Column("name_sealed", LargeBinary),
    Column("id_no_sealed", LargeBinary),
    Column("id_no_index", LargeBinary),
    required("recorded_at", _At),
    Column("merged_into", Uuid),
    Column("erased_at", _At),
)

entitlement = Table(
    "entitlement",
    metadata,
    required("entitlement_id", Uuid, key=True),
    required("user_id", Uuid),
    required("class", Text),
    Column("evidence", Text),
    required("valid_from", Date),
    required("valid_to", Date),
    required("recorded_at", _At),
    Column("evidence_sealed", LargeBinary),
    Column("granted_by", Text),
)

code_token = Table(
    "code_token",
    metadata,
    required("token", LargeBinary, key=True),
    required("user_id", Uuid),
    required("issued_at", _At),
    required("expires_at", _At),
    Column("blocked", Text),
)

issuer_key = Table(
    "issuer_key",
    metadata,
    required("issuer_id", Integer, key=True),
    required("kid", SmallInteger, key=True),
    required("algorithm", Text),
    required("label", Text),
    required("public_key", LargeBinary),
    required("not_before", _At),
    required("not_after", _At),
    required("uses", ARRAY(Text)),
    required("signs_from", _At),
)

fund_kind = Table(
    "fund_kind",
    metadata,
    required("kind", Text, key=True),
    required("regime", Text),
    required("level_min", Text),
    required("balance_fen_max", BigInteger),
    required("name_zh", Text),
    required("name_en", Text),
    required("unit", Text),
    Column("credit_fen_max", BigInteger),
    Column("topup_fen_max", BigInteger),
    Column("topup_day_fen_max", BigInteger),
    Column("withdrawal_fen_max", BigInteger),
    Column("withdrawal_day_fen_max", BigInteger),
)

fund = Table(
    "fund",
    metadata,
    required("fund_id", Uuid, key=True),
    required("user_id", Uuid),
    required("kind", Text),
    required("status", Text),
    required("recorded_at", _At),
    Column("moved_to", Uuid),
)

funding_plan = Table(
    "funding_plan",
    metadata,
    required("scene", Text, key=True),
    required("position", SmallInteger, key=True),
    required("step", Text),
    required("version", BigInteger, key=True),
)

topup = Table(
    "topup",
    metadata,
    required("topup_id", Uuid, key=True),
    required("user_id", Uuid),
    required("fund_id", Uuid),
    required("amount_fen", BigInteger),
    required("channel", Text),
    required("channel_no", Text),
    required("business_on", Date),
    required("recorded_at", _At),
)

merchant = Table(
    "merchant",
    metadata,
    required("merchant_id", Text, key=True),
    required("name_zh", Text),
    required("name_en", Text),
    required("status", Text),
    required("payable_id", Uuid),
    required("subsidy_payable_id", Uuid),
    required("recorded_at", _At),
    Column("uscc", Text),
)

terminal = Table(
    "terminal",
    metadata,
    required("terminal_id", Text, key=True),
    required("merchant_id", Text),
    required("scene", Text),
    required("place", JSONB),
    required("status", Text),
    required("recorded_at", _At),
)

client = Table(
    "client",
    metadata,
    required("client_id", Text, key=True),
    Column("merchant_id", Text),
    Column("terminal_id", Text),
    required("scopes", ARRAY(Text)),
    required("public_key", JSONB),
    required("status", Text),
    required("recorded_at", _At),
    Column("former_public_key", JSONB),
    Column("former_until", _At),
)

used_assertion = Table(
    "used_assertion",
    metadata,
    required("client_id", Text, key=True),
    required("assertion_id", Text, key=True),
    required("expires_at", _At),
)

business_order = Table(
    "business_order",
    metadata,
    required("order_id", Uuid, key=True),
    required("merchant_id", Text),
    required("terminal_id", Text),
    required("scene", Text),
    required("type", Text),
    required("mode", Text),
    required("status", Text),
    required("out_trade_no", Text),
    required("user_id", Uuid),
    required("client_id", Text),
    required("nominal_fen", BigInteger),
    required("citizen_fen", BigInteger),
    required("captured_fen", BigInteger),
    required("refunded_fen", BigInteger),
    required("business_on", Date),
    required("occurred_at", _At),
    required("recorded_at", _At),
    required("request_digest", LargeBinary),
    Column("code_digest", LargeBinary),
    required("details", JSONB),
    Column("hold_expires_at", _At),
    Column("rules_version", BigInteger),
)

order_line = Table(
    "order_line",
    metadata,
    required("order_id", Uuid, key=True),
    required("line_no", SmallInteger, key=True),
    required("payer", Text),
    Column("fund", Text),
    required("amount_fen", BigInteger),
    Column("debit_account_id", Uuid),
    Column("credit_account_id", Uuid),
    Column("transfer_id", Uuid),
    required("rule_id", Text),
    required("rule_version", Text),
    required("reason_zh", Text),
    required("reason_en", Text),
    Column("funding_version", BigInteger),
    Column("delegation_id", Uuid),
)

capture = Table(
    "capture",
    metadata,
    required("capture_id", Uuid, key=True),
    required("order_id", Uuid),
    required("amount_fen", BigInteger),
    required("recorded_at", _At),
    required("sequence_no", SmallInteger),
    required("kind", Text),
    required("status_after", Text),
    required("captured_after_fen", BigInteger),
)

capture_line = Table(
    "capture_line",
    metadata,
    required("capture_id", Uuid, key=True),
    required("line_no", SmallInteger, key=True),
    required("amount_fen", BigInteger),
    required("transfer_id", Uuid),
    Column("held_fen", BigInteger, nullable=False, server_default="0"),
    Column("held_transfer_id", Uuid),
)

rules_version = Table(
    "rules_version",
    metadata,
    Column("only_row", Boolean, primary_key=True, nullable=False, server_default="true"),
    required("version", BigInteger),
)

hold_rule = Table(
    "hold_rule",
    metadata,
    required("scene", Text, key=True),
    required("timeout_s", Integer),
)

limit_rule = Table(
    "limit_rule",
    metadata,
    required("limit_id", Text, key=True),
    required("version", Integer, key=True),
    required("scene", Text),
    required("subject", Text),
    required("measure", Text),
    required("period", Text),
    required("period_s", Integer),
    required("limit_max", BigInteger),
    required("name_zh", Text),
    required("name_en", Text),
    required("retired", Boolean),
    required("recorded_at", _At),
    Column("rules_version", BigInteger, nullable=False, server_default="0"),
)

limit_counter = Table(
    "limit_counter",
    metadata,
    required("subject", Text, key=True),
    required("limit_id", Text, key=True),
    required("window_from", _At, key=True),
    required("expires_at", _At),
    required("used", BigInteger),
    required("ceiling", BigInteger),
)

refund = Table(
    "refund",
    metadata,
    required("refund_id", Uuid, key=True),
    required("order_id", Uuid),
    required("merchant_id", Text),
    required("out_refund_no", Text),
    required("amount_fen", BigInteger),
    required("reason", Text),
    required("client_id", Text),
    required("request_digest", LargeBinary),
    required("business_on", Date),
    required("recorded_at", _At),
)

refund_line = Table(
    "refund_line",
    metadata,
    required("refund_id", Uuid, key=True),
    required("line_no", SmallInteger, key=True),
    required("amount_fen", BigInteger),
    required("transfer_id", Uuid),
    required("waived_fen", BigInteger),  # set by the database: let off instead of returned
)

used_code = Table(
    "used_code",
    metadata,
    required("replay_key", LargeBinary, key=True),
    required("order_id", Uuid),
    required("expires_at", _At),
)

idempotency = Table(
    "idempotency",
    metadata,
    required("client_id", Text, key=True),
    required("key", Text, key=True),
    required("request_digest", LargeBinary),
    required("effect_kind", Text),
    required("effect_id", Uuid),
    required("recorded_at", _At),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    required("topic", Text),
    required("subject_id", Uuid),
    required("recorded_at", _At),
    required("payload", JSONB),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    required("recorded_at", _At),
    required("client_id", Text),
    required("action", Text),
    required("object", Text),
    required("outcome", Text),
    Column("purpose", Text, nullable=False, server_default=""),
)

audit_unsealed = Table("audit_unsealed", metadata, required("seq", BigInteger, key=True))

audit_link = Table(
    "audit_link",
    metadata,
    required("position", BigInteger, key=True),
    required("seq", BigInteger),
    required("digest", LargeBinary),
)

audit_head = Table(
    "audit_head",
    metadata,
    required("position", BigInteger, key=True),
    required("digest", LargeBinary),
    required("sealed_at", _At),
    required("key_label", Text),
    required("signature", LargeBinary),
)
