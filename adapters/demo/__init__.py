"""The main job, run once from key ceremony to closed books, and reported with figures."""
