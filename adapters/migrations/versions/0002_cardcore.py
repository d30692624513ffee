"""The core's schema: people, funds, rights, orders."""

from adapters.migrations.sql import run_file

revision = "0002_cardcore"
down_revision = "0001_ledger"


def upgrade() -> None:
    """Create the schema ``cardcore``."""
    run_file("cardcore", "0001_core.sql")
