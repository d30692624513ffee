"""Counts of passengers are pushed, each once."""

from adapters.migrations.sql import run_file

revision = "0216_flow_told"
down_revision = "0215_record_gaps"


def upgrade() -> None:
    """Run ``scenes/bus/schema/0216_flow_told.sql``."""
    run_file("scenes.bus", "0216_flow_told.sql")
