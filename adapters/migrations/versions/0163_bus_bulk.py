"""Bus journeys by the million: fingerprints, indexes that are read."""

from adapters.migrations.sql import run_file

revision = "0163_bus_bulk"
down_revision = "0187_whole_returns"


def upgrade() -> None:
    """Run ``scenes/bus/schema/0163_bulk.sql``."""
    run_file("scenes.bus", "0163_bulk.sql")
