"""The tables of registered scenes as SQLAlchemy sees them; see ``schema/0113_scenes.sql``."""

from sqlalchemy import ARRAY, DateTime, Table, Text

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
)
