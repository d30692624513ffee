"""What bus clearing reads beside journeys."""

from adapters.migrations.sql import run_file

revision = "0161_bus_clearing"
down_revision = "0132_event_feed"


def upgrade() -> None:
    """Run ``scenes/bus/schema/0005_clearing.sql``."""
    run_file("scenes.bus", "0005_clearing.sql")
