"""Top-ups and withdrawals through payment channels."""

from adapters.migrations.sql import run_file

revision = "0102_channels"
down_revision = "0112_limits"


def upgrade() -> None:
    """Add intents and withdrawals."""
    run_file("cardcore", "0102_channels.sql")
