"""Ride codes of other cities, cleared to their issuers."""

from adapters.migrations.sql import run_file

revision = "0173_foreign_rides"
down_revision = "0182_hospital_reconciliation"


def upgrade() -> None:
    """Run ``cardcore/schema/0173_foreign_rides.sql``."""
    run_file("cardcore", "0173_foreign_rides.sql")
