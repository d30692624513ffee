"""The tables of terminals, as SQLAlchemy sees them; see ``cardcore.tables``."""

from sqlalchemy import (
    BigInteger,
    Column,
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

terminal_activation = Table(
    "terminal_activation",
    metadata,
    required("terminal_id", Text, key=True),
    required("code_digest", LargeBinary),
    required("issued_by", Text),
    required("recorded_at", _At),
    required("expires_at", _At),
    Column("used_at", _At),
    required("wrong_count", SmallInteger),
)

terminal_key = Table(
    "terminal_key",
    metadata,
    required("terminal_id", Text, key=True),
    required("kid", SmallInteger, key=True),
    required("suite", SmallInteger),
    required("public_key", LargeBinary),
    required("enrolled_at", _At),
    Column("retired_at", _At),
    Column("revoked_at", _At),
)

terminal_parameters = Table(
    "terminal_parameters",
    metadata,
    required("scene", Text, key=True),
    required("parameters", JSONB),
)

terminal_package = Table(
    "terminal_package",
    metadata,
    required("scene", Text, key=True),
    required("version", Integer, key=True),
    required("etag", Text),
    required("content_digest", LargeBinary),
    required("made_at", _At),
    required("refresh_at", _At),
    required("container", LargeBinary),
)

terminal_record = Table(
    "terminal_record",
    metadata,
    required("record_id", Uuid, key=True),
    required("terminal_id", Text),
    required("kid", SmallInteger),
    required("sequence_no", BigInteger),
    required("digest", LargeBinary),
    required("state", Text),
    Column("reason", Text),
    Column("liability", Text),
    Column("order_id", Uuid),
    Column("token", LargeBinary),
    Column("replay_key", LargeBinary),
    Column("made_at_s", BigInteger),
    Column("counter", Integer),
    required("amount_fen", BigInteger),
    required("occurred_at", _At),
    required("recorded_at", _At),
    required("list_version", BigInteger),
    required("record", LargeBinary),
)

record_quarantine = Table(
    "record_quarantine",
    metadata,
    required("digest", LargeBinary, key=True),
    required("terminal_id", Text),
    required("reason", Text),
    required("recorded_at", _At),
    required("content", LargeBinary),
)

record_chain = Table(
    "record_chain",
    metadata,
    required("terminal_id", Text, key=True),
    required("kid", SmallInteger, key=True),
    required("highest_no", BigInteger),
    required("gaps", JSONB),
    required("clock_skew_ms", BigInteger),
    required("list_version", BigInteger),
    required("list_age_s", BigInteger),
    required("heard_at", _At),
)

record_gap = Table(
    "record_gap",
    metadata,
    required("gap_id", Uuid, key=True),
    required("terminal_id", Text),
    required("kid", SmallInteger),
    required("first_no", BigInteger),
    required("last_no", BigInteger),
    required("missing", BigInteger),
    required("state", Text),
    required("noticed_at", _At),
    Column("opened_at", _At),
    Column("ended_at", _At),
    Column("ended_by", Text),
    Column("purpose", Text),
)

record_case = Table(
    "record_case",
    metadata,
    required("case_id", Uuid, key=True),
    required("kind", Text),
    required("terminal_id", Text),
    required("record_id", Uuid),
    Column("other_id", Uuid),
    required("status", Text),
    required("recorded_at", _At),
)
