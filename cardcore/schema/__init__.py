"""The SQL of the ``cardcore`` schema, one numbered file per step; Alembic runs them in order."""
