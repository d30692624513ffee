"""Bills of payment channels in the hospital's comparison of books."""

from adapters.migrations.sql import run_file

revision = "0212_channel_bills"
down_revision = "0211_hospital_guidance"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0212_channel_bills.sql``."""
    run_file("scenes.hospital", "0212_channel_bills.sql")
