"""Bus taps, journeys and their charges."""

from adapters.migrations.sql import run_file

revision = "0160_bus_journeys"
down_revision = "0170_plates"


def upgrade() -> None:
    """Run ``scenes/bus/schema/0004_journeys.sql``."""
    run_file("scenes.bus", "0004_journeys.sql")
