"""The platform's tables as SQLAlchemy sees them; the schema itself is made by ``schema/*.sql``."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from cardcore.tables import metadata, required

_At = DateTime(timezone=True)

operator = Table(
    "operator",
    metadata,
    required("operator_id", Text, key=True),
    required("name", Text),
    required("roles", ARRAY(Text)),
    required("password", Text),
    required("totp_sealed", LargeBinary),
    Column("totp_step", BigInteger, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("locked_until", _At),
    required("status", Text),
    required("recorded_at", _At),
)

operator_session = Table(
    "operator_session",
    metadata,
    required("token_digest", LargeBinary, key=True),
    required("csrf_digest", LargeBinary),
    required("operator_id", Text),
    required("opened_at", _At),
    required("seen_at", _At),
    required("expires_at", _At),
)

proposal = Table(
    "proposal",
    metadata,
    required("proposal_id", Uuid, key=True),
    required("kind", Text),
    required("content", JSONB),
    required("digest", LargeBinary),
    required("purpose", Text),
    required("proposed_by", Text),
    required("proposed_at", _At),
    required("expires_at", _At),
    required("status", Text),
    Column("decided_by", Text),
    Column("decided_at", _At),
)

access_epoch = Table(
    "access_epoch",
    metadata,
    required("epoch", Integer, key=True),
    required("made_at", _At),
    Column("retired_at", _At),
)

host_code = Table(
    "host_code",
    metadata,
    required("code_digest", LargeBinary, key=True),
    required("client_id", Text),
    required("user_id", Uuid),
    required("made_at", _At),
    required("expires_at", _At),
    Column("used_at", _At),
    Column("authenticated_at", _At),
)

citizen_session = Table(
    "citizen_session",
    metadata,
    required("token_digest", LargeBinary, key=True),
    required("csrf_digest", LargeBinary),
    required("user_id", Uuid),
    required("client_id", Text),
    required("opened_at", _At),
    required("expires_at", _At),
    Column("authenticated_at", _At),
)

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    required("endpoint_id", Uuid, key=True),
    required("merchant_id", Text),
    required("url", Text),
    required("topics", ARRAY(Text)),
    required("status", Text),
    Column("disabled_reason", Text),
    required("recorded_at", _At),
)

webhook_event = Table(
    "webhook_event",
    metadata,
    required("event_id", Uuid, key=True),
    required("merchant_id", Text),
    required("topic", Text),
    required("subject_id", Uuid),
    required("version", BigInteger),
    required("occurred_at", _At),
    required("payload", JSONB),
)

event_feed = Table(
    "event_feed",
    metadata,
    required("seq", BigInteger, key=True),
    required("event_id", Uuid),
    required("topic", Text),
    required("subject_id", Uuid),
    Column("merchant_id", Text),
    required("recorded_at", _At),
    required("payload", JSONB),
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    required("delivery_id", Uuid, key=True),
    required("event_id", Uuid),
    required("endpoint_id", Uuid),
    required("status", Text),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    required("tries_left", SmallInteger),
    required("next_at", _At),
    required("recorded_at", _At),
)

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    required("delivery_id", Uuid, key=True),
    required("attempt_no", SmallInteger, key=True),
    required("begun_at", _At),
    required("outcome", Text),
    Column("status_code", Integer),
)

bill = Table(
    "bill",
    metadata,
    required("merchant_id", Text, key=True),
    required("business_on", Date, key=True),
    required("version", Integer, key=True),
    required("rows", Integer),
    required("paid_fen", BigInteger),
    required("refunded_fen", BigInteger),
    required("sha256", LargeBinary),
    required("content", LargeBinary),
    required("made_at", _At),
    Column("other_fen", BigInteger, nullable=False, server_default="0"),
)

record_decision = Table(
    "record_decision",
    metadata,
    required("record_id", Uuid, key=True),
    required("decision", Text),
    required("liability", Text),
    required("amount_fen", BigInteger),
    Column("order_id", Uuid),
    required("decided_by", Text),
    required("purpose", Text),
    required("decided_at", _At),
)

sandbox_clock = Table(
    "sandbox_clock",
    metadata,
    Column("one", Boolean, primary_key=True, nullable=False),
    required("ahead_us", BigInteger),
)
