"""Returns that end by giving everything back and billing the rest anew."""

from adapters.migrations.sql import run_file

revision = "0187_whole_returns"
down_revision = "0185_hospital_reports"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0187_whole_returns.sql``."""
    run_file("scenes.hospital", "0187_whole_returns.sql")
