"""The tables of ``scene_parking`` as SQLAlchemy sees them.

The schema itself is made by ``schema/*.sql``; a test compares the two.
"""

from typing import Any

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
from sqlalchemy.types import TypeEngine

metadata = MetaData(schema="scene_parking")
_At = DateTime(timezone=True)


def _required(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], *, key: bool = False
) -> Column[Any]:
    return Column(name, kind, primary_key=key, nullable=False)


car_park = Table(
    "car_park",
    metadata,
    _required("car_park_id", Text, key=True),
    _required("merchant_id", Text),
    _required("name_zh", Text),
    _required("name_en", Text),
    _required("spaces", Integer),
    _required("recorded_by", Text),
    _required("recorded_at", _At),
)

lane = Table(
    "lane",
    metadata,
    _required("lane_id", Text, key=True),
    _required("car_park_id", Text),
    _required("direction", Text),
    _required("recorded_by", Text),
    _required("recorded_at", _At),
)

tariff = Table(
    "tariff",
    metadata,
    _required("car_park_id", Text, key=True),
    _required("version", Integer, key=True),
    _required("valid_from", _At),
    _required("document", JSONB),
    _required("recorded_by", Text),
    _required("recorded_at", _At),
)

passage = Table(
    "passage",
    metadata,
    _required("passage_id", Uuid, key=True),
    _required("lane_id", Text),
    _required("event_no", BigInteger),
    _required("car_park_id", Text),
    _required("direction", Text),
    _required("plate_index", LargeBinary),
    _required("plate_masked", Text),
    _required("new_energy", Boolean),
    Column("image_sha256", Text),
    _required("live", Boolean),
    _required("occurred_at", _At),
    _required("recorded_at", _At),
    _required("digest", LargeBinary),
)

stay = Table(
    "stay",
    metadata,
    _required("stay_id", Uuid, key=True),
    _required("car_park_id", Text),
    _required("plate_index", LargeBinary),
    _required("plate_masked", Text),
    _required("new_energy", Boolean),
    _required("state", Text),
    _required("started_at", _At),
    Column("entered_at", _At),
    Column("left_at", _At),
    Column("exit_lane_id", Text),
    _required("passages", ARRAY(Uuid)),
)

charge = Table(
    "charge",
    metadata,
    _required("charge_id", Uuid, key=True),
    _required("kind", Text),
    Column("passage_id", Uuid),
    _required("car_park_id", Text),
    _required("merchant_id", Text),
    _required("terminal_id", Text),
    Column("user_id", Uuid),
    _required("amount_fen", BigInteger),
    _required("details", JSONB),
    _required("state", Text),
    Column("order_id", Uuid),
    Column("business_on", Date),
    Column("refusal", Text),
    _required("occurred_at", _At),
    _required("recorded_at", _At),
)

charge_refund = Table(
    "charge_refund",
    metadata,
    _required("refund_id", Uuid, key=True),
    _required("charge_id", Uuid),
    _required("amount_fen", BigInteger),
    _required("state", Text),
    Column("business_on", Date),
    Column("refusal", Text),
    _required("recorded_at", _At),
)

month_card = Table(
    "month_card",
    metadata,
    _required("card_id", Uuid, key=True),
    _required("car_park_id", Text),
    _required("plate_index", LargeBinary),
    _required("valid_from", _At),
    _required("valid_to", _At),
    _required("recorded_at", _At),
)

contract = Table(
    "contract",
    metadata,
    _required("contract_id", Uuid, key=True),
    _required("user_id", Uuid),
    _required("plate_index", LargeBinary),
    _required("plate_masked", Text),
    _required("limit_fen", BigInteger),
    _required("signed_at", _At),
    Column("ended_at", _At),
    _required("recorded_by", Text),
)

debt = Table(
    "debt",
    metadata,
    _required("user_id", Uuid, key=True),
    _required("state", Text),
    _required("owed_fen", BigInteger),
    Column("since", _At),
    _required("attempts", Integer),
    Column("next_at", _At),
)

notice = Table(
    "notice",
    metadata,
    _required("notice_id", Uuid, key=True),
    _required("user_id", Uuid),
    _required("kind", Text),
    _required("facts", JSONB),
    _required("recorded_at", _At),
)

plate_alert = Table(
    "plate_alert",
    metadata,
    _required("alert_id", Uuid, key=True),
    _required("plate_index", LargeBinary),
    _required("plate_masked", Text),
    Column("user_id", Uuid),
    _required("stay_a", Uuid),
    _required("stay_b", Uuid),
    _required("evidence", JSONB),
    _required("state", Text),
    Column("not_mine", Uuid),
    Column("dispute_id", Uuid),
    Column("finding", Text),
    _required("recorded_at", _At),
    Column("closed_at", _At),
)
