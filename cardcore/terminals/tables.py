"""The tables of terminals, as SQLAlchemy sees them; see ``cardcore.tables``."""

from sqlalchemy import Column, DateTime, Integer, LargeBinary, SmallInteger, Table, Text
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
