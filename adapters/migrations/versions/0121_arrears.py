"""Arrears are paid when money arrives."""

from adapters.migrations.sql import run_file

revision = "0121_arrears"
down_revision = "0160_bus_journeys"


def upgrade() -> None:
    """Run ``cardcore/schema/0121_arrears.sql``."""
    run_file("cardcore", "0121_arrears.sql")
