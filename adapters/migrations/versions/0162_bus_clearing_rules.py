"""How bus revenue is shared and what clearing costs."""

from adapters.migrations.sql import run_file

revision = "0162_bus_clearing_rules"
down_revision = "0161_bus_clearing"


def upgrade() -> None:
    """Run ``scenes/bus/schema/0006_clearing_rules.sql``."""
    run_file("scenes.bus", "0006_clearing_rules.sql")
