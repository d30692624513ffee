"""Holds that expire and may be captured several times; rules of orders have a version."""

from adapters.migrations.sql import run_file

revision = "0110_orders"
down_revision = "0084_bills"


def upgrade() -> None:
    """Run ``cardcore/schema/0110_orders.sql``."""
    run_file("cardcore", "0110_orders.sql")
