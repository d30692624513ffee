"""The tables of guidance and early warning as SQLAlchemy sees them.

Made by ``schema/0211_guidance.sql`` and ``schema/0212_early_warning.sql``.
"""

from sqlalchemy import Column, Date, DateTime, Integer, Table, Text, Uuid

from cardcore.tables import required
from scenes.hospital.tables import metadata

_At = DateTime(timezone=True)

place = Table(
    "place",
    metadata,
    required("merchant_id", Text, key=True),
    required("place_code", Text, key=True),
    required("step", Text),
    Column("dept_code", Text),
    required("name_zh", Text),
    required("name_en", Text),
    required("floor_zh", Text),
    required("floor_en", Text),
    Column("window_no", Text),
    Column("waiting", Integer),
    required("recorded_at", _At),
)

visit_step = Table(
    "visit_step",
    metadata,
    required("visit_id", Uuid, key=True),
    required("step", Text, key=True),
    required("done_at", _At),
)

symptom_count = Table(
    "symptom_count",
    metadata,
    required("counted_on", Date, key=True),
    required("merchant_id", Text, key=True),
    required("symptom_group", Text, key=True),
    required("asked", Integer),
)

point_count = Table(
    "point_count",
    metadata,
    required("counted_on", Date, key=True),
    required("point", Text, key=True),
    required("symptom_group", Text, key=True),
    required("told_by", Text, key=True),
    required("counted", Integer),
    required("recorded_at", _At),
)
