"""The tables of off-line authorisations, as SQLAlchemy sees them; see ``cardcore.tables``."""

from sqlalchemy import Column, DateTime, Integer, LargeBinary, SmallInteger, Table, Text, Uuid

from cardcore.tables import metadata, required

_At = DateTime(timezone=True)

offline_limit = Table(
    "offline_limit",
    metadata,
    required("level", Text, key=True),
    required("code_class", Text, key=True),
    required("validity_min", Integer),
    required("cap_fen", Integer),
    required("cumulative_cap_fen", Integer),
    required("uses_max", SmallInteger),
    required("dynamic_ttl_s", SmallInteger),
    required("living_max", SmallInteger),
    Column("arrears_fen_max", Integer, nullable=False, server_default="0"),
)

tariff_class = Table(
    "tariff_class",
    metadata,
    required("tariff_class", SmallInteger, key=True),
    required("concession", Text),
    required("name_zh", Text),
    required("name_en", Text),
)

status_space = Table(
    "status_space",
    metadata,
    required("issuer_id", Integer, key=True),
    required("entry_count", Integer),
)

status_index = Table(
    "status_index",
    metadata,
    required("issuer_id", Integer, key=True),
    required("status_index", Integer, key=True),
    required("expires_at", _At),
)

code_authorisation = Table(
    "code_authorisation",
    metadata,
    required("token", LargeBinary, key=True),
    required("user_id", Uuid),
    required("code_class", Text),
    required("issuer_id", Integer),
    required("status_index", Integer),
    Column("device_key", LargeBinary),
    required("cumulative_cap_fen", Integer),
    required("issued_at", _At),
    required("ends_at", _At),
    Column("revoked_at", _At),
    required("expires_at", _At),
)
