"""Limits as data."""

from adapters.migrations.sql import run_file

revision = "0112_limits"
down_revision = "0101_custody"


def upgrade() -> None:
    """Run ``cardcore/schema/0112_limits.sql``."""
    run_file("cardcore", "0112_limits.sql")
