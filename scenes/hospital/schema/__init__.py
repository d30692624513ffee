"""The SQL of the ``scene_hospital`` schema, one numbered file per step; run in order."""
