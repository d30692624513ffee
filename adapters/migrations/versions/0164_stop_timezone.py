"""A stop's own time zone, by which fares that hold at hours are read."""

from adapters.migrations.sql import run_file

revision = "0164_stop_timezone"
down_revision = "0163_bus_bulk"


def upgrade() -> None:
    """Run ``scenes/bus/schema/0164_stop_timezone.sql``."""
    run_file("scenes.bus", "0164_stop_timezone.sql")
