"""The SQL of the ``scene_parking`` schema, one numbered file per step; run in order."""
