"""A batch decided from memory is booked without asking first."""

from adapters.migrations.sql import run_file

revision = "0190_ledger_planned_batch"
down_revision = "0181_hospital_payments"


def upgrade() -> None:
    """Create ``ledger.book_planned_batch``."""
    run_file("ledger", "0008_planned_batch.sql")
