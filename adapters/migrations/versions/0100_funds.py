"""Funds by legal regime: limits, plans with versions, subsidies, credit lines, counters."""

from adapters.migrations.sql import run_file

revision = "0100_funds"
down_revision = "0111_disputes"


def upgrade() -> None:
    """Add regimes, limits, the funding policy, programmes, credit limits and tallies."""
    run_file("cardcore", "0100_funds.sql")
