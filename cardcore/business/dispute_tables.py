"""The tables of disputes as SQLAlchemy sees them; the schema is ``schema/0111_disputes.sql``."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
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

dispute_rule = Table(
    "dispute_rule",
    metadata,
    required("reason", Text, key=True),
    required("respond_days", Integer),
    required("credit_days", Integer),
    required("decide_days", Integer),
    required("alone_fen_max", BigInteger),
)

dispute = Table(
    "dispute",
    metadata,
    required("dispute_id", Uuid, key=True),
    required("order_id", Uuid),
    required("merchant_id", Text),
    required("user_id", Uuid),
    required("reason", Text),
    required("amount_fen", BigInteger),
    required("status", Text),
    Column("credited_fen", BigInteger, nullable=False, server_default="0"),
    Column("recovered_fen", BigInteger, nullable=False, server_default="0"),
    Column("borne_by", Text),
    required("opened_at", _At),
    required("respond_by", _At),
    required("credit_by", _At),
    required("decide_by", _At),
    required("evidence", JSONB),
    required("evidence_digest", LargeBinary),
)

dispute_line = Table(
    "dispute_line",
    metadata,
    required("dispute_id", Uuid, key=True),
    required("line_no", SmallInteger, key=True),
    required("amount_fen", BigInteger),
)

dispute_event = Table(
    "dispute_event",
    metadata,
    required("event_id", Uuid, key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False),
    required("dispute_id", Uuid),
    required("step", Text),
    required("client_id", Text),
    Column("grounds", Text),
    Column("reference", Text),
    required("status_after", Text),
    required("credited_after_fen", BigInteger),
    required("recovered_after_fen", BigInteger),
    Column("borne_by_after", Text),
    required("recorded_at", _At),
)
