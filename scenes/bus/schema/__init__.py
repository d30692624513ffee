"""The SQL of the ``scene_bus`` schema, one numbered file per step; Alembic runs them in order."""
