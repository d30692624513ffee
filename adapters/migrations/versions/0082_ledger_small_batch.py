"""A small batch of the ledger is written in one statement."""

from adapters.migrations.sql import run_file

revision = "0082_ledger_small_batch"
down_revision = "0081_access"


def upgrade() -> None:
    """Create ``ledger.book_small_batch``."""
    run_file("ledger", "0007_small_batch.sql")
