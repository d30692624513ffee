"""The community scene's schema: doors, and who may pass them when."""

from adapters.migrations.sql import run_file

revision = "0041_scene_community"
down_revision = "0040_scene_bus"


def upgrade() -> None:
    """Create the schema ``scene_community``."""
    run_file("scenes.community", "0001_community.sql")
