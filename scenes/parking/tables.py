"""The tables of ``scene_parking`` as SQLAlchemy sees them.

The schema itself is made by ``schema/*.sql``; a test compares the two.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from cardcore.tables import required

metadata = MetaData(schema="scene_parking")
_At = DateTime(timezone=True)


car_park = Table(
    "car_park",
    metadata,
    required("car_park_id", Text, key=True),
    required("merchant_id", Text),
    required("name_zh", Text),
    required("name_en", Text),
    required("spaces", Integer),
    required("recorded_by", Text),
    required("recorded_at", _At),
)

lane = Table(
    "lane",
    metadata,
    required("lane_id", Text, key=True),
    required("car_park_id", Text),
    required("direction", Text),
    required("recorded_by", Text),
    required("recorded_at", _At),
)

tariff = Table(
    "tariff",
    metadata,
    required("car_park_id", Text, key=True),
    required("version", Integer, key=True),
    required("valid_from", _At),
    required("document", JSONB),
    required("recorded_by", Text),
    required("recorded_at", _At),
)

passage = Table(
    "passage",
    metadata,
    required("passage_id", Uuid, key=True),
    required("lane_id", Text),
    required("event_no", BigInteger),
    required("car_park_id", Text),
    required("direction", Text),
    required("plate_index", LargeBinary),
    required("plate_masked", Text),
    required("new_energy", Boolean),
    Column("image_sha256", Text),
    required("live", Boolean),
    required("occurred_at", _At),
    required("recorded_at", _At),
    required("digest", LargeBinary),
)

stay = Table(
    "stay",
    metadata,
    required("stay_id", Uuid, key=True),
    required("car_park_id", Text),
    required("plate_index", LargeBinary),
    required("plate_masked", Text),
    required("new_energy", Boolean),
    required("state", Text),
    required("started_at", _At),
    Column("entered_at", _At),
    Column("left_at", _At),
    Column("exit_lane_id", Text),
    required("passages", ARRAY(Uuid)),
)

charge = Table(
    "charge",
    metadata,
    required("charge_id", Uuid, key=True),
    required("kind", Text),
    Column("passage_id", Uuid),
    required("car_park_id", Text),
    required("merchant_id", Text),
    required("terminal_id", Text),
    Column("user_id", Uuid),
    required("amount_fen", BigInteger),
    required("details", JSONB),
    required("state", Text),
    Column("order_id", Uuid),
    Column("business_on", Date),
    Column("refusal", Text),
    required("occurred_at", _At),
    required("recorded_at", _At),
)

charge_refund = Table(
    "charge_refund",
    metadata,
    required("refund_id", Uuid, key=True),
    required("charge_id", Uuid),
    required("amount_fen", BigInteger),
    required("state", Text),
    Column("business_on", Date),
    Column("refusal", Text),
    required("recorded_at", _At),
)

month_card = Table(
    "month_card",
    metadata,
    required("card_id", Uuid, key=True),
    required("car_park_id", Text),
    required("plate_index", LargeBinary),
    required("valid_from", _At),
    required("valid_to", _At),
    required("recorded_at", _At),
)

contract = Table(
    "contract",
    metadata,
    required("contract_id", Uuid, key=True),
    required("user_id", Uuid),
    required("plate_index", LargeBinary),
    required("plate_masked", Text),
    required("limit_fen", BigInteger),
    required("signed_at", _At),
    Column("ended_at", _At),
    required("recorded_by", Text),
)

debt = Table(
    "debt",
    metadata,
    required("user_id", Uuid, key=True),
    required("state", Text),
    required("owed_fen", BigInteger),
    Column("since", _At),
    required("attempts", Integer),
    Column("next_at", _At),
)

notice = Table(
    "notice",
    metadata,
    required("notice_id", Uuid, key=True),
    required("user_id", Uuid),
    required("kind", Text),
    required("facts", JSONB),
    required("recorded_at", _At),
)

plate_alert = Table(
    "plate_alert",
    metadata,
    required("alert_id", Uuid, key=True),
    required("plate_index", LargeBinary),
    required("plate_masked", Text),
    Column("user_id", Uuid),
    required("stay_a", Uuid),
    required("stay_b", Uuid),
    required("evidence", JSONB),
    required("state", Text),
    Column("not_mine", Uuid),
    Column("dispute_id", Uuid),
    Column("finding", Text),
    required("recorded_at", _At),
    Column("closed_at", _At),
)
