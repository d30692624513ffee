"""The ledger's schema: accounts, transfers, guards, partitions."""

from adapters.migrations.sql import run_file
from ledger import schema_files

revision = "0001_ledger"
down_revision = None


def upgrade() -> None:
    """Create the schema ``ledger``."""
    for file in schema_files():
        run_file("ledger", file.name)
