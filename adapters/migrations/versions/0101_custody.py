"""Checks of custody at the cut-off."""

from adapters.migrations.sql import run_file

revision = "0101_custody"
down_revision = "0100_funds"


def upgrade() -> None:
    """Add the checks."""
    run_file("cardcore", "0101_custody.sql")
