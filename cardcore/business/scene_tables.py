"""The tables of registered scenes as SQLAlchemy sees them.

See ``schema/0113_scenes.sql`` and ``schema/0122_scene_versions.sql``.
"""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Integer, Table, Text

from cardcore.tables import metadata, required

scene_class = Table(
    "scene_class",
    metadata,
    required("class_code", Text, key=True),
    required("code_scene", Text),
)

scene = Table(
    "scene",
    metadata,
    required("scene", Text, key=True),
    required("class_code", Text),
    required("name_zh", Text),
    required("name_en", Text),
    required("level_min", Text),
    required("offline_rule", Text),
    required("settlement_cycle", Text),
    required("modes", ARRAY(Text)),
    required("client_id", Text),
    required("recorded_at", DateTime(timezone=True)),
    Column("version", Integer, primary_key=True, nullable=False, server_default="1"),
    Column("retired", Boolean, nullable=False, server_default="false"),
    Column("reason", Text, nullable=False, server_default="scene registered"),
    Column("rules_version", BigInteger, nullable=False, server_default="0"),
)
