"""The tables of ``scene_bus`` as SQLAlchemy sees them, for every path that is not hot.

The schema itself is made by ``schema/*.sql``; a test compares the two. Bulk import and loading
write SQL.
"""

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

from cardcore.tables import required

metadata = MetaData(schema="scene_bus")
_At = DateTime(timezone=True)


tariff_version = Table(
    "tariff_version",
    metadata,
    Column("version_no", Integer, Identity(always=True), primary_key=True, nullable=False),
    required("source", Text),
    required("format", Text),
    required("timezone", Text),
    required("digest", LargeBinary),
    required("notices", JSONB),
    required("imported_by", Text),
    required("recorded_at", _At),
)

activation = Table(
    "activation",
    metadata,
    Column("activation_no", Integer, Identity(always=True), primary_key=True, nullable=False),
    required("source", Text),
    Column("version_no", Integer),
    required("activated_by", Text),
    required("recorded_at", _At),
)

stop = Table(
    "stop",
    metadata,
    required("version_no", Integer, key=True),
    required("stop_id", Text, key=True),
    required("name", Text),
    required("zone_id", Text),
    required("parent_id", Text),
    required("location_type", SmallInteger),
    required("timezone", Text),
)

line = Table(
    "line",
    metadata,
    required("version_no", Integer, key=True),
    required("line_id", Text, key=True),
    required("name", Text),
    required("agency_id", Text),
    required("network_id", Text),
)

pattern_stop = Table(
    "pattern_stop",
    metadata,
    required("version_no", Integer, key=True),
    required("line_id", Text, key=True),
    required("pattern_no", Integer, key=True),
    required("sequence", Integer, key=True),
    required("stop_id", Text),
)

trip = Table(
    "trip",
    metadata,
    required("version_no", Integer, key=True),
    required("trip_id", Text, key=True),
    required("line_id", Text),
    required("service_id", Text),
    required("direction", SmallInteger),
    required("pattern_no", Integer),
    Column("starts_s", Integer),
    Column("ends_s", Integer),
)

service = Table(
    "service",
    metadata,
    required("version_no", Integer, key=True),
    required("service_id", Text, key=True),
    required("weekdays", ARRAY(SmallInteger)),
    required("starts_on", Date),
    required("ends_on", Date),
    required("added", ARRAY(Date)),
    required("removed", ARRAY(Date)),
)

fare = Table(
    "fare",
    metadata,
    required("version_no", Integer, key=True),
    required("fare_id", Text, key=True),
    required("price_fen", BigInteger),
    required("prepaid", Boolean),
    Column("transfers", Integer),
    Column("transfer_duration_s", Integer),
    required("agency_id", Text),
)

fare_rule = Table(
    "fare_rule",
    metadata,
    required("version_no", Integer, key=True),
    required("rule_no", Integer, key=True),
    required("fare_id", Text),
    required("line_id", Text),
    required("origin_id", Text),
    required("destination_id", Text),
    required("contains_id", Text),
)

product_file = Table(
    "product_file",
    metadata,
    required("version_no", Integer, key=True),
    required("name", Text, key=True),
    required("content", LargeBinary),
)

currency = Table(
    "currency",
    metadata,
    required("version_no", Integer, key=True),
    required("code", Text, key=True),
    required("minor_per_unit", Integer),
)

distance_line = Table(
    "distance_line",
    metadata,
    required("version_no", Integer, key=True),
    required("line_id", Text, key=True),
    required("name", Text),
    required("sentence", Text),
    required("stops", ARRAY(Text)),
    required("along_m", ARRAY(Integer)),
)

rule_set = Table(
    "rule_set",
    metadata,
    Column("rule_set_no", Integer, Identity(always=True), primary_key=True, nullable=False),
    required("version", Text),
    required("document", JSONB),
    required("activated_by", Text),
    required("recorded_at", _At),
)

tap = Table(
    "tap",
    metadata,
    required("tap_id", Uuid, key=True),
    required("user_id", Uuid),
    required("kind", Text),
    required("medium", Text),
    required("merchant_id", Text),
    required("terminal_id", Text),
    Column("terminal_counter", BigInteger),
    required("line_id", Text),
    required("trip_id", Text),
    required("vehicle_id", Text),
    required("driver_id", Text),
    required("stop_id", Text),
    Column("sequence", Integer),
    Column("off_stop_id", Text),
    Column("off_sequence", Integer),
    required("tapped_at", _At),
    Column("sent_at", _At),
    required("received_at", _At),
    Column("happened_at", _At),
    Column("order_id", Uuid),
    required("stands", Boolean),
    required("state", Text),
)

flow_told = Table(
    "flow_told",
    metadata,
    required("event_id", Uuid, key=True),
    required("told_at", _At),
)

due_week = Table(
    "due_week",
    metadata,
    Column("due_no", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    required("bucket", SmallInteger),
    required("user_id", Uuid),
    required("week_on", Date),
    required("not_before", _At),
)

journey = Table(
    "journey",
    metadata,
    required("journey_id", Uuid, key=True),
    required("user_id", Uuid),
    required("week_on", Date),
    required("business_on", Date),
    required("state", Text),
    required("reason", Text),
    required("merchant_id", Text),
    required("terminal_id", Text),
    required("line_id", Text),
    required("trip_id", Text),
    required("vehicle_id", Text),
    required("driver_id", Text),
    required("medium", Text),
    required("class", Text),
    required("on_stop_id", Text),
    Column("off_stop_id", Text),
    required("began_at", _At),
    Column("ended_at", _At),
    required("reported_at", _At),
    required("chain_id", Uuid),
    required("offer", Text),
    required("full_fen", BigInteger),
    required("fare_fen", BigInteger),
    required("citizen_fen", BigInteger),
    required("subsidy_fen", BigInteger),
    required("forgone_fen", BigInteger),
    required("rule_id", Text),
    required("rule_version", Text),
    required("priced_at", _At),
    Column("fingerprint", BigInteger),
)

charge_entry = Table(
    "charge_entry",
    metadata,
    Column("entry_no", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    required("journey_id", Uuid),
    required("user_id", Uuid),
    required("week_on", Date),
    required("business_on", Date),
    required("merchant_id", Text),
    required("payer", Text),
    required("amount_fen", BigInteger),
    required("order_id", Uuid),
    Column("refund_id", Uuid),
    required("recorded_at", _At),
)

correction = Table(
    "correction",
    metadata,
    required("correction_id", Uuid, key=True),
    required("journey_id", Uuid),
    required("user_id", Uuid),
    required("kind", Text),
    Column("off_stop_id", Text),
    required("reason", Text),
    required("made_by", Text),
    required("made_at", _At),
)

order_mark = Table(
    "order_mark",
    metadata,
    Column("only_row", Boolean, primary_key=True, nullable=False),
    required("order_id", Uuid),
)

vehicle_count = Table(
    "vehicle_count",
    metadata,
    required("vehicle_id", Text, key=True),
    required("business_on", Date, key=True),
    required("taps_count", BigInteger),
    required("told_by", Text),
    required("recorded_at", _At, key=True),
)

clearing_rule = Table(
    "clearing_rule",
    metadata,
    Column("rule_no", Integer, Identity(always=True), primary_key=True, nullable=False),
    required("version", Text),
    required("document", JSONB),
    required("set_by", Text),
    required("recorded_at", _At),
)
