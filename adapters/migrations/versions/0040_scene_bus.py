"""The bus scene's schema: versions of published prices and which of them are in force."""

from adapters.migrations.sql import run_file

revision = "0040_scene_bus"
down_revision = "0002_cardcore"


def upgrade() -> None:
    """Create the schema ``scene_bus``."""
    run_file("scenes.bus", "0001_bus.sql")
