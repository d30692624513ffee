"""Registering for a visit to a hospital."""

from adapters.migrations.sql import run_file

revision = "0180_hospital_registration"
down_revision = "0131_key_epochs"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0180_registration.sql``."""
    run_file("scenes.hospital", "0180_registration.sql")
