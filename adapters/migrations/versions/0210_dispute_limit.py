"""Disputes above an amount are credited and decided by two operators."""

from adapters.migrations.sql import run_file

revision = "0210_dispute_limit"
down_revision = "0168_settlement_differences"


def upgrade() -> None:
    """Run ``cardcore/schema/0210_dispute_limit.sql``."""
    run_file("cardcore", "0210_dispute_limit.sql")
