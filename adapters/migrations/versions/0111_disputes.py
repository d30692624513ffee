"""Disputes."""

from adapters.migrations.sql import run_file

revision = "0111_disputes"
down_revision = "0110_orders"


def upgrade() -> None:
    """Run ``cardcore/schema/0111_disputes.sql``."""
    run_file("cardcore", "0111_disputes.sql")
