"""The names patients have with a hospital."""

from adapters.migrations.sql import run_file

revision = "0188_hospital_patients"
down_revision = "0167_settlement_files"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0188_patients.sql``."""
    run_file("scenes.hospital", "0188_patients.sql")
