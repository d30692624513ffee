"""Bills of payment channels in the hospital's comparison of books."""

from adapters.migrations.sql import run_file

revision = "0214_channel_bills"
down_revision = "0213_ledger_plans_in_a_row"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0214_channel_bills.sql``."""
    run_file("scenes.hospital", "0214_channel_bills.sql")
