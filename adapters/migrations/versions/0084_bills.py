"""Bills, indexes for lists, the sandbox's clock."""

from adapters.migrations.sql import run_file

revision = "0084_bills"
down_revision = "0083_records"


def upgrade() -> None:
    """Add ``cardcore.bill`` and ``cardcore.sandbox_clock``."""
    run_file("cardcore", "0084_bills.sql")
