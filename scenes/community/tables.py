"""The tables of ``scene_community`` as SQLAlchemy sees them.

The schema itself is made by ``schema/*.sql``; a test compares the two.
"""

from typing import Any

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
from sqlalchemy.types import TypeEngine

metadata = MetaData(schema="scene_community")
_At = DateTime(timezone=True)


def _required(
    name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]], *, key: bool = False
) -> Column[Any]:
    return Column(name, kind, primary_key=key, nullable=False)


door_group = Table(
    "door_group",
    metadata,
    _required("door", Text, key=True),
    _required("door_group", Text, key=True),
    _required("recorded_by", Text),
    _required("recorded_at", _At),
)

access_grant = Table(
    "access_grant",
    metadata,
    _required("grant_id", Uuid, key=True),
    _required("user_id", Uuid),
    _required("door_group", Text),
    _required("relation", Text),
    _required("valid_from", Date),
    _required("valid_to", Date),
    _required("weekdays", ARRAY(SmallInteger)),
    Column("starts", Time),
    Column("ends", Time),
    _required("recorded_by", Text),
    _required("recorded_at", _At),
)

grant_end = Table(
    "grant_end",
    metadata,
    _required("grant_id", Uuid, key=True),
    _required("recorded_by", Text),
    _required("recorded_at", _At),
)

visitor_pass = Table(
    "visitor_pass",
    metadata,
    _required("pass_id", Uuid, key=True),
    _required("host_id", Uuid),
    _required("visitor_id", Uuid),
    _required("purpose", Text),
    _required("door_groups", ARRAY(Text)),
    _required("valid_from", Date),
    _required("valid_to", Date),
    Column("starts", Time),
    Column("ends", Time),
    _required("uses_max", SmallInteger),
    _required("recorded_at", _At),
)

visitor_pass_end = Table(
    "visitor_pass_end",
    metadata,
    _required("pass_id", Uuid, key=True),
    _required("recorded_by", Text),
    _required("recorded_at", _At),
)
