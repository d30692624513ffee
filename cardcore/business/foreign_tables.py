"""The tables of other cities' ride codes; made by ``schema/0173_foreign_rides.sql``."""

from sqlalchemy import (
    BigInteger,
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

foreign_root = Table(
    "foreign_root",
    metadata,
    required("root_index", SmallInteger, key=True),
    required("public_key", LargeBinary),
    required("recorded_by", Text),
    required("recorded_at", _At),
)

foreign_issuer = Table(
    "foreign_issuer",
    metadata,
    required("issuer", Text, key=True),
    required("name_zh", Text),
    required("name_en", Text),
    required("concessions", JSONB),
    required("receivable_id", Uuid),
    required("recorded_by", Text),
    required("recorded_at", _At),
)

foreign_ride = Table(
    "foreign_ride",
    metadata,
    required("ride_id", Uuid, key=True),
    required("issuer", Text),
    required("account_sealed", LargeBinary),
    required("merchant_id", Text),
    required("terminal_id", Text),
    required("out_trade_no", Text),
    required("nominal_fen", BigInteger),
    required("issuer_fen", BigInteger),
    required("lines", JSONB),
    required("details", JSONB),
    required("code_digest", LargeBinary),
    required("generated_at", _At),
    required("business_on", Date),
    required("occurred_at", _At),
    required("recorded_at", _At),
)

foreign_clearing_file = Table(
    "foreign_clearing_file",
    metadata,
    required("file_id", Uuid, key=True),
    required("issuer", Text),
    required("business_on", Date),
    required("rides_count", Integer),
    required("sum_fen", BigInteger),
    required("content", LargeBinary),
    required("sha256", LargeBinary),
    required("signature", LargeBinary),
    required("made_at", _At),
)

foreign_clearing_ride = Table(
    "foreign_clearing_ride",
    metadata,
    required("ride_id", Uuid, key=True),
    required("file_id", Uuid),
)
