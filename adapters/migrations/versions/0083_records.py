"""Records of terminals: what was brought back, gaps, cases, arrears."""

from adapters.migrations.sql import run_file

revision = "0083_records"
down_revision = "0083_webhooks"


def upgrade() -> None:
    """Add records, quarantine, chains, cases and arrears."""
    run_file("cardcore", "0083_records.sql")
