"""The tables of ``scene_community`` as SQLAlchemy sees them.

The schema itself is made by ``schema/*.sql``; a test compares the two.
"""

from sqlalchemy import (
    ARRAY,
    Column,
    Date,
    DateTime,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Time,
    Uuid,
)

from cardcore.tables import required

metadata = MetaData(schema="scene_community")
_At = DateTime(timezone=True)


door_group = Table(
    "door_group",
    metadata,
    required("door", Text, key=True),
    required("door_group", Text, key=True),
    required("recorded_by", Text),
    required("recorded_at", _At),
)

access_grant = Table(
    "access_grant",
    metadata,
    required("grant_id", Uuid, key=True),
    required("user_id", Uuid),
    required("door_group", Text),
    required("relation", Text),
    required("valid_from", Date),
    required("valid_to", Date),
    required("weekdays", ARRAY(SmallInteger)),
    Column("starts", Time),
    Column("ends", Time),
    required("recorded_by", Text),
    required("recorded_at", _At),
)

grant_end = Table(
    "grant_end",
    metadata,
    required("grant_id", Uuid, key=True),
    required("recorded_by", Text),
    required("recorded_at", _At),
)

visitor_pass = Table(
    "visitor_pass",
    metadata,
    required("pass_id", Uuid, key=True),
    required("host_id", Uuid),
    required("visitor_id", Uuid),
    required("purpose", Text),
    required("door_groups", ARRAY(Text)),
    required("valid_from", Date),
    required("valid_to", Date),
    Column("starts", Time),
    Column("ends", Time),
    required("uses_max", SmallInteger),
    required("recorded_at", _At),
)

visitor_pass_end = Table(
    "visitor_pass_end",
    metadata,
    required("pass_id", Uuid, key=True),
    required("recorded_by", Text),
    required("recorded_at", _At),
)
