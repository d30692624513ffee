"""Registered scenes change by versions."""

from adapters.migrations.sql import run_file

revision = "0122_scene_versions"
down_revision = "0150_visitors"


def upgrade() -> None:
    """Run ``cardcore/schema/0122_scene_versions.sql``."""
    run_file("cardcore", "0122_scene_versions.sql")
