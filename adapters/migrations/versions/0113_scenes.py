"""Scenes registered by operators."""

from adapters.migrations.sql import run_file

revision = "0113_scenes"
down_revision = "0102_channels"


def upgrade() -> None:
    """Run ``cardcore/schema/0113_scenes.sql``."""
    run_file("cardcore", "0113_scenes.sql")
