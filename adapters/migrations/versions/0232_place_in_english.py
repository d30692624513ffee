"""A department says where it is in English too."""

from adapters.migrations.sql import run_file

revision = "0232_place_in_english"
down_revision = "0230_orders_by_day"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0232_place_in_english.sql``."""
    run_file("scenes.hospital", "0232_place_in_english.sql")
