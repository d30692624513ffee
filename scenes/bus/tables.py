"""The tables of ``scene_bus`` as SQLAlchemy sees them, for every path that is not hot.

The schema itself is made by ``schema/*.sql``; a test compares the two. Bulk import and loading
write SQL.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

metadata = MetaData(schema="scene_bus")
_At = DateTime(timezone=True)


def _required(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], *, key: bool = False
) -> Column[Any]:
    return Column(name, kind, primary_key=key, nullable=False)


tariff_version = Table(
    "tariff_version",
    metadata,
    Column("version_no", Integer, Identity(always=True), primary_key=True, nullable=False),
    _required("source", Text),
    _required("format", Text),
    _required("timezone", Text),
    _required("digest", LargeBinary),
    _required("notices", JSONB),
    _required("imported_by", Text),
    _required("recorded_at", _At),
)

activation = Table(
    "activation",
    metadata,
    Column("activation_no", Integer, Identity(always=True), primary_key=True, nullable=False),
    _required("source", Text),
    Column("version_no", Integer),
    _required("activated_by", Text),
    _required("recorded_at", _At),
)

stop = Table(
    "stop",
    metadata,
    _required("version_no", Integer, key=True),
    _required("stop_id", Text, key=True),
    _required("name", Text),
    _required("zone_id", Text),
    _required("parent_id", Text),
    _required("location_type", SmallInteger),
)

line = Table(
    "line",
    metadata,
    _required("version_no", Integer, key=True),
    _required("line_id", Text, key=True),
    _required("name", Text),
    _required("agency_id", Text),
    _required("network_id", Text),
)

pattern_stop = Table(
    "pattern_stop",
    metadata,
    _required("version_no", Integer, key=True),
    _required("line_id", Text, key=True),
    _required("pattern_no", Integer, key=True),
    _required("sequence", Integer, key=True),
    _required("stop_id", Text),
)

trip = Table(
    "trip",
    metadata,
    _required("version_no", Integer, key=True),
    _required("trip_id", Text, key=True),
    _required("line_id", Text),
    _required("service_id", Text),
    _required("direction", SmallInteger),
    _required("pattern_no", Integer),
    Column("starts_s", Integer),
    Column("ends_s", Integer),
)

service = Table(
    "service",
    metadata,
    _required("version_no", Integer, key=True),
    _required("service_id", Text, key=True),
    _required("weekdays", ARRAY(SmallInteger)),
    _required("starts_on", Date),
    _required("ends_on", Date),
    _required("added", ARRAY(Date)),
    _required("removed", ARRAY(Date)),
)

fare = Table(
    "fare",
    metadata,
    _required("version_no", Integer, key=True),
    _required("fare_id", Text, key=True),
    _required("price_fen", BigInteger),
    _required("prepaid", Boolean),
    Column("transfers", Integer),
    Column("transfer_duration_s", Integer),
    _required("agency_id", Text),
)

fare_rule = Table(
    "fare_rule",
    metadata,
    _required("version_no", Integer, key=True),
    _required("rule_no", Integer, key=True),
    _required("fare_id", Text),
    _required("line_id", Text),
    _required("origin_id", Text),
    _required("destination_id", Text),
    _required("contains_id", Text),
)

product_file = Table(
    "product_file",
    metadata,
    _required("version_no", Integer, key=True),
    _required("name", Text, key=True),
    _required("content", LargeBinary),
)

currency = Table(
    "currency",
    metadata,
    _required("version_no", Integer, key=True),
    _required("code", Text, key=True),
    _required("minor_per_unit", Integer),
)

distance_line = Table(
    "distance_line",
    metadata,
    _required("version_no", Integer, key=True),
    _required("line_id", Text, key=True),
    _required("name", Text),
    _required("sentence", Text),
    _required("stops", ARRAY(Text)),
    _required("along_m", ARRAY(Integer)),
)

rule_set = Table(
    "rule_set",
    metadata,
    Column("rule_set_no", Integer, Identity(always=True), primary_key=True, nullable=False),
    _required("version", Text),
    _required("document", JSONB),
    _required("activated_by", Text),
    _required("recorded_at", _At),
)

tap = Table(
    "tap",
    metadata,
    _required("tap_id", Uuid, key=True),
    _required("user_id", Uuid),
    _required("kind", Text),
    _required("medium", Text),
    _required("merchant_id", Text),
    _required("terminal_id", Text),
    Column("terminal_counter", BigInteger),
    _required("line_id", Text),
    _required("trip_id", Text),
    _required("vehicle_id", Text),
    _required("driver_id", Text),
    _required("stop_id", Text),
    Column("sequence", Integer),
    Column("off_stop_id", Text),
    Column("off_sequence", Integer),
    _required("tapped_at", _At),
    Column("sent_at", _At),
    _required("received_at", _At),
    Column("happened_at", _At),
    Column("order_id", Uuid),
    _required("stands", Boolean),
    _required("state", Text),
)

due_week = Table(
    "due_week",
    metadata,
    Column("due_no", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    _required("bucket", SmallInteger),
    _required("user_id", Uuid),
    _required("week_on", Date),
    _required("not_before", _At),
)

journey = Table(
    "journey",
    metadata,
    _required("journey_id", Uuid, key=True),
    _required("user_id", Uuid),
    _required("week_on", Date),
    _required("business_on", Date),
    _required("state", Text),
    _required("reason", Text),
    _required("merchant_id", Text),
    _required("terminal_id", Text),
    _required("line_id", Text),
    _required("trip_id", Text),
    _required("vehicle_id", Text),
    _required("driver_id", Text),
    _required("medium", Text),
    _required("class", Text),
    _required("on_stop_id", Text),
    Column("off_stop_id", Text),
    _required("began_at", _At),
    Column("ended_at", _At),
    _required("reported_at", _At),
    _required("chain_id", Uuid),
    _required("offer", Text),
    _required("full_fen", BigInteger),
    _required("fare_fen", BigInteger),
    _required("citizen_fen", BigInteger),
    _required("subsidy_fen", BigInteger),
    _required("forgone_fen", BigInteger),
    _required("rule_id", Text),
    _required("rule_version", Text),
    _required("priced_at", _At),
)

charge_entry = Table(
    "charge_entry",
    metadata,
    Column("entry_no", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    _required("journey_id", Uuid),
    _required("user_id", Uuid),
    _required("week_on", Date),
    _required("business_on", Date),
    _required("merchant_id", Text),
    _required("payer", Text),
    _required("amount_fen", BigInteger),
    _required("order_id", Uuid),
    Column("refund_id", Uuid),
    _required("recorded_at", _At),
)

correction = Table(
    "correction",
    metadata,
    _required("correction_id", Uuid, key=True),
    _required("journey_id", Uuid),
    _required("user_id", Uuid),
    _required("kind", Text),
    Column("off_stop_id", Text),
    _required("reason", Text),
    _required("made_by", Text),
    _required("made_at", _At),
)

order_mark = Table(
    "order_mark",
    metadata,
    Column("only_row", Boolean, primary_key=True, nullable=False),
    _required("order_id", Uuid),
)

vehicle_count = Table(
    "vehicle_count",
    metadata,
    _required("vehicle_id", Text, key=True),
    _required("business_on", Date, key=True),
    _required("taps_count", BigInteger),
    _required("told_by", Text),
    _required("recorded_at", _At, key=True),
)

clearing_rule = Table(
    "clearing_rule",
    metadata,
    Column("rule_no", Integer, Identity(always=True), primary_key=True, nullable=False),
    _required("version", Text),
    _required("document", JSONB),
    _required("set_by", Text),
    _required("recorded_at", _At),
)
