"""The tables of terminals, as SQLAlchemy sees them; see ``cardcore.tables``."""

from sqlalchemy import Column, DateTime, LargeBinary, SmallInteger, Table, Text

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
