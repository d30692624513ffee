"""Passes for visitors of a community."""

from adapters.migrations.sql import run_file

revision = "0150_visitors"
down_revision = "0190_ledger_planned_batch"


def upgrade() -> None:
    """Run the SQL files of the core and of the scene."""
    run_file("cardcore", "0150_visitor_codes.sql")
    run_file("scenes.community", "0002_visitors.sql")
