"""Merchants and terminals that are suspended, closed and retired."""

from adapters.migrations.sql import run_file

revision = "0130_merchants"
down_revision = "0120_delegations"


def upgrade() -> None:
    """Run ``cardcore/schema/0130_merchants.sql``."""
    run_file("cardcore", "0130_merchants.sql")
