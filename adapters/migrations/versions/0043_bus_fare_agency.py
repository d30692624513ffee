"""Whose fare a published price is, in a feed of several operators."""

from adapters.migrations.sql import run_file

revision = "0043_bus_fare_agency"
down_revision = "0042_bus_rule_set"


def upgrade() -> None:
    """Add ``scene_bus.fare.agency_id``."""
    run_file("scenes.bus", "0003_fare_agency.sql")
