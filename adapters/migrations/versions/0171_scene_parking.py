"""The parking scene's schema: car parks, readings, stays, and who pays afterwards."""

from adapters.migrations.sql import run_file

revision = "0171_scene_parking"
down_revision = "0123_record_reviews"


def upgrade() -> None:
    """Create the schema ``scene_parking``."""
    run_file("scenes.parking", "0001_parking.sql")
