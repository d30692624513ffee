"""Orders of a day are found by the day first."""

from adapters.migrations.sql import run_file

revision = "0230_orders_by_day"
down_revision = "0216_flow_told"


def upgrade() -> None:
    """Run ``cardcore/schema/0230_orders_by_day.sql``."""
    run_file("cardcore", "0230_orders_by_day.sql")
