"""Visits, bills, payments, refunds and deposits of hospitals."""

from adapters.migrations.sql import run_file

revision = "0181_hospital_payments"
down_revision = "0180_hospital_registration"


def upgrade() -> None:
    """Run ``scenes/hospital/schema/0181_payments.sql``."""
    run_file("scenes.hospital", "0181_payments.sql")
