"""Plates with proof of ownership; credit lines paid back out of a fund."""

from adapters.migrations.sql import run_file

revision = "0170_plates"
down_revision = "0130_merchants"


def upgrade() -> None:
    """Run ``cardcore/schema/0170_plates.sql``."""
    run_file("cardcore", "0170_plates.sql")
