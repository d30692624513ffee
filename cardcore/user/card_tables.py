"""The tables of cards, as SQLAlchemy sees them; see ``cardcore.tables``."""

from sqlalchemy import Column, Date, DateTime, Integer, LargeBinary, SmallInteger, Table, Text, Uuid

from cardcore.tables import metadata, required

_At = DateTime(timezone=True)

card_format = Table(
    "card_format",
    metadata,
    required("prefix", Text, key=True),
    required("issuer_id", Integer),
    required("digit_count", SmallInteger),
    required("check_digit", Text),
    required("name_zh", Text),
    required("name_en", Text),
)

card_key = Table(
    "card_key",
    metadata,
    required("issuer_id", Integer, key=True),
    required("key_version", SmallInteger, key=True),
    required("suite", Text),
    required("label", Text),
    required("recorded_at", _At),
)

card = Table(
    "card",
    metadata,
    required("card_id", Uuid, key=True),
    required("kind", Text),
    required("issuer_id", Integer),
    Column("key_version", SmallInteger),
    required("number_sealed", LargeBinary),
    required("number_index", LargeBinary),
    required("number_masked", Text),
    Column("user_id", Uuid),
    required("status", Text),
    Column("alias", LargeBinary),
    Column("status_index", Integer),
    required("valid_from", Date),
    required("valid_to", Date),
    Column("liability_from", _At),
    Column("replaces", Uuid),
    required("tap_counter", Integer),
    required("recorded_at", _At),
)

card_token = Table(
    "card_token",
    metadata,
    required("token", LargeBinary, key=True),
    required("card_id", Uuid),
    Column("scene", Text),
    Column("merchant_id", Text),
    required("event_id", Uuid),
    required("recorded_at", _At),
    Column("revoked_at", _At),
)

card_event = Table(
    "card_event",
    metadata,
    required("event_id", Uuid, key=True),
    required("card_id", Uuid),
    required("event_no", Integer),
    required("kind", Text),
    required("status", Text),
    Column("user_id", Uuid),
    Column("liability_from", _At),
    required("reason", Text),
    required("client_id", Text),
    required("recorded_at", _At),
)
