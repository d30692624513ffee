"""Settlement windows, statements, payouts and receipts."""

from adapters.migrations.sql import run_file

revision = "0166_settlement"
down_revision = "0164_stop_timezone"


def upgrade() -> None:
    """Run ``cardcore/schema/0166_settlement.sql``."""
    run_file("cardcore", "0166_settlement.sql")
