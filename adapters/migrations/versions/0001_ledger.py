"""The ledger's schema: accounts, transfers, guards, partitions."""

from adapters.migrations.sql import run_file

revision = "0001_ledger"
down_revision = None

FILES = (
    "0001_books.sql",
    "0002_guards.sql",
    "0003_partitions.sql",
    "0004_write_path.sql",
    "0005_evidence.sql",
    "0006_bookkeeping.sql",
)


def upgrade() -> None:
    """Create the schema ``ledger``."""
    for name in FILES:
        run_file("ledger", name)
