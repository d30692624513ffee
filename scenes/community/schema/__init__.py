"""The SQL of the ``scene_community`` schema, one numbered file per step; run in order."""
